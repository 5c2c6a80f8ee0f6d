//! librdkafka: its threads, its log, and what must not be waited for on ours.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{FutureProducer, FutureRecord, Producer as _};
use rdkafka::{ClientConfig, ClientContext};
use tokio::sync::oneshot;

use crate::events::{Look, PublishError};

/// One question to the cluster; less than a connection may take, for its answer says more than a time-out.
const ASK_TIMEOUT: Duration = Duration::from_secs(4);
/// How often a new topic is looked for, and for how long: brokers hear of it one after the other.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
const LOOKS: u32 = 40;

type Producer = FutureProducer<Context>;

/// A producer for a topic that exists.
#[derive(Debug)]
pub(super) struct Client {
    running: Running,
    heard: Heard,
}

/// Stopped on a thread of its own, wherever the last of its users lets go of it: that joins threads.
struct Running(Option<Producer>);

/// What librdkafka last told about the connection. The errors that it returns say "timed out", and no more.
#[derive(Debug, Clone, Default)]
struct Heard(Arc<Mutex<Option<String>>>);

struct Context(Heard);

impl Client {
    pub(super) async fn connect(config: &ClientConfig, topic: &str) -> Result<Self, PublishError> {
        let (config, topic) = (config.clone(), topic.to_owned());
        aside(move || Self::connect_here(&config, &topic)).await?
    }

    fn connect_here(config: &ClientConfig, topic: &str) -> Result<Self, PublishError> {
        let heard = Heard::default();
        let producer: Producer = config.create_with_context(Context(heard.clone())).map_err(|e| away(&e))?;
        let known = || knows(&producer, topic).map_err(|error| heard.about(topic, &error));
        if !known()? {
            create(config, topic, &heard)?;
            let mut looks = 0;
            while !known()? {
                looks += 1;
                if looks == LOOKS {
                    return Err(PublishError::Away(format!("topic {topic} of events_url has no leader yet")));
                }
                thread::sleep(LOOK_AGAIN);
            }
        }
        Ok(Self { running: Running(Some(producer)), heard })
    }

    /// Hands a record over and waits until all copies of the partition that count have it.
    pub(super) async fn send(&self, record: FutureRecord<'_, str, [u8]>) -> Result<(), KafkaError> {
        let producer = self.running.0.as_ref().ok_or(KafkaError::Canceled)?;
        let delivery = producer.send_result(record).map_err(|(error, _)| error)?;
        match delivery.await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err((error, _))) => Err(error),
            Err(_) => Err(KafkaError::Canceled),
        }
    }

    /// Says why an event did not get through.
    pub(super) fn describe(&self, topic: &str, error: &KafkaError) -> PublishError {
        self.heard.about(topic, error)
    }

    /// Stops the producer and waits for it.
    pub(super) async fn shut(mut self) {
        let producer = self.running.0.take();
        let _ = aside(move || drop(producer)).await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let Some(producer) = self.0.take() else { return };
        // Without a thread, here: late is better than leaking connections.
        let _ = thread::Builder::new().name("kafka-stop".to_owned()).spawn(move || drop(producer));
    }
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Running").field(&self.0.is_some()).finish()
    }
}

impl Heard {
    fn note(&self, reason: &str) {
        // What follows says how often and for how long.
        let reason = reason.split(" (after ").next().unwrap_or(reason);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason.to_owned());
    }

    fn about(&self, topic: &str, error: &KafkaError) -> PublishError {
        let heard = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let about_connection = matches!(
            error.rdkafka_error_code(),
            Some(
                RDKafkaErrorCode::AllBrokersDown
                    | RDKafkaErrorCode::BrokerTransportFailure
                    | RDKafkaErrorCode::MessageTimedOut
                    | RDKafkaErrorCode::OperationTimedOut
            )
        );
        PublishError::Away(match heard {
            Some(heard) if about_connection => heard,
            _ => format!("topic {topic} of events_url: {error}"),
        })
    }
}

impl ClientContext for Context {
    fn log(&self, _: RDKafkaLogLevel, facility: &str, text: &str) {
        tracing::debug!(facility, text, "librdkafka");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "librdkafka");
        // That one comes after the reason for it.
        if error.rdkafka_error_code() != Some(RDKafkaErrorCode::AllBrokersDown) {
            self.0.note(reason);
        }
    }
}

