use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::json;

use super::jwks::cached_document;
use crate::app::App;

/// OpenID discovery
///
/// What libraries read to find the key set from the issuer alone. Keyward is no OpenID provider (yet): nothing is
/// listed here that it does not do.
#[utoipa::path(
    get, path = "/.well-known/openid-configuration", tag = "discovery", operation_id = "openidConfiguration",
    responses((status = 200, description = "Metadata", body = Object), (status = 304, description = "Unchanged"))
)]
pub(super) async fn openid_configuration(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    let mut document = document(&app);
    document["subject_types_supported"] = json!(["public"]);
    document["id_token_signing_alg_values_supported"] = json!(app.signing_algorithms());
    cached_document(&app, &headers, "application/json", document.to_string())
}

/// Authorization server metadata
///
/// RFC 8414, for libraries that look here.
#[utoipa::path(
    get, path = "/.well-known/oauth-authorization-server", tag = "discovery", operation_id = "authorizationServer",
    responses((status = 200, description = "Metadata", body = Object), (status = 304, description = "Unchanged"))
)]
pub(super) async fn authorization_server(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    cached_document(&app, &headers, "application/json", document(&app).to_string())
}

fn document(app: &App) -> serde_json::Value {
    let issuer = &app.rules().issuer;
    json!({
        "issuer": issuer,
        "jwks_uri": format!("{issuer}/.well-known/jwks.json"),
        "response_types_supported": [],
        "grant_types_supported": [],
        "service_documentation": format!("{issuer}/docs"),
    })
}
