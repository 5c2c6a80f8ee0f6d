//! What tests stand on: a database each, servers on it, and actors who speak HTTP.

mod actor;
mod database;
mod forge;
mod invariants;
mod server;

pub use actor::{Actor, Answer};
pub use database::{Kind, TestDatabase};
pub use forge::{Forge, encode};
pub use server::{ISSUER, TestServer, eventually};
