//! Events on their way out: the envelope, and the places it goes to.
//!
//! A place is connected to when the first event is published and again after it was away; nothing here
//! keeps events. Whether one is published is what [`Publisher::publish`] returns, and the outbox
//! remembers that.

mod amqp;
mod asyncapi;
mod authorities;
mod catalogue;
mod envelope;
#[cfg(feature = "kafka")]
mod kafka;
mod link;
mod nats;
mod webhook;

use std::time::Duration;

use amqp::Amqp;
pub use asyncapi::document as asyncapi_document;
pub use catalogue::{EventType, Member, catalogue};
pub use envelope::Envelope;
#[cfg(feature = "kafka")]
use kafka::Kafka;
use nats::Nats;
use webhook::Webhook;

use crate::config::{EventsSettings, Sink, SinkTarget};
use crate::domain::{EventId, Timestamp, UserId};

/// How long a place may take for one event before it counts as away.
const PUBLISH_TIMEOUT: Duration = Duration::from_secs(10);

/// An event as it is handed over.
#[derive(Debug, Clone)]
pub struct Message {
    pub id: EventId,
    /// Such as `auth.user_created`.
    pub kind: String,
    /// Whom it is about; `None` when it is about the installation.
    pub subject: Option<UserId>,
    pub attempted_at: Timestamp,
    /// CloudEvents 1.0, structured JSON.
    pub body: Vec<u8>,
}

/// What a place said when it took an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Receipt {
    /// It is stored there for good.
    Taken,
    /// The place works, and nobody has asked it for events of this type.
    NoSubscriber,
}

/// What a look at a place showed. It left nothing there, and no subscriber has seen anything of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look {
    /// It would take an event, as far as can be told without one; the words say how far that is.
    Ready(String),
    /// It works, and what events go into is not there before the first of them.
    Unmade(String),
}

/// Why an event is not published, by what is to be done about it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PublishError {
    /// No event gets through at the moment: wait for the place.
    #[error("{0}")]
    Away(String),
    /// This event was not taken, others may be.
    #[error("{0}")]
    Refused(String),
}

/// A sink, ready to take events.
#[derive(Debug)]
pub struct Publisher {
    sink: String,
    place: Place,
}

/// The set is closed.
#[derive(Debug)]
enum Place {
    /// One structured log line an event.
    Log,
    Amqp(Amqp),
    #[cfg(feature = "kafka")]
    Kafka(Kafka),
    Nats(Nats),
    Webhook(Webhook),
}

impl Publisher {
    /// Makes a publisher that is not connected yet; `Err` says which setting is wrong and what to write instead.
    pub fn new(sink: &Sink, events: &EventsSettings) -> Result<Self, String> {
        let place = match &sink.target {
            SinkTarget::Log => Place::Log,
            SinkTarget::Amqp(target) => Place::Amqp(Amqp::new(target)?),
            #[cfg(feature = "kafka")]
            SinkTarget::Kafka(target) => Place::Kafka(Kafka::new(target)?),
            #[cfg(not(feature = "kafka"))]
            SinkTarget::Kafka(_) => {
                return Err(
                    "events_url: this keyward was built without Kafka\n  fix: build one with `cargo build \
                            --release`, whose features include it"
                        .to_owned(),
                );
            }
            SinkTarget::Nats(target) => Place::Nats(Nats::new(target)?),
            SinkTarget::Webhook(target) => Place::Webhook(Webhook::new(target, events)?),
        };
        Ok(Self { sink: sink.name.clone(), place })
    }

    /// Names the sink in `outbox_deliveries`.
    #[must_use]
    pub fn sink(&self) -> &str {
        &self.sink
    }

    /// Whether it prints events into the log of this process.
    #[must_use]
    pub const fn is_log(&self) -> bool {
        matches!(self.place, Place::Log)
    }

    /// How many events it takes at a time.
    #[must_use]
    pub const fn concurrency(&self) -> usize {
        match self.place {
            Place::Log => 1,
            Place::Amqp(_) => Amqp::CONCURRENCY,
            Place::Nats(_) => 512,
            #[cfg(feature = "kafka")]
            Place::Kafka(_) => 512,
            Place::Webhook(_) => Webhook::CONCURRENCY,
        }
    }

    /// Hands an event over and waits until the place has it for good.
    pub async fn publish(&self, message: &Message) -> Result<Receipt, PublishError> {
        match &self.place {
            Place::Log => {
                let event = String::from_utf8_lossy(&message.body);
                tracing::info!(target: "keyward::events", event_type = message.kind, %event, "event");
                Ok(Receipt::Taken)
            }
            // It keeps its own time, to part with a connection that only keeps silent.
            Place::Amqp(amqp) => amqp.publish(message).await,
            #[cfg(feature = "kafka")]
            Place::Kafka(kafka) => in_time(kafka.publish(message)).await,
            Place::Nats(nats) => in_time(nats.publish(message)).await,
            // It keeps its own time: there, a late answer says nothing about other events.
            Place::Webhook(webhook) => webhook.publish(message).await,
        }
    }

    /// Asks the place by the way that events take, over a connection of its own. Nothing is made there, nothing stays there,
    /// and no event that was made up reaches anybody: what may be asked without that differs, and each place says why.
    /// `Refused` is a place that works and would not take events.
    pub async fn look(&self) -> Result<Look, PublishError> {
        match &self.place {
            Place::Log => Ok(Look::Ready("events are lines of the log".to_owned())),
            Place::Amqp(amqp) => in_time(amqp.look()).await,
            #[cfg(feature = "kafka")]
            Place::Kafka(kafka) => in_time(kafka.look()).await,
            Place::Nats(nats) => in_time(nats.look()).await,
            Place::Webhook(webhook) => in_time(webhook.look()).await,
        }
    }

    /// Parts from the place in order; what is not confirmed by then stays in the outbox.
    pub async fn close(&self) {
        match &self.place {
            Place::Log | Place::Webhook(_) => {}
            Place::Amqp(amqp) => amqp.close().await,
            #[cfg(feature = "kafka")]
            Place::Kafka(kafka) => kafka.close().await,
            Place::Nats(nats) => nats.close().await,
        }
    }
}

async fn in_time<T>(asking: impl Future<Output = Result<T, PublishError>>) -> Result<T, PublishError> {
    match tokio::time::timeout(PUBLISH_TIMEOUT, asking).await {
        Ok(outcome) => outcome,
        Err(_) => Err(PublishError::Away(format!("no answer within {} s", PUBLISH_TIMEOUT.as_secs()))),
    }
}
