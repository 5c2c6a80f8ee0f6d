//! The product seen from outside, over HTTP: each file is a noun, each test says who does what.
//!
//! The whole suite runs on SQLite and again on PostgreSQL (`KEYWARD_TEST_DATABASE`); `cargo xtask
//! test` sets that up. Every test has a database of its own.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "the support is code of tests: it stops where what it expects is not so"
)]
#![expect(
    unreachable_pub,
    reason = "a test binary has no outside; `pub` marks what tests use of the support"
)]

mod support;

mod architecture;
mod connections;
mod discovery;
mod docs;
mod emails;
mod headers;
mod login;
mod migrations;
mod passwords;
mod problems;
mod signup;
mod store;
mod transactions;
mod walk;
