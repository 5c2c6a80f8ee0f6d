//! Keyward: an auth service in one binary. `ARCHITECTURE.md` has the map.

pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod crypto;
pub mod domain;
pub mod events;
pub mod http;
pub mod limits;
pub mod random;
pub mod store;
pub mod telemetry;
