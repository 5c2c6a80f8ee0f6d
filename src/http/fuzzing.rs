//! Doors for `fuzz/` to the parsers of this layer, which nothing else outside may call. They exist only
//! in what cargo-fuzz builds (`--cfg fuzzing`).

use std::net::IpAddr;

use axum::http::HeaderValue;
use serde_json::Value;

use super::forwarded::Hop;
use super::{bearer, forwarded, strict_json};

/// Reads a body as every JSON route does.
#[must_use]
pub fn strict_json(body: &[u8]) -> Option<Value> {
    strict_json::read(body).ok()
}

/// Reads a line of `X-Forwarded-For`; `None` if it cannot stand in a header.
#[must_use]
pub fn x_forwarded_for(line: &[u8]) -> Option<Vec<Option<IpAddr>>> {
    let line = HeaderValue::from_bytes(line).ok()?;
    Some(forwarded::x_forwarded_for(&line).into_iter().map(address).collect())
}

/// Reads a line of `Forwarded`: addresses, and whether each came over https; `None` if it cannot stand in a header.
#[must_use]
pub fn forwarded(line: &[u8]) -> Option<Vec<(Option<IpAddr>, bool)>> {
    let line = HeaderValue::from_bytes(line).ok()?;
    let elements = forwarded::forwarded(&line).into_iter();
    Some(elements.map(|element| (address(element.hop), element.https)).collect())
}

/// Reads a line of `X-Forwarded-Proto`; `None` if it cannot stand in a header.
#[must_use]
pub fn x_forwarded_proto(line: &[u8]) -> Option<bool> {
    HeaderValue::from_bytes(line).ok().map(|line| forwarded::x_forwarded_proto(&line))
}

fn address(hop: Hop) -> Option<IpAddr> {
    match hop {
        Hop::Address(address) => Some(address),
        Hop::Unreadable => None,
    }
}

/// Reads the value of `Authorization` as the routes for service clients do.
#[must_use]
pub fn basic(authorization: &str) -> Option<(String, String)> {
    bearer::basic(authorization)
}
