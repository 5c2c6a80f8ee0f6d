use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// The one source of time, so that a test can hold it.
///
/// It is the time of day for the cache as well as for tokens: the steady clock stands still while a machine sleeps, and
/// keys grow old meanwhile.
#[derive(Clone)]
pub(crate) struct Clock(Arc<dyn Fn() -> SystemTime + Send + Sync>);

impl Clock {
    pub(crate) fn new(now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// Returns the time since the Unix epoch.
    pub(crate) fn now(&self) -> Duration {
        (self.0)().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
    }
}

impl Default for Clock {
    fn default() -> Self {
        #[expect(clippy::disallowed_methods, reason = "this is the crate's clock, and an option replaces it")]
        Self::new(SystemTime::now)
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}