/// Asks where the topic is, and makes none. A record that was written to find out more could not be taken back, and
/// everybody who reads the topic would have to read it.
pub(super) async fn look(config: &ClientConfig, topic: &str) -> Result<Look, PublishError> {
    let (config, topic) = (config.clone(), topic.to_owned());
    aside(move || look_here(&config, &topic)).await?
}

fn look_here(config: &ClientConfig, topic: &str) -> Result<Look, PublishError> {
    use RDKafkaErrorCode::{TopicAuthorizationFailed, UnknownTopicOrPartition};
    let heard = Heard::default();
    let producer: Producer = config.create_with_context(Context(heard.clone())).map_err(|e| away(&e))?;
    let running = Running(Some(producer));
    let producer = running.0.as_ref().ok_or_else(|| away(&"no producer"))?;
    let asked = producer.client().fetch_metadata(Some(topic), ASK_TIMEOUT);
    let metadata = asked.map_err(|error| heard.about(topic, &error))?;
    let found = metadata.topics().iter().find(|found| found.name() == topic);
    let unmade = || Ok(Look::Unmade(format!("the cluster answers; it has no topic {topic} yet")));
    let Some(found) = found else { return unmade() };
    match found.error().map(RDKafkaErrorCode::from) {
        Some(UnknownTopicOrPartition) => return unmade(),
        Some(TopicAuthorizationFailed) => {
            return Err(PublishError::Refused(format!("this user may not see topic {topic}")));
        }
        Some(code) => return Err(PublishError::Away(format!("topic {topic} of events_url: {code}"))),
        None => {}
    }
    let partitions = found.partitions();
    match partitions.iter().filter(|partition| partition.leader() < 0).count() {
        0 => Ok(Look::Ready(format!(
            "the cluster answers, and every partition of topic {topic} ({}) has a leader; whether this user may write is seen \
             with the first event",
            partitions.len()
        ))),
        leaderless => Err(PublishError::Away(format!(
            "{leaderless} of {} partitions of topic {topic} have no leader",
            partitions.len()
        ))),
    }
}

fn knows(producer: &Producer, topic: &str) -> Result<bool, KafkaError> {
    use RDKafkaErrorCode::{LeaderNotAvailable, UnknownTopicOrPartition};
    let metadata = producer.client().fetch_metadata(Some(topic), ASK_TIMEOUT)?;
    let found = metadata.topics().iter().find(|found| found.name() == topic);
    match found.map(|found| found.error().map(RDKafkaErrorCode::from)) {
        Some(None) => Ok(true),
        None | Some(Some(UnknownTopicOrPartition | LeaderNotAvailable)) => Ok(false),
        Some(Some(code)) => Err(KafkaError::MetadataFetch(code)),
    }
}

/// Makes the topic with as many partitions and copies as the cluster gives one by default.
fn create(config: &ClientConfig, topic: &str, heard: &Heard) -> Result<(), PublishError> {
    let admin: AdminClient<Context> =
        config.create_with_context(Context(heard.clone())).map_err(|e| away(&e))?;
    let by_default = [NewTopic::new(topic, -1, TopicReplication::Fixed(-1))];
    let options = AdminOptions::new().request_timeout(Some(ASK_TIMEOUT)).operation_timeout(Some(ASK_TIMEOUT));
    let creating = admin.create_topics(&by_default, &options);
    let runtime = tokio::runtime::Builder::new_current_thread().build().map_err(|e| away(&e))?;
    let created = runtime.block_on(creating).map_err(|error| heard.about(topic, &error))?;
    match created.into_iter().next() {
        Some(Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists))) => Ok(()),
        Some(Err((_, code))) => Err(PublishError::Away(format!(
            "topic {topic} of events_url does not exist and cannot be made: {code}; make it, or let this user make it"
        ))),
        None => Err(PublishError::Away(format!("topic {topic} of events_url was not made"))),
    }
}

fn away(error: &dyn std::fmt::Display) -> PublishError {
    PublishError::Away(error.to_string())
}

/// Does on a thread of its own what would block one of the runtime, whose end would wait for it too.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, PublishError> {
    let (done, outcome) = oneshot::channel();
    let work = move || drop(done.send(work()));
    thread::Builder::new().name("kafka-aside".to_owned()).spawn(work).map_err(|error| away(&error))?;
    outcome.await.map_err(|error| away(&error))
}
