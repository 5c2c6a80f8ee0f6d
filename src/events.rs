//! Events on their way out: the envelope, and where it goes.

mod envelope;

pub use envelope::Envelope;

use crate::config::EventsUrl;

/// A place that takes events. The set is closed.
#[derive(Debug)]
pub enum Publisher {
    /// One structured log line an event.
    Log,
}

#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    #[error("the envelope cannot be written as JSON: {0}")]
    Envelope(#[from] serde_json::Error),
}

impl Publisher {
    /// Chooses by the scheme of `events_url`; `Err` says what to write instead.
    pub fn new(url: &EventsUrl) -> Result<Self, String> {
        match url {
            EventsUrl::Log => Ok(Self::Log),
            EventsUrl::Other { scheme, .. } => Err(format!(
                "events_url: {scheme}:// is not supported by this version\n  fix: write log: (brokers come next)"
            )),
        }
    }

    /// Names the sink in `outbox_deliveries`.
    #[must_use]
    pub const fn sink(&self) -> &'static str {
        match self {
            Self::Log => "log",
        }
    }

    /// Hands an event over; `Ok` means that the sink has it for good.
    #[expect(clippy::unused_async, reason = "a log line needs no waiting; brokers will")]
    pub async fn publish(&self, envelope: &Envelope<'_>) -> Result<(), PublishError> {
        match self {
            Self::Log => {
                let event = serde_json::to_string(envelope)?;
                tracing::info!(target: "keyward::events", event_type = envelope.kind(), event, "event");
                Ok(())
            }
        }
    }
}
