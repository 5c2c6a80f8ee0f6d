//! What tests stand on: a database each, servers on it, and actors who speak HTTP.

mod actor;
mod database;
mod forge;
mod invariants;
mod raw;
mod server;

pub use actor::{Actor, Answer, PASSWORD, unique_email};
pub use database::{Kind, TestDatabase};
pub use forge::{Forge, encode};
pub use raw::Raw;
pub use server::{ISSUER, TestServer, eventually, master_key};
