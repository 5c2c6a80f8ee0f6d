//! What tests stand on: a database each, servers on it, and actors who speak HTTP.

mod actor;
mod authority;
#[expect(dead_code, reason = "shared with the tests of the process, which use more of it")]
mod database;
mod events;
mod eventually;
mod forge;
mod free_port;
mod invariants;
#[cfg(feature = "kafka")]
mod kafka;
mod nats;
mod order;
mod outbox;
mod proxy;
mod rabbit;
mod raw;
mod receiver;
mod redis;
mod server;
mod tls;

pub use actor::{Actor, Answer, PASSWORD, unique_email};
pub use authority::Authority;
pub use database::{Kind, TestDatabase};
pub use eventually::eventually;
pub use forge::{Forge, encode};
pub use free_port::free_port;
#[cfg(feature = "kafka")]
pub use kafka::{Record, Tansu, Topic};
pub use nats::{NatsServer, Stream};
pub use order::assert_in_order;
pub use proxy::Proxy;
pub use rabbit::Exchange;
pub use raw::Raw;
pub use receiver::{Posted, Reaction, Receiver};
pub use redis::{PrivateRedis, SlowLink, key_prefix, redis_url};
pub use server::{ISSUER, TestServer, master_key};
pub use tls::{https_client, tls_acceptor, tls_connect};

/// How often a race is run: seldom in the suite, often enough to believe it in `cargo xtask prove`.
pub fn rounds(ordinary: u32, prove: u32) -> u32 {
    if std::env::var_os("KEYWARD_PROVE").is_some() { prove } else { ordinary }
}
