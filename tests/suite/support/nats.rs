use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use async_nats::jetstream::{self, consumer::pull};
use futures_util::StreamExt as _;
use serde_json::Value;
use tempfile::TempDir;

use super::actor::unique_email;

/// A stream of a test's own, which nobody has made yet.
pub struct Stream {
    pub name: String,
    pub subject: String,
    url: String,
}

/// A message as it lay in a stream.
#[derive(Debug, Clone)]
pub struct Stored {
    pub subject: String,
    pub id: String,
    pub content_type: String,
    pub envelope: Value,
}

impl Stream {
    /// At the server in `KEYWARD_TEST_NATS_URL`, which `cargo xtask test` finds or starts.
    pub fn new() -> Self {
        Self::at(&std::env::var("KEYWARD_TEST_NATS_URL").expect(
            "KEYWARD_TEST_NATS_URL names a NATS with JetStream: run `cargo xtask test`, which finds or starts one",
        ))
    }

    pub fn at(url: &str) -> Self {
        let unique = unique_email();
        let name = unique.split('@').next().unwrap_or_default();
        Self { name: name.to_owned(), subject: format!("keyward.test.{name}"), url: url.to_owned() }
    }

    /// What `events_url` is to be.
    pub fn events_url(&self) -> String {
        format!("{}?stream={}&subject={}", self.url, self.name, self.subject)
    }

    /// The same by way of a proxy.
    pub fn events_url_through(&self, proxy: SocketAddr) -> String {
        format!("nats://{proxy}?stream={}&subject={}", self.name, self.subject)
    }

    /// Where the server listens.
    pub fn server(&self) -> String {
        self.url.trim_start_matches("nats://").trim_end_matches('/').to_owned()
    }

    pub async fn jetstream(&self) -> jetstream::Context {
        jetstream::new(async_nats::connect(&self.url).await.expect("a NATS server"))
    }

    /// Waits for this many messages, and returns all there are.
    pub async fn stored(&self, wanted: usize) -> Vec<Stored> {
        let reading = tokio::time::timeout(Duration::from_secs(20), self.read(wanted));
        reading.await.expect("messages in time")
    }

    async fn read(&self, wanted: usize) -> Vec<Stored> {
        let jetstream = self.jetstream().await;
        let stream = jetstream.get_stream(&self.name).await.expect("a stream");
        let consumer = stream.create_consumer(pull::Config::default()).await.expect("a consumer");
        let mut messages = consumer.messages().await.expect("messages");
        let mut stored = Vec::new();
        while stored.len() < wanted {
            let message = messages.next().await.expect("an open consumer").expect("a message");
            message.ack().await.expect("an acknowledgement");
            let header = |name: &str| {
                let headers = message.headers.as_ref().and_then(|headers| headers.get(name));
                headers.map(|value| value.as_str().to_owned()).unwrap_or_default()
            };
            stored.push(Stored {
                subject: message.subject.to_string(),
                id: header("Nats-Msg-Id"),
                content_type: header("content-type"),
                envelope: serde_json::from_slice(&message.payload).expect("JSON"),
            });
        }
        stored
    }

    /// How many messages the stream holds.
    pub async fn count(&self) -> u64 {
        let jetstream = self.jetstream().await;
        let stream = jetstream.get_stream(&self.name).await.expect("a stream");
        stream.cached_info().state.messages
    }

    /// Removes the stream from the server.
    pub async fn delete(self) {
        self.jetstream().await.delete_stream(&self.name).await.expect("a stream to delete");
    }
}

/// A server of a test's own.
pub struct NatsServer {
    server: Child,
    _folder: TempDir,
}

impl NatsServer {
    pub fn start(port: u16, options: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = std::env::var("PATH").unwrap_or_default();
        let server = Command::new("nats-server")
            .args(["-a", "127.0.0.1", "-p", &port.to_string(), "-js", "-sd"])
            .arg(folder.path())
            .args(options)
            // Where Debian has it, and users' PATH may not.
            .env("PATH", format!("{path}:/usr/sbin"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("nats-server is installed");
        Self { server, _folder: folder }
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
