//! How many requests, of which route, and how long they took.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use axum::http::Method;
use metrics::{Gauge, Histogram};

use crate::telemetry::{Closed as _, HTTP_IN_FLIGHT, HTTP_REQUESTS, closed};

closed!(
    /// A method of HTTP; all that nobody should send are one.
    pub(super) Verb {
        Get = "GET",
        Head = "HEAD",
        Post = "POST",
        Put = "PUT",
        Patch = "PATCH",
        Delete = "DELETE",
        Options = "OPTIONS",
        Other = "_OTHER",
    }
);

impl Verb {
    pub(super) fn of(method: &Method) -> Self {
        match *method {
            Method::GET => Self::Get,
            Method::HEAD => Self::Head,
            Method::POST => Self::Post,
            Method::PUT => Self::Put,
            Method::PATCH => Self::Patch,
            Method::DELETE => Self::Delete,
            Method::OPTIONS => Self::Options,
            _ => Self::Other,
        }
    }
}

/// The series of one route. Few, so that looking through them beats a map.
type Series = Vec<(Verb, u16, Histogram)>;

/// Handles that were needed so far. Routes are those of the router, methods and statuses are few.
#[derive(Debug)]
pub(super) struct RequestMetrics {
    in_flight: Gauge,
    routes: RwLock<HashMap<String, Series>>,
}

impl RequestMetrics {
    pub(super) fn new() -> Self {
        Self { in_flight: HTTP_IN_FLIGHT.gauge(&[]), routes: RwLock::default() }
    }

    pub(super) fn begun(&self) {
        self.in_flight.increment(1);
    }

    pub(super) fn ended(&self, route: &str, method: Verb, status: u16, took: Duration) {
        self.in_flight.decrement(1);
        let routes = self.routes.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(histogram) = routes.get(route).and_then(|series| find(series, method, status)) {
            return histogram.record(took);
        }
        drop(routes);
        let histogram = HTTP_REQUESTS.histogram(&[method.word(), route, &status.to_string()]);
        histogram.record(took);
        let mut routes = self.routes.write().unwrap_or_else(PoisonError::into_inner);
        let series = routes.entry(route.to_owned()).or_default();
        // Somebody may have been quicker.
        if find(series, method, status).is_none() {
            series.push((method, status, histogram));
        }
    }
}

fn find(series: &Series, method: Verb, status: u16) -> Option<&Histogram> {
    series
        .iter()
        .find(|(verb, code, _)| *verb == method && *code == status)
        .map(|(_, _, histogram)| histogram)
}
