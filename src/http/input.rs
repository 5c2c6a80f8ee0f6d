use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::to_bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use serde::de::DeserializeOwned;

use super::framing::Framing;
use super::problem::{Code, FieldProblem, Problem};
use super::strict_json;
use crate::domain::{
    Email, EmailError, NewPassword, NoTime, Password, PasswordFlaw, PasswordPolicy, Role, Roles,
    SecurityEvent, SessionId, Timestamp, UnknownSecurityEvent, UserId, UserStatus,
};

pub(super) const LIMIT_DEFAULT: u16 = 50;
const LIMIT_MAX: u16 = 200;
const BODY_MAX: usize = 16 * 1024;
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// From the first byte of the head to the last of the body: a slow head leaves less time for the body.
const ARRIVAL_TIMEOUT: Duration = Duration::from_secs(14);

/// A JSON body, taken strictly.
pub(super) struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        require_json(request.headers())?;
        let bytes = body(request).await?;
        strict_json::read(&bytes).map(Self)
    }
}

/// A JSON body that may be left out.
pub(super) struct OptionalJson<T>(pub Option<T>);

impl<T: DeserializeOwned, S: Sync> FromRequest<S> for OptionalJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let typed = require_json(request.headers());
        let bytes = body(request).await?;
        if bytes.is_empty() {
            return Ok(Self(None));
        }
        typed?;
        strict_json::read(&bytes).map(|value| Self(Some(value)))
    }
}

/// A form (`application/x-www-form-urlencoded`), as OAuth endpoints take it: unknown parameters are
/// ignored, a known one given twice is refused (RFC 6749 §3.1).
pub(super) struct Form<T>(pub T);

impl<T: DeserializeOwned, S: Sync> FromRequest<S> for Form<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let form = media_type(request.headers()).as_deref() == Some("application/x-www-form-urlencoded");
        let untyped = !request.headers().contains_key(header::CONTENT_TYPE);
        let unsupported = || {
            Problem::new(Code::UnsupportedMediaType)
                .detail("send `Content-Type: application/x-www-form-urlencoded`")
        };
        if !form && !untyped {
            return Err(unsupported());
        }
        let bytes = body(request).await?;
        // Many clients name no type for a form without fields.
        if !form && !bytes.is_empty() {
            return Err(unsupported());
        }
        serde_urlencoded::from_bytes(&bytes).map(Self).map_err(|error| {
            // The message quotes the name of a field, and never a value.
            let name = error.to_string();
            let name = name.split('`').nth(1).unwrap_or_default().to_owned();
            Problem::field(format!("/{name}"), "invalid", "is missing, or is given more than once")
        })
    }
}

fn media_type(headers: &HeaderMap) -> Option<String> {
    let kind = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    let (essence, _) = kind.split_once(';').unwrap_or((kind, ""));
    (!headers.contains_key(header::CONTENT_ENCODING)).then(|| essence.trim().to_ascii_lowercase())
}

/// Query parameters, taken strictly.
pub(super) struct Parameters<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Parameters<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(value)) => Ok(Self(value)),
            Err(error) => {
                // The message quotes names, and values only of the few known parameters.
                let name = error.to_string();
                let name = name.split('`').nth(1).unwrap_or_default();
                Err(Problem::field(
                    format!("?{name}"),
                    "invalid",
                    "is not a parameter of this route, or has a bad value",
                ))
            }
        }
    }
}

/// The user whom a path names. What is no id, or another spelling of one, names nobody.
pub(super) struct UserInPath(pub UserId);

impl<S: Send + Sync> FromRequestParts<S> for UserInPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        id_in_path(parts, state).await.map(Self)
    }
}

/// The session that a path names, likewise.
pub(super) struct SessionInPath(pub SessionId);

impl<S: Send + Sync> FromRequestParts<S> for SessionInPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        id_in_path(parts, state).await.map(Self)
    }
}

async fn id_in_path<T: FromStr + ToString, S: Send + Sync>(
    parts: &mut Parts,
    state: &S,
) -> Result<T, Problem> {
    let path = Path::<String>::from_request_parts(parts, state).await;
    let id = path.ok().and_then(|Path(text)| text.parse().ok().filter(|id: &T| id.to_string() == text));
    id.ok_or(Problem::new(Code::NotFound))
}

fn require_json(headers: &HeaderMap) -> Result<(), Problem> {
    let unsupported = || Problem::new(Code::UnsupportedMediaType);
    let kind =
        headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).ok_or_else(unsupported)?;
    let (essence, parameters) = kind.split_once(';').unwrap_or((kind, ""));
    let parameters = parameters.trim().to_ascii_lowercase();
    let utf8 = matches!(parameters.as_str(), "" | "charset=utf-8" | "charset=\"utf-8\"");
    if essence.trim().eq_ignore_ascii_case("application/json")
        && utf8
        && !headers.contains_key(header::CONTENT_ENCODING)
    {
        Ok(())
    } else {
        Err(unsupported())
    }
}

