use std::sync::Arc;

use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;

use super::caller::From;
use super::input::Json;
use super::login::TokenPairBody;
use super::problem::{Problem, ProblemBody};
use super::request_log::note_user;
use crate::app::App;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RefreshRequest {
    #[schema(example = "kwr_…")]
    refresh_token: String,
}

/// Refresh
///
/// Exchanges a refresh token for a new pair. The token before the current one gives the same successor again for 30
/// seconds (a lost answer, two tabs); any older one ends the session, since somebody holds a copy.
#[utoipa::path(
    post, path = "/auth/refresh", tag = "auth", operation_id = "refresh", request_body = RefreshRequest,
    responses(
        (status = 200, description = "The next pair", body = TokenPairBody),
        (status = 400, description = "`malformed_json`, `bad_request`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "`invalid_refresh_token`, `refresh_token_reused`, `session_ended`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 413, description = "`body_too_large`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 415, description = "`unsupported_media_type`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`invalid_request`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn refresh(
    State(app): State<Arc<App>>,
    From(caller): From,
    Json(request): Json<RefreshRequest>,
) -> Result<axum::Json<TokenPairBody>, Problem> {
    let pair = app.refresh(&request.refresh_token, &caller).await?;
    note_user(pair.user_id, Some(pair.session_id));
    Ok(axum::Json(pair.into()))
}
