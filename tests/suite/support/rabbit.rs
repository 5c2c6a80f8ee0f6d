use std::collections::BTreeSet;

use futures_util::StreamExt as _;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, ExchangeDeclareOptions, ExchangeDeleteOptions, QueueBindOptions,
    QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Connection, ConnectionProperties, Consumer, ExchangeKind};
use serde_json::Value;

use super::actor::unique_email;

/// An exchange of a test's own on the test broker.
pub struct Exchange {
    pub name: String,
    url: String,
}

/// A message as it came out of a queue.
#[derive(Debug, Clone)]
pub struct Received {
    pub routing_key: String,
    pub message_id: String,
    pub content_type: String,
    pub persistent: bool,
    pub envelope: Value,
}

/// A queue bound to the exchange, and its consumer.
pub struct Queue {
    pub name: String,
    channel: Channel,
    consumer: Option<Consumer>,
    _connection: Connection,
}

async fn connect(url: &str) -> (Connection, Channel) {
    let connection = Connection::connect(url, ConnectionProperties::default()).await.expect("a broker");
    let channel = connection.create_channel().await.expect("a channel");
    (connection, channel)
}

impl Exchange {
    /// On the broker in `KEYWARD_TEST_AMQP_URL`, which `cargo xtask test` finds or starts.
    pub async fn create() -> Self {
        let url = std::env::var("KEYWARD_TEST_AMQP_URL").expect(
            "KEYWARD_TEST_AMQP_URL names a RabbitMQ: run `cargo xtask test`, which finds or starts one",
        );
        Self::on(&url).await
    }

    pub async fn on(url: &str) -> Self {
        let unique = unique_email();
        let name = format!("keyward.test.{}", unique.split('@').next().unwrap_or_default());
        let (_connection, channel) = connect(url).await;
        let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
        channel
            .exchange_declare(name.as_str().into(), ExchangeKind::Topic, durable, FieldTable::default())
            .await
            .expect("an exchange");
        Self { name, url: url.to_owned() }
    }

    /// What `events_url` is to be.
    pub fn events_url(&self) -> String {
        format!("{}?exchange={}", self.url, self.name)
    }

    /// The same by way of a proxy.
    pub fn events_url_through(&self, proxy: std::net::SocketAddr) -> String {
        let mut url = url::Url::parse(&self.events_url()).expect("a URL");
        url.set_host(Some("127.0.0.1")).expect("a host");
        url.set_port(Some(proxy.port())).expect("a port");
        url.to_string()
    }

    /// Where the broker listens.
    pub fn broker(&self) -> String {
        let url = url::Url::parse(&self.url).expect("a URL");
        format!("{}:{}", url.host_str().expect("a host"), url.port().unwrap_or(5672))
    }

    /// A durable queue for these types of events.
    pub async fn queue(&self, types: &[&str]) -> Queue {
        self.queue_with(types, FieldTable::default()).await
    }

    /// A queue that refuses all beyond this many messages.
    pub async fn full_after(&self, messages: i32, types: &[&str]) -> Queue {
        let mut arguments = FieldTable::default();
        arguments.insert("x-max-length".into(), AMQPValue::LongInt(messages));
        arguments.insert("x-overflow".into(), AMQPValue::LongString("reject-publish".into()));
        self.queue_with(types, arguments).await
    }

    async fn queue_with(&self, types: &[&str], arguments: FieldTable) -> Queue {
        let name = format!("{}.{}", self.name, types.join("."));
        let (connection, channel) = connect(&self.url).await;
        let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        channel.queue_declare(name.as_str().into(), durable, arguments).await.expect("a queue");
        for kind in types {
            let bind = channel.queue_bind(
                name.as_str().into(),
                self.name.as_str().into(),
                (*kind).into(),
                QueueBindOptions::default(),
                FieldTable::default(),
            );
            bind.await.expect("a binding");
        }
        Queue { name, channel, consumer: None, _connection: connection }
    }

    /// Removes the exchange and these queues from the broker.
    pub async fn delete(self, queues: impl IntoIterator<Item = Queue>) {
        let (_connection, channel) = connect(&self.url).await;
        for queue in queues {
            let delete = channel.queue_delete(queue.name.as_str().into(), QueueDeleteOptions::default());
            delete.await.expect("a queue to delete");
        }
        let delete = channel.exchange_delete(self.name.as_str().into(), ExchangeDeleteOptions::default());
        delete.await.expect("an exchange to delete");
    }
}

impl Queue {
    /// How many messages lie in it.
    pub async fn waiting(&self) -> u32 {
        let passive = QueueDeclareOptions { passive: true, durable: true, ..QueueDeclareOptions::default() };
        let asked = self.channel.queue_declare(self.name.as_str().into(), passive, FieldTable::default());
        asked.await.expect("a queue").message_count()
    }

    /// Takes the next message and acknowledges it.
    pub async fn next(&mut self) -> Received {
        let taken = tokio::time::timeout(std::time::Duration::from_secs(20), self.take());
        taken.await.expect("a message in time")
    }

    async fn take(&mut self) -> Received {
        let consumer = match &mut self.consumer {
            Some(consumer) => consumer,
            none => {
                let consume = self.channel.basic_consume(
                    self.name.as_str().into(),
                    self.name.as_str().into(),
                    BasicConsumeOptions::default(),
                    FieldTable::default(),
                );
                none.insert(consume.await.expect("a consumer"))
            }
        };
        let delivery = consumer.next().await.expect("an open channel").expect("a delivery");
        delivery.ack(BasicAckOptions::default()).await.expect("an acknowledgement");
        let text = |value: &Option<lapin::types::ShortString>| {
            value.as_ref().map(|text| text.as_str().to_owned()).unwrap_or_default()
        };
        Received {
            routing_key: delivery.routing_key.as_str().to_owned(),
            message_id: text(delivery.properties.message_id()),
            content_type: text(delivery.properties.content_type()),
            persistent: *delivery.properties.delivery_mode() == Some(2),
            envelope: serde_json::from_slice(&delivery.data).expect("JSON"),
        }
    }

    /// Takes messages until this many different events have come.
    pub async fn distinct(&mut self, wanted: usize) -> Vec<Received> {
        let (mut all, mut ids) = (Vec::new(), BTreeSet::new());
        while ids.len() < wanted {
            let received = self.next().await;
            ids.insert(received.message_id.clone());
            all.push(received);
        }
        all
    }
}
