use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Deserializer};
use utoipa::{IntoParams, ToSchema};

use super::bearer::Bearer;
use super::caller::From;
use super::input::{OptionalJson, Parameters};
use super::problem::{Code, Problem, ProblemBody};
use crate::app::{App, LogoutScope, SessionCredential};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LogoutRequest {
    /// May be left out when a bearer is sent.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(example = "kwr_…", value_type = String, required = false)]
    refresh_token: Option<String>,
}

fn not_null<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    String::deserialize(deserializer).map(Some)
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct LogoutParameters {
    /// Ends every session of the user; needs an access token or the current refresh token.
    #[serde(default)]
    all: bool,
}

/// Log out
///
/// Ends the session that the refresh token in the body, or else the bearer, belongs to. Takes effect at once at every
/// route of Keyward, on every replica. Logging out twice is no error.
#[utoipa::path(
    post, path = "/auth/logout", tag = "auth", operation_id = "logout", params(LogoutParameters),
    request_body(content = Option<LogoutRequest>, description = "May be left out when a bearer is sent"),
    security((), ("bearer" = [])),
    responses(
        (status = 204, description = "The session has ended"),
        (status = 400, description = "`malformed_json`, `bad_request`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "`missing_token`, `invalid_token`, `invalid_refresh_token`, `session_ended`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 413, description = "`body_too_large`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 415, description = "`unsupported_media_type`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`invalid_request`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn logout(
    State(app): State<Arc<App>>,
    From(caller): From,
    Bearer(bearer): Bearer,
    Parameters(parameters): Parameters<LogoutParameters>,
    OptionalJson(request): OptionalJson<LogoutRequest>,
) -> Result<StatusCode, Problem> {
    let refresh_token = request.as_ref().map(|request| request.refresh_token.as_deref());
    let credential = match (refresh_token, &bearer) {
        (Some(Some(token)), _) => SessionCredential::RefreshToken(token),
        (_, Some(token)) => SessionCredential::AccessToken(token),
        (Some(None), None) => return Err(Problem::field("/refresh_token", "missing", "is missing")),
        (None, None) => return Err(Problem::new(Code::MissingToken)),
    };
    let scope = if parameters.all { LogoutScope::All } else { LogoutScope::This };
    app.logout(credential, scope, &caller).await?;
    Ok(StatusCode::NO_CONTENT)
}
