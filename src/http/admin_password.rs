use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

use super::bearer::Admin;
use super::input::{Fields, Json, UserInPath};
use super::problem::{Problem, ProblemBody};
use crate::app::App;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ResetRequest {
    #[schema(format = "password", example = "correct horse battery staple")]
    new_password: String,
}

/// Reset a user's password
///
/// Ends every session of the user at once.
#[utoipa::path(
    post, path = "/admin/users/{id}/password", tag = "admin", operation_id = "resetUserPassword",
    security(("bearer" = [])), params(("id" = String, Path, description = "The user", format = "uuid")),
    request_body = ResetRequest,
    responses(
        (status = 204, description = "The new password counts"),
        (status = 400, description = "`malformed_json`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "`missing_token`, `invalid_token`, `session_ended`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "`insufficient_role`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 413, description = "`body_too_large`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 415, description = "`unsupported_media_type`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`invalid_request`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "`overloaded`, `unavailable`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn reset(
    State(app): State<Arc<App>>,
    Admin(admin): Admin,
    UserInPath(id): UserInPath,
    Json(request): Json<ResetRequest>,
) -> Result<StatusCode, Problem> {
    // The policy asks whose password it is.
    let owner = app.user_by_id(&admin, id).await?;
    let mut fields = Fields::default();
    let policy = &app.rules().password_policy;
    let new = fields.new_password("/new_password", &request.new_password, policy, Some(&owner.email));
    let Some(new) = new else { return Err(fields.into_problem()) };
    app.user_reset_password(&admin, id, new).await?;
    Ok(StatusCode::NO_CONTENT)
}
