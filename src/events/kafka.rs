mod client;

use std::sync::Arc;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::FutureRecord;
use tokio::time::timeout;
use uuid::Uuid;

use super::link::Link;
use super::{Look, Message, PublishError, Receipt, authorities};
use crate::config::{KafkaLogin, KafkaTarget, SaslMechanism};
use client::Client;

/// Whether this binary can speak TLS and SCRAM to Kafka; both need OpenSSL in librdkafka.
const HAS_TLS: bool = cfg!(feature = "kafka-tls");
/// How long librdkafka tries to hand an event over: less than the publisher waits for it.
const MESSAGE_TIMEOUT: Duration = Duration::from_secs(5);

/// A topic; the key is the user, so that the events of one stay in one partition, in order.
#[derive(Debug)]
pub(super) struct Kafka {
    config: ClientConfig,
    topic: String,
    link: Link<Client>,
}

impl Kafka {
    /// `Err` says what this binary, or the file of authorities, lacks.
    pub(super) fn new(target: &KafkaTarget) -> Result<Self, String> {
        let scram = target.login.as_ref().is_some_and(|login| login.mechanism != SaslMechanism::Plain);
        let needed = [(target.tls.is_some(), "tls=true"), (scram, "SCRAM")];
        if let Some((_, what)) = needed.iter().find(|(needed, _)| *needed && !HAS_TLS) {
            return Err(format!(
                "events_url: kafka with {what} needs a keyward that was built with it\n  fix: build one with \
                 `cargo build --release --features kafka-tls`, or do without: sasl=plain on a network of your own"
            ));
        }
        if let Some(ca) = target.tls.as_ref().and_then(|tls| tls.ca.as_ref()) {
            authorities::check(ca)?;
        }
        Ok(Self { config: config(target), topic: target.topic.clone(), link: Link::new() })
    }

    pub(super) async fn publish(&self, message: &Message) -> Result<Receipt, PublishError> {
        let connect = async || Client::connect(&self.config, &self.topic).await;
        let client = self.link.get(|_| true, connect).await?;
        let failed = match self.hand_over(&client, message).await {
            Ok(()) => return Ok(Receipt::Taken),
            Err(failed) => failed,
        };
        if is_about_the_event(&failed) {
            return Err(PublishError::Refused(format!("the broker refused it: {failed}")));
        }
        // A producer that lost an event may have lost its place in the sequence too: the next begins anew.
        self.link.forget(&client).await;
        Err(client.describe(&self.topic, &failed))
    }

    async fn hand_over(&self, client: &Client, message: &Message) -> Result<(), KafkaError> {
        let id = message.id.to_string();
        let headers = [
            ("content-type", "application/cloudevents+json"),
            ("ce_id", id.as_str()),
            ("ce_type", message.kind.as_str()),
        ];
        let headers = headers.into_iter().fold(OwnedHeaders::new(), |headers, (key, value)| {
            headers.insert(Header { key, value: Some(value) })
        });
        // A key even for what is about nobody: a compacted topic takes nothing without, and order is kept.
        let key = message.subject.map_or_else(|| Uuid::nil().to_string(), |user| user.to_string());
        let record =
            FutureRecord::to(&self.topic).key(key.as_str()).payload(message.body.as_slice()).headers(headers);
        client.send(record).await
    }

    pub(super) async fn look(&self) -> Result<Look, PublishError> {
        client::look(&self.config, &self.topic).await
    }

    /// Joins the threads of librdkafka, for which it must not take long.
    pub(super) async fn close(&self) {
        let Some(client) = self.link.take().await.and_then(Arc::into_inner) else { return };
        let _ = timeout(Duration::from_secs(1), client.shut()).await;
    }
}

fn config(target: &KafkaTarget) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", target.brokers.join(","))
        .set("client.id", "keyward")
        .set("acks", "all")
        .set("enable.idempotence", "true")
        // As the clients in Java do it: who reads with one of those finds a key where it expects it.
        .set("partitioner", "murmur2_random")
        .set("linger.ms", "0")
        .set("message.timeout.ms", MESSAGE_TIMEOUT.as_millis().to_string())
        .set("socket.timeout.ms", MESSAGE_TIMEOUT.as_millis().to_string())
        .set("socket.connection.setup.timeout.ms", MESSAGE_TIMEOUT.as_millis().to_string())
        .set("reconnect.backoff.max.ms", "1000")
        // More than are ever handed over at a time.
        .set("queue.buffering.max.messages", "2048")
        .set("queue.buffering.max.kbytes", "65536")
        // A topic is made by us or not at all, so that we can say why.
        .set("allow.auto.create.topics", "false");
    let protocol = match (&target.tls, &target.login) {
        (None, None) => "plaintext",
        (None, Some(_)) => "sasl_plaintext",
        (Some(_), None) => "ssl",
        (Some(_), Some(_)) => "sasl_ssl",
    };
    config.set("security.protocol", protocol);
    if let Some(KafkaLogin { mechanism, user, password }) = &target.login {
        let mechanism = match mechanism {
            SaslMechanism::Plain => "PLAIN",
            SaslMechanism::ScramSha256 => "SCRAM-SHA-256",
            SaslMechanism::ScramSha512 => "SCRAM-SHA-512",
        };
        config.set("sasl.mechanisms", mechanism);
        config.set("sasl.username", user).set("sasl.password", password.expose());
    }
    if let Some(tls) = &target.tls {
        // The OpenSSL inside knows no folder of authorities: it looks where systems have theirs.
        let ca = tls.ca.as_ref().map_or_else(|| "probe".into(), |ca| ca.to_string_lossy());
        config.set("ssl.ca.location", ca);
    }
    config
}

const fn is_about_the_event(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{InvalidRecord, InvalidTimestamp, MessageBatchTooLarge, MessageSizeTooLarge};
    matches!(
        error,
        KafkaError::MessageProduction(
            MessageSizeTooLarge | MessageBatchTooLarge | InvalidRecord | InvalidTimestamp
        )
    )
}
