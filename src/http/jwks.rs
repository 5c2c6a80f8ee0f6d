use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use crate::app::App;

/// Public keys
///
/// The JSON Web Key Set (RFC 7517) that access tokens verify with. A key is here before it first signs, and until the
/// last token it signed has expired, so a verifier may cache for `max-age`.
#[utoipa::path(
    get, path = "/.well-known/jwks.json", tag = "discovery", operation_id = "jwks",
    responses(
        (status = 200, description = "The key set", body = Object, content_type = "application/jwk-set+json"),
        (status = 304, description = "Unchanged since the `ETag` in `If-None-Match`"),
    )
)]
pub(super) async fn jwks(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    cached_document(&app, &headers, "application/jwk-set+json", app.jwks())
}

/// Answers with a document that changes seldom: cacheable, with a strong `ETag` of its bytes.
pub(super) fn cached_document(
    app: &App,
    headers: &HeaderMap,
    content_type: &'static str,
    body: String,
) -> Response {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, body.as_bytes());
    let tag = digest.as_ref().first_chunk::<12>().map(|head| BASE64_URL_SAFE_NO_PAD.encode(head));
    let tag = format!("\"{}\"", tag.unwrap_or_default());
    let max_age = format!("public, max-age={}", app.rules().jwks_max_age.as_secs());
    let known = headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|value| matches!(value.trim(), "*") || value.trim().trim_start_matches("W/") == tag);
    let headers = [(header::CACHE_CONTROL, max_age), (header::ETAG, tag)];
    if known {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    (headers, [(header::CONTENT_TYPE, content_type)], body).into_response()
}
