use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use thiserror::Error;

use crate::{CheckError, FetchError, VerifyError};

/// Says why a request was not let through, and becomes the answer: a challenge after RFC 6750 §3 and a small body after
/// RFC 9457. Neither shows more than whether the token has expired.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum Denied {
    /// No token was sent: 401.
    #[error("no access token was sent")]
    MissingToken,
    /// The token is not good: 401 `invalid_token`.
    #[error("{0}")]
    InvalidToken(VerifyError),
    /// The token is good, but the role is not among its roles: 403 `insufficient_scope`.
    #[error("the caller lacks the role")]
    MissingRole,
    /// There is no key set to verify with: 503.
    #[error("no key set to verify with: {0}")]
    Unavailable(Arc<FetchError>),
}

impl From<CheckError> for Denied {
    fn from(error: CheckError) -> Self {
        match error {
            CheckError::Refused(reason) => Self::InvalidToken(reason),
            CheckError::Unavailable(reason) => Self::Unavailable(reason),
        }
    }
}

impl IntoResponse for Denied {
    fn into_response(self) -> Response {
        tracing::debug!(reason = %self, "request denied");
        let (status, title, code, detail) = match &self {
            Self::MissingToken => {
                (StatusCode::UNAUTHORIZED, "Access token missing", "missing_token", "send a Bearer token")
            }
            Self::InvalidToken(VerifyError::Expired) => (
                StatusCode::UNAUTHORIZED,
                "Access token refused",
                "invalid_token",
                "the access token has expired",
            ),
            Self::InvalidToken(_) => (
                StatusCode::UNAUTHORIZED,
                "Access token refused",
                "invalid_token",
                "the access token is not valid",
            ),
            Self::MissingRole => (
                StatusCode::FORBIDDEN,
                "Not allowed",
                "insufficient_scope",
                "this needs a role that you do not have",
            ),
            Self::Unavailable(_) => (
                StatusCode::SERVICE_UNAVAILABLE,
                "Try again",
                "unavailable",
                "tokens cannot be verified just now",
            ),
        };
        // All of it is text of ours without quotes, so nothing needs escapes.
        let body = format!(
            r#"{{"type":"about:blank","title":"{title}","status":{},"code":"{code}","detail":"{detail}"}}"#,
            status.as_u16()
        );
        let mut response = (status, Body::from(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        let challenge = match (&self, code) {
            (Self::Unavailable(_), _) => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
                return response;
            }
            (Self::MissingToken, _) => r#"Bearer realm="keyward""#.to_owned(),
            (_, error) => {
                format!(r#"Bearer realm="keyward", error="{error}", error_description="{detail}""#)
            }
        };
        if let Ok(challenge) = challenge.try_into() {
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}
