//! The relay: carries events from the outbox to the sink, at least once and in order per user.

use std::time::Duration;

use tokio::sync::watch;

use super::{App, Error};
use crate::domain::Timestamp;
use crate::events::Envelope;
use crate::random;
use crate::store::{Delivery, DeliveryOutcome, Lease};

const LEASE: &str = "relay";
const LEASE_TTL: Duration = Duration::from_secs(10);
const BATCH: u32 = 256;
/// How often the outbox is looked at when nobody rings.
const POLL: Duration = Duration::from_secs(1);
const BACK_OFF_FIRST: Duration = Duration::from_secs(1);
const BACK_OFF_MAX: Duration = Duration::from_secs(300);

/// One replica's part in the relay: who it is, and the lease while it has it.
#[derive(Debug)]
pub struct Relay {
    holder: String,
    lease: Option<(Lease, Timestamp)>,
}

impl Relay {
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        Self { holder: random::uuid_v7(now).to_string(), lease: None }
    }
}

impl App {
    /// Relays until `stop` turns true, then gives the lease back.
    pub async fn relay_run(&self, mut stop: watch::Receiver<bool>) {
        let mut relay = Relay::new(self.now());
        let mut away = false;
        while !*stop.borrow() {
            let more = match self.relay_once(&mut relay).await {
                Ok(published) => {
                    if std::mem::take(&mut away) {
                        tracing::info!("relay works again");
                    }
                    // The next event of a user becomes due when the one before is confirmed.
                    published > 0
                }
                Err(error) => {
                    if !std::mem::replace(&mut away, true) {
                        tracing::warn!(%error, "relay waits: events stay in the outbox");
                    }
                    false
                }
            };
            if !more {
                tokio::select! {
                    () = self.outbox_bell.notified() => {}
                    () = tokio::time::sleep(POLL) => {}
                    _ = stop.changed() => {}
                }
            }
        }
        self.relay_release(relay).await;
    }

    /// Publishes one batch of what is due and returns how many events the sink took.
    pub async fn relay_once(&self, relay: &mut Relay) -> Result<usize, Error> {
        let Some(lease) = self.relay_lease(relay).await? else { return Ok(0) };
        let (sink, now) = (self.publisher.sink(), self.now());
        let due = self
            .store
            .read("outbox_due", move |tx| Box::pin(async move { tx.outbox_due(sink, BATCH, now).await }))
            .await?;
        if due.is_empty() {
            return Ok(0);
        }
        let mut outcomes = Vec::with_capacity(due.len());
        for delivery in due {
            // No transaction is open while a sink takes its time.
            let outcome = self.publish(&delivery).await;
            outcomes.push((delivery.event.id, outcome));
        }
        let now = self.now();
        self.store
            .transaction("outbox_settle", move |tx| {
                Box::pin(async move {
                    let mut published = 0;
                    for (event_id, outcome) in outcomes {
                        let took = matches!(outcome, DeliveryOutcome::Published);
                        let settled = tx.outbox_settle((event_id, sink), outcome, &lease, now).await?;
                        published += usize::from(took && settled);
                    }
                    Ok(published)
                })
            })
            .await
    }

    async fn publish(&self, delivery: &Delivery) -> DeliveryOutcome {
        let envelope = Envelope::new(&self.rules.issuer, &delivery.event);
        match self.publisher.publish(&envelope).await {
            Ok(()) => DeliveryOutcome::Published,
            Err(error) => DeliveryOutcome::Failed {
                next_attempt_at: self.now() + back_off(delivery.attempts),
                error: error.to_string(),
            },
        }
    }

    /// Returns the lease, prolonged in time; `None` while another replica relays.
    async fn relay_lease(&self, relay: &mut Relay) -> Result<Option<Lease>, Error> {
        let now = self.now();
        if let Some((lease, taken_at)) = &relay.lease
            && now.since(*taken_at) < LEASE_TTL / 2
        {
            return Ok(Some(lease.clone()));
        }
        let holder = relay.holder.clone();
        let taken = self
            .store
            .write("lease_take", move |tx| {
                Box::pin(async move { tx.lease_take(LEASE, &holder, LEASE_TTL, now).await })
            })
            .await;
        // Until the answer is known, nothing is published under the old lease.
        relay.lease = None;
        let lease: Option<Lease> = taken?;
        relay.lease = lease.clone().map(|lease| (lease, now));
        Ok(lease)
    }

    async fn relay_release(&self, relay: Relay) {
        let Some((lease, _)) = relay.lease else { return };
        let now = self.now();
        let released = self
            .store
            .write("lease_release", move |tx| Box::pin(async move { tx.lease_release(&lease, now).await }))
            .await;
        if let Err(error) = released {
            tracing::debug!(%error, "relay lease runs out by itself");
        }
    }
}

/// Doubles from one second to five minutes, less up to a quarter so that replicas do not march in step.
fn back_off(attempts: i64) -> Duration {
    let doublings = u32::try_from(attempts.clamp(0, 16)).unwrap_or(16);
    let full = BACK_OFF_FIRST.saturating_mul(2_u32.saturating_pow(doublings)).min(BACK_OFF_MAX);
    let [jitter] = random::bytes::<1>();
    full.saturating_sub((full / 4).mul_f64(f64::from(jitter) / 255.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn back_off_doubles_within_bounds() {
        for (attempts, full) in [(0, 1), (1, 2), (4, 16), (9, 300), (1_000, 300)] {
            let (wait, full) = (back_off(attempts), Duration::from_secs(full));
            assert!(wait <= full && wait >= full * 3 / 4, "{attempts}: {wait:?}");
        }
    }
}
