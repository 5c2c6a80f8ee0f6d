use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::caller::From;
use super::input::{Fields, Json};
use super::problem::{Problem, ProblemBody};
use super::request_log::{note_email, note_user};
use crate::app::{App, Signup};
use crate::domain::User;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SignupRequest {
    /// Compared in one canonical form: trimmed, NFC, lower case, IDNA domain.
    #[schema(format = "email", example = "ada@example.com")]
    email: String,
    /// 15 to 256 characters unless configured otherwise; no composition rules, but easily guessed ones are refused.
    #[schema(
        format = "password",
        min_length = 8,
        max_length = 4096,
        example = "correct horse battery staple"
    )]
    password: String,
}

/// A user, as its owner and admins see it.
#[derive(Serialize, ToSchema)]
#[schema(as = User)]
pub(super) struct UserBody {
    /// The `sub` claim of access tokens. Never used again after a deletion.
    #[schema(format = "uuid")]
    id: String,
    /// As its owner wrote it.
    #[schema(format = "email")]
    email: String,
    email_verified: bool,
    #[schema(example = json!(["user"]))]
    roles: Vec<String>,
    #[schema(example = "active")]
    status: &'static str,
    #[schema(format = "date-time")]
    created_at: String,
    #[schema(format = "date-time")]
    updated_at: String,
}

impl std::convert::From<&User> for UserBody {
    fn from(user: &User) -> Self {
        Self {
            id: user.id.to_string(),
            email: user.email.display().to_owned(),
            email_verified: user.email_verified,
            roles: user.roles.names().into_iter().map(str::to_owned).collect(),
            status: user.status.as_str(),
            created_at: user.created_at.to_string(),
            updated_at: user.updated_at.to_string(),
        }
    }
}

/// Sign up
///
/// Makes an account with the role `user`. That an address is taken is revealed here; login never reveals it. If the
/// answer is lost, log in: either the account exists or it does not.
#[utoipa::path(
    post, path = "/auth/signup", tag = "auth", operation_id = "signup", request_body = SignupRequest,
    responses(
        (status = 201, description = "The account exists", body = UserBody,
            headers(("Location" = String, description = "Where its owner reads it: `/auth/me`"))),
        (status = 400, description = "`malformed_json`, `bad_request`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "`signup_disabled`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "`email_taken`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 413, description = "`body_too_large`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 415, description = "`unsupported_media_type`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`invalid_request`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "`overloaded`, `unavailable`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn signup(
    State(app): State<Arc<App>>,
    From(caller): From,
    Json(request): Json<SignupRequest>,
) -> Result<Response, Problem> {
    let mut fields = Fields::default();
    let email = fields.email("/email", &request.email);
    let policy = &app.rules().password_policy;
    let password = fields.new_password("/password", &request.password, policy, email.as_ref());
    let (Some(email), Some(password)) = (email, password) else {
        return Err(fields.into_problem());
    };
    note_email(&app, &email);
    let user = app.signup(Signup { email, password }, &caller).await?;
    note_user(user.id, None);
    let location = format!("{}/auth/me", app.rules().issuer);
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], axum::Json(UserBody::from(&user)))
        .into_response())
}
