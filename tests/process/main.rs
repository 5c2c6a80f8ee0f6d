//! The binary seen from outside, as a process: its settings, its output, its signals, its exit codes.
//!
//! Runs on SQLite and again on PostgreSQL, as the suite does; `cargo xtask test` sets that up.

#![expect(
    unreachable_pub,
    reason = "a test binary has no outside; `pub` marks what tests use of the support"
)]

#[cfg(test)]
mod support;

#[cfg(test)]
mod admin;
#[cfg(test)]
mod audit;
#[cfg(test)]
mod backup;
#[cfg(test)]
mod commands;
#[cfg(test)]
mod connections;
#[cfg(test)]
mod contracts;
#[cfg(test)]
mod crash;
#[cfg(test)]
mod database_restart;
#[cfg(test)]
mod database_slow;
#[cfg(test)]
mod deploy;
#[cfg(test)]
mod doctor;
#[cfg(test)]
mod doctor_rows;
#[cfg(test)]
mod events;
#[cfg(test)]
mod events_commands;
#[cfg(test)]
mod fail_over;
#[cfg(test)]
mod full_disk;
#[cfg(test)]
mod goodput;
#[cfg(test)]
mod integrate;
#[cfg(test)]
mod log;
#[cfg(test)]
mod master_key;
#[cfg(test)]
mod metrics;
#[cfg(test)]
mod migrate;
#[cfg(test)]
mod overload;
#[cfg(test)]
mod pages;
#[cfg(test)]
mod python;
#[cfg(test)]
mod races;
#[cfg(test)]
mod redis;
#[cfg(test)]
mod refused_quickly;
#[cfg(test)]
mod restore;
#[cfg(test)]
mod rolling;
#[cfg(test)]
mod secrets;
#[cfg(test)]
mod serve;
#[cfg(test)]
mod settings;
#[cfg(test)]
mod sinks;
#[cfg(test)]
mod start;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod traces;
#[cfg(test)]
mod upgrade;
#[cfg(test)]
mod users;
