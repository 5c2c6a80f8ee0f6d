use std::time::{Duration, SystemTime};

use crate::clock::Clock;

/// Holds how [`RemoteKeys`](crate::RemoteKeys) fetches; the defaults suit most services.
#[derive(Debug, Clone)]
pub struct RemoteOptions {
    pub(super) cool_down: Duration,
    pub(super) serve_stale: Duration,
    pub(super) timeout: Duration,
    pub(super) plain_http: bool,
    pub(super) certificates: Vec<u8>,
    pub(super) clock: Clock,
}

impl Default for RemoteOptions {
    fn default() -> Self {
        Self {
            cool_down: Duration::from_secs(10),
            serve_stale: Duration::from_secs(24 * 60 * 60),
            timeout: Duration::from_secs(5),
            plain_http: false,
            certificates: Vec::new(),
            clock: Clock::default(),
        }
    }
}

impl RemoteOptions {
    /// Sets how much time passes at least between two fetches for the sake of an unknown `kid`; 10 s.
    #[must_use]
    pub fn cool_down(self, cool_down: Duration) -> Self {
        Self { cool_down, ..self }
    }

    /// Sets for how long beyond its `max-age` a set is used while the issuer is away; 24 h.
    ///
    /// Zero refuses service instead: nobody with a key that was revoked meanwhile is let in.
    #[must_use]
    pub fn serve_stale(self, serve_stale: Duration) -> Self {
        Self { serve_stale, ..self }
    }

    /// Sets how long one request may take, from the connection to the last byte; 5 s.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Allows `http` to other machines than this one. Whoever sits on the way can then sign tokens: only for networks
    /// where nobody does, such as the inside of a compose file.
    #[must_use]
    pub fn allow_plain_http(self) -> Self {
        Self { plain_http: true, ..self }
    }

    /// Trusts the certificate authorities in this PEM text, and the system's no longer.
    #[must_use]
    pub fn trust_only(self, pem: impl Into<Vec<u8>>) -> Self {
        Self { certificates: pem.into(), ..self }
    }

    /// Takes the time from elsewhere than the system, for tests.
    #[must_use]
    pub fn clock(self, now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        Self { clock: Clock::new(now), ..self }
    }
}
