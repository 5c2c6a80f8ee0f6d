//! Errors as RFC 9457 `application/problem+json`: the only file that knows error status codes.

use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::rate_limit::seconds;
use crate::app::Error;

/// Every code that an error can have; stable, documented at `/docs/errors/{code}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Code {
    MalformedJson,
    InvalidRequest,
    InvalidCredentials,
    MissingToken,
    InvalidToken,
    InvalidRefreshToken,
    RefreshTokenReused,
    SessionEnded,
    InsufficientRole,
    SignupDisabled,
    HttpsRequired,
    NotFound,
    MethodNotAllowed,
    RequestTimeout,
    AccountLocked,
    EmailTaken,
    LastAdmin,
    KeyTooFresh,
    InvalidClient,
    ClientExists,
    BodyTooLarge,
    UnsupportedMediaType,
    HeadersTooLarge,
    BadRequest,
    InvalidCursor,
    TooManyAttempts,
    Internal,
    Overloaded,
    Unavailable,
}

/// Status, title, and what the caller can do about it.
type Entry = (StatusCode, &'static str, &'static str);

impl Code {
    pub(super) const ALL: [Self; 29] = [
        Self::MalformedJson,
        Self::InvalidRequest,
        Self::InvalidCredentials,
        Self::MissingToken,
        Self::InvalidToken,
        Self::InvalidRefreshToken,
        Self::RefreshTokenReused,
        Self::SessionEnded,
        Self::InsufficientRole,
        Self::SignupDisabled,
        Self::HttpsRequired,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::RequestTimeout,
        Self::AccountLocked,
        Self::EmailTaken,
        Self::LastAdmin,
        Self::KeyTooFresh,
        Self::InvalidClient,
        Self::ClientExists,
        Self::BodyTooLarge,
        Self::UnsupportedMediaType,
        Self::HeadersTooLarge,
        Self::BadRequest,
        Self::InvalidCursor,
        Self::TooManyAttempts,
        Self::Internal,
        Self::Overloaded,
        Self::Unavailable,
    ];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::MalformedJson => "malformed_json",
            Self::InvalidRequest => "invalid_request",
            Self::InvalidCredentials => "invalid_credentials",
            Self::MissingToken => "missing_token",
            Self::InvalidToken => "invalid_token",
            Self::InvalidRefreshToken => "invalid_refresh_token",
            Self::RefreshTokenReused => "refresh_token_reused",
            Self::SessionEnded => "session_ended",
            Self::InsufficientRole => "insufficient_role",
            Self::SignupDisabled => "signup_disabled",
            Self::HttpsRequired => "https_required",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::RequestTimeout => "request_timeout",
            Self::AccountLocked => "account_locked",
            Self::EmailTaken => "email_taken",
            Self::LastAdmin => "last_admin",
            Self::KeyTooFresh => "key_too_fresh",
            Self::InvalidClient => "invalid_client",
            Self::ClientExists => "client_exists",
            Self::BodyTooLarge => "body_too_large",
            Self::UnsupportedMediaType => "unsupported_media_type",
            Self::HeadersTooLarge => "headers_too_large",
            Self::InvalidCursor => "invalid_cursor",
            Self::BadRequest => "bad_request",
            Self::TooManyAttempts => "too_many_attempts",
            Self::Internal => "internal_error",
            Self::Overloaded => "overloaded",
            Self::Unavailable => "unavailable",
        }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.as_str() == text)
    }

    #[rustfmt::skip]
    pub(super) const fn entry(self) -> Entry {
        match self {
            Self::MalformedJson => (StatusCode::BAD_REQUEST, "The body is not JSON", "Send one JSON object in UTF-8, at most 16 levels deep."),
            Self::InvalidRequest => (StatusCode::UNPROCESSABLE_ENTITY, "The request has bad fields", "Each entry of `errors` names a field by a JSON pointer and says what is wrong with it. Unknown fields are refused."),
            Self::InvalidCredentials => (StatusCode::UNAUTHORIZED, "The e-mail address or the password is wrong", "The answer is the same for an unknown address, a wrong password and a disabled user."),
            Self::MissingToken => (StatusCode::UNAUTHORIZED, "An access token is needed", "Send `Authorization: Bearer <access_token>`."),
            Self::InvalidToken => (StatusCode::UNAUTHORIZED, "The access token is not valid", "It has expired, or was not made by this service for this audience. Refresh it, or log in again."),
            Self::InvalidRefreshToken => (StatusCode::UNAUTHORIZED, "The refresh token is not valid", "It was not made by this service, or is not the current one where that is asked for. Log in again."),
            Self::RefreshTokenReused => (StatusCode::UNAUTHORIZED, "The refresh token was used before", "Somebody presented an old refresh token, so the session was ended to be safe. Log in again."),
            Self::SessionEnded => (StatusCode::UNAUTHORIZED, "The session has ended", "It was logged out, expired, or its user changed. Log in again."),
            Self::InsufficientRole => (StatusCode::FORBIDDEN, "A role is missing", "The caller does not hold the role that this route asks for: `admin`, as the database has it now."),
            Self::SignupDisabled => (StatusCode::FORBIDDEN, "Sign-up is closed", "Accounts of this service are made by its operators."),
            Self::HttpsRequired => (StatusCode::FORBIDDEN, "Only https is answered here", "Use the https address of this service. What this request held came over an open line: change a password or end a session that was in it."),
            Self::NotFound => (StatusCode::NOT_FOUND, "There is nothing here", "Check the path; `/docs` lists every route."),
            Self::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "The method is not allowed here", "The `Allow` header lists the methods of this path."),
            Self::RequestTimeout => (StatusCode::REQUEST_TIMEOUT, "The request took too long to arrive", "Send the whole body within ten seconds."),
            Self::AccountLocked => (StatusCode::TOO_MANY_REQUESTS, "Too many wrong passwords", "Try again after the seconds in `Retry-After`. The answer is the same for an address that is nobody's. Devices that have logged in before, and send their `device_token`, are locked by their own mistakes only; an admin can unlock."),
            Self::EmailTaken => (StatusCode::CONFLICT, "The e-mail address is taken", "Log in instead, or sign up with another address. If an earlier answer was lost, log in: the account exists."),
            Self::InvalidClient => (StatusCode::UNAUTHORIZED, "The service client is not known", "Send the name and the secret that `keyward clients create` printed, by HTTP Basic."),
            Self::ClientExists => (StatusCode::CONFLICT, "The name of the client is taken", "Names of clients are not used again; choose another one."),
            Self::LastAdmin => (StatusCode::CONFLICT, "Nobody would be left to administer", "This user is the last active admin. Give another one the role first."),
            Self::KeyTooFresh => (StatusCode::CONFLICT, "The pending key has not been public for long enough", "Verifiers that cache the key set would refuse its tokens. Wait, or rotate with `now`."),
            Self::BodyTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "The body is too large", "Bodies are at most 16 KiB."),
            Self::UnsupportedMediaType => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "The content type is not supported", "Send `Content-Type: application/json`, without a content encoding."),
            Self::HeadersTooLarge => (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "The headers are too large", "All headers together are at most 16 KiB."),
            Self::InvalidCursor => (StatusCode::BAD_REQUEST, "The cursor is not valid", "It belongs to another listing or other filters, or is older than an hour. Start again without it."),
            Self::BadRequest => (StatusCode::BAD_REQUEST, "The request cannot be understood", "Check it against `/docs`."),
            Self::TooManyAttempts => (StatusCode::TOO_MANY_REQUESTS, "Too many attempts", "Try again after the seconds in `Retry-After`. `RateLimit-Policy` names the limits, `RateLimit` says what is left of each."),
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "Something went wrong here", "It is our fault and was logged; `request_id` finds it."),
            Self::Overloaded => (StatusCode::SERVICE_UNAVAILABLE, "Too much is waiting", "Try again after the seconds in `Retry-After`."),
            Self::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "A dependency is away", "Try again after the seconds in `Retry-After`. Whether a write took effect is not known."),
        }
    }
}

