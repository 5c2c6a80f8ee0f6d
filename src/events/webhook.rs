//! Webhooks after Standard Webhooks 1.0: a signed POST for each event.

use std::error::Error as _;
use std::fs;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use reqwest::{Certificate, Client, Response, redirect};
use tokio::time::Instant;

use super::{Look, Message, PublishError, Receipt};
use crate::config::{EventsSettings, Secret, WebhookTarget};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const TIMEOUT: Duration = Duration::from_secs(10);
/// What is read of an answer, so that its connection can be used again ...
const ANSWER_MAX: usize = 4 * 1024;
/// ... and how long that may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);
/// A receiver that asks for a longer pause is asked again after this one.
const PAUSE_MAX: Duration = Duration::from_mins(5);

/// A receiver of signed POSTs.
#[derive(Debug)]
pub(super) struct Webhook {
    url: Secret,
    /// At least one; each makes a signature, so that a receiver may hold any of them while they change.
    keys: Vec<hmac::Key>,
    http: Client,
    /// Until when the receiver asked for a pause.
    paused_until: Mutex<Option<Instant>>,
}

impl Webhook {
    /// How many POSTs are under way at a time.
    pub(super) const CONCURRENCY: usize = 16;

    /// The error names the setting that is wrong, and what to do about it.
    pub(super) fn new(target: &WebhookTarget, events: &EventsSettings) -> Result<Self, String> {
        let secrets = events.webhook_secrets.iter();
        Ok(Self {
            url: target.url.clone(),
            keys: secrets.map(|secret| hmac::Key::new(hmac::HMAC_SHA256, secret.expose())).collect(),
            http: client(target.url.expose().starts_with("https:"), events.webhook_ca.as_deref())?,
            paused_until: Mutex::new(None),
        })
    }

    pub(super) async fn publish(&self, message: &Message) -> Result<Receipt, PublishError> {
        if let Some(left) = self.pause_left() {
            let seconds = left.as_secs() + 1;
            return Err(PublishError::Away(format!("the receiver asked for a pause, {seconds} s more")));
        }
        let id = message.id.to_string();
        let timestamp = message.attempted_at.unix_seconds();
        let request = self
            .http
            .post(self.url.expose())
            .header(CONTENT_TYPE, "application/cloudevents+json")
            .header("webhook-id", &id)
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", signatures(&self.keys, &id, timestamp, &message.body))
            .body(message.body.clone());
        match request.send().await {
            Ok(response) => self.judge(response).await,
            Err(error) if error.is_connect() => Err(PublishError::Away(reason(&error))),
            // Not `Away`: this event may be what the receiver chokes on, and then it must not hold up those of other
            // users. Each event that gets no good answer backs off by itself.
            Err(error) if error.is_timeout() => Err(PublishError::Refused(format!(
                "the receiver did not answer within {} s",
                TIMEOUT.as_secs()
            ))),
            Err(error) => Err(PublishError::Refused(reason(&error))),
        }
    }

    /// Asks for the head of the receiver's front page. The endpoint itself is left alone: what reaches it is taken for an
    /// event, or counted as somebody's mistake. So this shows that the way there works, TLS and all, and no more.
    pub(super) async fn look(&self) -> Result<Look, PublishError> {
        let url = url::Url::parse(self.url.expose()).ok();
        let origin = url.map(|url| url.origin().ascii_serialization()).unwrap_or_default();
        match self.http.head(format!("{origin}/")).send().await {
            Ok(_) => {
                Ok(Look::Ready(format!("{origin} answers; whether it takes events is seen with the first")))
            }
            Err(error) => Err(PublishError::Away(reason(&error))),
        }
    }

    async fn judge(&self, response: Response) -> Result<Receipt, PublishError> {
        let status = response.status().as_u16();
        let pause = pause(response.headers());
        read_to_the_end(response).await;
        match status {
            200..=299 => Ok(Receipt::Taken),
            // It says itself that no event gets through at the moment.
            429 | 503 => {
                if let Some(pause) = pause {
                    *self.paused_until.lock().unwrap_or_else(PoisonError::into_inner) =
                        Some(Instant::now() + pause);
                }
                Err(PublishError::Away(format!("the receiver answers {status}")))
            }
            300..=399 => Err(PublishError::Refused(format!(
                "the receiver answers {status}, and redirects are not followed: write the address that it leads to into \
                 events_url"
            ))),
            410 => Err(PublishError::Refused(
                "the receiver answers 410, it is gone for good: take it out of events_url".to_owned(),
            )),
            _ => Err(PublishError::Refused(format!("the receiver answers {status}"))),
        }
    }

    fn pause_left(&self) -> Option<Duration> {
        let until = (*self.paused_until.lock().unwrap_or_else(PoisonError::into_inner))?;
        Some(until.saturating_duration_since(Instant::now())).filter(|left| !left.is_zero())
    }
}

