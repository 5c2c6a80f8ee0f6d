use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::{Map, Value, json};

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
    document.insert("subject_types_supported".to_owned(), json!(["public"]));
    document.insert("id_token_signing_alg_values_supported".to_owned(), json!(app.signing_algorithms()));
    cached_document(&app, &headers, "application/json", Value::Object(document).to_string())
}

/// Authorization server metadata
///
/// RFC 8414, for libraries that look here.
#[utoipa::path(
    get, path = "/.well-known/oauth-authorization-server", tag = "discovery", operation_id = "authorizationServer",
    responses((status = 200, description = "Metadata", body = Object), (status = 304, description = "Unchanged"))
)]
pub(super) async fn authorization_server(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    cached_document(&app, &headers, "application/json", Value::Object(document(&app)).to_string())
}

fn document(app: &App) -> Map<String, Value> {
    let issuer = &app.rules().issuer;
    let members = [
        ("issuer", json!(issuer)),
        ("jwks_uri", json!(format!("{issuer}/.well-known/jwks.json"))),
        ("introspection_endpoint", json!(format!("{issuer}/oauth/introspect"))),
        ("introspection_endpoint_auth_methods_supported", json!(["client_secret_basic"])),
        ("revocation_endpoint", json!(format!("{issuer}/oauth/revoke"))),
        ("revocation_endpoint_auth_methods_supported", json!(["none"])),
        ("response_types_supported", json!([])),
        ("grant_types_supported", json!([])),
    ];
    let documentation = app.rules().docs.then(|| ("service_documentation", json!(format!("{issuer}/docs"))));
    members.into_iter().chain(documentation).map(|(name, value)| (name.to_owned(), value)).collect()
}
