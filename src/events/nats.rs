mod look;

use std::time::Duration;

use async_nats::jetstream::context::PublishErrorKind;
use async_nats::jetstream::stream::{Config, StorageType};
use async_nats::jetstream::{self, ErrorCode};
use async_nats::{Client, ConnectOptions, Event, HeaderMap, ServerAddr, header};
use tokio::sync::watch;

use super::link::Link;
use super::{Message, PublishError, Receipt, authorities};
use crate::config::{NatsLogin, NatsTarget};

/// How long an answer may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(4);
const RECONNECT_MAX: Duration = Duration::from_secs(1);
/// How long the stream remembers ids, to drop what is published twice: longer than it takes to notice a failure.
const DUPLICATE_WINDOW: Duration = Duration::from_secs(120);

/// A stream; the subject ends with the type of the event, and the event's id is the message's.
#[derive(Debug)]
pub(super) struct Nats {
    target: NatsTarget,
    servers: Vec<ServerAddr>,
    link: Link<Open>,
}

/// Made once: the client connects again by itself.
#[derive(Debug)]
struct Open {
    client: Client,
    jetstream: jetstream::Context,
    /// Why there is no connection at the moment.
    lost: watch::Receiver<Option<String>>,
}

impl Open {
    /// Whether the client still tries: what tells of it ends with it.
    fn lives(&self) -> bool {
        self.lost.has_changed().is_ok()
    }
}

impl Nats {
    /// `Err` says which part of the setting is wrong.
    pub(super) fn new(target: &NatsTarget) -> Result<Self, String> {
        let ca = target.tls.as_ref().and_then(|tls| tls.ca.as_deref());
        ca.map_or(Ok(()), authorities::check)?;
        let servers = target.servers.iter().map(|server| format!("nats://{server}").parse());
        let servers = servers.collect::<Result<_, _>>().map_err(|error| {
            format!(
                "events_url: {error}\n  fix: write nats://host:4222, or several hosts with commas between"
            )
        })?;
        Ok(Self { target: target.clone(), servers, link: Link::new() })
    }

    pub(super) async fn publish(&self, message: &Message) -> Result<Receipt, PublishError> {
        let open = self.link.get(Open::lives, async || self.connect().await).await?;
        // Nothing is left with a client that could not pass it on: it would come out of turn.
        let mut lost = open.lost.clone();
        let gone = lost.wait_for(Option::is_some);
        tokio::select! {
            biased;
            reason = gone => {
                let reason = reason.ok().and_then(|reason| reason.clone());
                Err(PublishError::Away(reason.unwrap_or_else(|| "the client has stopped".to_owned())))
            }
            outcome = self.publish_over(&open, message) => outcome,
        }
    }

    async fn publish_over(&self, open: &Open, message: &Message) -> Result<Receipt, PublishError> {
        let subject = format!("{}.{}", self.target.subject, message.kind);
        let mut headers = HeaderMap::new();
        headers.insert(header::NATS_MESSAGE_ID, message.id.to_string());
        headers.insert("content-type", "application/cloudevents+json");
        let sent = open.jetstream.publish_with_headers(subject.clone(), headers, message.body.clone().into());
        let failed = match sent.await {
            Ok(ack) => match ack.await {
                Ok(_) => return Ok(Receipt::Taken),
                Err(failed) => failed,
            },
            Err(failed) => failed,
        };
        match failed.kind() {
            PublishErrorKind::StreamNotFound => self.unclaimed(open, &subject).await,
            PublishErrorKind::MaxPayloadExceeded => Err(PublishError::Refused(failed.to_string())),
            PublishErrorKind::Other if code(&failed) == Some(ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM) => {
                Err(PublishError::Refused(failed.to_string()))
            }
            _ => Err(PublishError::Away(failed.to_string())),
        }
    }

    /// Nobody took it: either the stream is not there (any more), or it does not want events of this type.
    async fn unclaimed(&self, open: &Open, subject: &str) -> Result<Receipt, PublishError> {
        let subjects = self.ensure_stream(&open.jetstream).await?;
        if subjects.iter().any(|pattern| matches(pattern, subject)) {
            let stream = &self.target.stream;
            return Err(PublishError::Away(format!(
                "stream {stream} of events_url takes nothing at the moment"
            )));
        }
        Ok(Receipt::NoSubscriber)
    }

    async fn connect(&self) -> Result<Open, PublishError> {
        let open = self.dial().await?;
        self.ensure_stream(&open.jetstream).await?;
        Ok(open)
    }

