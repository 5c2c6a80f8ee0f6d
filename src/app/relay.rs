//! The relay: carries events from the outbox to one sink, at least once and in order per user.
//!
//! One replica relays to a sink at a time, under a fenced lease: one that slept through it can
//! neither claim nor settle, so an event may be published twice and is never skipped.

use std::borrow::Cow;
use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::sync::watch;
use tokio::time::Instant;

use super::outlet::Outlet;
use super::{App, Error};
use crate::domain::{EventId, Timestamp};
use crate::events::{Envelope, Message, PublishError, Receipt};
use crate::random;
use crate::store::{Delivery, DeliveryOutcome, Lease, Store, StoreError};
use crate::telemetry::Span;

/// With [`POLL`](super::relays), the time in which another replica takes over: less than five seconds.
const LEASE_TTL: Duration = Duration::from_secs(4);
const RENEW_AFTER: Duration = Duration::from_secs(1);
/// Events claimed at a time, for each that the sink takes at a time.
const CLAIMED_PER_PLACE: usize = 2;
const CLAIMED_AT_LEAST: usize = 64;
/// Outcomes recorded in one transaction.
const SETTLED_TOGETHER: usize = 512;
const BACK_OFF_FIRST: Duration = Duration::from_secs(1);
const BACK_OFF_MAX: Duration = Duration::from_secs(60);

/// One replica's part in relaying to one sink: who it is, and the lease while it has it.
#[derive(Debug)]
pub struct Relay {
    pub(super) outlet: Arc<Outlet>,
    holder: String,
    lease: Option<(Lease, Instant)>,
    /// Once true, nothing more is handed over.
    pub(super) stop: watch::Receiver<bool>,
}

/// What came of looking once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Relayed {
    /// Another replica relays to this sink.
    Elsewhere,
    /// This many events are out of the way; zero when nothing was due.
    Settled(usize),
    /// The sink takes nothing at the moment.
    Away(String),
}

impl App {
    /// Returns this replica's part in each relay.
    #[must_use]
    pub fn relays(&self) -> Vec<Relay> {
        let holder = random::uuid_v7(self.now()).to_string();
        let (_, stop) = watch::channel(false);
        let relay = |outlet| Relay {
            outlet: Arc::clone(outlet),
            holder: holder.clone(),
            lease: None,
            stop: stop.clone(),
        };
        self.outlets.iter().map(relay).collect()
    }

    /// Publishes what is due, once; what becomes due meanwhile too, as long as an answer is slow.
    pub async fn relay_once(&self, relay: &mut Relay) -> Result<Relayed, Error> {
        let Some(lease) = self.relay_lease(relay).await? else { return Ok(Relayed::Elsewhere) };
        let places = relay.outlet.publisher.concurrency();
        let limit = (places * CLAIMED_PER_PLACE).max(CLAIMED_AT_LEAST);
        let mut waiting = VecDeque::from(self.outbox_due(relay, lease.clone(), limit).await?);
        let mut claimed: HashSet<EventId> = waiting.iter().map(|delivery| delivery.event.id).collect();
        let outlet = Arc::clone(&relay.outlet);
        let away: OnceLock<String> = OnceLock::new();
        let hand_over = |delivery: Delivery| {
            let (outlet, away) = (&outlet, &away);
            async move {
                let handed_over = self.hand_over(outlet, &delivery).await;
                (delivery.event.id, handed_over.map_err(|reason| drop(away.set(reason))).ok())
            }
        };
        let mut under_way = FuturesUnordered::new();
        let (mut settled, mut renew_at) = (0, Instant::now() + RENEW_AFTER);
        loop {
            // Once the sink is found away, the rest of the batch need not find out too. Nor at the end: there is little time.
            while under_way.len() < places
                && away.get().is_none()
                && !*relay.stop.borrow()
                && let Some(delivery) = waiting.pop_front()
            {
                under_way.push(hand_over(delivery));
            }
            let mut outcomes = (&mut under_way).ready_chunks(SETTLED_TOGETHER);
            let chunk = tokio::select! {
                chunk = outcomes.next() => chunk,
                () = tokio::time::sleep_until(renew_at) => {
                    renew_at = Instant::now() + RENEW_AFTER;
                    // What is under way then is published again by the new holder, even if that is this one.
                    if self.relay_lease(relay).await?.is_none_or(|renewed| renewed.fence != lease.fence) {
                        return Ok(Relayed::Elsewhere);
                    }
                    // An event that nobody answers must not hold up all that came after it.
                    if waiting.is_empty() && away.get().is_none() && !*relay.stop.borrow() {
                        let due = self.outbox_due(relay, lease.clone(), limit).await?;
                        waiting.extend(due.into_iter().filter(|delivery| claimed.insert(delivery.event.id)));
                    }
                    continue;
                }
            };
            let Some(chunk) = chunk else { break };
            let (ids, outcomes): (Vec<_>, Vec<_>) = chunk.into_iter().unzip();
            let outcomes = ids.iter().copied().zip(outcomes).filter_map(|(id, outcome)| Some((id, outcome?)));
            settled += self.outbox_settle(relay, outcomes.collect(), lease.clone()).await?;
            for id in ids {
                claimed.remove(&id);
            }
        }
        drop(under_way);
        let away = away.into_inner();
        outlet.note(away.as_deref());
        Ok(away.map_or(Relayed::Settled(settled), Relayed::Away))
    }

