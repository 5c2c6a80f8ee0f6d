use std::path::PathBuf;

use super::cluster_url::{ClusterUrl, any_is_remote};
use super::{AUTH_EVENTS, Tls};
use crate::config::{Secret, problem::Mistake};

const EXAMPLE: &str = "kafka://user:password@b1:9092,b2:9092/auth.events?tls=true&sasl=scram-sha-512";
const PORT: u16 = 9092;

/// A topic of Kafka, or of what speaks its protocol.
#[derive(Debug, Clone)]
pub struct KafkaTarget {
    /// Each `host:port`; the others of the cluster are found through them.
    pub brokers: Vec<String>,
    pub topic: String,
    pub login: Option<KafkaLogin>,
    pub tls: Option<Tls>,
}

#[derive(Debug, Clone)]
pub struct KafkaLogin {
    pub mechanism: SaslMechanism,
    pub user: String,
    pub password: Secret,
}

/// How a password is shown to a broker: as it is, or by proof of knowing it (RFC 5802).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SaslMechanism {
    Plain,
    ScramSha256,
    ScramSha512,
}

impl SaslMechanism {
    const ALL: [(&str, Self); 3] =
        [("plain", Self::Plain), ("scram-sha-256", Self::ScramSha256), ("scram-sha-512", Self::ScramSha512)];
}

impl KafkaTarget {
    /// Whether whoever is on the path reads the password.
    pub(super) fn shows_password(&self) -> bool {
        let plain = self.login.as_ref().is_some_and(|login| login.mechanism == SaslMechanism::Plain);
        plain && self.tls.is_none() && any_is_remote(&self.brokers)
    }
}

pub(super) fn parse(text: &str) -> Result<KafkaTarget, Vec<Mistake>> {
    let ClusterUrl { user, password, servers, path, mut options } = ClusterUrl::parse(text, PORT, EXAMPLE)?;
    let topic = if path.is_empty() { AUTH_EVENTS.to_owned() } else { path };
    if !may_name_topic(&topic) {
        options.wrong(
            "names no topic that there can be",
            "write 1 to 249 letters, digits, dots, - or _ as the path",
        );
    }
    let tls = options.flag("tls");
    let ca: Option<PathBuf> = options.ca(tls, "write tls=true too, or take it out");
    let mechanism = options.text("sasl").map(|word| {
        let known = SaslMechanism::ALL.iter().find(|(name, _)| *name == word);
        known.map(|(_, mechanism)| *mechanism).ok_or(())
    });
    if mechanism == Some(Err(())) {
        options.wrong(
            "has an option sasl that is not known here",
            "write sasl=plain, sasl=scram-sha-256 or sasl=scram-sha-512",
        );
    }
    if mechanism.is_some() && user.is_none() {
        options.wrong("has the option sasl, and no user", format!("write {EXAMPLE}"));
    }
    if user.is_some() != password.is_some() {
        options.wrong("holds one of user and password", format!("write both or neither: {EXAMPLE}"));
    }
    options.finish(EXAMPLE)?;
    let mechanism = mechanism.and_then(Result::ok).unwrap_or(SaslMechanism::ScramSha512);
    let login = user.zip(password).map(|(user, password)| KafkaLogin { mechanism, user, password });
    Ok(KafkaTarget { brokers: servers, topic, login, tls: tls.then_some(Tls { ca }) })
}

/// As brokers check it; the dots of a relative path are gone by now.
fn may_name_topic(topic: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=249).contains(&topic.len()) && topic.bytes().all(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brokers_topic_and_login_are_read() {
        let target = parse("kafka://keyward:p%40ss%2Fw@b1,b2:9093/users?tls=true&ca=/etc/ca.pem").unwrap();
        assert_eq!(target.brokers, ["b1:9092", "b2:9093"]);
        assert_eq!(target.topic, "users");
        assert_eq!(target.tls.as_ref().unwrap().ca, Some("/etc/ca.pem".into()));
        assert!(!format!("{target:?}").contains("p@ss"));
        let login = target.login.unwrap();
        assert_eq!(login.mechanism, SaslMechanism::ScramSha512, "unless told otherwise");
        assert_eq!((login.user.as_str(), login.password.expose()), ("keyward", "p@ss/w"));

        let target = parse("kafka://[::1]:9092?sasl=").unwrap();
        assert_eq!((target.brokers[0].as_str(), target.topic.as_str()), ("[::1]:9092", AUTH_EVENTS));
        assert!(target.login.is_none() && target.tls.is_none());
        let plain = parse("kafka://u:p@h/?sasl=plain").unwrap();
        assert_eq!(plain.login.unwrap().mechanism, SaslMechanism::Plain);
    }

    #[test]
    fn every_mistake_is_told_and_none_shows_a_secret() {
        let mistakes = parse("kafka://hush@h/a%20b?tls=yes&sasl=gssapi&ca=x&acks=0&acks=1").unwrap_err();
        assert_eq!(mistakes.len(), 7, "{mistakes:#?}");
        assert!(!format!("{mistakes:?}").contains("hush"));
        for (text, says) in [
            ("kafka://", "no host"),
            ("kafka://h,,i", "no host"),
            ("kafka://u:hush@h:port", "not a URL"),
            ("kafka://u:hu/sh@h", "not a URL"),
            ("kafka://h?sasl=plain", "no user"),
            ("kafka://:hush@h", "one of user and password"),
            ("kafka://h/a/b", "no topic"),
            ("kafka://h?ca=/x.pem", "no TLS"),
        ] {
            let mistakes = parse(text).unwrap_err();
            assert!(mistakes[0].message.contains(says), "{text}: {mistakes:?}");
            assert!(!format!("{mistakes:?}").contains("hush"), "{text}");
        }
    }

    #[test]
    fn a_password_in_the_clear_matters_off_this_machine_only() {
        let shows = |text: &str| parse(text).unwrap().shows_password();
        assert!(shows("kafka://u:p@localhost,b2?sasl=plain"));
        for text in [
            "kafka://u:p@b1",
            "kafka://b1",
            "kafka://u:p@b1?sasl=plain&tls=true",
            "kafka://u:p@127.0.0.1,[::1],localhost?sasl=plain",
        ] {
            assert!(!shows(text), "{text}");
        }
    }
}
