//! The listener for operators and orchestrators; not to be published.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderName, StatusCode, header};
use axum::routing::get;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use serde_json::{Value, json};

use crate::app::App;

/// The recorder is one for the process, since the `metrics` macros are.
static METRICS: LazyLock<Option<PrometheusHandle>> = LazyLock::new(|| {
    PrometheusBuilder::new()
        .set_buckets(&[0.000_25, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5])
        .and_then(|builder| {
            let sizes = Matcher::Suffix("_size".to_owned());
            builder.set_buckets_for_metric(sizes, &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0])
        })
        .and_then(PrometheusBuilder::install_recorder)
        .inspect_err(|error| tracing::warn!(%error, "no metrics"))
        .ok()
});

#[derive(Clone)]
pub(super) struct Management {
    pub app: Arc<App>,
    /// Set when the server has been told to stop: no new work is to be sent here.
    pub draining: Arc<AtomicBool>,
}

pub(super) fn router(state: Management) -> Router {
    LazyLock::force(&METRICS);
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
    let draining = management.draining.load(Ordering::Relaxed);
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
async fn metrics() -> ([(HeaderName, &'static str); 1], String) {
    let text = METRICS.as_ref().map(|recorder| {
        recorder.run_upkeep();
        recorder.render()
    });
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text.unwrap_or_default())
}
