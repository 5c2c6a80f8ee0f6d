//! `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers): where the caller stands.

use std::fmt::Write as _;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue};

use crate::app::Standing;

pub(super) const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
pub(super) const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// Adds one member for each limit that the request met.
pub(super) fn describe(headers: &mut HeaderMap, standings: &[Standing]) {
    if standings.is_empty() {
        return;
    }
    let (mut state, mut policy) = (String::new(), String::new());
    for (index, standing) in standings.iter().enumerate() {
        let comma = if index == 0 { "" } else { ", " };
        let (name, rate) = (standing.policy.as_str(), standing.rate);
        let next = seconds(standing.next);
        let _ = write!(state, "{comma}\"{name}\";r={};t={next}", standing.remaining);
        let _ = write!(policy, "{comma}\"{name}\";q={};w={}", rate.count, seconds(rate.per));
    }
    for (name, value) in [(RATE_LIMIT, state), (RATE_LIMIT_POLICY, policy)] {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    }
}

/// Rounded up: whoever waits so long has waited long enough.
pub(super) fn seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}
