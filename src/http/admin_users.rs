use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::bearer::Admin;
use super::input::{Fields, Json, LIMIT_DEFAULT, Parameters, UserInPath};
use super::problem::{Problem, ProblemBody};
use super::signup::UserBody;
use crate::app::App;
use crate::domain::{UserFilter, UserStatus};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListParameters {
    /// Only the user with this address, in any spelling of it.
    #[param(format = "email", example = "ada@example.com")]
    email: Option<String>,
    /// Only users who hold this role.
    #[param(pattern = "^[a-z][a-z0-9:_-]{0,63}$", example = "admin")]
    role: Option<String>,
    /// Only users of this status.
    #[param(inline, value_type = Option<StatusBody>)]
    status: Option<String>,
    /// How many at most; 50 unless given.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 200, example = 50)]
    limit: Option<String>,
    /// The `next_cursor` of the page before, within an hour and with the same filters.
    cursor: Option<String>,
}

#[derive(Deserialize, ToSchema)]
#[schema(as = Status)]
#[serde(rename_all = "lowercase")]
enum StatusBody {
    Active,
    Disabled,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Users)]
pub(super) struct UsersBody {
    items: Vec<UserBody>,
    /// Asks for the next page; null on the last one.
    next_cursor: Option<String>,
}

/// List users
///
/// Oldest first. Filters must all hold.
#[utoipa::path(
    get, path = "/admin/users", tag = "admin", operation_id = "listUsers", security(("bearer" = [])),
    params(ListParameters),
    responses(
        (status = 200, description = "A page of users", body = UsersBody),
        (status = 400, description = "`invalid_cursor`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "`missing_token`, `invalid_token`, `session_ended`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "`insufficient_role`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`invalid_request`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn list(
    State(app): State<Arc<App>>,
    Admin(admin): Admin,
    Parameters(asked): Parameters<ListParameters>,
) -> Result<axum::Json<UsersBody>, Problem> {
    let mut fields = Fields::default();
    let filter = UserFilter {
        email: asked.email.and_then(|text| fields.email("?email", &text)),
        role: asked.role.and_then(|text| fields.role("?role", &text)),
        status: asked.status.and_then(|text| fields.status("?status", &text)),
    };
    let limit = asked.limit.map_or(Some(LIMIT_DEFAULT), |text| fields.limit("?limit", &text));
    let Some(limit) = limit.filter(|_| fields.all_good()) else {
        return Err(fields.into_problem());
    };
    let page = app.users_page(&admin, filter, limit, asked.cursor.as_deref()).await?;
    let items = page.items.iter().map(UserBody::from).collect();
    Ok(axum::Json(UsersBody { items, next_cursor: page.next_cursor }))
}

/// Show a user
///
/// As the database has it now.
#[utoipa::path(
    get, path = "/admin/users/{id}", tag = "admin", operation_id = "showUser", security(("bearer" = [])),
    params(("id" = String, Path, description = "The user", format = "uuid")),
    responses(
        (status = 200, description = "The user", body = UserBody),
        (status = 401, description = "`missing_token`, `invalid_token`, `session_ended`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "`insufficient_role`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn show(
    State(app): State<Arc<App>>,
    Admin(admin): Admin,
    UserInPath(id): UserInPath,
) -> Result<axum::Json<UserBody>, Problem> {
    let user = app.user_by_id(&admin, id).await?;
    Ok(axum::Json(UserBody::from(&user)))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StatusRequest {
    #[schema(inline)]
    status: StatusBody,
}

/// Disable or enable a user
///
/// Disabling ends every session at once. The last active admin stays.
#[utoipa::path(
    patch, path = "/admin/users/{id}", tag = "admin", operation_id = "setUserStatus", security(("bearer" = [])),
    params(("id" = String, Path, description = "The user", format = "uuid")),
    request_body = StatusRequest,
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
pub(super) async fn set_status(
    State(app): State<Arc<App>>,
    Admin(admin): Admin,
    UserInPath(id): UserInPath,
    Json(request): Json<StatusRequest>,
) -> Result<axum::Json<UserBody>, Problem> {
    let status = match request.status {
        StatusBody::Active => UserStatus::Active,
        StatusBody::Disabled => UserStatus::Disabled,
    };
    let user = app.user_set_status(&admin, id, status).await?;
    Ok(axum::Json(UserBody::from(&user)))
}

/// Delete a user
///
/// For good, with every session. The id is never used again; whoever signs up with the address later is somebody else.
/// The last active admin stays.
#[utoipa::path(
    delete, path = "/admin/users/{id}", tag = "admin", operation_id = "deleteUser", security(("bearer" = [])),
    params(("id" = String, Path, description = "The user", format = "uuid")),
    responses(
        (status = 204, description = "The user is gone"),
        (status = 401, description = "`missing_token`, `invalid_token`, `session_ended`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "`insufficient_role`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "`last_admin`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn delete(
    State(app): State<Arc<App>>,
    Admin(admin): Admin,
    UserInPath(id): UserInPath,
) -> Result<StatusCode, Problem> {
    app.user_delete(&admin, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
