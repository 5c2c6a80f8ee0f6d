use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;

use super::until;

/// Somebody who takes spans by OTLP over HTTP, and remembers all that came.
#[derive(Clone)]
pub struct Collector {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<(HeaderMap, Bytes)>>>,
}

impl Collector {
    pub fn start() -> Self {
        Self::start_on("127.0.0.1:0".parse().expect("an address"))
    }

    pub fn start_on(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).expect("the port is free");
        listener.set_nonblocking(true).expect("a socket");
        let collector = Self { address: listener.local_addr().expect("an address"), seen: Arc::default() };
        let routes = Router::new().route("/v1/traces", post(take)).with_state(collector.clone());
        let server = axum_server::from_tcp(listener).expect("a listener");
        tokio::spawn(server.serve(routes.into_make_service()));
        collector
    }

    /// The value of `telemetry.otlp_endpoint`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All bodies, one behind the other.
    pub fn raw(&self) -> Vec<u8> {
        self.seen.lock().unwrap().iter().flat_map(|(_, body)| body.to_vec()).collect()
    }

    pub fn headers(&self) -> Vec<HeaderMap> {
        self.seen.lock().unwrap().iter().map(|(headers, _)| headers.clone()).collect()
    }

    pub fn spans(&self) -> Vec<Span> {
        let seen = self.seen.lock().unwrap();
        let requests = seen
            .iter()
            .map(|(_, body)| ExportTraceServiceRequest::decode(body.clone()).expect("protobuf of OTLP"));
        let resources = requests.flat_map(|request| request.resource_spans);
        let scopes = resources.flat_map(|resource| resource.scope_spans);
        scopes.flat_map(|scope| scope.spans).collect()
    }

    /// Waits for a span of this name that the test is after.
    pub async fn span(&self, name: &str, wanted: impl Fn(&Span) -> bool) -> Span {
        until(&format!("the span {name:?}"), async || {
            self.spans().into_iter().find(|span| span.name == name && wanted(span))
        })
        .await
    }
}

async fn take(State(collector): State<Collector>, headers: HeaderMap, body: Bytes) {
    collector.seen.lock().unwrap().push((headers, body));
}

/// A text attribute, or a number as text.
pub fn attribute(span: &Span, name: &str) -> String {
    let found = span.attributes.iter().find(|attribute| attribute.key == name);
    match found.and_then(|found| found.value.as_ref()?.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(number)) => number.to_string(),
        _ => String::new(),
    }
}
