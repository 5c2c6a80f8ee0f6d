use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use metrics::{Counter, Gauge, Histogram};

use crate::domain::Timestamp;
use crate::events::Publisher;
use crate::telemetry::{
    OUTBOX_ATTEMPTS, OUTBOX_OLDEST, OUTBOX_PENDING, OUTBOX_PUBLISH, OUTBOX_RELAYING, OUTBOX_SINK_UP,
};

/// A sink, and how things stand with it as far as this replica knows.
#[derive(Debug)]
pub(super) struct Outlet {
    pub(super) publisher: Publisher,
    /// Why it takes nothing at the moment.
    away: Mutex<Option<String>>,
    /// Whether this replica relays to it.
    relaying: AtomicBool,
    /// Since when the oldest event waits.
    oldest_at: Mutex<Option<Timestamp>>,
    pub(super) measures: OutletMeasures,
}

/// What is measured of a sink. Its name is the operator's, so there are as many series as there are sinks.
#[derive(Debug)]
pub(super) struct OutletMeasures {
    pub pending: Gauge,
    pub oldest: Gauge,
    pub publish: Histogram,
    pub published: Counter,
    pub no_subscriber: Counter,
    pub refused: Counter,
    /// Not shown before anything is known.
    up: OnceLock<Gauge>,
    relaying: Gauge,
}

impl OutletMeasures {
    fn new(sink: &str) -> Self {
        let attempts = |outcome| OUTBOX_ATTEMPTS.counter(&[sink, outcome]);
        Self {
            pending: OUTBOX_PENDING.gauge(&[sink]),
            oldest: OUTBOX_OLDEST.gauge(&[sink]),
            publish: OUTBOX_PUBLISH.histogram(&[sink]),
            published: attempts("published"),
            no_subscriber: attempts("no_subscriber"),
            refused: attempts("refused"),
            up: OnceLock::new(),
            relaying: OUTBOX_RELAYING.gauge(&[sink]),
        }
    }
}

impl Outlet {
    pub(super) fn new(publisher: Publisher) -> Self {
        Self {
            measures: OutletMeasures::new(publisher.sink()),
            publisher,
            away: Mutex::new(None),
            relaying: AtomicBool::new(false),
            oldest_at: Mutex::new(None),
        }
    }

    pub(super) fn sink(&self) -> &str {
        self.publisher.sink()
    }

    /// Notes what an attempt showed; logs when that is news.
    pub(super) fn note(&self, away: Option<&str>) {
        let mut known = self.away.lock().unwrap_or_else(PoisonError::into_inner);
        match (known.is_some(), away) {
            (false, Some(reason)) => {
                tracing::warn!(sink = self.sink(), reason, "sink is away: events wait in the outbox");
            }
            (true, None) => tracing::info!(sink = self.sink(), "sink takes events again"),
            _ => {}
        }
        let up = self.measures.up.get_or_init(|| OUTBOX_SINK_UP.gauge(&[self.sink()]));
        up.set(u8::from(away.is_none()));
        *known = away.map(str::to_owned);
    }

    pub(super) fn away(&self) -> Option<String> {
        self.away.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set_relaying(&self, relaying: bool) {
        self.relaying.store(relaying, Ordering::Relaxed);
        self.measures.relaying.set(u8::from(relaying));
    }

    pub(super) fn relaying(&self) -> bool {
        self.relaying.load(Ordering::Relaxed)
    }

    pub(super) fn set_oldest(&self, oldest_at: Option<Timestamp>) {
        *self.oldest_at.lock().unwrap_or_else(PoisonError::into_inner) = oldest_at;
    }

    pub(super) fn oldest_at(&self) -> Option<Timestamp> {
        *self.oldest_at.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
