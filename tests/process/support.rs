//! What these tests stand on: a database each, and the binary with an environment that is all ours.

#[expect(dead_code, reason = "shared with the suite, which uses more of it")]
#[path = "../suite/support"]
mod shared {
    pub mod actor;
    pub mod authority;
    pub mod database;
    pub mod events;
    mod eventually;
    mod free_port;
    mod invariants;
    #[cfg(feature = "kafka")]
    pub mod kafka;
    pub mod proxy;
    pub mod rabbit;
    pub mod redis;

    pub use database::{Kind, TestDatabase};
    pub use eventually::eventually;
    pub use free_port::free_port;
}
mod collector;
mod crowd;
mod foreign;
mod http_file;
mod line;
mod postgres_server;
mod process;
mod rabbit_server;
mod report;
mod setup;

pub use collector::{Collector, attribute};
pub use crowd::{Crowd, Faults};
pub use foreign::{node_packages, node_tools, python, serve_as_issuer};
pub use http_file::HttpFile;
pub use line::Line;
pub use postgres_server::PostgresServer;
pub use process::Process;
pub use rabbit_server::RabbitServer;
pub use setup::{Finished, Server, Setup, master_key};
pub use shared::actor::{Actor, Answer, PASSWORD, unique_email};
pub use shared::authority::Authority;
pub use shared::database::{Kind, TestDatabase};
pub use shared::free_port;
#[cfg(feature = "kafka")]
pub use shared::kafka::{Tansu, Topic};
pub use shared::proxy::Proxy;
pub use shared::rabbit::Exchange;
pub use shared::redis::PrivateRedis;

use std::time::Duration;

/// How long anything may take that is expected to happen soon. Generous: machines of tests are busy.
pub const SOON: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(20);

/// Asks again and again until there is an answer; `what` names what was waited for in vain.
pub async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = tokio::time::Instant::now() + SOON;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(tokio::time::Instant::now() < deadline, "waited in vain for: {what}");
        tokio::time::sleep(PAUSE).await;
    }
}

/// How much a fault is to be survived: a little in the suite, thousands in `cargo xtask prove`.
pub fn rounds(ordinary: u32, prove: u32) -> u32 {
    if proving() { prove } else { ordinary }
}

/// Whether this is `cargo xtask prove`.
pub fn proving() -> bool {
    std::env::var_os("KEYWARD_PROVE").is_some()
}

/// What is promised to take so long at most; the machine of the suite is a busy one, and gets more.
pub fn promised(limit: Duration) -> Duration {
    if proving() { limit } else { limit * 4 }
}
