use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

use super::bearer::SignedIn;
use super::caller::From;
use super::input::{Fields, Json};
use super::problem::{Problem, ProblemBody};
use crate::app::App;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PasswordRequest {
    #[schema(format = "password", example = "a quiet lake at dawn")]
    current_password: String,
    #[schema(format = "password", example = "correct horse battery staple")]
    new_password: String,
}

/// Change my password
///
/// Needs the current one; too many wrong ones lock this session out of trying. Every other session of the caller ends at once; this one goes on.
#[utoipa::path(
    post, path = "/auth/password", tag = "auth", operation_id = "changePassword", security(("bearer" = [])),
    request_body = PasswordRequest,
    responses(
        (status = 204, description = "Changed"),
        (status = 400, description = "`malformed_json`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "`missing_token`, `invalid_token`, `session_ended`, `invalid_credentials` (the current password is wrong)", body = ProblemBody, content_type = "application/problem+json"),
        (status = 413, description = "`body_too_large`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 415, description = "`unsupported_media_type`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`invalid_request`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "`too_many_attempts`, `account_locked`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "`overloaded`, `unavailable`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn change(
    State(app): State<Arc<App>>,
    From(caller): From,
    SignedIn(owner): SignedIn,
    Json(request): Json<PasswordRequest>,
) -> Result<StatusCode, Problem> {
    let mut fields = Fields::default();
    let current = fields.password("/current_password", &request.current_password);
    let policy = &app.rules().password_policy;
    let new = fields.new_password("/new_password", &request.new_password, policy, Some(&owner.user.email));
    let (Some(current), Some(new)) = (current, new) else {
        return Err(fields.into_problem());
    };
    app.password_change(owner, current, new, &caller).await?;
    Ok(StatusCode::NO_CONTENT)
}
