use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// Errors of this service's own, as RFC 9457 has them; those about tokens are `keyward_verify::Denied`.
#[derive(Debug)]
pub(crate) enum Problem {
    NotFound,
    /// The user was deleted at Keyward; the token has not expired yet.
    Deleted,
    Invalid(String),
    Malformed(StatusCode, String),
    Database(sqlx::Error),
}

impl From<sqlx::Error> for Problem {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

impl From<JsonRejection> for Problem {
    fn from(rejection: JsonRejection) -> Self {
        Self::Malformed(rejection.status(), rejection.body_text())
    }
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        Self::Malformed(rejection.status(), rejection.body_text())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, code, detail) = match self {
            Self::NotFound => (StatusCode::NOT_FOUND, "not_found", "there is no profile yet".to_owned()),
            Self::Deleted => (StatusCode::GONE, "user_deleted", "this user was deleted".to_owned()),
            Self::Invalid(detail) => (StatusCode::UNPROCESSABLE_ENTITY, "invalid_request", detail),
            Self::Malformed(status, detail) => (status, "invalid_request", detail),
            Self::Database(error) => {
                tracing::error!(%error, "database");
                (StatusCode::SERVICE_UNAVAILABLE, "unavailable", "try again".to_owned())
            }
        };
        let title = status.canonical_reason().unwrap_or_default();
        let body = json!({
            "type": "about:blank", "title": title, "status": status.as_u16(), "code": code, "detail": detail,
        });
        (status, [(header::CONTENT_TYPE, "application/problem+json")], Json(body)).into_response()
    }
}
