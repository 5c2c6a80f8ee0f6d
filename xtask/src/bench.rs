//! Measurements as ratios within one run; never part of the tests.

use crate::postgres::POSTGRES;
use crate::servers;
use crate::workspace::{Outcome, Workspace, status};

pub(crate) fn run(workspace: &Workspace, what: &str) -> Outcome {
    status(&mut workspace.cargo("build --release --package keyward --package keyward-bench"))?;
    let (url, _postgres) = servers::find(workspace, &POSTGRES)?;
    let release = workspace.target.join("release");
    let mut bench = std::process::Command::new(release.join("keyward-bench"));
    status(bench.arg(what).arg(release.join("keyward")).arg(url))
}
