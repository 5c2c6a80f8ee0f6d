//! The listener for operators and orchestrators; not to be published.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderName, StatusCode, header};
use axum::routing::get;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::app::App;

/// Whoever asked within this time asks again before long, and acts on the answer.
const ASKS_AGAIN_WITHIN: Duration = Duration::from_secs(30);

#[derive(Clone)]
pub(super) struct Management {
    pub app: Arc<App>,
    pub readiness: Arc<Readiness>,
}

/// What those who send requests here are told, and whether they ask.
#[derive(Debug, Default)]
pub(super) struct Readiness {
    draining: AtomicBool,
    asked_at: Mutex<Option<Instant>>,
}

impl Readiness {
    /// Says from now on that no new work is to be sent here.
    pub(super) fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    pub(super) fn draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Tells whether somebody looks at `/readyz` time and again.
    pub(super) fn watched(&self) -> bool {
        let asked_at = *self.asked_at.lock().unwrap_or_else(PoisonError::into_inner);
        asked_at.is_some_and(|at| at.elapsed() < ASKS_AGAIN_WITHIN)
    }

    fn asked(&self) {
        *self.asked_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }
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
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], management.app.metrics())
}
