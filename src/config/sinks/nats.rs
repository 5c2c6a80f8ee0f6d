use super::cluster_url::{ClusterUrl, any_is_remote};
use super::{AUTH_EVENTS, Tls};
use crate::config::{Secret, problem::Mistake};

const EXAMPLE: &str = "nats://user:password@a:4222,b:4222?stream=auth_events&subject=auth.events&tls=true";
const PORT: u16 = 4222;
/// Names of streams have no dots.
const STREAM: &str = "auth_events";

/// A stream of NATS `JetStream`.
#[derive(Debug, Clone)]
pub struct NatsTarget {
    /// Each `host:port`.
    pub servers: Vec<String>,
    pub login: Option<NatsLogin>,
    pub stream: String,
    /// What subjects begin with; the type of the event follows.
    pub subject: String,
    pub tls: Option<Tls>,
}

#[derive(Debug, Clone)]
pub enum NatsLogin {
    Token(Secret),
    Password { user: String, password: Secret },
}

impl NatsTarget {
    /// Whether whoever is on the path reads the password.
    pub(super) fn shows_password(&self) -> bool {
        self.login.is_some() && self.tls.is_none() && any_is_remote(&self.servers)
    }
}

pub(super) fn parse(text: &str) -> Result<NatsTarget, Vec<Mistake>> {
    let ClusterUrl { user, password, servers, path, mut options } = ClusterUrl::parse(text, PORT, EXAMPLE)?;
    if !path.is_empty() {
        options.wrong("has a path, which means nothing to NATS", format!("write {EXAMPLE}"));
    }
    let stream = options.text("stream").unwrap_or_else(|| STREAM.to_owned());
    if !may_name_stream(&stream) {
        options
            .wrong("names no stream that there can be", "write letters, digits, - or _: stream=auth_events");
    }
    let subject = options.text("subject").unwrap_or_else(|| AUTH_EVENTS.to_owned());
    if !subject.split('.').all(may_name_stream) {
        options.wrong(
            "names no subject that there can be",
            "write words with dots between them: subject=auth.events",
        );
    }
    let tls = options.flag("tls");
    let ca = options.ca(tls, "write tls=true too, or take it out");
    let login = match (user, password) {
        (Some(user), Some(password)) => Some(NatsLogin::Password { user, password }),
        (Some(token), None) => Some(NatsLogin::Token(Secret::from(token))),
        (None, None) => None,
        (None, Some(_)) => {
            options.wrong("holds a password and no user", format!("write {EXAMPLE}"));
            None
        }
    };
    options.finish(EXAMPLE)?;
    Ok(NatsTarget { servers, login, stream, subject, tls: tls.then_some(Tls { ca }) })
}

/// Also holds for the words of a subject; some servers allow more.
fn may_name_stream(name: &str) -> bool {
    (1..=255).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_login_stream_and_subject_are_read() {
        let target = parse("nats://u:p%40@a,b:4333?stream=users&subject=acme.auth&tls=true").unwrap();
        assert_eq!(target.servers, ["a:4222", "b:4333"]);
        assert_eq!((target.stream.as_str(), target.subject.as_str()), ("users", "acme.auth"));
        assert!(target.tls.is_some_and(|tls| tls.ca.is_none()));
        let Some(NatsLogin::Password { user, password }) = target.login else { panic!() };
        assert_eq!((user.as_str(), password.expose()), ("u", "p@"));

        let target = parse("nats://hush@a/").unwrap();
        assert_eq!((target.stream.as_str(), target.subject.as_str()), (STREAM, AUTH_EVENTS));
        assert!(!format!("{target:?}").contains("hush"));
        assert!(matches!(target.login, Some(NatsLogin::Token(token)) if token.expose() == "hush"));
        assert!(parse("nats://a").unwrap().login.is_none());
    }

    #[test]
    fn every_mistake_is_told_and_none_shows_a_secret() {
        let mistakes = parse("nats://:hush@h/x?stream=a.b&subject=a.*&tls=on&ca=x&ack=no").unwrap_err();
        assert_eq!(mistakes.len(), 7, "{mistakes:#?}");
        assert!(!format!("{mistakes:?}").contains("hush"));
        for text in ["nats://", "nats://h?subject=a..b", "nats://h?subject=>", "nats://u:hu#sh@h:x"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_login_in_the_clear_matters_off_this_machine_only() {
        let shows = |text: &str| parse(text).unwrap().shows_password();
        assert!(shows("nats://token@a") && shows("nats://u:p@127.0.0.1,a"));
        assert!(!shows("nats://a") && !shows("nats://token@a?tls=true") && !shows("nats://u:p@localhost"));
    }
}
