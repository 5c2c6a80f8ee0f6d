use std::net::SocketAddr;

use lapin::options::{
    BasicConsumeOptions, BasicPublishOptions, ExchangeDeleteOptions, QueueBindOptions, QueueDeclareOptions,
    QueueDeleteOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, Consumer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use url::Url;

/// An exchange and a queue that are one test's alone.
pub(crate) struct RabbitMq {
    url: Url,
    name: String,
    _connection: Connection,
    channel: Channel,
}

impl RabbitMq {
    pub(crate) async fn open(test: &str) -> Self {
        let url = std::env::var("KEYWARD_TEST_AMQP_URL")
            .expect("KEYWARD_TEST_AMQP_URL names a RabbitMQ; `cargo xtask test` sets it");
        let connection = Connection::connect(&url, ConnectionProperties::default()).await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        let name = format!("keyward-test-{test}-{}", std::process::id());
        Self { url: url.parse().unwrap(), name, _connection: connection, channel }
    }

    /// Where Keyward publishes.
    pub(crate) fn sink(&self) -> String {
        format!("{}?exchange={}", self.url, self.name)
    }

    /// Where the service listens, straight or through a proxy.
    pub(crate) fn source(&self, through: Option<SocketAddr>) -> String {
        let mut url = self.url.clone();
        if let Some(proxy) = through {
            url.set_host(Some(&proxy.ip().to_string())).unwrap();
            url.set_port(Some(proxy.port())).unwrap();
        }
        format!("{url}?exchange={0}&queue={0}", self.name)
    }

    pub(crate) fn address(&self) -> String {
        format!("{}:{}", self.url.host_str().unwrap(), self.url.port().unwrap_or(5672))
    }

    /// Hears all that is published from now on. The exchange must be there, and the queue of the service: an event that
    /// only we hear is delivered as far as Keyward knows.
    pub(crate) async fn listen(&self) -> Consumer {
        let own = QueueDeclareOptions { exclusive: true, ..QueueDeclareOptions::default() };
        let ear = self.channel.queue_declare("".into(), own, FieldTable::default()).await.unwrap();
        let (ear, exchange, bind) = (ear.name(), self.name.as_str().into(), QueueBindOptions::default());
        self.channel
            .queue_bind(ear.clone(), exchange, "#".into(), bind, FieldTable::default())
            .await
            .unwrap();
        let consume = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
        self.channel.basic_consume(ear.clone(), "".into(), consume, FieldTable::default()).await.unwrap()
    }

    /// Publishes bytes as Keyward would.
    pub(crate) async fn publish(&self, kind: &str, body: &[u8]) {
        let (exchange, options) = (self.name.as_str().into(), BasicPublishOptions::default());
        let properties = BasicProperties::default();
        self.channel.basic_publish(exchange, kind.into(), options, body, properties).await.unwrap();
    }

    pub(crate) async fn remove(self) {
        let name = self.name.as_str();
        self.channel.queue_delete(name.into(), QueueDeleteOptions::default()).await.unwrap();
        self.channel.exchange_delete(name.into(), ExchangeDeleteOptions::default()).await.unwrap();
    }
}

/// A way to the broker that can be cut.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    to: String,
    carrying: JoinHandle<()>,
}

impl Proxy {
    pub(crate) async fn open(to: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        Self { address, carrying: tokio::spawn(carry(listener, to.clone())), to }
    }

    /// Ends every connection, and refuses new ones.
    pub(crate) fn cut(&mut self) {
        self.carrying.abort();
    }

    pub(crate) async fn restore(&mut self) {
        let listener = TcpListener::bind(self.address).await.unwrap();
        self.carrying = tokio::spawn(carry(listener, self.to.clone()));
    }
}

/// Carries until it is aborted, and every connection with it.
async fn carry(listener: TcpListener, to: String) {
    let mut connections = JoinSet::new();
    while let Ok((mut near, _)) = listener.accept().await {
        let to = to.clone();
        connections.spawn(async move {
            let mut far = TcpStream::connect(to).await.unwrap();
            let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
        });
    }
}
