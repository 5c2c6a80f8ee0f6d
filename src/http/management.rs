//! The listener for operators and orchestrators; not to be published.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderName, StatusCode, header};
use axum::routing::get;
use serde_json::{Value, json};

use super::readiness::Readiness;
use crate::app::App;

#[derive(Clone)]
pub(super) struct Management {
    pub app: Arc<App>,
    pub readiness: Arc<Readiness>,
}

pub(super) fn router(state: Management) -> Router {
    Router::new()
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .route("/version", get(version))
        .route("/metrics", get(metrics))
        .with_state(state)
}

/// The process runs and answers; says nothing about its dependencies.
async fn livez() -> &'static str {
    "ok\n"
}

async fn readyz(State(management): State<Management>) -> (StatusCode, axum::Json<Value>) {
    management.readiness.asked();
    let draining = management.readiness.draining();
    let database = management.app.ready().await.is_ok();
    let status = if database && !draining { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let report = json!({
        "ready": status == StatusCode::OK,
        "database": database,
        "draining": draining,
        // No reason to send requests elsewhere: they are served.
        "degraded": management.app.degraded(),
    });
    (status, axum::Json(report))
}

async fn version() -> axum::Json<Value> {
    axum::Json(json!({ "name": "keyward", "version": env!("CARGO_PKG_VERSION") }))
}

/// Prometheus text format.
async fn metrics(State(management): State<Management>) -> ([(HeaderName, &'static str); 1], String) {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], management.app.metrics())
}
