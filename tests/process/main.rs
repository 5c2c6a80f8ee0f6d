//! The binary seen from outside, as a process: its settings, its output, its signals, its exit codes.
//!
//! Runs on SQLite and again on PostgreSQL, as the suite does; `cargo xtask test` sets that up.

#![expect(
    unreachable_pub,
    reason = "a test binary has no outside; `pub` marks what tests use of the support"
)]

mod support;

mod commands;
mod crash;
mod log;
mod master_key;
mod migrate;
mod python;
mod secrets;
mod serve;
mod settings;
mod start;
mod users;
