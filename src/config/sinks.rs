//! `events_url`: one or several places that events go to, each with a name that its progress is kept under.

mod cluster_url;
mod kafka;
mod nats;
mod options;
mod webhook;

use std::path::PathBuf;

use super::{Secret, problem::Mistake, urls};
pub use kafka::{KafkaLogin, KafkaTarget, SaslMechanism};
pub use nats::{NatsLogin, NatsTarget};
use options::Options;
pub use webhook::{WebhookSecret, WebhookTarget};

const FIX: &str =
    "write log: or a URL that begins with amqp://, amqps://, kafka://, nats://, https:// or http://";
/// Becomes the name of the AMQP exchange and of the Kafka topic, and the first words of NATS subjects.
const AUTH_EVENTS: &str = "auth.events";

/// One place that takes events.
#[derive(Debug, Clone)]
pub struct Sink {
    /// Names its progress in the outbox: whoever changes the host keeps it, whoever changes it starts anew.
    pub name: String,
    pub target: SinkTarget,
}

/// How a sink is reached.
#[derive(Debug, Clone)]
pub enum SinkTarget {
    /// A structured log line each.
    Log,
    Amqp(AmqpTarget),
    Kafka(KafkaTarget),
    Nats(NatsTarget),
    Webhook(WebhookTarget),
}

/// A topic exchange of `RabbitMQ`.
#[derive(Debug, Clone)]
pub struct AmqpTarget {
    /// `amqp://` or `amqps://`, with user, password and virtual host.
    pub url: Secret,
    pub exchange: String,
    /// PEM file of authorities to trust besides the public ones.
    pub ca: Option<PathBuf>,
}

/// Whom to believe on a connection that is encrypted or not made at all.
#[derive(Debug, Clone)]
pub struct Tls {
    /// PEM file of the authorities to trust, instead of those of the system.
    pub ca: Option<PathBuf>,
}

impl Sink {
    /// What is allowed and yet probably not meant.
    pub(super) fn warning(&self) -> Option<String> {
        let shows_password = match &self.target {
            SinkTarget::Log | SinkTarget::Amqp(_) | SinkTarget::Webhook(_) => false,
            SinkTarget::Kafka(target) => target.shows_password(),
            SinkTarget::Nats(target) => target.shows_password(),
        };
        let name = &self.name;
        shows_password.then(|| {
            format!("events_url: {name} is without tls=true: whoever is on the path reads the password")
        })
    }
}

/// Reads the members of `events_url`, however many; every mistake is told.
pub(super) fn parse(members: &[&str]) -> Result<Vec<Sink>, Vec<Mistake>> {
    let (sinks, mut mistakes) = members.iter().map(|text| sink(text)).fold(
        (Vec::new(), Vec::new()),
        |(mut sinks, mut mistakes), parsed| {
            match parsed {
                Ok(sink) => sinks.push(sink),
                Err(wrong) => mistakes.extend(wrong),
            }
            (sinks, mistakes)
        },
    );
    for (at, sink) in sinks.iter().enumerate() {
        if sinks.iter().skip(at + 1).any(|other: &Sink| other.name == sink.name) {
            mistakes.push(Mistake::new(
                format!("holds two sinks named {}", sink.name),
                "end each with a name of its own: https://hooks.example.com/keyward#billing",
            ));
        }
    }
    if mistakes.is_empty() { Ok(sinks) } else { Err(mistakes) }
}

/// Puts together what a comma took apart: `kafka://a:9092,b:9092` is one member, as its second
/// part begins with no scheme.
pub(super) fn members<'a>(parts: &[&'a str]) -> Vec<std::borrow::Cow<'a, str>> {
    let mut members: Vec<std::borrow::Cow<'a, str>> = Vec::new();
    for &part in parts {
        match members.last_mut() {
            Some(last) if !part.contains("://") && part != "log:" => {
                let last = last.to_mut();
                last.push(',');
                last.push_str(part);
            }
            _ => members.push(part.into()),
        }
    }
    members
}

/// Shows a member without its secrets, and with its name.
pub(super) fn redact(member: &str) -> String {
    match member.rsplit_once('#') {
        Some((url, name)) if checked_name(name).is_ok() => format!("{}#{name}", urls::redact(url)),
        _ => urls::redact(member),
    }
}