    /// Publishes one event; `Err` says why the sink is away.
    async fn hand_over(&self, outlet: &Outlet, delivery: &Delivery) -> Result<DeliveryOutcome, String> {
        let event = &delivery.event;
        let refused = |error: String| DeliveryOutcome::Refused {
            next_attempt_at: self.now() + back_off(delivery.attempts),
            error,
        };
        let shown = if outlet.publisher.is_log() && !self.log_emails {
            Cow::Owned(self.without_email(event))
        } else {
            Cow::Borrowed(event)
        };
        let body = match serde_json::to_vec(&Envelope::new(&self.rules.issuer, &shown)) {
            Ok(body) => body,
            Err(error) => return Ok(refused(error.to_string())),
        };
        let message = Message {
            id: event.id,
            kind: event.kind.clone(),
            subject: event.subject,
            attempted_at: self.now(),
            body,
        };
        let (sink, started, measures) = (outlet.sink(), Instant::now(), &outlet.measures);
        let span = Span::publish(event.id, &event.kind, sink);
        let receipt = outlet.publisher.publish(&message).await;
        drop(span);
        let outcome = match receipt {
            Ok(Receipt::Taken) => {
                measures.publish.record(started.elapsed());
                DeliveryOutcome::Published
            }
            Ok(Receipt::NoSubscriber) if !self.rules.require_route.contains(&message.kind) => {
                DeliveryOutcome::NoSubscriber
            }
            Ok(Receipt::NoSubscriber) => refused("no queue is bound for events of this type".to_owned()),
            Err(PublishError::Refused(error)) => refused(error),
            Err(PublishError::Away(reason)) => return Err(reason),
        };
        if let DeliveryOutcome::Refused { error, .. } = &outcome
            && delivery.attempts == 0
        {
            tracing::warn!(sink, event_id = %event.id, event_type = event.kind, error, "event was not taken: it is kept and tried again");
        }
        let attempts = match &outcome {
            DeliveryOutcome::Published => &measures.published,
            DeliveryOutcome::NoSubscriber => &measures.no_subscriber,
            DeliveryOutcome::Refused { .. } => &measures.refused,
        };
        attempts.increment(1);
        Ok(outcome)
    }

    async fn outbox_due(&self, relay: &Relay, lease: Lease, limit: usize) -> Result<Vec<Delivery>, Error> {
        let (outlet, now) = (Arc::clone(&relay.outlet), self.now());
        self.store
            .read("outbox_due", move |tx| {
                Box::pin(async move { Ok(tx.outbox_due(outlet.sink(), limit, &lease, now).await?) })
            })
            .await
    }

