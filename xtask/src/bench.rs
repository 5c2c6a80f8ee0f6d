//! Measurements as ratios within one run; never part of the tests.

use crate::brokers::BROKERS;
use crate::postgres::POSTGRES;
use crate::servers::{self, Server};
use crate::workspace::{Outcome, Workspace, status};

/// If it has to be started: one that waits for its disk, unlike that of the tests.
const DURABLE: Server = Server { keeper: concat!("fsync=on\n", include_str!("postgres.sh")), ..POSTGRES };

pub(crate) fn run(workspace: &Workspace, what: &str) -> Outcome {
    status(&mut workspace.cargo("build --release --package keyward --package keyward-bench"))?;
    let mut bench = workspace.command(workspace.target.join("release/keyward-bench"));
    bench.arg(what).arg(&workspace.target);
    if what == "report" {
        return status(&mut bench);
    }
    let (postgres, _postgres) = servers::find(workspace, &DURABLE)?;
    let [rabbitmq, ..] = BROKERS;
    let (amqp, _rabbitmq) = match what {
        "events" | "all" => servers::find(workspace, rabbitmq)?,
        _ => (String::new(), None),
    };
    status(bench.arg(postgres).arg(amqp))
}
