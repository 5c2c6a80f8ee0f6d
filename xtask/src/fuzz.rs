//! cargo-fuzz over the targets in `fuzz/`, which need a nightly compiler.

use std::fs;

use crate::workspace::{Outcome, Workspace, status};

pub(crate) fn run(workspace: &Workspace, only: Option<&str>, seconds: u32) -> Outcome {
    let fuzz = workspace.root.join("fuzz");
    // What is fuzzed is what ships: the same versions of everything.
    fs::copy(workspace.root.join("Cargo.lock"), fuzz.join("Cargo.lock"))?;
    let mut targets = Vec::new();
    for file in fs::read_dir(fuzz.join("fuzz_targets"))? {
        targets.extend(file?.path().file_stem().and_then(|name| name.to_str()).map(str::to_owned));
    }
    targets.retain(|target| only.is_none_or(|only| only == target));
    targets.sort();
    if targets.is_empty() {
        return Err("no such target in fuzz/fuzz_targets".into());
    }
    for target in targets {
        println!("\n== {target}: {seconds} s ==");
        // No address sanitizer: but for argon2/ there is no unsafe code here, and Miri looks at that.
        let mut cargo = workspace.cargo("+nightly fuzz run --sanitizer none");
        cargo.args([&target, "--", &format!("-max_total_time={seconds}"), "-print_final_stats=1"]);
        status(cargo.env_remove("RUSTUP_TOOLCHAIN").env_remove("CARGO"))?;
    }
    Ok(())
}
