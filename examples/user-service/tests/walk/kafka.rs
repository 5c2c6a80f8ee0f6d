//! The same from Kafka, where a topic holds events of all types.

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::producer::{FutureProducer, FutureRecord};
use serde_json::{Value, json};

use crate::running::{Keyward, SOON, UserService, until};

#[tokio::test(flavor = "multi_thread")]
async fn events_from_kafka_have_their_effect_once_and_none_is_lost() {
    let topic = Topic::create("effect").await;
    let keyward = Keyward::start().await;
    let mut service = UserService::start_with(&keyward.issuer, Some(&topic.source()));
    let sign_up = async |email: &str| (keyward.sign_up(email).await, keyward.log_in(email).await);
    let (ann_id, ann) = sign_up("ann@example.com").await;
    let created = event("a", "auth.user_created", 1, &ann_id, "ann@example.com");
    topic.publish(&ann_id, &event("s", "auth.session_revoked", 2, &ann_id, "")).await;
    topic.publish(&ann_id, &json!("no event at all")).await;
    topic.publish(&ann_id, &created).await;
    assert_eq!(service.profile(&ann).await["display_name"], "ann");

    assert_eq!(service.stop(), Some(0));
    topic.publish(&ann_id, &event("d", "auth.user_deleted", 3, &ann_id, "")).await;
    topic.publish(&ann_id, &created).await;
    service.start_again();
    until("no profile", async || (service.get("/profiles/me", Some(&ann)).await.0 == 404).then_some(()))
        .await;

    service.kill();
    let (ben_id, ben) = sign_up("ben@example.com").await;
    topic.publish(&ann_id, &event("e", "auth.user_created", 1, &ann_id, "ann@example.com")).await;
    topic.publish(&ben_id, &event("b", "auth.user_created", 1, &ben_id, "ben@example.com")).await;
    service.start_again();
    service.profile(&ben).await;
    assert_eq!(service.get("/profiles/me", Some(&ann)).await.0, 404, "who is deleted stays deleted");
    assert_eq!(service.stop(), Some(0));
}

/// An envelope as Keyward publishes it.
fn event(id: &str, kind: &str, sequence: i64, user_id: &str, email: &str) -> Value {
    json!({
        "specversion": "1.0",
        "id": id,
        "source": "http://127.0.0.1:7300",
        "type": kind,
        "subject": user_id,
        "time": "2026-11-24T03:42:08Z",
        "sequence": sequence.to_string(),
        "data": { "user_id": user_id, "email": email, "roles": ["user"] },
    })
}

/// A topic of one partition that is one test's alone.
struct Topic {
    broker: String,
    name: String,
    producer: FutureProducer,
}

impl Topic {
    async fn create(test: &str) -> Self {
        let url = std::env::var("KEYWARD_TEST_KAFKA_URL")
            .expect("KEYWARD_TEST_KAFKA_URL names a Kafka; `cargo xtask test` sets it");
        let broker = url.trim_start_matches("kafka://").trim_end_matches('/').to_owned();
        let name = format!("keyward-test-{test}-{}", std::process::id());
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &broker);
        let admin: AdminClient<DefaultClientContext> = config.create().unwrap();
        let topic = NewTopic::new(&name, 1, TopicReplication::Fixed(1));
        let made = admin.create_topics(&[topic], &AdminOptions::new()).await.unwrap();
        assert!(made.iter().all(Result::is_ok), "{made:?}");
        let producer = config.set("message.timeout.ms", "10000").create().unwrap();
        Self { broker, name, producer }
    }

    /// Where the service listens.
    fn source(&self) -> String {
        format!("kafka://{}/{1}?group={1}", self.broker, self.name)
    }

    async fn publish(&self, key: &str, event: &Value) {
        let body = event.to_string();
        let record = FutureRecord::to(&self.name).key(key).payload(&body);
        self.producer.send(record, SOON).await.unwrap();
    }
}