async fn body(request: Request) -> Result<axum::body::Bytes, Problem> {
    use http_body_util::LengthLimitError;
    use std::error::Error as _;
    let head_took = request.extensions().get::<Arc<Framing>>().map(|framing| framing.head_took());
    let timeout = BODY_TIMEOUT.min(ARRIVAL_TIMEOUT.saturating_sub(head_took.unwrap_or_default()));
    match tokio::time::timeout(timeout, to_bytes(request.into_body(), BODY_MAX)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) if error.source().is_some_and(<dyn std::error::Error>::is::<LengthLimitError>) => {
            Err(Problem::new(Code::BodyTooLarge))
        }
        Ok(Err(_)) => Err(Problem::new(Code::BadRequest).detail("the body broke off")),
        Err(_) => Err(Problem::new(Code::RequestTimeout)),
    }
}

/// Collects every bad field before a request is refused.
#[derive(Default)]
pub(super) struct Fields(Vec<FieldProblem>);

impl Fields {
    pub(super) fn email(&mut self, pointer: &str, text: &str) -> Option<Email> {
        Email::parse(text)
            .map_err(|error| {
                let code = match error {
                    EmailError::Syntax => "invalid_email",
                    EmailError::TooLong => "too_long",
                    EmailError::Confusable => "confusable",
                };
                self.refuse(pointer, code, &error);
            })
            .ok()
    }

    pub(super) fn password(&mut self, pointer: &str, text: &str) -> Option<Password> {
        Password::parse(text).map_err(|flaw| self.refuse(pointer, flaw_code(flaw), &flaw)).ok()
    }

    pub(super) fn new_password(
        &mut self,
        pointer: &str,
        text: &str,
        policy: &PasswordPolicy,
        owner: Option<&Email>,
    ) -> Option<NewPassword> {
        policy.accept(text, owner).map_err(|flaw| self.refuse(pointer, flaw_code(flaw), &flaw)).ok()
    }

    /// Reads the roles that stand in a list at `pointer`; each bad one is pointed at.
    pub(super) fn roles(&mut self, pointer: &str, names: &[String]) -> Option<Roles> {
        let mut roles = Vec::with_capacity(names.len());
        for (index, name) in names.iter().enumerate() {
            roles.extend(self.role(&format!("{pointer}/{index}"), name));
        }
        if roles.len() < names.len() {
            return None;
        }
        Roles::new(roles).map_err(|error| self.refuse(pointer, "too_many", &error)).ok()
    }

    pub(super) fn role(&mut self, pointer: &str, name: &str) -> Option<Role> {
        Role::parse(name).map_err(|error| self.refuse(pointer, "invalid_role", &error)).ok()
    }

    pub(super) fn status(&mut self, pointer: &str, text: &str) -> Option<UserStatus> {
        text.parse().map_err(|_| self.refuse(pointer, "invalid_status", &"must be active or disabled")).ok()
    }

    /// Reads an id, in the one spelling in which we write it.
    pub(super) fn id<T: FromStr + ToString>(&mut self, pointer: &str, text: &str) -> Option<T> {
        let id = text.parse().ok().filter(|id: &T| id.to_string() == text);
        if id.is_none() {
            self.refuse(pointer, "invalid_id", &"must be an id, as listings show it");
        }
        id
    }

    pub(super) fn time(&mut self, pointer: &str, text: &str) -> Option<Timestamp> {
        text.parse().map_err(|error: NoTime| self.refuse(pointer, "invalid_time", &error)).ok()
    }

    pub(super) fn security_event(&mut self, pointer: &str, text: &str) -> Option<SecurityEvent> {
        let event = text.parse();
        event.map_err(|error: UnknownSecurityEvent| self.refuse(pointer, "unknown_event", &error)).ok()
    }

    /// Reads how many items of a list are wanted.
    pub(super) fn limit(&mut self, pointer: &str, text: &str) -> Option<u16> {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        let limit = text.parse().ok().filter(|_| digits).filter(|limit| (1..=LIMIT_MAX).contains(limit));
        if limit.is_none() {
            self.refuse(pointer, "out_of_range", &format!("must be 1 to {LIMIT_MAX}"));
        }
        limit
    }

    pub(super) fn all_good(&self) -> bool {
        self.0.is_empty()
    }

    fn refuse(&mut self, pointer: &str, code: &'static str, detail: &dyn std::fmt::Display) {
        self.0.push(FieldProblem { pointer: pointer.to_owned(), code, detail: detail.to_string() });
    }

    pub(super) fn into_problem(self) -> Problem {
        Problem::fields(self.0)
    }
}

const fn flaw_code(flaw: PasswordFlaw) -> &'static str {
    match flaw {
        PasswordFlaw::TooShort { .. } => "too_short",
        PasswordFlaw::TooLong { .. } => "too_long",
        PasswordFlaw::Common => "too_common",
        PasswordFlaw::Guessable => "too_guessable",
    }
}