fn sink(text: &str) -> Result<Sink, Vec<Mistake>> {
    let (text, name) = match text.trim().split_once('#') {
        Some((text, name)) => (text, Some(checked_name(name)?)),
        None => (text.trim(), None),
    };
    let (default_name, target) = match text.split_once(':') {
        Some(("log", "")) => ("log", SinkTarget::Log),
        Some(("amqp" | "amqps", _)) => ("amqp", SinkTarget::Amqp(amqp(text)?)),
        Some(("kafka", _)) => ("kafka", SinkTarget::Kafka(kafka::parse(text)?)),
        Some(("nats", _)) => ("nats", SinkTarget::Nats(nats::parse(text)?)),
        Some(("https" | "http", _)) => ("webhook", SinkTarget::Webhook(webhook::target(text)?)),
        _ => return Err(Mistake::new(urls::unsupported(text), FIX).into()),
    };
    Ok(Sink { name: name.unwrap_or_else(|| default_name.to_owned()), target })
}

fn checked_name(name: &str) -> Result<String, Mistake> {
    let fits = (1..=32).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if fits {
        return Ok(name.to_owned());
    }
    Err(Mistake::new(
        "has a # with no name behind it",
        "write 1 to 32 lower-case letters, digits or - behind the #, or percent-encode a # that is not the name's",
    ))
}

fn amqp(text: &str) -> Result<AmqpTarget, Vec<Mistake>> {
    const EXAMPLE: &str = "amqp://user:password@host:5672/vhost?exchange=auth.events";
    let mut url = urls::with_host(text, EXAMPLE)?;
    let mut options = Options::take(&mut url);
    let exchange = options.text("exchange").unwrap_or_else(|| AUTH_EVENTS.to_owned());
    let ca = options.ca(url.scheme() == "amqps", "begin the URL with amqps://, or take it out");
    options.finish(EXAMPLE)?;
    Ok(AmqpTarget { url: Secret::from(url.to_string()), exchange, ca })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(texts: &[&str]) -> Vec<String> {
        parse(texts).unwrap().into_iter().map(|sink| sink.name).collect()
    }

    #[test]
    fn a_sink_is_named_by_its_kind_or_by_its_fragment() {
        assert_eq!(names(&["log:"]), ["log"]);
        assert_eq!(
            names(&["amqp://guest:guest@h/%2f", "log:#audit", "amqps://h#far"]),
            ["amqp", "audit", "far"]
        );
        assert_eq!(names(&["kafka://a,b", "nats://a,b", "kafka://c#far"]), ["kafka", "nats", "far"]);
        assert_eq!(names(&["https://a/b", "http://a/b?c=d#billing"]), ["webhook", "billing"]);
        for twice in [
            ["log:", "log:"],
            ["amqp://a", "amqps://b"],
            ["log:#a", "amqp://h#a"],
            ["https://a/b", "http://c/d"],
        ] {
            let mistakes = parse(&twice).unwrap_err();
            assert!(mistakes[0].message.contains("two sinks"), "{mistakes:?}");
        }
        for bad in ["log:#", "log:#A", "amqp://h#a b"] {
            assert!(parse(&[bad]).is_err(), "{bad}");
        }
    }

    #[test]
    fn every_wrong_member_is_told() {
        assert_eq!(parse(&["ftp://h", "log:", "sqs://h", "amqp://", "https://"]).unwrap_err().len(), 4);
        for text in ["log", "log:x", "amqp://", "hunter2", "amqp://h?exchang=x", "amqp://h?ca=/x.pem"] {
            let mistakes = parse(&[text]).unwrap_err();
            assert!(!format!("{mistakes:?}").contains("hunter2"), "{text}");
        }
    }

    #[test]
    fn commas_inside_a_member_do_not_part_it() {
        assert_eq!(members(&["kafka://a:9092", "b:9092/t", "log:"]), ["kafka://a:9092,b:9092/t", "log:"]);
    }

    #[test]
    fn a_sink_is_shown_with_its_name_and_without_its_secrets() {
        assert_eq!(redact("https://h/T0/hush#billing"), "https://h/[redacted]#billing");
        assert_eq!(redact("log:#audit"), "log:#audit");
        assert_eq!(redact("amqp://u:hush#HUSH@h"), "amqp://u:[redacted]@h");
    }

    #[test]
    fn options_are_taken_out_of_the_url() {
        let sinks = parse(&["amqp://u:p@h:1/v?exchange=own"]).unwrap();
        let SinkTarget::Amqp(target) = &sinks[0].target else { panic!("{sinks:?}") };
        assert_eq!((target.url.expose(), target.exchange.as_str()), ("amqp://u:p@h:1/v", "own"));
        assert!(!format!("{sinks:?}").contains("u:p"));
    }
}