/// One bad field.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct FieldProblem {
    /// JSON pointer (RFC 6901) to the field; `?name` for a query parameter.
    #[schema(example = "/password")]
    pub pointer: String,
    /// What is wrong, for a program.
    #[schema(example = "too_short")]
    pub code: &'static str,
    /// What is wrong, for a person.
    pub detail: String,
}

/// An error, before it is given the request's id and written out by the middleware.
#[derive(Debug, Clone)]
pub(super) struct Problem {
    pub code: Code,
    pub detail: Option<String>,
    pub errors: Vec<FieldProblem>,
    pub retry_after: Option<Duration>,
    /// What is behind it, for the log alone.
    pub cause: Option<String>,
}

/// The body of every error (RFC 9457), as `application/problem+json`.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(super) struct ProblemBody<'a> {
    /// A page about this kind of error, served by Keyward itself.
    #[serde(rename = "type")]
    #[schema(example = "http://127.0.0.1:7300/docs/errors/invalid_request")]
    kind: String,
    title: &'static str,
    status: u16,
    detail: &'a str,
    /// Stable, for programs.
    #[schema(example = "invalid_request")]
    code: &'static str,
    /// Also in the `X-Request-Id` header, and in the service's log.
    request_id: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [FieldProblem],
}

impl Problem {
    pub(super) const fn new(code: Code) -> Self {
        Self { code, detail: None, errors: Vec::new(), retry_after: None, cause: None }
    }

