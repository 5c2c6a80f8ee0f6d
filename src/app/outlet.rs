use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::domain::Timestamp;
use crate::events::Publisher;

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
}

impl Outlet {
    pub(super) fn new(publisher: Publisher) -> Self {
        Self {
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
        *known = away.map(str::to_owned);
    }

    pub(super) fn away(&self) -> Option<String> {
        self.away.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set_relaying(&self, relaying: bool) {
        self.relaying.store(relaying, Ordering::Relaxed);
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
