//! Measurements as ratios within one run; never part of the tests.

use crate::brokers::BROKERS;
use crate::postgres::POSTGRES;
use crate::servers;
use crate::workspace::{Outcome, Workspace, status};

pub(crate) fn run(workspace: &Workspace, what: &str) -> Outcome {
    status(&mut workspace.cargo("build --release --package keyward --package keyward-bench"))?;
    let (postgres, _postgres) = servers::find(workspace, &POSTGRES)?;
    let [rabbitmq, ..] = BROKERS;
    let (amqp, _rabbitmq) = servers::find(workspace, rabbitmq)?;
    let release = workspace.target.join("release");
    let mut bench = std::process::Command::new(release.join("keyward-bench"));
    status(bench.arg(what).arg(release.join("keyward")).arg(postgres).arg(amqp))
}
