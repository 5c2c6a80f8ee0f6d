//! Spans. There are none unless [`start_traces`](super::start_traces) was asked for some, and then all of this costs a
//! look at one address.
//!
//! What a span says about a request is written here and nowhere else, attribute by attribute: log lines and the fields
//! of requests do not find their way in by themselves.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::{Mutex, OnceLock, PoisonError};

use futures_util::future::Either;
use opentelemetry::trace::{
    FutureExt as _, SpanBuilder, SpanContext, SpanId, SpanKind, Status, TraceContextExt as _, TraceFlags,
    TraceId, TraceState, Tracer as _, WithContext,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::SdkTracer;

use super::TraceParent;
use crate::domain::{EventId, SessionId, UserId};

/// One for the process, as its log is: every layer has spans.
pub(super) static TRACER: OnceLock<SdkTracer> = OnceLock::new();

/// Where events come from that are perhaps not published yet. An event that is not found, since it is older or another
/// replica's, begins a trace of its own.
static ORIGINS: Mutex<VecDeque<(EventId, SpanContext)>> = Mutex::new(VecDeque::new());
const ORIGINS_MAX: usize = 1_024;

/// The span of a request, if it has one, and the trace that it belongs to.
#[derive(Debug)]
pub struct RequestSpan {
    context: Option<Context>,
    trace: Option<TraceParent>,
}

/// What is known about a request when it is over.
#[derive(Debug, Clone, Copy)]
pub struct RequestEnd<'a> {
    pub status: u16,
    pub problem: Option<&'static str>,
    pub request_id: &'a str,
    pub client: Option<IpAddr>,
    pub user: Option<UserId>,
    pub session: Option<SessionId>,
}

impl RequestSpan {
    /// Begins a span under the caller's, where the caller says which that is.
    #[must_use]
    pub fn begin(caller: Option<TraceParent>, method: &'static str, route: &str) -> Self {
        let Some(tracer) = TRACER.get() else { return Self { context: None, trace: caller } };
        let above = match caller {
            Some(caller) => Context::new().with_remote_span_context(span_context(caller)),
            None => Context::new(),
        };
        let builder =
            SpanBuilder::from_name(format!("{method} {route}")).with_kind(SpanKind::Server).with_attributes(
                [KeyValue::new("http.request.method", method), KeyValue::new("http.route", route.to_owned())],
            );
        let context = Context::new().with_span(tracer.build_with_context(builder, &above));
        let own = context.span().span_context().clone();
        let trace = TraceParent {
            trace_id: u128::from_be_bytes(own.trace_id().to_bytes()),
            span_id: u64::from_be_bytes(own.span_id().to_bytes()),
            sampled: own.is_sampled(),
        };
        Self { context: Some(context), trace: Some(trace) }
    }

    /// The trace, also one that the caller began and that is sent nowhere from here.
    #[must_use]
    pub const fn trace(&self) -> Option<TraceParent> {
        self.trace
    }

    /// Lets work be below this span.
    pub fn around<F: Future>(&self, work: F) -> Either<F, WithContext<F>> {
        below(self.context.as_ref(), work)
    }

    pub fn end(&self, end: RequestEnd<'_>) {
        let Some(context) = &self.context else { return };
        let span = context.span();
        if span.is_recording() {
            span.set_attribute(KeyValue::new("http.response.status_code", i64::from(end.status)));
            span.set_attribute(KeyValue::new("keyward.request_id", end.request_id.to_owned()));
            let text = |id: &dyn std::fmt::Display| id.to_string();
            let optional = [
                ("error.type", end.problem.map(str::to_owned)),
                ("client.address", end.client.map(|ip| text(&ip))),
                ("user.id", end.user.map(|id| text(&id))),
                ("session.id", end.session.map(|id| text(&id))),
            ];
            for (name, value) in optional {
                if let Some(value) = value {
                    span.set_attribute(KeyValue::new(name, value));
                }
            }
            if end.status >= 500 {
                span.set_status(Status::error(end.problem.unwrap_or_default()));
            }
        }
        span.end();
    }
}

fn span_context(TraceParent { trace_id, span_id, sampled }: TraceParent) -> SpanContext {
    SpanContext::new(
        TraceId::from_bytes(trace_id.to_be_bytes()),
        SpanId::from_bytes(span_id.to_be_bytes()),
        TraceFlags::default().with_sampled(sampled),
        true,
        TraceState::NONE,
    )
}

/// A span of a part of a request, until it is dropped. Futures stay as small as they are without.
#[derive(Debug)]
#[must_use = "the span ends when it is dropped"]
pub struct Span(Option<Context>);

impl Span {
    /// Outside a request, or in one that is not kept, there is none.
    pub fn begin(name: &'static str, detail: &'static str) -> Self {
        let Some(tracer) = TRACER.get() else { return Self(None) };
        let above = Context::current();
        if !above.span().span_context().is_sampled() {
            return Self(None);
        }
        let builder = SpanBuilder::from_name(name).with_kind(SpanKind::Internal);
        let builder = builder.with_attributes([KeyValue::new("keyward.work", detail)]);
        Self(Some(above.with_span(tracer.build_with_context(builder, &above))))
    }

    /// Begins to hand over an event, below the span in which it was written, where that is known.
    pub fn publish(event: EventId, kind: &str, sink: &str) -> Self {
        let Some(tracer) = TRACER.get() else { return Self(None) };
        let origins = ORIGINS.lock().unwrap_or_else(PoisonError::into_inner);
        let origin = origins.iter().rev().find(|(id, _)| *id == event).map(|(_, origin)| origin.clone());
        drop(origins);
        let above = match origin {
            Some(origin) => Context::new().with_remote_span_context(origin),
            None => Context::new(),
        };
        let builder = SpanBuilder::from_name("publish").with_kind(SpanKind::Producer).with_attributes([
            KeyValue::new("messaging.operation.name", "publish"),
            KeyValue::new("messaging.destination.name", sink.to_owned()),
            KeyValue::new("messaging.message.id", event.to_string()),
            KeyValue::new("keyward.event_type", kind.to_owned()),
        ]);
        Self(Some(above.with_span(tracer.build_with_context(builder, &above))))
    }

    /// Lets work be below this span, also in another task.
    pub fn around<F: Future>(&self, work: F) -> Either<F, WithContext<F>> {
        below(self.0.as_ref(), work)
    }
}

/// Also while work that was begun below it goes on.
impl Drop for Span {
    fn drop(&mut self) {
        if let Some(context) = &self.0 {
            context.span().end();
        }
    }
}

fn below<F: Future>(context: Option<&Context>, work: F) -> Either<F, WithContext<F>> {
    match context {
        Some(context) => Either::Right(work.with_context(context.clone())),
        None => Either::Left(work),
    }
}

/// Lets work that goes on in another task keep the span it was begun in.
pub fn carried<F: Future>(work: F) -> Either<F, WithContext<F>> {
    match TRACER.get() {
        Some(_) => Either::Right(work.with_current_context()),
        None => Either::Left(work),
    }
}

/// Notes that an event is written in the present span.
pub fn remember_origin(event: EventId) {
    if TRACER.get().is_none() {
        return;
    }
    let origin = Context::map_current(|context| context.span().span_context().clone());
    if origin.is_sampled() {
        let mut origins = ORIGINS.lock().unwrap_or_else(PoisonError::into_inner);
        if origins.len() >= ORIGINS_MAX {
            origins.pop_front();
        }
        origins.push_back((event, origin));
    }
}
