use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::bearer::Admin;
use super::input::OptionalJson;
use super::problem::{Code, Problem, ProblemBody};
use crate::app::{App, RotateWhen};
use crate::domain::{KeyStage, Kid};

#[derive(Serialize, ToSchema)]
#[schema(as = SigningKey)]
pub(super) struct KeyBody {
    /// The RFC 7638 thumbprint, which is the `kid` of tokens.
    kid: String,
    #[schema(example = "ES256")]
    algorithm: String,
    /// `pending`: published, not signing yet; `active`: signs; `retired`: published until its last token has expired.
    #[schema(example = "active")]
    state: &'static str,
    #[schema(format = "date-time")]
    created_at: String,
    #[schema(format = "date-time")]
    promoted_at: Option<String>,
    #[schema(format = "date-time")]
    retired_at: Option<String>,
}

impl From<KeyStage> for KeyBody {
    fn from(key: KeyStage) -> Self {
        Self {
            kid: key.kid.to_string(),
            algorithm: key.algorithm,
            state: key.state.as_str(),
            created_at: key.created_at.to_string(),
            promoted_at: key.promoted_at.map(|at| at.to_string()),
            retired_at: key.retired_at.map(|at| at.to_string()),
        }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = SigningKeys)]
pub(super) struct KeysBody {
    items: Vec<KeyBody>,
}

/// List signing keys
///
/// Those that are published, newest first.
#[utoipa::path(
    get, path = "/admin/keys", tag = "admin", operation_id = "listKeys", security(("bearer" = [])),
    responses(
        (status = 200, description = "The published keys", body = KeysBody),
        (status = 401, description = "`missing_token`, `invalid_token`, `session_ended`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "`insufficient_role`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn list(
    State(app): State<Arc<App>>,
    Admin(admin): Admin,
) -> Result<axum::Json<KeysBody>, Problem> {
    let (keys, _) = app.keys_list(&admin).await?;
    Ok(axum::Json(KeysBody { items: keys.into_iter().map(KeyBody::from).collect() }))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RotateRequest {
    /// Even if the pending key was not public for long enough: verifiers that cache the key set refuse new tokens
    /// until they fetch it again.
    #[serde(default)]
    now: bool,
}

/// Rotate the signing key
///
/// The pending key signs from now on; the active one stays published until its last token has expired.
#[utoipa::path(
    post, path = "/admin/keys/rotate", tag = "admin", operation_id = "rotateKeys", security(("bearer" = [])),
    request_body(content = Option<RotateRequest>, description = "May be left out"),
    responses(
        (status = 201, description = "The key that signs now", body = KeyBody),
        (status = 400, description = "`malformed_json`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "`missing_token`, `invalid_token`, `session_ended`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "`insufficient_role`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "`key_too_fresh`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 413, description = "`body_too_large`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 415, description = "`unsupported_media_type`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`invalid_request`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn rotate(
    State(app): State<Arc<App>>,
    Admin(admin): Admin,
    OptionalJson(request): OptionalJson<RotateRequest>,
) -> Result<(StatusCode, axum::Json<KeyBody>), Problem> {
    let now = request.is_some_and(|request| request.now);
    let when = if now { RotateWhen::Now } else { RotateWhen::Published };
    let key = app.keys_rotate(&admin, when).await?;
    Ok((StatusCode::CREATED, axum::Json(KeyBody::from(key))))
}

/// Revoke a signing key
///
/// For a compromise. No token that it signed is accepted here any more, within two seconds on every replica; verifiers
/// follow when they fetch the key set again.
#[utoipa::path(
    post, path = "/admin/keys/{kid}/revoke", tag = "admin", operation_id = "revokeKey", security(("bearer" = [])),
    params(("kid" = String, Path, description = "The key, as listed")),
    responses(
        (status = 204, description = "It is out of use"),
        (status = 401, description = "`missing_token`, `invalid_token`, `session_ended`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "`insufficient_role`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn revoke(
    State(app): State<Arc<App>>,
    Admin(admin): Admin,
    kid: Result<Path<String>, axum::extract::rejection::PathRejection>,
) -> Result<StatusCode, Problem> {
    let kid = kid.ok().and_then(|Path(text)| Kid::parse(&text)).ok_or(Problem::new(Code::NotFound))?;
    app.keys_revoke(&admin, kid).await?;
    Ok(StatusCode::NO_CONTENT)
}
