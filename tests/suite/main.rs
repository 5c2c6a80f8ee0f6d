//! The product seen from outside, over HTTP: each file is a noun, each test says who does what.
//!
//! The whole suite runs on SQLite and again on PostgreSQL (`KEYWARD_TEST_DATABASE`); `cargo xtask
//! test` sets that up. Every test has a database of its own.

#![expect(
    unreachable_pub,
    reason = "a test binary has no outside; `pub` marks what tests use of the support"
)]

#[cfg(test)]
mod support;

#[cfg(test)]
mod access_tokens;
#[cfg(test)]
mod admin_keys;
#[cfg(test)]
mod admin_races;
#[cfg(test)]
mod admin_users;
#[cfg(test)]
mod architecture;
#[cfg(test)]
mod audit;
#[cfg(test)]
mod audit_events;
#[cfg(test)]
mod audit_failure;
#[cfg(test)]
mod audit_roles;
#[cfg(test)]
mod authorization;
#[cfg(test)]
mod connections;
#[cfg(test)]
mod dashboards;
#[cfg(test)]
mod device_tokens;
#[cfg(test)]
mod discovery;
#[cfg(test)]
mod docs;
#[cfg(test)]
mod doctor;
#[cfg(test)]
mod emails;
#[cfg(test)]
mod event_docs;
#[cfg(test)]
mod forged_tokens;
#[cfg(test)]
mod growth;
#[cfg(test)]
mod guide;
#[cfg(test)]
mod headers;
#[cfg(test)]
mod http2;
#[cfg(test)]
mod introspection;
#[cfg(test)]
mod kafka;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod limits_shared;
#[cfg(test)]
mod lock;
#[cfg(test)]
mod login;
#[cfg(test)]
mod login_timing;
#[cfg(test)]
mod logout;
#[cfg(test)]
mod metrics;
#[cfg(test)]
mod migrations;
#[cfg(test)]
mod nats;
#[cfg(test)]
mod outbox;
#[cfg(test)]
mod outgoing_tls;
#[cfg(test)]
mod own_sessions;
#[cfg(test)]
mod password_change;
#[cfg(test)]
mod passwords;
#[cfg(test)]
mod presented_bytes;
#[cfg(test)]
mod problems;
#[cfg(test)]
mod rabbitmq;
#[cfg(test)]
mod races;
#[cfg(test)]
mod redis_faults;
#[cfg(test)]
mod refresh;
#[cfg(test)]
mod refresh_model;
#[cfg(test)]
mod replay;
#[cfg(test)]
mod roles;
#[cfg(test)]
mod sessions;
#[cfg(test)]
mod signing_keys;
#[cfg(test)]
mod signup;
#[cfg(test)]
mod store;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod transactions;
#[cfg(test)]
mod verify_library;
#[cfg(test)]
mod walk;
#[cfg(test)]
mod webhooks;
