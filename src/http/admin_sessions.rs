use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;

use super::bearer::Admin;
use super::input::UserInPath;
use super::problem::{Problem, ProblemBody};
use super::sessions::SessionsBody;
use crate::app::App;

/// A user's sessions
///
/// Live ones, most recently used first.
#[utoipa::path(
    get, path = "/admin/users/{id}/sessions", tag = "admin", operation_id = "listUserSessions",
    security(("bearer" = [])), params(("id" = String, Path, description = "The user", format = "uuid")),
    responses(
        (status = 200, description = "Live sessions", body = SessionsBody),
        (status = 401, description = "`missing_token`, `invalid_token`, `session_ended`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "`insufficient_role`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn list(
    State(app): State<Arc<App>>,
    Admin(admin): Admin,
    UserInPath(id): UserInPath,
) -> Result<axum::Json<SessionsBody>, Problem> {
    let sessions = app.user_sessions(&admin, id).await?;
    Ok(axum::Json(SessionsBody::new(sessions, admin.session())))
}

/// End every session of a user
///
/// Takes effect at once, on every replica.
#[utoipa::path(
    delete, path = "/admin/users/{id}/sessions", tag = "admin", operation_id = "endUserSessions",
    security(("bearer" = [])), params(("id" = String, Path, description = "The user", format = "uuid")),
    responses(
        (status = 204, description = "They have ended"),
        (status = 401, description = "`missing_token`, `invalid_token`, `session_ended`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "`insufficient_role`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn end(
    State(app): State<Arc<App>>,
    Admin(admin): Admin,
    UserInPath(id): UserInPath,
) -> Result<StatusCode, Problem> {
    app.user_end_sessions(&admin, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
