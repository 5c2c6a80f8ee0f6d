//! The web site of an issuer, on a port of its own, and a client of it whose clock the test holds.

use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum_server::Handle;
use keyward_verify::{CheckError, Claims, Jwks, Keyward, RemoteKeys, RemoteOptions, Verifier};
use serde_json::json;

use crate::issuer::{AUDIENCE, NOW, Signer, claims};

pub(crate) struct Site {
    pub(crate) address: SocketAddr,
    pub(crate) page: Arc<Mutex<Page>>,
    handle: Handle<SocketAddr>,
}

/// What the site answers with, and what it was asked.
#[derive(Clone)]
pub(crate) struct Page {
    pub(crate) status: StatusCode,
    pub(crate) metadata: String,
    pub(crate) keys: String,
    pub(crate) headers: Vec<(header::HeaderName, String)>,
    pub(crate) delay: Duration,
    pub(crate) metadata_asked: usize,
    pub(crate) keys_asked: usize,
    pub(crate) unchanged: usize,
}

impl Site {
    pub(crate) fn start(signers: &[&Signer]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let issuer = format!("http://{address}");
        let page = Page {
            status: StatusCode::OK,
            metadata: json!({"issuer": issuer, "jwks_uri": format!("{issuer}/keys")}).to_string(),
            keys: jwks(signers),
            headers: vec![(header::CACHE_CONTROL, "public, max-age=300".to_owned())],
            delay: Duration::ZERO,
            metadata_asked: 0,
            keys_asked: 0,
            unchanged: 0,
        };
        let page = Arc::new(Mutex::new(page));
        let handle = serve(listener, &page);
        Self { address, page, handle }
    }

    pub(crate) fn issuer(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn publish(&self, signers: &[&Signer]) {
        self.change(|page| page.keys = jwks(signers));
    }

    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut Page) -> T) -> T {
        change(&mut self.page.lock().unwrap())
    }

    /// How often the keys were asked for.
    pub(crate) fn fetches(&self) -> usize {
        self.change(|page| page.keys_asked)
    }

    /// Closes the port and every connection.
    pub(crate) async fn go_away(&self) {
        self.handle.shutdown();
        while self.handle.connection_count() > 0 || std::net::TcpStream::connect(self.address).is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub(crate) fn come_back(&mut self) {
        self.handle = serve(TcpListener::bind(self.address).unwrap(), &self.page);
    }

    /// A good token of this issuer.
    pub(crate) fn token(&self, signer: &Signer) -> String {
        self.token_with_header(signer, &signer.header().to_string())
    }

    pub(crate) fn token_with_header(&self, signer: &Signer, header: &str) -> String {
        let mut claims = claims();
        claims["iss"] = json!(self.issuer());
        claims["exp"] = json!(NOW + 80_000);
        signer.token(header, &claims.to_string())
    }
}

fn jwks(signers: &[&Signer]) -> String {
    serde_json::to_string(&Jwks { keys: signers.iter().map(|signer| signer.jwk()).collect() }).unwrap()
}

fn serve(listener: TcpListener, page: &Arc<Mutex<Page>>) -> Handle<SocketAddr> {
    listener.set_nonblocking(true).unwrap();
    let app = Router::new()
        .route("/.well-known/openid-configuration", get(metadata))
        .route("/keys", get(keys))
        .with_state(Arc::clone(page));
    let handle = Handle::new();
    let server = axum_server::from_tcp(listener).unwrap().handle(handle.clone());
    tokio::spawn(async move { server.serve(app.into_make_service()).await.unwrap() });
    handle
}

async fn metadata(State(page): State<Arc<Mutex<Page>>>) -> String {
    let mut page = page.lock().unwrap();
    page.metadata_asked += 1;
    page.metadata.clone()
}

async fn keys(State(page): State<Arc<Mutex<Page>>>, asked: HeaderMap) -> Response {
    let page = {
        let mut page = page.lock().unwrap();
        page.keys_asked += 1;
        page.clone().or_unchanged(&asked, &mut page)
    };
    tokio::time::sleep(page.delay).await;
    let mut answer = (page.status, page.keys).into_response();
    for (name, value) in page.headers {
        answer.headers_mut().insert(name, value.parse().unwrap());
    }
    answer
}

impl Page {
    /// Answers 304 to someone who has the very version.
    fn or_unchanged(mut self, asked: &HeaderMap, counts: &mut Self) -> Self {
        let known = asked.get(header::IF_NONE_MATCH).and_then(|tag| tag.to_str().ok());
        let tag = self.headers.iter().find(|(name, _)| name == header::ETAG);
        if known.is_some() && known == tag.map(|(_, tag)| tag.as_str()) {
            counts.unchanged += 1;
            self.status = StatusCode::NOT_MODIFIED;
            self.keys.clear();
        }
        self
    }
}

/// A service that trusts the site, at a time that the test sets.
#[derive(Clone)]
pub(crate) struct Service {
    pub(crate) keyward: Keyward,
    seconds: Arc<AtomicU64>,
}

impl Service {
    pub(crate) fn of(site: &Site) -> Self {
        Self::with(site, RemoteOptions::default())
    }

    pub(crate) fn with(site: &Site, options: RemoteOptions) -> Self {
        let seconds = Arc::new(AtomicU64::new(NOW.try_into().unwrap()));
        let clock = Arc::clone(&seconds);
        let options = options
            .clock(move || SystemTime::UNIX_EPOCH + Duration::from_secs(clock.load(Ordering::Relaxed)));
        let keys = RemoteKeys::of_issuer(&site.issuer(), options).unwrap();
        Self { keyward: Keyward::with(Verifier::new(site.issuer(), AUDIENCE), keys), seconds }
    }

    pub(crate) fn advance(&self, seconds: u64) {
        self.seconds.fetch_add(seconds, Ordering::Relaxed);
    }

    pub(crate) fn set_back(&self, seconds: u64) {
        self.seconds.fetch_sub(seconds, Ordering::Relaxed);
    }

    pub(crate) async fn verify(&self, token: &str) -> Result<Claims, CheckError> {
        self.keyward.verify(token).await
    }

    pub(crate) async fn accepts(&self, token: &str) -> bool {
        self.verify(token).await.is_ok()
    }
}
