//! What somebody must do now and then, and one replica does: keys that are due, rows that are over.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::{App, Error, the_server};
use crate::domain::Timestamp;
use crate::random;
use crate::store::Lease;

const LEASE: &str = "maintenance";
const LEASE_TTL: Duration = Duration::from_secs(90);
const EVERY: Duration = Duration::from_secs(30);
/// How often each replica looks whether the signing keys or the token epoch changed.
const KEYS_EVERY: Duration = Duration::from_secs(1);
/// Sessions that are over are kept this long, for those who ask what happened.
const SESSIONS_KEPT: Duration = Duration::from_secs(24 * 60 * 60);
/// Rows that one statement deletes: small, so that nobody waits for it.
const STEP: u32 = 500;

impl App {
    /// Starts everything that goes on beside requests; the future ends when all of it has stopped.
    pub fn background(self: &Arc<Self>, stop: &watch::Receiver<bool>) -> impl Future<Output = ()> + use<> {
        let (app, stop_relay) = (Arc::clone(self), stop.clone());
        let relay = tokio::spawn(async move { Box::pin(app.relay_run(stop_relay)).await });
        let (app, stop_watch) = (Arc::clone(self), stop.clone());
        let watch = tokio::spawn(async move { app.keys_watch(stop_watch).await });
        let (app, stop_refusals) = (Arc::clone(self), stop.clone());
        let refusals = tokio::spawn(async move { app.refusals_run(stop_refusals).await });
        let (app, stop_maintenance) = (Arc::clone(self), stop.clone());
        let maintenance = tokio::spawn(async move { app.maintenance_run(stop_maintenance).await });
        async move {
            // A task that panicked has stopped, too.
            let _ = tokio::join!(relay, watch, refusals, maintenance);
        }
    }

    /// Picks up changed signing keys, and the token epoch, until `stop` turns true.
    pub async fn keys_watch(&self, mut stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            if let Err(error) = self.keys_reload().await {
                tracing::debug!(%error, "signing keys could not be looked at");
            }
            tokio::select! {
                () = tokio::time::sleep(KEYS_EVERY) => {}
                _ = stop.changed() => {}
            }
        }
    }

    /// Does maintenance until `stop` turns true.
    pub async fn maintenance_run(&self, mut stop: watch::Receiver<bool>) {
        let (holder, mut lease) = (random::uuid_v7(self.now()).to_string(), None);
        while !*stop.borrow() {
            if let Err(error) = self.maintain_under(&holder, &mut lease).await {
                tracing::warn!(%error, "maintenance is put off");
            }
            tokio::select! {
                () = tokio::time::sleep(EVERY) => {}
                _ = stop.changed() => {}
            }
        }
        // Another replica, or this one when it starts again, need not wait for the lease to run out.
        if let Some(lease) = lease
            && let Err(error) = self.lease_give_back(lease).await
        {
            tracing::debug!(%error, "the lease of maintenance runs out by itself");
        }
    }

    /// Does what is due, if no other replica is at it; returns how many rows were deleted.
    pub async fn maintain(&self, holder: &str) -> Result<u64, Error> {
        let mut lease = None;
        self.maintain_under(holder, &mut lease).await
    }

    async fn maintain_under(&self, holder: &str, lease: &mut Option<Lease>) -> Result<u64, Error> {
        let (holder, now) = (holder.to_owned(), self.now());
        *lease = self
            .store
            .write("lease_take", move |tx| {
                Box::pin(async move { tx.lease_take(LEASE, &holder, LEASE_TTL, now).await })
            })
            .await?;
        if lease.is_none() {
            return Ok(0);
        }
        self.keys_advance(&the_server(now)).await?;
        self.outbox_purge(now).await?;
        let kept_for_a_while = self.sessions_purge(now).await? + self.login_failures_purge(now).await?;
        Ok(kept_for_a_while + self.audit_purge(now).await?)
    }

    async fn sessions_purge(&self, now: Timestamp) -> Result<u64, Error> {
        let mut purged = 0;
        loop {
            let step = self
                .store
                .write("sessions_purge", move |tx| {
                    Box::pin(async move { tx.sessions_purge(now - SESSIONS_KEPT, STEP).await })
                })
                .await?;
            purged += step;
            if step == 0 {
                return Ok(purged);
            }
        }
    }

    async fn login_failures_purge(&self, now: Timestamp) -> Result<u64, Error> {
        let mut purged = 0;
        loop {
            let step = self
                .store
                .write("login_failures_purge", move |tx| {
                    Box::pin(async move { tx.login_failures_purge(now, STEP).await })
                })
                .await?;
            purged += step;
            if step == 0 {
                return Ok(purged);
            }
        }
    }
}