    async fn outbox_settle(
        &self,
        relay: &Relay,
        outcomes: Vec<(EventId, DeliveryOutcome)>,
        lease: Lease,
    ) -> Result<usize, Error> {
        if outcomes.is_empty() {
            return Ok(0);
        }
        let (outlet, now) = (Arc::clone(&relay.outlet), self.now());
        let settled = self.store.transaction("outbox_settle", move |tx| {
            Box::pin(async move { tx.outbox_settle(outlet.sink(), &outcomes, &lease, now).await })
        });
        let settled: u64 = settled.await?;
        Ok(usize::try_from(settled).unwrap_or(usize::MAX))
    }

    /// Returns the lease, prolonged in time; `None` while another replica relays.
    async fn relay_lease(&self, relay: &mut Relay) -> Result<Option<Lease>, Error> {
        // Not by the clock, which may be set back.
        let (now, asked_at) = (self.now(), Instant::now());
        if let Some((lease, taken_at)) = &relay.lease
            && taken_at.elapsed() < RENEW_AFTER
        {
            return Ok(Some(lease.clone()));
        }
        let (name, holder) = (lease_name(relay.outlet.sink()), relay.holder.clone());
        let taken = self
            .store
            .write("lease_take", move |tx| {
                Box::pin(async move { tx.lease_take(&name, &holder, LEASE_TTL, now).await })
            })
            .await;
        // Until the answer is known, nothing is published under the old lease.
        let before = relay.lease.take().map(|(lease, _)| lease.fence);
        relay.outlet.set_relaying(false);
        let lease: Option<Lease> = taken?;
        if let Some(lease) = lease.as_ref().filter(|lease| before != Some(lease.fence)) {
            tracing::info!(
                sink = relay.outlet.sink(),
                holder = lease.holder,
                "relays to this sink from now on"
            );
        }
        relay.outlet.set_relaying(lease.is_some());
        relay.lease = lease.clone().map(|lease| (lease, asked_at));
        Ok(lease)
    }

    pub(super) async fn relay_release(&self, relay: Relay) {
        relay.outlet.publisher.close().await;
        let Some((lease, _)) = relay.lease else { return };
        if let Err(error) = self.lease_give_back(lease).await {
            tracing::debug!(%error, "relay lease runs out by itself");
        }
    }

    pub(super) async fn lease_give_back(&self, lease: Lease) -> Result<(), StoreError> {
        // As if it had expired long ago: who asks later must not take us for one that is only silent.
        let long_ago = Timestamp::from_micros(0);
        self.store
            .write("lease_release", move |tx| {
                Box::pin(async move { tx.lease_release(&lease, long_ago).await })
            })
            .await
    }
}

/// The beginning of [`lease_name`].
const LEASES: &str = "relay/";
/// A sink that nobody has relayed to for this long is no server's any more.
const RELAYED_WITHIN: Duration = Duration::from_secs(60);

/// Names the right to relay to a sink.
pub(super) fn lease_name(sink: &str) -> String {
    format!("{LEASES}{sink}")
}

/// Returns the sinks that servers relay to at the moment.
pub(super) async fn relayed_sinks(store: &Store, now: Timestamp) -> Result<Vec<String>, StoreError> {
    let leases = store
        .read("leases_held", move |tx| {
            Box::pin(async move { tx.leases_held(LEASES, now - RELAYED_WITHIN).await })
        })
        .await?;
    Ok(leases.iter().filter_map(|name| name.strip_prefix(LEASES)).map(str::to_owned).collect())
}

/// Doubles from one second to a minute, less up to a quarter so that retries do not march in step.
fn back_off(attempts: i64) -> Duration {
    let doublings = u32::try_from(attempts.clamp(0, 16)).unwrap_or(16);
    jittered(BACK_OFF_FIRST.saturating_mul(2_u32.saturating_pow(doublings)).min(BACK_OFF_MAX))
}

pub(super) fn jittered(full: Duration) -> Duration {
    let [jitter] = random::bytes::<1>();
    full.saturating_sub((full / 4).mul_f64(f64::from(jitter) / 255.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn back_off_doubles_within_bounds() {
        for (attempts, full) in [(0, 1), (1, 2), (4, 16), (9, 60), (1_000, 60)] {
            let (wait, full) = (back_off(attempts), Duration::from_secs(full));
            assert!(wait <= full && wait >= full * 3 / 4, "{attempts}: {wait:?}");
        }
    }
}
