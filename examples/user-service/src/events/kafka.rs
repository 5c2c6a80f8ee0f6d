use rdkafka::consumer::{CommitMode, Consumer as _, StreamConsumer};
use rdkafka::{ClientConfig, Message as _};
use tokio::sync::watch;

use super::source::Kafka;
use super::{Lost, apply};
use crate::profiles::Profiles;

/// Applies events until `stop` turns true, or until something goes wrong. A topic holds events of all types; those of a
/// user are in one partition, in their order.
pub(super) async fn follow(
    Kafka { brokers, topic, group }: &Kafka,
    profiles: &Profiles,
    stop: &mut watch::Receiver<bool>,
) -> Result<(), Lost> {
    let consumer: StreamConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", group)
        .set("client.id", "user-service")
        // A group that is new begins with the first event that there is.
        .set("auto.offset.reset", "earliest")
        // We say what is done, and not before it is.
        .set("enable.auto.commit", "false")
        .set("session.timeout.ms", "6000")
        .create()?;
    consumer.subscribe(&[topic])?;
    tracing::info!("events come from Kafka");
    loop {
        let message = tokio::select! {
            message = consumer.recv() => message?,
            _ = stop.wait_for(|stop| *stop) => return Ok(()),
        };
        if let Some(payload) = message.payload() {
            apply(payload, profiles).await?;
        }
        // Only now, when the profile is written. If this is lost, the message comes again.
        consumer.commit_message(&message, CommitMode::Async)?;
    }
}
