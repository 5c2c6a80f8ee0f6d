//! Keyward's events: what they say, where they come from, and how they are followed.

#[cfg(feature = "kafka")]
mod kafka;
mod rabbitmq;
mod source;

use std::time::Duration;

use serde::Deserialize;
use tokio::sync::watch;
use tokio::time::Instant;

pub(crate) use source::Source;

use crate::profiles::Profiles;

const RETRY_FIRST: Duration = Duration::from_millis(250);
const RETRY_MAX: Duration = Duration::from_secs(10);

/// What this service wants to hear of. `Event::parse` knows what each of them means.
const TYPES: [&str; 2] = ["auth.user_created", "auth.user_deleted"];

/// One event, as far as this service needs it.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    /// The same on every delivery of this event.
    pub(crate) id: String,
    pub(crate) user_id: String,
    /// Rises with each event of a user. Gaps are those of types that we did not ask for.
    pub(crate) sequence: i64,
    pub(crate) what: What,
}

#[derive(Debug, Clone)]
pub(crate) enum What {
    UserCreated { email: String },
    UserDeleted,
}

impl Event {
    /// Reads a CloudEvents 1.0 envelope; `None` when its type is none of ours.
    fn parse(bytes: &[u8]) -> Result<Option<Self>, serde_json::Error> {
        // Fields that we do not know are no mistake: Keyward may add some.
        #[derive(Deserialize)]
        struct Envelope {
            id: String,
            #[serde(rename = "type")]
            kind: String,
            #[serde(default)]
            sequence: String,
            #[serde(default)]
            data: serde_json::Value,
        }
        #[derive(Deserialize)]
        struct Created {
            user_id: String,
            email: String,
        }
        #[derive(Deserialize)]
        struct Deleted {
            user_id: String,
        }
        let Envelope { id, kind, sequence, data } = serde_json::from_slice(bytes)?;
        let (user_id, what) = match kind.as_str() {
            "auth.user_created" => {
                let Created { user_id, email } = serde_json::from_value(data)?;
                (user_id, What::UserCreated { email })
            }
            "auth.user_deleted" => {
                let Deleted { user_id } = serde_json::from_value(data)?;
                (user_id, What::UserDeleted)
            }
            _ => return Ok(None),
        };
        let sequence = sequence.parse().map_err(serde::de::Error::custom)?;
        Ok(Some(Self { id, user_id, sequence, what }))
    }
}

/// Why we stopped listening. The broker keeps what we have not confirmed.
#[derive(Debug, thiserror::Error)]
enum Lost {
    #[error("RabbitMQ: {0}")]
    RabbitMq(#[from] lapin::Error),
    #[error("RabbitMQ ended the subscription")]
    Cancelled,
    #[cfg(feature = "kafka")]
    #[error("Kafka: {0}")]
    Kafka(#[from] rdkafka::error::KafkaError),
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
}

/// Applies events until `stop` turns true. Whatever goes wrong, it begins anew where it left off.
pub(crate) async fn follow(source: Source, profiles: Profiles, mut stop: watch::Receiver<bool>) {
    let mut retry = RETRY_FIRST;
    loop {
        let started = Instant::now();
        let followed = match &source {
            Source::RabbitMq(source) => rabbitmq::follow(source, &profiles, &mut stop).await,
            #[cfg(feature = "kafka")]
            Source::Kafka(source) => kafka::follow(source, &profiles, &mut stop).await,
        };
        let Err(lost) = followed else { return };
        if started.elapsed() > RETRY_MAX {
            retry = RETRY_FIRST;
        }
        tracing::warn!(error = %lost, retry_ms = retry.as_millis(), "no events for now");
        tokio::select! {
            () = tokio::time::sleep(retry) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        retry = (retry * 2).min(RETRY_MAX);
    }
}

/// Applies one message. One that makes no sense is logged and passed over: it would make no more sense next time, and
/// everything behind it would wait.
async fn apply(bytes: &[u8], profiles: &Profiles) -> Result<(), sqlx::Error> {
    match Event::parse(bytes) {
        Ok(Some(event)) => {
            let applied = profiles.apply(&event).await?;
            tracing::info!(event_id = event.id, user_id = event.user_id, ?applied, "event");
        }
        Ok(None) => {}
        Err(error) => tracing::error!(%error, "a message that is no event"),
    }
    Ok(())
}
