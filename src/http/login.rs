use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::caller::From;
use super::input::{Fields, Json};
use super::problem::{Problem, ProblemBody};
use super::request_log::{note_email, note_user};
use crate::app::{App, Credentials, Login, TokenPair};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LoginRequest {
    #[schema(format = "email", example = "ada@example.com")]
    email: String,
    #[schema(format = "password", example = "correct horse battery staple")]
    password: String,
    /// What an earlier login on this device gave, so that strangers who try passwords cannot lock it
    /// out. One that has expired, or is somebody else's, does no harm and no good.
    #[schema(example = "kwd_…")]
    device_token: Option<String>,
}

/// What a login gives: keep the device token for the next one.
#[derive(Serialize, ToSchema)]
#[schema(as = Login)]
pub(super) struct LoginBody {
    #[serde(flatten)]
    pair: TokenPairBody,
    /// Good for 180 days, until the password changes or everything is logged out. It opens nothing.
    #[schema(example = "kwd_…")]
    device_token: String,
}

impl std::convert::From<Login> for LoginBody {
    fn from(login: Login) -> Self {
        Self { pair: login.pair.into(), device_token: login.device_token.expose().to_owned() }
    }
}

/// What a login or a refresh gives (RFC 6749 §5.1).
#[derive(Serialize, ToSchema)]
#[schema(as = TokenPair)]
pub(super) struct TokenPairBody {
    /// A JWT for other services (RFC 9068).
    access_token: String,
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// Life of the access token, seconds.
    #[schema(example = 600)]
    expires_in: u64,
    /// Good for one exchange at `/auth/refresh`.
    #[schema(example = "kwr_…")]
    refresh_token: String,
    /// Life of the refresh token if it is not used, seconds.
    #[schema(example = 604_800)]
    refresh_expires_in: u64,
}

impl std::convert::From<TokenPair> for TokenPairBody {
    fn from(pair: TokenPair) -> Self {
        Self {
            access_token: pair.access_token,
            token_type: "Bearer",
            expires_in: pair.expires_in.as_secs(),
            refresh_token: pair.refresh_token.expose().to_owned(),
            // A millisecond after the login it is still the whole life.
            refresh_expires_in: pair
                .refresh_expires_in
                .as_millis()
                .div_ceil(1_000)
                .try_into()
                .unwrap_or(u64::MAX),
        }
    }
}

/// Log in
///
/// Opens a session. An unknown address, a wrong password and a disabled user get the same answer after the same work.
/// Too many wrong passwords lock the address, whether it is anyone's or not, for all but devices that have logged in before.
#[utoipa::path(
    post, path = "/auth/login", tag = "auth", operation_id = "login", request_body = LoginRequest,
    responses(
        (status = 200, description = "A session is open", body = LoginBody),
        (status = 400, description = "`malformed_json`, `bad_request`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "`invalid_credentials`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 413, description = "`body_too_large`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 415, description = "`unsupported_media_type`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`invalid_request`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "`too_many_attempts`, `account_locked`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "`overloaded`, `unavailable`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn login(
    State(app): State<Arc<App>>,
    From(caller): From,
    Json(request): Json<LoginRequest>,
) -> Result<axum::Json<LoginBody>, Problem> {
    let mut fields = Fields::default();
    let email = fields.email("/email", &request.email);
    let password = fields.password("/password", &request.password);
    let (Some(email), Some(password)) = (email, password) else {
        return Err(fields.into_problem());
    };
    note_email(&app, &email);
    let credentials = Credentials { email, password, device_token: request.device_token };
    let login = app.login(credentials, &caller).await?;
    note_user(login.pair.user_id, Some(login.pair.session_id));
    Ok(axum::Json(login.into()))
}
