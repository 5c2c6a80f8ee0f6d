use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;

use super::bearer::Admin;
use super::input::UserInPath;
use super::problem::{Problem, ProblemBody};
use crate::app::App;

/// Unlock a user
///
/// Forgets every wrong password that was tried, so that logging in is possible again at once.
#[utoipa::path(
    post, path = "/admin/users/{id}/unlock", tag = "admin", operation_id = "unlockUser", security(("bearer" = [])),
    params(("id" = String, Path, description = "The user", format = "uuid")),
    responses(
        (status = 204, description = "Not locked, whether it was or not"),
        (status = 401, description = "`missing_token`, `invalid_token`, `session_ended`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "`insufficient_role`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn unlock(
    State(app): State<Arc<App>>,
    Admin(admin): Admin,
    UserInPath(id): UserInPath,
) -> Result<StatusCode, Problem> {
    app.user_unlock(&admin, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
