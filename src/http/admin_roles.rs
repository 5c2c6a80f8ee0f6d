use std::sync::Arc;

use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;

use super::bearer::Admin;
use super::input::{Fields, Json, UserInPath};
use super::problem::{Problem, ProblemBody};
use super::signup::UserBody;
use crate::app::App;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RolesRequest {
    /// At most sixteen. `admin` opens these routes.
    #[schema(max_items = 16, value_type = Vec<RoleName>, example = json!(["billing:read", "user"]))]
    roles: Vec<String>,
}

/// The name of a role.
#[derive(ToSchema)]
#[schema(as = Role, value_type = String, pattern = "^[a-z][a-z0-9:_-]{0,63}$")]
#[expect(dead_code, reason = "names are parsed by the domain, which tells what is wrong with each")]
pub(super) struct RoleName(String);

/// Replace a user's roles
///
/// Counts from the next request here, and stands in tokens from the next refresh. The last active admin stays one.
#[utoipa::path(
    put, path = "/admin/users/{id}/roles", tag = "admin", operation_id = "setUserRoles", security(("bearer" = [])),
    params(("id" = String, Path, description = "The user", format = "uuid")),
    request_body = RolesRequest,
    responses(
        (status = 200, description = "The user as it is now, changed or not", body = UserBody),
        (status = 400, description = "`malformed_json`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "`missing_token`, `invalid_token`, `session_ended`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "`insufficient_role`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "`last_admin`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 413, description = "`body_too_large`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 415, description = "`unsupported_media_type`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`invalid_request`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn set(
    State(app): State<Arc<App>>,
    Admin(admin): Admin,
    UserInPath(id): UserInPath,
    Json(request): Json<RolesRequest>,
) -> Result<axum::Json<UserBody>, Problem> {
    let mut fields = Fields::default();
    let Some(roles) = fields.roles("/roles", &request.roles) else {
        return Err(fields.into_problem());
    };
    let user = app.user_set_roles(&admin, id, roles).await?;
    Ok(axum::Json(UserBody::from(&user)))
}
