use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::bearer::SignedIn;
use super::caller::From;
use super::input::SessionInPath;
use super::problem::{Problem, ProblemBody};
use crate::app::App;
use crate::domain::{Session, SessionId};

#[derive(Serialize, ToSchema)]
#[schema(as = Session)]
pub(super) struct SessionBody {
    /// The `sid` claim of its access tokens.
    #[schema(format = "uuid")]
    id: String,
    #[schema(format = "date-time")]
    created_at: String,
    /// The login, or the latest refresh.
    #[schema(format = "date-time")]
    last_used_at: String,
    /// When it ends if it is not used again.
    #[schema(format = "date-time")]
    expires_at: String,
    /// Of the login.
    ip: Option<String>,
    /// Of the login.
    user_agent: Option<String>,
    /// Whether this request came from it.
    current: bool,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Sessions)]
pub(super) struct SessionsBody {
    items: Vec<SessionBody>,
}

impl SessionsBody {
    pub(super) fn new(sessions: Vec<Session>, current: Option<SessionId>) -> Self {
        let body = |session: Session| SessionBody {
            current: current == Some(session.id),
            id: session.id.to_string(),
            created_at: session.created_at.to_string(),
            last_used_at: session.last_used_at.to_string(),
            expires_at: session.expires_at.to_string(),
            ip: session.ip.map(|ip| ip.to_string()),
            user_agent: session.user_agent,
        };
        Self { items: sessions.into_iter().map(body).collect() }
    }
}

/// My sessions
///
/// Lists the caller's live sessions, most recently used first.
#[utoipa::path(
    get, path = "/auth/sessions", tag = "auth", operation_id = "listSessions", security(("bearer" = [])),
    responses(
        (status = 200, description = "Live sessions", body = SessionsBody),
        (status = 401, description = "`missing_token`, `invalid_token`, `session_ended`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn list(
    State(app): State<Arc<App>>,
    SignedIn(owner): SignedIn,
) -> Result<axum::Json<SessionsBody>, Problem> {
    let sessions = app.sessions_list(&owner).await?;
    Ok(axum::Json(SessionsBody::new(sessions, Some(owner.session.id))))
}

/// End one of my sessions
///
/// Takes effect at once, on every replica. Ending it again is no error; somebody else's is not found.
#[utoipa::path(
    delete, path = "/auth/sessions/{id}", tag = "auth", operation_id = "endSession", security(("bearer" = [])),
    params(("id" = String, Path, description = "The session, as listed", format = "uuid")),
    responses(
        (status = 204, description = "It has ended"),
        (status = 401, description = "`missing_token`, `invalid_token`, `session_ended`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn revoke(
    State(app): State<Arc<App>>,
    From(caller): From,
    SignedIn(owner): SignedIn,
    SessionInPath(id): SessionInPath,
) -> Result<StatusCode, Problem> {
    app.session_revoke(&owner, id, &caller).await?;
    Ok(StatusCode::NO_CONTENT)
}