    pub(super) fn cause(self, cause: impl Into<String>) -> Self {
        Self { cause: Some(cause.into()), ..self }
    }

    pub(super) fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    pub(super) fn fields(errors: Vec<FieldProblem>) -> Self {
        Self { errors, ..Self::new(Code::InvalidRequest) }
    }

    pub(super) fn field(pointer: impl Into<String>, code: &'static str, detail: impl Into<String>) -> Self {
        Self::fields(vec![FieldProblem { pointer: pointer.into(), code, detail: detail.into() }])
    }

    /// Finds the code for an error answer that the HTTP stack made without us.
    pub(super) fn of_status(status: StatusCode) -> Self {
        let found =
            Code::ALL.into_iter().find(|code| code.entry().0 == status && *code != Code::MalformedJson);
        Self::new(found.unwrap_or(if status.is_server_error() { Code::Internal } else { Code::BadRequest }))
    }

    /// Writes the problem out. The status, the body and the headers that the status asks for.
    pub(super) fn render(&self, issuer: &str, request_id: &str) -> Response {
        let (status, title, advice) = self.code.entry();
        let body = ProblemBody {
            kind: format!("{issuer}/docs/errors/{}", self.code.as_str()),
            title,
            status: status.as_u16(),
            detail: self.detail.as_deref().unwrap_or(advice),
            code: self.code.as_str(),
            request_id,
            errors: &self.errors,
        };
        let body = serde_json::to_vec(&body).unwrap_or_default();
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(challenge) = self.challenge() {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        if [StatusCode::SERVICE_UNAVAILABLE, StatusCode::TOO_MANY_REQUESTS].contains(&status) {
            let seconds = self.retry_after.map_or(1, |wait| seconds(wait).max(1));
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }

    /// RFC 6750 §3: an error code only where a token was sent.
    fn challenge(&self) -> Option<&'static str> {
        match self.code {
            Code::InvalidClient => Some("Basic realm=\"keyward\", charset=\"UTF-8\""),
            Code::InvalidToken | Code::SessionEnded => {
                Some("Bearer realm=\"keyward\", error=\"invalid_token\"")
            }
            Code::InsufficientRole => Some("Bearer realm=\"keyward\", error=\"insufficient_scope\""),
            code => (code.entry().0 == StatusCode::UNAUTHORIZED).then_some("Bearer realm=\"keyward\""),
        }
    }
}

/// Leaves the problem to the middleware, which knows the request's id.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.code.entry().0.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let code = match &error {
            Error::EmailTaken => Code::EmailTaken,
            Error::NotFound => Code::NotFound,
            Error::InsufficientRole => Code::InsufficientRole,
            Error::LastAdmin => Code::LastAdmin,
            Error::InvalidCursor(_) => Code::InvalidCursor,
            Error::InvalidClient => Code::InvalidClient,
            Error::ClientExists => Code::ClientExists,
            Error::KeyTooFresh { .. } => return Self::new(Code::KeyTooFresh).detail(error.to_string()),
            Error::SignupDisabled => Code::SignupDisabled,
            Error::InvalidCredentials => Code::InvalidCredentials,
            Error::InvalidToken(reason) => {
                tracing::debug!(reason, "access token refused");
                Code::InvalidToken
            }
            Error::InvalidRefreshToken => Code::InvalidRefreshToken,
            Error::RefreshTokenReused => Code::RefreshTokenReused,
            Error::SessionEnded => Code::SessionEnded,
            Error::AccountLocked { retry_after } => {
                return Self { retry_after: Some(*retry_after), ..Self::new(Code::AccountLocked) };
            }
            Error::TooManyAttempts { retry_after } => {
                return Self { retry_after: Some(*retry_after), ..Self::new(Code::TooManyAttempts) };
            }
            Error::Overloaded { retry_after } => {
                return Self { retry_after: Some(*retry_after), ..Self::new(Code::Overloaded) };
            }
            Error::Store(cause) if cause.transient() => {
                return Self::new(Code::Unavailable).cause(cause.to_string());
            }
            Error::Store(_) | Error::Internal(_) => {
                return Self::new(Code::Internal).cause(error.to_string());
            }
        };
        Self::new(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_distinct_and_listed() {
        for code in Code::ALL {
            assert_eq!(Code::parse(code.as_str()), Some(code));
        }
    }

    #[test]
    fn what_the_stack_answers_gets_a_code() {
        assert_eq!(Problem::of_status(StatusCode::NOT_FOUND).code, Code::NotFound);
        assert_eq!(Problem::of_status(StatusCode::BAD_REQUEST).code, Code::BadRequest);
        assert_eq!(Problem::of_status(StatusCode::IM_A_TEAPOT).code, Code::BadRequest);
        assert_eq!(Problem::of_status(StatusCode::BAD_GATEWAY).code, Code::Internal);
    }
}
