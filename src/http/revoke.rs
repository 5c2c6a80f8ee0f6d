use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;

use super::caller::From;
use super::input::Form;
use super::introspect::TokenForm;
use super::problem::{Problem, ProblemBody};
use crate::app::App;

/// Revoke a token
///
/// Ends the session of an access or refresh token; whoever holds it may. The answer is the same for what is no token at
/// all. RFC 7009.
#[utoipa::path(
    post, path = "/oauth/revoke", tag = "oauth", operation_id = "revoke",
    request_body(content = TokenForm, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "It works nowhere any more"),
        (status = 413, description = "`body_too_large`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 415, description = "`unsupported_media_type`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`invalid_request`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn revoke(
    State(app): State<Arc<App>>,
    From(caller): From,
    Form(form): Form<TokenForm>,
) -> Result<StatusCode, Problem> {
    app.revoke(&form.token, &caller).await?;
    Ok(StatusCode::OK)
}