fn client(https: bool, authority: Option<&Path>) -> Result<Client, String> {
    let builder = Client::builder()
        .user_agent(concat!("keyward/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(TIMEOUT)
        .redirect(redirect::Policy::none())
        .no_proxy()
        .pool_max_idle_per_host(Webhook::CONCURRENCY)
        .tls_backend_rustls();
    let builder = match authority {
        Some(path) => builder.tls_certs_merge(certificates(path)?),
        // Without https the system's authorities are not needed, and an image from scratch has none.
        None if !https => builder.tls_certs_only([]),
        None => builder,
    };
    builder.build().map_err(|error| {
        format!(
            "events_url: no TLS to webhooks: {}\n  fix: install the system's certificate authorities, or name one in \
             events.webhook_ca",
            reason(&error)
        )
    })
}

fn certificates(path: &Path) -> Result<Vec<Certificate>, String> {
    let wrong = |what: &str| {
        format!(
            "events.webhook_ca: {} {what}\n  fix: name a PEM file with the certificate of the authority",
            path.display()
        )
    };
    let pem = fs::read(path).map_err(|error| wrong(&format!("cannot be read: {error}")))?;
    match Certificate::from_pem_bundle(&pem) {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        Ok(_) => Err(wrong("holds no certificate")),
        Err(error) => Err(wrong(&format!("is not PEM: {}", reason(&error)))),
    }
}

/// One `v1,` signature a key, with spaces between.
fn signatures(keys: &[hmac::Key], id: &str, timestamp: i64, body: &[u8]) -> String {
    let head = format!("{id}.{timestamp}.");
    let sign = |key| {
        let mut context = hmac::Context::with_key(key);
        context.update(head.as_bytes());
        context.update(body);
        format!("v1,{}", STANDARD.encode(context.sign()))
    };
    keys.iter().map(sign).collect::<Vec<_>>().join(" ")
}

/// Reads `Retry-After` in seconds (RFC 9110 §10.2.3). A date would trust the receiver's clock.
fn pause(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds).min(PAUSE_MAX))
}

/// What an answer says is nobody's business; a long or slow one costs its connection.
async fn read_to_the_end(mut response: Response) {
    let reading = async {
        let mut read = 0;
        while let Ok(Some(chunk)) = response.chunk().await {
            read += chunk.len();
            if read > ANSWER_MAX {
                break;
            }
        }
    };
    let _ = tokio::time::timeout(ANSWER_TIMEOUT, reading).await;
}

/// The causes in one line, without the URL: its path may be a secret.
fn reason(error: &reqwest::Error) -> String {
    let mut causes = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        causes.push(cause.to_string());
        next = cause.source();
    }
    if causes.is_empty() { "the request failed".to_owned() } else { causes.join(": ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(secret: &str) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, &STANDARD.decode(secret).unwrap())
    }

    /// The vector of the reference libraries of Standard Webhooks.
    #[test]
    fn signatures_are_those_of_standard_webhooks() {
        let published = key("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let (id, timestamp) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330);
        let body = br#"{"test": 2432232314}"#;
        let one = signatures(std::slice::from_ref(&published), id, timestamp, body);
        assert_eq!(one, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        let two = signatures(&[key("q83Nn0sXo2yq7wYxJp0lVt8m4k6Z1cE5"), published], id, timestamp, body);
        assert!(two.starts_with("v1,") && two.ends_with(&format!(" {one}")), "{two}");
    }

    #[test]
    fn a_pause_is_kept_within_reason() {
        let asked = |value: &'static str| {
            pause(&HeaderMap::from_iter([(RETRY_AFTER, reqwest::header::HeaderValue::from_static(value))]))
        };
        assert_eq!(asked("7"), Some(Duration::from_secs(7)));
        assert_eq!(asked("86400"), Some(PAUSE_MAX));
        for unreadable in ["-1", "soon", "Wed, 21 Oct 2015 07:28:00 GMT", "1.5"] {
            assert_eq!(asked(unreadable), None, "{unreadable}");
        }
        assert_eq!(pause(&HeaderMap::new()), None);
    }

    #[test]
    fn a_wrong_authority_is_told_with_its_setting() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("none.pem");
        let (empty, broken) = (folder.path().join("empty.pem"), folder.path().join("broken.pem"));
        fs::write(&empty, "no certificate at all\n").unwrap();
        fs::write(&broken, "-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n").unwrap();
        for (path, says) in [(missing, "cannot be read"), (empty, "no certificate"), (broken, "is not PEM")] {
            let error = client(true, Some(&path)).unwrap_err();
            assert!(error.starts_with("events.webhook_ca: ") && error.contains(says), "{error}");
            assert!(error.contains("fix: "), "{error}");
        }
    }
}
