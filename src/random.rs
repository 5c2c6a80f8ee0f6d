//! The one source of chance: the operating system's generator, through aws-lc.

use uuid::Uuid;

use crate::domain::Timestamp;

/// Returns `N` unpredictable bytes.
///
/// # Panics
/// When the operating system has no entropy to give; nothing safe could follow.
#[must_use]
#[expect(clippy::expect_used, clippy::disallowed_methods, reason = "this is the one door")]
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut out = [0; N];
    aws_lc_rs::rand::fill(&mut out).expect("the operating system gives random bytes");
    out
}

/// Makes a time-ordered identifier (RFC 9562 §5.7) of `now` and 74 random bits.
#[must_use]
pub fn uuid_v7(now: Timestamp) -> Uuid {
    let millis = u64::try_from(now.micros() / 1_000).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &bytes()).into_uuid()
}