    async fn dial(&self) -> Result<Open, PublishError> {
        let (lost_sender, lost) = watch::channel(None);
        let mut options = ConnectOptions::new()
            .name("keyward relay")
            .connection_timeout(ANSWER_TIMEOUT)
            .request_timeout(Some(ANSWER_TIMEOUT))
            .reconnect_delay_callback(|attempts| {
                RECONNECT_MAX.min(Duration::from_millis(50) * u32::try_from(attempts).unwrap_or(u32::MAX))
            })
            .event_callback(move |event| {
                note(&lost_sender, &event);
                std::future::ready(())
            });
        if let Some(login) = &self.target.login {
            options = match login {
                NatsLogin::Token(token) => options.token(token.expose().to_owned()),
                NatsLogin::Password { user, password } => {
                    options.user_and_password(user.clone(), password.expose().to_owned())
                }
            };
        }
        if let Some(tls) = &self.target.tls {
            options = options.require_tls(true);
            if let Some(ca) = &tls.ca {
                options = options.add_root_certificates(ca.clone());
            }
        }
        let client = options.connect(&self.servers).await.map_err(away)?;
        let jetstream = jetstream::ContextBuilder::new()
            .timeout(ANSWER_TIMEOUT)
            .ack_timeout(ANSWER_TIMEOUT)
            .build(client.clone());
        Ok(Open { client, jetstream, lost })
    }

    /// Returns the subjects of the stream, which is made if it is not there and used as it is otherwise.
    async fn ensure_stream(&self, jetstream: &jetstream::Context) -> Result<Vec<String>, PublishError> {
        let NatsTarget { stream, subject, .. } = &self.target;
        let found = match jetstream.get_stream(stream).await {
            Ok(found) => found,
            Err(error) if not_found(&error) => {
                let config = Config {
                    name: stream.clone(),
                    subjects: vec![format!("{subject}.>")],
                    storage: StorageType::File,
                    duplicate_window: DUPLICATE_WINDOW,
                    ..Config::default()
                };
                return match jetstream.create_stream(config).await {
                    Ok(made) => Ok(made.cached_info().config.subjects.clone()),
                    Err(error) => Err(PublishError::Away(format!(
                        "stream {stream} of events_url does not exist and cannot be made: {error}"
                    ))),
                };
            }
            Err(error) => {
                return Err(PublishError::Away(format!("stream {stream} of events_url: {error}")));
            }
        };
        Ok(found.cached_info().config.subjects.clone())
    }

    pub(super) async fn close(&self) {
        let Some(open) = self.link.take().await else { return };
        let _ = tokio::time::timeout(Duration::from_secs(1), open.client.drain()).await;
    }
}

fn not_found(error: &jetstream::context::GetStreamError) -> bool {
    use jetstream::context::GetStreamErrorKind::JetStream;
    matches!(error.kind(), JetStream(error) if error.error_code() == ErrorCode::STREAM_NOT_FOUND)
}

/// Keeps the reason for as long as there is no connection.
fn note(lost: &watch::Sender<Option<String>>, event: &Event) {
    lost.send_if_modified(|lost| match event {
        Event::Connected => lost.take().is_some(),
        Event::Disconnected | Event::Closed => {
            *lost = Some("the connection is lost".to_owned());
            true
        }
        Event::ClientError(error) if lost.is_some() => {
            *lost = Some(error.to_string());
            true
        }
        _ => false,
    });
}

/// Names neither user nor password: the client knows them apart from the addresses.
fn away(error: impl std::fmt::Display) -> PublishError {
    PublishError::Away(error.to_string())
}

fn code(error: &jetstream::context::PublishError) -> Option<ErrorCode> {
    let source = std::error::Error::source(error)?;
    source.downcast_ref::<jetstream::Error>().map(jetstream::Error::error_code)
}

/// Whether a subject with wildcards takes in another (`*` is one word, `>` all that follow).
fn matches(pattern: &str, subject: &str) -> bool {
    let mut words = subject.split('.');
    for wanted in pattern.split('.') {
        match (wanted, words.next()) {
            (">", Some(_)) => return true,
            ("*", Some(_)) => {}
            (wanted, word) if word == Some(wanted) => {}
            _ => return false,
        }
    }
    words.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_match_word_by_word() {
        for pattern in ["a.b.c", "a.>", ">", "a.*.c", "*.*.*"] {
            assert!(matches(pattern, "a.b.c"), "{pattern}");
        }
        for pattern in ["a", "a.b", "a.b.c.d", "a.b.c.>", "a.*", "b.>", "*.*", ""] {
            assert!(!matches(pattern, "a.b.c"), "{pattern}");
        }
    }

    #[test]
    fn the_reason_is_kept_until_the_connection_is_back() {
        let (sender, lost) = watch::channel(None);
        note(&sender, &Event::ClientError(async_nats::ClientError::Other("earlier".to_owned())));
        assert_eq!(*lost.borrow(), None);
        note(&sender, &Event::Disconnected);
        note(&sender, &Event::ClientError(async_nats::ClientError::Other("refused".to_owned())));
        assert!(lost.borrow().as_ref().is_some_and(|reason| reason.contains("refused")));
        note(&sender, &Event::Connected);
        assert_eq!(*lost.borrow(), None);
    }
}
