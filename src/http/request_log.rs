//! What is told of every request: one line in the log, one sample in the metrics, one span, whatever came of it.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::HttpBody as _;
use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderMap, HeaderName};
use axum::response::Response;
use tokio::time::Instant;
use tracing::field;

use super::problem::{Code, Problem};
use super::request::RequestId;
use super::request_metrics::{RequestMetrics, Verb};
use crate::app::{App, EmailInLogs, Principal};
use crate::domain::{ClientId, Email, SessionId, UserId};
use crate::telemetry::{Closed as _, RequestEnd, RequestSpan, TraceParent};

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// What others call the route of a request that has none.
const NO_ROUTE: &str = "unmatched";
/// No answer of ours: what proxies write down for a client that did not wait for one.
const CLIENT_GONE: u16 = 499;

tokio::task_local! {
    static NOTES: Arc<Mutex<Notes>>;
}

/// Whom a request turns out to be from.
#[derive(Debug, Default)]
struct Notes {
    user: Option<UserId>,
    session: Option<SessionId>,
    client: Option<ClientId>,
    email: Option<EmailInLogs>,
}

pub(super) fn note_principal(principal: &Principal) {
    note_user(principal.user.id, Some(principal.session.id));
}

pub(super) fn note_user(user: UserId, session: Option<SessionId>) {
    note(|notes| (notes.user, notes.session) = (Some(user), session));
}

pub(super) fn note_client(client: &ClientId) {
    note(|notes| notes.client = Some(client.clone()));
}

/// Notes an address that somebody typed; whether it is anybody's is not said.
pub(super) fn note_email(app: &App, email: &Email) {
    note(|notes| notes.email = Some(app.email_in_logs(email)));
}

fn note(change: impl FnOnce(&mut Notes)) {
    // Outside a request nobody is interested, which is no error.
    let _ = NOTES.try_with(|notes| change(&mut notes.lock().unwrap_or_else(PoisonError::into_inner)));
}

/// A request that has no answer yet.
pub(super) struct Exchange {
    started: Instant,
    metrics: Arc<RequestMetrics>,
    method: Verb,
    route: Option<MatchedPath>,
    request_id: RequestId,
    client: Option<IpAddr>,
    span: RequestSpan,
    notes: Arc<Mutex<Notes>>,
    over: bool,
}

impl Exchange {
    pub(super) fn begin(
        metrics: Arc<RequestMetrics>,
        request: &Request,
        request_id: RequestId,
        client: Option<IpAddr>,
    ) -> Self {
        metrics.begun();
        let method = Verb::of(request.method());
        let route = request.extensions().get::<MatchedPath>().cloned();
        let caller = trace_parent(request.headers());
        let span =
            RequestSpan::begin(caller, method.word(), route.as_ref().map_or(NO_ROUTE, MatchedPath::as_str));
        let (started, notes) = (Instant::now(), Arc::default());
        Self { started, metrics, method, route, request_id, client, span, notes, over: false }
    }

    /// Runs the handler, so that what it notes and begins belongs to this request.
    pub(super) fn within<F: Future>(&self, work: F) -> impl Future<Output = F::Output> + use<F> {
        self.span.around(NOTES.scope(Arc::clone(&self.notes), work))
    }

    /// Tells of the request. Bytes are those of the answer's body.
    pub(super) fn end(mut self, response: &Response, problem: Option<&Problem>) {
        self.over = true;
        self.tell(response.status().as_u16(), response.body().size_hint().exact(), problem);
    }

    fn tell(&self, status: u16, bytes: Option<u64>, problem: Option<&Problem>) {
        let took = self.started.elapsed();
        let route = self.route.as_ref().map_or(NO_ROUTE, MatchedPath::as_str);
        self.metrics.ended(route, self.method, status, took);
        let code = problem.map(|problem| problem.code.as_str());
        let code = code.or((status == CLIENT_GONE).then_some("client_gone"));
        let notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        let trace = self.span.trace();
        let (email, email_hash) = match &notes.email {
            Some(EmailInLogs::Clear(email)) => (Some(email.as_str()), None),
            Some(EmailInLogs::Hash(hash)) => (None, Some(hash.as_str())),
            None => (None, None),
        };
        macro_rules! line {
            ($level:ident) => {
                tracing::$level!(
                    request_id = self.request_id.0,
                    trace_id = trace.map(field::display),
                    method = self.method.word(),
                    route,
                    status,
                    code,
                    cause = problem.and_then(|problem| problem.cause.as_deref()),
                    ms = milliseconds(took),
                    client = self.client.map(field::display),
                    user_id = notes.user.map(field::display),
                    session_id = notes.session.map(field::display),
                    client_id = notes.client.as_ref().map(field::display),
                    email,
                    email_hash,
                    bytes,
                    "request"
                )
            };
        }
        // The level says who must act: nobody, the operator of a dependency, us.
        match problem.map(|problem| problem.code) {
            Some(Code::Internal) => line!(error),
            Some(Code::Unavailable) => line!(warn),
            _ => line!(info),
        }
        self.span.end(RequestEnd {
            status,
            problem: code,
            request_id: &self.request_id.0,
            client: self.client,
            user: notes.user,
            session: notes.session,
        });
    }
}

/// A client that goes away takes its request with it, which is told here.
impl Drop for Exchange {
    fn drop(&mut self) {
        if !self.over {
            self.tell(CLIENT_GONE, None, None);
        }
    }
}

/// More than one is none (W3C Trace Context §3.2).
fn trace_parent(headers: &HeaderMap) -> Option<TraceParent> {
    let mut values = headers.get_all(TRACEPARENT).iter();
    let value = values.next()?;
    if values.next().is_some() { None } else { TraceParent::parse(value.to_str().ok()?) }
}

fn milliseconds(took: Duration) -> f64 {
    f64::from(u32::try_from(took.as_micros()).unwrap_or(u32::MAX)) / 1_000.0
}
