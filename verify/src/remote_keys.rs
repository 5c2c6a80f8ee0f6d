//! The key set of an issuer, fetched when it is needed and kept for as long as the issuer says.

mod error;
mod fetch;
mod freshness;
mod options;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use reqwest::Url;
use tokio::sync::watch;

pub use error::{FetchError, SourceError};
pub use options::RemoteOptions;

use crate::KeySet;
use fetch::{Fetched, Fetcher, Known, Source};

/// After a failed fetch the issuer is left alone for this long, whoever asks.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Keeps an issuer's [`KeySet`] at hand; cheap to clone, and all clones share one set.
///
/// - A set is used for the `max-age` that came with it, then confirmed by `ETag` or replaced.
/// - However many callers wait, one fetch is under way, and a caller who leaves does not end it for the others.
/// - While the issuer is away the last good set is served, for a bounded time. Only the first caller to notice waits.
/// - A document that is too large, redirected, broken or without a usable key is a failed fetch.
///
/// Fetching needs a Tokio runtime; nothing runs while nobody asks.
#[derive(Debug, Clone)]
pub struct RemoteKeys(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    fetcher: Fetcher,
    options: RemoteOptions,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    held: Option<Held>,
    /// What ended the last fetch, and when; none after a good one.
    failure: Option<(Arc<FetchError>, Duration)>,
    /// When an unknown `kid` last made us fetch.
    unknown_kid_at: Option<Duration>,
    /// Closed as soon as the fetch is over, however it ended.
    flight: Option<watch::Receiver<()>>,
}

#[derive(Debug)]
struct Held {
    keys: Arc<KeySet>,
    known: Known,
    /// When the issuer was last asked and said that these are its keys.
    confirmed_at: Duration,
    fresh_for: Duration,
}

/// What is to be done for a caller who wants keys.
enum Plan {
    Use(Arc<KeySet>),
    UseAndFetch(Arc<KeySet>),
    Wait,
    Fail(Arc<FetchError>),
}

impl RemoteKeys {
    /// Takes the keys of an issuer, found through its `/.well-known/openid-configuration`, which must name the very
    /// same issuer (RFC 8414 §3.3).
    pub fn of_issuer(issuer: &str, options: RemoteOptions) -> Result<Self, SourceError> {
        Self::new(Source::Issuer(issuer.to_owned()), options)
    }

    /// Takes the keys at a JWKS URL, for example where the issuer has another address inside a cluster.
    pub fn at_url(jwks_url: &str, options: RemoteOptions) -> Result<Self, SourceError> {
        let url = Url::parse(jwks_url).map_err(|_| SourceError::Url(jwks_url.to_owned()))?;
        Self::new(Source::Jwks(url), options)
    }

    fn new(source: Source, options: RemoteOptions) -> Result<Self, SourceError> {
        let fetcher = Fetcher::new(source, &options)?;
        Ok(Self(Arc::new(Inner { fetcher, options, state: Mutex::default() })))
    }

    /// Returns the keys, fetching them first if there are none or their time is over.
    ///
    /// Errs only without any set that may still be used. Call it once at start to learn of a wrong URL early.
    pub async fn current(&self) -> Result<Arc<KeySet>, Arc<FetchError>> {
        let mut flight = {
            let mut state = self.state();
            match state.plan(self.now(), self.0.options.serve_stale) {
                Plan::Use(keys) => return Ok(keys),
                Plan::Fail(error) => return Err(error),
                Plan::UseAndFetch(keys) => {
                    self.join_or_start(&mut state);
                    return Ok(keys);
                }
                Plan::Wait => self.join_or_start(&mut state),
            }
        };
        landed(&mut flight).await;
        let state = self.state();
        match state.usable(self.now(), self.0.options.serve_stale) {
            Some(held) => Ok(Arc::clone(&held.keys)),
            None => Err(state.last_error()),
        }
    }

    /// Returns another set than `seen`, which lacks some `kid`, if the issuer has one by now.
    ///
    /// Anybody can write a `kid`, so this asks the issuer once per cool-down at most.
    pub async fn newer_than(&self, seen: &Arc<KeySet>) -> Option<Arc<KeySet>> {
        let mut flight = {
            let mut state = self.state();
            if let Some(newer) = state.other_than(seen) {
                return Some(newer);
            }
            let now = self.now();
            if state.under_way().is_none() {
                if state.unknown_kid_at.is_some_and(|at| elapsed(at, now) < self.0.options.cool_down) {
                    return None;
                }
                state.unknown_kid_at = Some(now);
            }
            self.join_or_start(&mut state)
        };
        landed(&mut flight).await;
        self.state().other_than(seen)
    }

