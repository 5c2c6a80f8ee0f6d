use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum_server::tls_rustls::RustlsConfig;
use serde_json::Value;
use tokio::time::Instant;

use super::eventually;

/// Somebody who takes webhooks, and remembers them all.
#[derive(Clone)]
pub struct Receiver {
    pub address: SocketAddr,
    seen: Arc<Mutex<Vec<Posted>>>,
    answer: Arc<Mutex<Script>>,
}

type Script = Box<dyn FnMut(&Posted) -> Reaction + Send>;

/// One POST.
#[derive(Debug, Clone)]
pub struct Posted {
    pub at: Instant,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    pub event: Value,
}

/// What a receiver does with a POST.
#[derive(Debug, Clone, Copy)]
pub enum Reaction {
    Answer(u16),
    /// With a header.
    AnswerWith(u16, (&'static str, &'static str)),
    /// Holds the connection and says nothing.
    Never,
}

impl Receiver {
    pub async fn start() -> Self {
        let (receiver, routes, listener) = Self::bind();
        let server = axum_server::from_tcp(listener).expect("a listener");
        tokio::spawn(server.serve(routes.into_make_service()));
        receiver
    }

    /// The same behind TLS, and its certificate in PEM, which nobody else vouches for.
    pub async fn start_tls() -> (Self, String) {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let own = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
        let pem = own.cert.pem();
        let key = own.signing_key.serialize_pem();
        let config = RustlsConfig::from_pem(pem.clone().into(), key.into()).await.expect("a configuration");
        let (receiver, routes, listener) = Self::bind();
        let server = axum_server::from_tcp_rustls(listener, config).expect("a listener");
        tokio::spawn(server.serve(routes.into_make_service()));
        (receiver, pem)
    }

    fn bind() -> (Self, Router, TcpListener) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("a socket");
        let receiver = Self {
            address: listener.local_addr().expect("an address"),
            seen: Arc::default(),
            answer: Arc::new(Mutex::new(Box::new(|_| Reaction::Answer(204)))),
        };
        let routes = Router::new().fallback(take).with_state(receiver.clone());
        (receiver, routes, listener)
    }

    /// The member of `events_url`.
    pub fn url(&self) -> String {
        format!("http://{}/hooks?token=hush", self.address)
    }

    /// Decides from now on what is done with each POST; without that, each is taken.
    pub fn react(&self, script: impl FnMut(&Posted) -> Reaction + Send + 'static) {
        *self.answer.lock().unwrap() = Box::new(script);
    }

    pub fn seen(&self) -> Vec<Posted> {
        self.seen.lock().unwrap().clone()
    }

    /// Waits until so many came, and returns them all.
    pub async fn expect(&self, count: usize) -> Vec<Posted> {
        eventually(&format!("{count} webhooks came"), async || self.seen().len() >= count).await;
        self.seen()
    }
}

impl Posted {
    #[track_caller]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no {name}")).to_str().expect("text")
    }

    pub fn kind(&self) -> &str {
        self.event["type"].as_str().unwrap_or_default()
    }

    pub fn about(&self, user: &str) -> bool {
        self.event["subject"] == user
    }
}

async fn take(State(receiver): State<Receiver>, headers: HeaderMap, body: Bytes) -> Response {
    let event = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let received = Posted { at: Instant::now(), headers, body: body.to_vec(), event };
    let reaction = (receiver.answer.lock().unwrap())(&received);
    receiver.seen.lock().unwrap().push(received);
    let status = |code| StatusCode::from_u16(code).expect("a status");
    match reaction {
        Reaction::Answer(code) => (status(code), "what only the receiver knows").into_response(),
        Reaction::AnswerWith(code, header) => (status(code), [header]).into_response(),
        Reaction::Never => {
            tokio::time::sleep(Duration::from_secs(600)).await;
            StatusCode::GATEWAY_TIMEOUT.into_response()
        }
    }
}
