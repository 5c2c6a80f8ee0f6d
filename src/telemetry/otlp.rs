//! Sending spans to a collector, by OTLP over HTTP. On a thread of its own and from a bounded queue: a collector that
//! is slow or away costs spans, never a request.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use metrics::Counter;
use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{Protocol, RetryPolicy, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider, SpanData, SpanExporter};
use reqwest::{blocking, redirect};

use super::TRACE_EXPORTS;
use super::trace::TRACER;
use crate::config::TelemetrySettings;

/// What a batch may take. It bounds the end of the process, too.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Spans on their way to a collector.
#[derive(Debug)]
pub struct Traces(SdkTracerProvider);

/// Begins to make spans, if the settings say where to send them; the error says what is wrong with those.
pub fn start_traces(settings: &TelemetrySettings) -> Result<Option<Traces>, String> {
    let Some(endpoint) = &settings.otlp_endpoint else { return Ok(None) };
    let wrong = |error: String| format!("telemetry.otlp_endpoint: {}", without(&error, endpoint.expose()));
    let client = client(endpoint.expose().starts_with("https:")).map_err(wrong)?;
    let headers = settings.otlp_headers.iter();
    let headers: HashMap<_, _> =
        headers.map(|(name, value)| (name.clone(), value.expose().to_owned())).collect();
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_http()
        .with_http_client(client)
        .with_endpoint(endpoint.expose())
        .with_protocol(Protocol::HttpBinary)
        .with_timeout(TIMEOUT)
        .with_headers(headers)
        // What comes next waits behind it; a queue that is full loses the newest.
        .with_retry_policy(RetryPolicy::disabled())
        .build()
        .map_err(|error| wrong(error.to_string()))?;
    let exporter = Watched {
        exporter,
        endpoint: endpoint.expose().to_owned(),
        away: AtomicBool::new(false),
        sent: TRACE_EXPORTS.counter(&["sent"]),
        lost: TRACE_EXPORTS.counter(&["lost"]),
    };
    // With OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME, which platforms set.
    let resource = Resource::builder()
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .with_service_name(std::env::var("OTEL_SERVICE_NAME").unwrap_or_else(|_| "keyward".to_owned()))
        .build();
    let provider = SdkTracerProvider::builder()
        .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(settings.sampling_ratio))))
        .with_resource(resource)
        .with_batch_exporter(exporter)
        .build();
    // A second start in one process (tests) keeps the first.
    let _ = TRACER.set(provider.tracer("keyward"));
    Ok(Some(Traces(provider)))
}

impl Traces {
    /// Sends what is left, within a few seconds.
    pub async fn stop(self) {
        // It waits for its thread, and drops a client that must not be dropped in a runtime.
        let ended = tokio::task::spawn_blocking(move || self.0.shutdown_with_timeout(2 * TIMEOUT));
        if let Ok(Err(error)) = ended.await {
            tracing::debug!(%error, "the last spans were not sent");
        }
    }
}

/// Made on a thread without a runtime, as it has its own.
fn client(https: bool) -> Result<blocking::Client, String> {
    let build = move || {
        let builder = blocking::Client::builder()
            .user_agent(concat!("keyward/", env!("CARGO_PKG_VERSION")))
            .timeout(TIMEOUT)
            .redirect(redirect::Policy::none())
            .no_proxy()
            .tls_backend_rustls();
        // Without https the system's authorities are not needed, and an image from scratch has none.
        let builder = if https { builder } else { builder.tls_certs_only([]) };
        builder.build().map_err(|error| error.to_string())
    };
    thread::spawn(build).join().unwrap_or_else(|_| Err("its client could not be made".to_owned()))
}

/// Tells once that the collector is away, and once that it is back.
#[derive(Debug)]
struct Watched {
    exporter: opentelemetry_otlp::SpanExporter,
    endpoint: String,
    away: AtomicBool,
    sent: Counter,
    lost: Counter,
}

impl SpanExporter for Watched {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let outcome = self.exporter.export(batch).await;
        let was_away = self.away.swap(outcome.is_err(), Ordering::Relaxed);
        match &outcome {
            Ok(()) => self.sent.increment(1),
            Err(_) => self.lost.increment(1),
        }
        match &outcome {
            Err(error) if !was_away => {
                let error = without(&error.to_string(), &self.endpoint);
                tracing::warn!(error, "traces are lost: their collector does not take them");
            }
            Ok(()) if was_away => tracing::info!("the collector takes traces again"),
            _ => {}
        }
        outcome
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

/// The path of an endpoint may be a secret.
fn without(error: &str, endpoint: &str) -> String {
    error.replace(endpoint, "otlp_endpoint")
}
