use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::bearer::Service;
use super::input::Form;
use super::problem::{Problem, ProblemBody};
use crate::app::{ActiveToken, App, TokenKind};

#[derive(Deserialize, ToSchema)]
pub(super) struct TokenForm {
    /// An access token or a refresh token.
    pub token: String,
    /// Not needed: the two kinds cannot be mistaken for each other.
    #[serde(default)]
    #[expect(dead_code, reason = "a parameter of the RFC, which a server may ignore")]
    token_type_hint: Option<String>,
}

/// What a token is worth (RFC 7662 §2.2). Anything that is not active is exactly `{"active": false}`.
#[derive(Serialize, Default, ToSchema)]
#[schema(as = Introspection)]
pub(super) struct IntrospectionBody {
    active: bool,
    #[serde(flatten)]
    #[schema(value_type = ActiveBody)]
    token: Option<ActiveBody>,
}

/// Of an active token only.
#[derive(Serialize, ToSchema)]
struct ActiveBody {
    #[schema(required = false, example = "Bearer")]
    token_type: &'static str,
    #[schema(required = false)]
    iss: String,
    #[schema(required = false)]
    sub: String,
    #[schema(required = false)]
    aud: String,
    #[schema(required = false)]
    client_id: &'static str,
    #[schema(required = false)]
    exp: i64,
    #[schema(required = false)]
    iat: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    jti: Option<String>,
    #[schema(required = false)]
    sid: String,
    /// As the database has them now.
    #[schema(required = false)]
    roles: Vec<String>,
}

/// Introspect a token
///
/// Tells a service whether a token is good at this moment: signature, session, user, everything. RFC 7662.
#[utoipa::path(
    post, path = "/oauth/introspect", tag = "oauth", operation_id = "introspect", security(("client" = [])),
    request_body(content = TokenForm, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "What it is worth", body = IntrospectionBody),
        (status = 401, description = "`invalid_client`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 413, description = "`body_too_large`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 415, description = "`unsupported_media_type`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`invalid_request`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn introspect(
    State(app): State<Arc<App>>,
    Service(service): Service,
    Form(form): Form<TokenForm>,
) -> Result<axum::Json<IntrospectionBody>, Problem> {
    let token = app.introspect(&service, &form.token).await?.map(|token| active(&app, token));
    Ok(axum::Json(IntrospectionBody { active: token.is_some(), token }))
}

fn active(app: &App, token: ActiveToken) -> ActiveBody {
    let rules = app.rules();
    ActiveBody {
        token_type: match token.kind {
            TokenKind::Access => "Bearer",
            TokenKind::Refresh => "refresh_token",
        },
        iss: rules.issuer.clone(),
        sub: token.user.id.to_string(),
        aud: rules.audience.clone(),
        client_id: "keyward",
        exp: token.expires_at,
        iat: token.issued_at,
        jti: token.id.map(|id| id.to_string()),
        sid: token.session_id.to_string(),
        roles: token.user.roles.names().into_iter().map(str::to_owned).collect(),
    }
}
