//! What surrounds every request: its id, its limits, the headers of its answer, its log line.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Version, header};
use axum::middleware::Next;
use axum::response::Response;
use futures_util::FutureExt as _;

use super::caller::caller;
use super::client_address::{ClientAddress, Proxies};
use super::connection::Activity;
use super::framing::{Framed, Framing};
use super::problem::{Code, Problem};
use super::rate_limit;
use super::readiness::Readiness;
use super::request_log::Exchange;
use super::request_metrics::RequestMetrics;
use super::unread_body::Lent;
use crate::app::{App, noting, with_budget};
use crate::random;

const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const REQUEST_ID_MAX: usize = 128;

/// Names a request in answers, logs and audit records.
#[derive(Debug, Clone)]
pub(super) struct RequestId(pub String);

impl RequestId {
    /// Takes the caller's id if it is harmless in a log, else makes one.
    fn of(headers: &HeaderMap, app: &App) -> Self {
        let given = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok()).filter(|id| {
            let harmless = |b: u8| {
                b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':' | b'/' | b'=' | b'+')
            };
            (1..=REQUEST_ID_MAX).contains(&id.len()) && id.bytes().all(harmless)
        });
        Self(given.map_or_else(|| random::uuid_v7(app.now()).to_string(), str::to_owned))
    }
}

/// Says what makes a request mean another thing to a proxy in front than to us. What follows it on its connection is not
/// to be believed either.
fn malformed(request: &Request, framed: Option<&Framed>) -> Option<&'static str> {
    // Whom an HTTP/1 request is for must be said exactly once (RFC 9112 §3.2).
    let hosts = request.headers().get_all(header::HOST).iter().count();
    let one_host = hosts == 1 || (hosts == 0 && request.version() != Version::HTTP_11);
    if !one_host {
        return Some("exactly one Host header is needed");
    }
    let ambiguous = framed.is_some_and(|framed| framed.ambiguous);
    ambiguous.then_some("Content-Length and Transfer-Encoding exclude each other")
}

/// What the surroundings of every request are made of.
#[derive(Debug, Clone)]
pub(super) struct Surroundings {
    pub app: Arc<App>,
    pub proxies: Arc<Proxies>,
    pub metrics: Arc<RequestMetrics>,
    pub https: Https,
    pub readiness: Arc<Readiness>,
}

/// What the settings say of https.
#[derive(Debug, Clone, Copy)]
pub(super) struct Https {
    /// Every connection here is TLS.
    pub served: bool,
    /// Nothing else is answered.
    pub required: bool,
}

impl Https {
    /// Health is for machines nearby that have nothing to say: load balancers ask for it past themselves.
    fn refuses(self, secure: bool, route: Option<&MatchedPath>) -> bool {
        self.required && !secure && route.is_none_or(|route| route.as_str() != "/health")
    }

    /// Browsers are told where they can be sure to get https again (RFC 6797 §7.2: and only over https).
    fn to_be_kept(self, secure: bool) -> bool {
        secure && (self.served || self.required)
    }
}

/// Runs a request within its limits and finishes its answer.
pub(super) async fn surround(
    State(Surroundings { app, proxies, metrics, https, readiness }): State<Surroundings>,
    mut request: Request,
    next: Next,
) -> Response {
    let under_way = request.extensions().get::<Arc<Activity>>().cloned().map(Activity::begin);
    let framed = request.extensions().get::<Arc<Framing>>().cloned().map(Framing::begin);
    let malformed = malformed(&request, framed.as_ref());
    let id = RequestId::of(request.headers(), &app);
    let client = proxies.client_of(&request);
    let exchange = Exchange::begin(metrics, &request, id.clone(), client);
    request.extensions_mut().insert(id.clone());
    if let Some(address) = client {
        request.extensions_mut().insert(ClientAddress(address));
    }
    let caller = caller(request.extensions(), request.headers());
    let http1 = request.version() < Version::HTTP_2;
    let secure = proxies.received_over_https(&request, https.served);
    let refused = https.refuses(secure, request.extensions().get::<MatchedPath>());
    let body = Lent::to(&mut request);

    // Boxed, since each wrapper below would hold it twice, and every request is moved through them.
    let answer = Box::pin(async {
        if let Some(detail) = malformed {
            return problem_response(Problem::new(Code::BadRequest).detail(detail));
        }
        if refused {
            return problem_response(Problem::new(Code::HttpsRequired));
        }
        if let Err(error) = app.admit(&caller).await {
            return problem_response(error.into());
        }
        with_budget(next.run(request)).await
    });
    let answer = tokio::time::timeout(REQUEST_TIMEOUT, AssertUnwindSafe(answer).catch_unwind());
    let (answer, standings) = exchange.within(noting(answer)).await;
    let response = match answer {
        Ok(Ok(response)) => response,
        Ok(Err(_panic)) => problem_response(Problem::new(Code::Internal).cause("a handler panicked")),
        Err(_elapsed) => problem_response(Problem::new(Code::Unavailable).cause("it took too long")),
    };
    let (mut response, problem) = finish(response, &app, &id);
    rate_limit::describe(response.headers_mut(), &standings);
    if https.to_be_kept(secure) {
        response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, ONE_YEAR);
    }
    let read_out = match body {
        Some(body) => body.read_out().await,
        None => true,
    };
    // Before a stop, so that no request is on its way here when the connection ends; HTTP/2 has a word for that.
    let leaving = http1 && readiness.draining();
    if malformed.is_some() || !read_out || leaving {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    exchange.end(&response, problem.as_ref());
    if let Some(under_way) = under_way {
        under_way.answered();
    }
    response
}

fn problem_response(problem: Problem) -> Response {
    use axum::response::IntoResponse as _;
    problem.into_response()
}

/// Renders problems, also those that the HTTP stack answered in its own words, and sets the headers.
fn finish(mut response: Response, app: &App, id: &RequestId) -> (Response, Option<Problem>) {
    let status = response.status();
    let problem = response.extensions_mut().remove::<Problem>();
    let problem = problem.or_else(|| {
        (status.is_client_error() || status.is_server_error()).then(|| Problem::of_status(status))
    });
    if let Some(problem) = &problem {
        let mut rendered = problem.render(&app.rules().issuer, &id.0);
        // `Allow`, and what CORS adds: a browser hides an error from its page without it.
        let mut kept = std::mem::take(response.headers_mut());
        kept.remove(header::CONTENT_TYPE);
        kept.remove(header::CONTENT_LENGTH);
        kept.remove(header::CONTENT_ENCODING);
        rendered.headers_mut().extend(kept);
        response = rendered;
    }
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&id.0) {
        headers.insert(REQUEST_ID, value);
    }
    for (name, value) in SECURITY_HEADERS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    (response, problem)
}

/// Of this host alone: what else is under its name is not ours to decide.
const ONE_YEAR: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// The same on every status. A route may be stricter or, like the docs, looser about its own content.
const SECURITY_HEADERS: [(HeaderName, &str); 7] = [
    (header::CACHE_CONTROL, "no-store"),
    (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'; base-uri 'none'"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];
