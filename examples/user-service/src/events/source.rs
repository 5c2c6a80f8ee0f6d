use std::fmt;

use url::Url;

/// Keyward publishes here unless it is told otherwise.
const AUTH_EVENTS: &str = "auth.events";
/// Names what the broker remembers for us. All replicas of this service share it, and so the work.
const USER_SERVICE: &str = "user-service";

/// Where events come from, as `EVENTS_URL` says.
#[derive(Debug)]
pub(crate) enum Source {
    RabbitMq(RabbitMq),
    #[cfg(feature = "kafka")]
    Kafka(Kafka),
}

pub(crate) struct RabbitMq {
    /// With a password in it.
    pub(super) url: String,
    pub(super) exchange: String,
    pub(super) queue: String,
}

#[cfg(feature = "kafka")]
#[derive(Debug)]
pub(crate) struct Kafka {
    pub(super) brokers: String,
    pub(super) topic: String,
    pub(super) group: String,
}

/// The URL names no broker that we know how to speak to.
#[derive(Debug)]
pub(crate) struct SourceUrlError;

impl Source {
    /// Reads `amqp://user:password@host/vhost?exchange=&queue=` or `kafka://host:port,host:port/topic?group=`.
    pub(crate) fn parse(text: &str) -> Result<Self, SourceUrlError> {
        match text.split_once("://") {
            Some(("amqp" | "amqps", _)) => rabbitmq(text).map(Self::RabbitMq),
            #[cfg(feature = "kafka")]
            Some(("kafka", rest)) => kafka(rest).map(Self::Kafka),
            _ => Err(SourceUrlError),
        }
    }
}

fn rabbitmq(text: &str) -> Result<RabbitMq, SourceUrlError> {
    let mut url = Url::parse(text).map_err(|_| SourceUrlError)?;
    url.host_str().filter(|host| !host.is_empty()).ok_or(SourceUrlError)?;
    let query = url.query().unwrap_or_default().to_owned();
    let [exchange, queue] = options(&query, [("exchange", AUTH_EVENTS), ("queue", USER_SERVICE)])?;
    url.set_query(None);
    Ok(RabbitMq { url: url.into(), exchange, queue })
}

/// Several brokers stand before one path, which no URL library reads.
#[cfg(feature = "kafka")]
fn kafka(rest: &str) -> Result<Kafka, SourceUrlError> {
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (brokers, topic) = rest.split_once('/').unwrap_or((rest, ""));
    let [group] = options(query, [("group", USER_SERVICE)])?;
    if brokers.split(',').any(str::is_empty) {
        return Err(SourceUrlError);
    }
    let topic = if topic.is_empty() { AUTH_EVENTS } else { topic };
    Ok(Kafka { brokers: brokers.to_owned(), topic: topic.to_owned(), group })
}

/// Reads a query: each option with what it is otherwise, and none that we do not know.
fn options<const N: usize>(query: &str, known: [(&str, &str); N]) -> Result<[String; N], SourceUrlError> {
    let given: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    if given.iter().any(|(name, _)| known.iter().all(|(known, _)| known != name)) {
        return Err(SourceUrlError);
    }
    Ok(known.map(|(name, default)| {
        let value = given.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str());
        value.filter(|value| !value.is_empty()).unwrap_or(default).to_owned()
    }))
}

impl fmt::Debug for RabbitMq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RabbitMq")
            .field("exchange", &self.exchange)
            .field("queue", &self.queue)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rabbitmq_is_an_exchange_and_a_queue() {
        let source = |text: &str| match Source::parse(text) {
            Ok(Source::RabbitMq(source)) => [source.url, source.exchange, source.queue],
            other => panic!("{text}: {other:?}"),
        };
        let url = "amqp://guest:hunter2@127.0.0.1:5672/%2f";
        assert_eq!(source(url), [url, "auth.events", "user-service"]);
        assert_eq!(source(&format!("{url}?exchange=own&queue=mine")), [url, "own", "mine"]);
        assert!(!format!("{:?}", Source::parse(url)).contains("hunter2"));
    }

    #[cfg(feature = "kafka")]
    #[test]
    fn kafka_is_brokers_a_topic_and_a_group() {
        let source = |text: &str| match Source::parse(text) {
            Ok(Source::Kafka(source)) => [source.brokers, source.topic, source.group],
            other => panic!("{text}: {other:?}"),
        };
        assert_eq!(source("kafka://a:9092"), ["a:9092", "auth.events", "user-service"]);
        assert_eq!(source("kafka://a:1,b:2/own?group=mine"), ["a:1,b:2", "own", "mine"]);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for text in ["", "amqp://", "log:", "https://h", "amqp://h?exchang=x", "kafka://", "kafka://a,/t"] {
            assert!(Source::parse(text).is_err(), "{text}");
        }
    }
}
