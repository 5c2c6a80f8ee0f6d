//! Every route of the public listener on one page.

use std::sync::Arc;

use axum::http::{HeaderName, HeaderValue, Method, header};
use axum::routing::get;
use axum::{Router, middleware};
use tower_http::cors::{AllowOrigin, CorsLayer};
use utoipa::OpenApi as _;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::client_address::Proxies;
use super::openapi::Description;
use super::problem::{Code, Problem};
use super::rate_limit::{RATE_LIMIT, RATE_LIMIT_POLICY};
use super::readiness::Readiness;
use super::request::{Https, Surroundings};
use super::request_metrics::RequestMetrics;
use super::{
    admin_audit, admin_keys, admin_password, admin_roles, admin_sessions, admin_unlock, admin_users, docs,
    error_pages, event_docs, guide, health, introspect, jwks, login, logout, me, metadata, password, refresh,
    request, revoke, sessions, signup,
};
use crate::app::App;
use crate::config::Settings;

/// The routes that the OpenAPI document describes; each handler's attribute says its path.
pub(super) fn api() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::with_openapi(Description::openapi())
        .routes(routes!(signup::signup)) //                  POST /auth/signup
        .routes(routes!(login::login)) //                    POST /auth/login
        .routes(routes!(refresh::refresh)) //                POST /auth/refresh
        .routes(routes!(logout::logout)) //                  POST /auth/logout
        .routes(routes!(me::me)) //                          GET  /auth/me
        .routes(routes!(sessions::list)) //                  GET  /auth/sessions
        .routes(routes!(sessions::revoke)) //                DELETE /auth/sessions/{id}
        .routes(routes!(password::change)) //                POST /auth/password
        .routes(routes!(admin_users::list)) //               GET  /admin/users
        .routes(routes!(admin_users::show, admin_users::set_status, admin_users::delete)) // GET, PATCH, DELETE /admin/users/{id}
        .routes(routes!(admin_roles::set)) //                PUT  /admin/users/{id}/roles
        .routes(routes!(admin_password::reset)) //           POST /admin/users/{id}/password
        .routes(routes!(admin_unlock::unlock)) //            POST /admin/users/{id}/unlock
        .routes(routes!(admin_sessions::list, admin_sessions::end)) // GET, DELETE /admin/users/{id}/sessions
        .routes(routes!(admin_keys::list)) //                GET  /admin/keys
        .routes(routes!(admin_keys::rotate)) //              POST /admin/keys/rotate
        .routes(routes!(admin_keys::revoke)) //              POST /admin/keys/{kid}/revoke
        .routes(routes!(admin_audit::list)) //               GET  /admin/audit
        .routes(routes!(introspect::introspect)) //          POST /oauth/introspect
        .routes(routes!(revoke::revoke)) //                  POST /oauth/revoke
        .routes(routes!(jwks::jwks)) //                      GET  /.well-known/jwks.json
        .routes(routes!(metadata::openid_configuration)) //  GET  /.well-known/openid-configuration
        .routes(routes!(metadata::authorization_server)) //  GET  /.well-known/oauth-authorization-server
        .routes(routes!(health::health)) //                  GET  /health
}

pub(super) fn router(app: Arc<App>, settings: &Settings, readiness: Arc<Readiness>) -> Router {
    let (api, _) = api().split_for_parts();
    let mut routes = api
        .route("/docs/errors/{code}", get(error_pages::page))
        .route("/docs/events/schemas/{kind}/{file}", get(event_docs::schema));
    if settings.docs {
        routes = routes
            .route("/openapi.json", get(docs::openapi_json))
            .route("/asyncapi.json", get(event_docs::asyncapi_json))
            .route("/docs/events", get(event_docs::page))
            .route("/docs/events/style.css", get(event_docs::style))
            .route("/docs/guide", get(guide::index))
            .route("/docs/guide/", get(guide::index_with_slash))
            .route("/docs/guide/{*path}", get(guide::file))
            .route("/docs", get(docs::index))
            .route("/docs/", get(docs::page))
            .route("/docs/{*path}", get(docs::file));
    }
    if !settings.cors.origins.is_empty() {
        routes = routes.layer(cors(&settings.cors.origins));
    }
    let surroundings = Surroundings {
        app: Arc::clone(&app),
        proxies: Arc::new(Proxies::new(settings)),
        https: Https { served: settings.tls.files.is_some(), required: settings.tls.require_https },
        metrics: Arc::new(RequestMetrics::new()),
        readiness,
    };
    routes
        .fallback(|| async { Problem::new(Code::NotFound) })
        .layer(middleware::from_fn_with_state(surroundings, request::surround))
        .with_state(app)
}

/// Exactly the configured origins, without cookies: tokens travel in headers and bodies.
fn cors(origins: &[String]) -> CorsLayer {
    let origins = origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok());
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE])
        .expose_headers([
            HeaderName::from_static("x-request-id"),
            header::RETRY_AFTER,
            RATE_LIMIT,
            RATE_LIMIT_POLICY,
        ])
}
