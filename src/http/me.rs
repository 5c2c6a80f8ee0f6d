use serde::Serialize;
use utoipa::ToSchema;

use super::bearer::SignedIn;
use super::problem::{Problem, ProblemBody};
use super::signup::UserBody;

#[derive(Serialize, ToSchema)]
#[schema(as = Me)]
pub(super) struct MeBody {
    #[serde(flatten)]
    user: UserBody,
    /// The `sid` claim of the access token.
    #[schema(format = "uuid")]
    session_id: String,
}

/// Who am I
///
/// Reads the caller's identity, roles and session from the database: never stale, whatever the token says.
#[utoipa::path(
    get, path = "/auth/me", tag = "auth", operation_id = "me", security(("bearer" = [])),
    responses(
        (status = 200, description = "The caller", body = MeBody),
        (status = 401, description = "`missing_token`, `invalid_token`, `session_ended`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn me(SignedIn(principal): SignedIn) -> Result<axum::Json<MeBody>, Problem> {
    Ok(axum::Json(MeBody {
        user: UserBody::from(&principal.user),
        session_id: principal.session.id.to_string(),
    }))
}
