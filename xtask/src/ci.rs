//! All that a change must pass, in the order that fails soonest.

use std::time::Instant;

use crate::workspace::{Outcome, Workspace, status};
use crate::{generate, suite};

type Step = (&'static str, fn(&Workspace) -> Outcome);

const STEPS: [Step; 6] = [
    ("fmt", |workspace| status(&mut workspace.cargo("fmt --all --check"))),
    ("clippy", |workspace| status(&mut workspace.cargo("clippy --workspace --all-targets -- -D warnings"))),
    ("rustdoc", |workspace| {
        let mut doc = workspace.cargo("doc --workspace --no-deps");
        status(doc.env("RUSTDOCFLAGS", "-D warnings"))
    }),
    ("cargo-deny", deny),
    ("generate --check", |workspace| generate::run(workspace, true)),
    ("test", |workspace| suite::run(workspace, &[])),
];

pub(crate) fn run(workspace: &Workspace) -> Outcome {
    for (name, step) in STEPS {
        println!("\n== {name} ==");
        let start = Instant::now();
        step(workspace).map_err(|error| format!("{name}: {error}"))?;
        // Not on stdout, where the last line stays the count of tests.
        eprintln!("== {name}: {:.1} s ==", start.elapsed().as_secs_f32());
    }
    Ok(())
}

/// Not `advisories`: their database is a git repository, and CI reaches package registries only.
fn deny(workspace: &Workspace) -> Outcome {
    let tools = workspace.target.join("tools");
    // Does nothing when it is there. Not optimised: that builds in half a minute, and suffices.
    let mut install = workspace.cargo("install --quiet --locked --debug cargo-deny@0.20.2 --root");
    install.arg(&tools).env("CARGO_PROFILE_DEV_DEBUG", "0");
    status(install.env_remove("CARGO_TARGET_DIR"))?;
    let mut deny = workspace.command(tools.join("bin/cargo-deny"));
    status(deny.args(["check", "bans", "licenses", "sources"]))
}
