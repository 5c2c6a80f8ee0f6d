//! Keyward: an auth service in one binary. `ARCHITECTURE.md` has the map.

pub mod app;
pub mod clock;
pub mod config;
pub mod crypto;
pub mod domain;
pub mod events;
pub mod random;
pub mod store;
