//! The product seen from outside, over HTTP: each file is a noun, each test says who does what.
//!
//! The whole suite runs on SQLite and again on PostgreSQL (`KEYWARD_TEST_DATABASE`); `cargo xtask
//! test` sets that up. Every test has a database of its own.

#![expect(
    unreachable_pub,
    reason = "a test binary has no outside; `pub` marks what tests use of the support"
)]

mod support;

mod logout;
mod races;
mod refresh;
mod refresh_model;
mod sessions;
mod walk;