    /// Returns the time since the Unix epoch by the clock that this works with.
    pub(crate) fn now(&self) -> Duration {
        self.0.options.clock.now()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state()
    }

    fn join_or_start(&self, state: &mut State) -> watch::Receiver<()> {
        if let Some(flight) = state.under_way() {
            return flight.clone();
        }
        let (over, flight) = watch::channel(());
        state.flight = Some(flight.clone());
        // After a failure the issuer is asked anew where its keys are.
        let known = state.held.as_ref().filter(|_| state.failure.is_none()).map(|held| held.known.clone());
        let inner = Arc::clone(&self.0);
        // A task of its own: the caller who started it may be cancelled.
        tokio::spawn(async move {
            let asked_at = inner.options.clock.now();
            let result = inner.fetcher.fetch(known).await;
            inner.land(result, asked_at);
            drop(over);
        });
        flight
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn land(&self, result: Result<Fetched, FetchError>, asked_at: Duration) {
        let mut state = self.state();
        match result {
            Ok(Fetched { keys, known, fresh_for }) => {
                let kept = state.held.take().map(|held| held.keys);
                let Some(keys) = keys.map(Arc::new).or(kept) else { return };
                if state.failure.take().is_some() {
                    tracing::info!("the key set of the issuer can be fetched again");
                }
                state.held = Some(Held { keys, known, confirmed_at: asked_at, fresh_for });
            }
            Err(error) => {
                let error = Arc::new(error);
                if state.failure.is_none() {
                    let serving_stale = state.held.is_some();
                    tracing::warn!(%error, serving_stale, "cannot fetch the key set of the issuer");
                }
                state.failure = Some((error, self.options.clock.now()));
            }
        }
    }
}

impl State {
    fn plan(&self, now: Duration, serve_stale: Duration) -> Plan {
        let pausing = self.failure.as_ref().filter(|(_, at)| elapsed(*at, now) < RETRY_AFTER);
        match (self.usable(now, serve_stale), pausing) {
            (Some(held), _) if elapsed(held.confirmed_at, now) < held.fresh_for => {
                Plan::Use(Arc::clone(&held.keys))
            }
            (Some(held), Some(_)) => Plan::Use(Arc::clone(&held.keys)),
            // The issuer is known to be away: nobody has to wait for it to be so still.
            (Some(held), None) if self.failure.is_some() => Plan::UseAndFetch(Arc::clone(&held.keys)),
            (None, Some((error, _))) => Plan::Fail(Arc::clone(error)),
            (_, None) => Plan::Wait,
        }
    }

    /// The set that is held, unless it is older than even a stale one may be.
    fn usable(&self, now: Duration, serve_stale: Duration) -> Option<&Held> {
        // A clock that was set back makes no set too old.
        { self.held.as_ref() }
            .filter(|held| now.saturating_sub(held.confirmed_at) < held.fresh_for.saturating_add(serve_stale))
    }

    fn other_than(&self, seen: &Arc<KeySet>) -> Option<Arc<KeySet>> {
        let held = self.held.as_ref()?;
        (!Arc::ptr_eq(&held.keys, seen)).then(|| Arc::clone(&held.keys))
    }

    fn under_way(&self) -> Option<&watch::Receiver<()>> {
        self.flight.as_ref().filter(|flight| flight.has_changed().is_ok())
    }

    fn last_error(&self) -> Arc<FetchError> {
        // None when the runtime ended in the middle of a fetch.
        self.failure
            .as_ref()
            .map_or_else(|| Arc::new(FetchError::Interrupted), |(error, _)| Arc::clone(error))
    }
}

/// Time since a moment; for ever when the clock was set back behind it, so that no pause outlasts that.
fn elapsed(since: Duration, now: Duration) -> Duration {
    now.checked_sub(since).unwrap_or(Duration::MAX)
}

async fn landed(flight: &mut watch::Receiver<()>) {
    // Nothing is ever sent: this errs when the sender is gone, and that is the news.
    let _ = flight.changed().await;
}
