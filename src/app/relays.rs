//! All relays of a replica, and what wakes them.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::watch;

use super::App;
use super::relay::{Relay, Relayed, jittered};
use crate::config::Pooler;
use crate::domain::Timestamp;

/// How often the outbox is looked at when nobody rings.
const POLL: Duration = Duration::from_millis(500);
/// How soon a sink that was away is tried again, doubling ...
const AWAY_FIRST: Duration = Duration::from_millis(100);
/// ... up to this, after which it is offered an event again.
const AWAY_MAX: Duration = Duration::from_secs(5);
/// Commits of this time are told to other replicas together: each notice takes a lock of the whole database.
const NOTICE_GATHERS: Duration = Duration::from_millis(5);
const LISTEN_AGAIN: Duration = Duration::from_secs(1);
const MEASURE_EVERY: Duration = Duration::from_secs(5);
/// An event that waits for longer is worth a look, whatever the reason.
const LATE: Duration = Duration::from_secs(30);

impl App {
    /// Relays to every sink until `stop` turns true, then gives the leases back.
    pub async fn relay_run(&self, stop: watch::Receiver<bool>) {
        let relays = self.relays().into_iter().map(|mut relay| {
            relay.stop = stop.clone();
            self.relay_to_one(relay)
        });
        let mut stopped = stop.clone();
        let beside = async {
            tokio::join!(self.outbox_announce(), self.outbox_listen(), self.outbox_measure());
        };
        tokio::join!(join_all(relays), async {
            tokio::select! {
                () = beside => {}
                _ = stopped.wait_for(|stop| *stop) => {}
            }
        });
    }

    /// Says which sinks are away or late, a line each.
    pub(super) fn sinks_degraded(&self) -> Vec<String> {
        let now = self.now();
        let late = |since: Timestamp| (now.since(since) > LATE).then_some(now.since(since).as_secs());
        let about = |sink: &str, what: &str| format!("events: {sink} {what}");
        self.outlets
            .iter()
            .filter_map(|outlet| match (outlet.away(), outlet.oldest_at().and_then(late)) {
                (Some(reason), _) => Some(about(outlet.sink(), &format!("is away: {reason}"))),
                (None, Some(seconds)) => Some(about(outlet.sink(), &format!("is {seconds} s behind"))),
                (None, None) => None,
            })
            .collect()
    }

    async fn relay_to_one(&self, mut relay: Relay) {
        let mut stop = relay.stop.clone();
        let mut bell = self.outbox_bell.hear();
        let (mut away_for, mut database_away) = (AWAY_FIRST, false);
        while !*stop.borrow() {
            bell.mark_unchanged();
            let relayed = self.relay_once(&mut relay).await;
            if relayed.is_ok() && std::mem::take(&mut database_away) {
                tracing::info!("relay works again");
            }
            match relayed {
                // The next event of a user becomes due when the one before is confirmed.
                Ok(Relayed::Settled(1..)) => {
                    away_for = AWAY_FIRST;
                    continue;
                }
                Ok(Relayed::Settled(0) | Relayed::Elsewhere) => {
                    away_for = AWAY_FIRST;
                    tokio::select! {
                        _ = bell.changed() => {}
                        () = tokio::time::sleep(jittered(POLL)) => {}
                        _ = stop.changed() => {}
                    }
                    continue;
                }
                Ok(Relayed::Away(_)) => {}
                Err(error) => {
                    if !std::mem::replace(&mut database_away, true) {
                        tracing::warn!(%error, "relay waits: events stay in the outbox");
                    }
                }
            }
            // The lease is not prolonged meanwhile: another replica may see the sink.
            tokio::select! {
                () = tokio::time::sleep(jittered(away_for)) => {}
                _ = stop.changed() => {}
            }
            away_for = (away_for * 2).min(AWAY_MAX);
        }
        self.relay_release(relay).await;
    }

    /// Passes commits of this replica on to those that relay.
    async fn outbox_announce(&self) {
        let mut commits = self.outbox_bell.hear_here();
        while commits.changed().await.is_ok() {
            if self.outlets.iter().all(|outlet| outlet.relaying()) {
                continue;
            }
            // Only shortens the wait of others, who look by themselves too.
            if let Err(error) = self.store.outbox_announce().await {
                tracing::debug!(%error, "nobody was told of new events");
            }
            tokio::time::sleep(NOTICE_GATHERS).await;
        }
    }

    /// Hears of commits of other replicas, where the database can tell.
    async fn outbox_listen(&self) {
        // Behind a pooler the ear would be somebody else's after the first transaction.
        if self.pooler == Pooler::Transaction {
            return;
        }
        loop {
            match self.store.outbox_listener().await {
                Ok(None) => return,
                Ok(Some(mut listener)) => {
                    while listener.heard().await.is_ok() {
                        self.outbox_bell.ring_from_elsewhere();
                    }
                }
                Err(error) => tracing::debug!(%error, "nobody tells of new events: they are looked for"),
            }
            tokio::time::sleep(LISTEN_AGAIN).await;
        }
    }

    /// Keeps the gauges and the readiness report true.
    async fn outbox_measure(&self) {
        loop {
            if let Ok(backlogs) = self.outbox_backlogs().await {
                for outlet in &self.outlets {
                    let backlog = backlogs.iter().find(|backlog| backlog.sink == outlet.sink());
                    let (pending, oldest_at) =
                        backlog.map_or((0, None), |backlog| (backlog.pending, Some(backlog.oldest_at)));
                    outlet.set_oldest(oldest_at);
                    let seconds = oldest_at.map_or(0.0, |oldest| self.now().since(oldest).as_secs_f64());
                    #[expect(clippy::cast_precision_loss, reason = "a gauge of rows")]
                    outlet.measures.pending.set(pending as f64);
                    outlet.measures.oldest.set(seconds);
                }
            }
            tokio::time::sleep(MEASURE_EVERY).await;
        }
    }
}
