use std::time::Duration;

use serde_json::json;

use super::{Admin, App, Error, OutboxError};
use crate::domain::{AuditRecord, SecurityEvent};

/// Deliveries that one statement gives up: few, so that nobody waits for it.
const STEP: u32 = 500;
/// A relay that finds its sink away asks for its lease every few seconds: one that was silent for this long is gone.
const RELAY_GONE_AFTER: Duration = Duration::from_secs(60);

impl App {
    /// Counts what [`outbox_abandon`](Self::outbox_abandon) would give up, or says why it must not.
    pub async fn outbox_abandonable(&self, _: &Admin, sink: &str) -> Result<i64, OutboxError> {
        if self.has_sink(sink) {
            return Err(OutboxError::SinkConfigured);
        }
        // A server may have other settings than this process.
        let (relay, now) = (self.relay_lease_of(sink).await?, self.now());
        if relay.is_some_and(|relay| now.since(relay.expires_at) < RELAY_GONE_AFTER) {
            return Err(OutboxError::SinkInUse);
        }
        let backlogs = self.outbox_backlogs().await?;
        let backlog = backlogs.into_iter().find(|backlog| backlog.sink == sink);
        backlog.map(|backlog| backlog.pending).ok_or(OutboxError::NothingWaits)
    }

    /// Gives up what waits for a sink that is not configured any more, and returns how many events that is.
    pub async fn outbox_abandon(&self, admin: &Admin, sink: &str) -> Result<u64, OutboxError> {
        let waiting = self.outbox_abandonable(admin, sink).await?;
        let now = self.now();
        let detail = json!({ "sink": sink, "events": waiting });
        let audit = AuditRecord::new(SecurityEvent::EventsAbandoned, admin.caller()).detail(detail);
        let (mut audit, mut abandoned) = (Some(audit), 0);
        loop {
            let (sink, audit) = (sink.to_owned(), audit.take());
            let step: Result<u64, Error> = self
                .store
                .transaction("outbox_abandon", move |tx| {
                    Box::pin(async move {
                        if let Some(audit) = audit {
                            tx.audit_insert(audit, now).await?;
                        }
                        Ok(tx.deliveries_abandon(&sink, STEP, now).await?)
                    })
                })
                .await;
            match step? {
                0 => return Ok(abandoned),
                step => abandoned += step,
            }
        }
    }
}
