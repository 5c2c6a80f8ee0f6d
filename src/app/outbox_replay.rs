use super::{Admin, App, Error, Sinks};
use crate::domain::{AuditRecord, EventFilter, EventId, PendingEvent, SecurityEvent, Timestamp};
use crate::events::Envelope;
use crate::store::OutboxPosition;

/// Events that one transaction looks at: few, so that nobody waits for it.
const STEP: u32 = 1_000;

/// What is to be published again, and where to.
#[derive(Debug, Clone)]
pub struct Replay {
    pub filter: EventFilter,
    /// One of the configured sinks; `None` for all of them.
    pub sink: Option<String>,
}

/// Why an operator's command about events was refused, by what can be done about it.
#[derive(Debug, thiserror::Error)]
pub enum OutboxError {
    #[error("events from before {kept_since} may have been deleted")]
    NotKept { kept_since: Timestamp },
    #[error("the settings name no such sink")]
    NoSuchSink { configured: Vec<String> },
    #[error("the sink is configured")]
    SinkConfigured,
    #[error("a server relays to the sink, or did a moment ago")]
    SinkInUse,
    #[error("nothing waits for such a sink")]
    NothingWaits,
    #[error(transparent)]
    Other(#[from] Error),
}

impl App {
    /// Returns the sinks that a replay is for, and how many events it makes due again.
    pub async fn outbox_replayable(
        &self,
        _: &Admin,
        replay: &Replay,
    ) -> Result<(Vec<String>, u64), OutboxError> {
        let sinks = self.replay_sinks(replay)?;
        let (filter, mut at, mut events) = (&replay.filter, OutboxPosition::start(replay.filter.user), 0);
        loop {
            let filter = filter.clone();
            let step: Result<Option<(OutboxPosition, u64)>, Error> = self
                .store
                .read("outbox_count", move |tx| {
                    Box::pin(async move {
                        let Some(to) = tx.outbox_walk(at, filter.user, STEP).await? else { return Ok(None) };
                        Ok(Some((to, tx.outbox_count(&filter, at, to).await?)))
                    })
                })
                .await;
            let Some((to, step)) = step? else { return Ok((sinks.to_vec(), events)) };
            (at, events) = (to, events + step);
        }
    }

    /// Makes events due again as if they were new, those of a user in their order, and returns how many: they keep their
    /// identifiers. A sink that was added later gets what it never had.
    pub async fn outbox_replay(&self, admin: &Admin, replay: &Replay) -> Result<u64, OutboxError> {
        let sinks = self.replay_sinks(replay)?;
        let (filter, now) = (&replay.filter, self.now());
        let mut detail = filter.detail();
        if let Some(detail) = detail.as_object_mut() {
            detail.insert("sinks".to_owned(), sinks.to_vec().into());
        }
        let mut audit = AuditRecord::new(SecurityEvent::EventsReplayed, admin.caller()).detail(detail);
        audit.user_id = filter.user;
        let mut audit = Some(audit);
        let (mut at, mut events) = (OutboxPosition::start(filter.user), 0);
        loop {
            let (sinks, filter, audit) = (Sinks::clone(&sinks), filter.clone(), audit.take());
            let step: Result<Option<(OutboxPosition, u64)>, Error> = self
                .store
                .transaction("outbox_replay", move |tx| {
                    Box::pin(async move {
                        if let Some(audit) = audit {
                            tx.audit_insert(audit, now).await?;
                        }
                        let Some(to) = tx.outbox_walk(at, filter.user, STEP).await? else { return Ok(None) };
                        let mut renewed = 0;
                        for sink in sinks.iter() {
                            renewed = tx.deliveries_renew(sink, &filter, at, to, now).await?;
                        }
                        Ok(Some((to, renewed)))
                    })
                })
                .await;
            let Some((to, step)) = step? else { break };
            (at, events) = (to, events + step);
        }
        // Only shortens the wait: relays look by themselves too.
        if let Err(error) = self.store.outbox_announce().await {
            tracing::debug!(%error, "nobody was told of replayed events");
        }
        Ok(events)
    }

    /// Returns what the filter means and comes after `after`, in the order of identifiers. Identifiers begin with the
    /// time at which their transactions began, so what is committed next may come before what was.
    pub async fn outbox_page(
        &self,
        _: &Admin,
        filter: EventFilter,
        after: Option<EventId>,
        limit: u32,
    ) -> Result<Vec<PendingEvent>, Error> {
        self.store
            .read("outbox_page", move |tx| {
                Box::pin(async move { Ok(tx.outbox_page(&filter, after, limit).await?) })
            })
            .await
    }

    /// Returns an event as sinks get it: one line of JSON.
    pub fn outbox_envelope(&self, event: &PendingEvent) -> Result<String, Error> {
        serde_json::to_string(&Envelope::new(&self.rules.issuer, event))
            .map_err(|error| Error::Internal(error.to_string()))
    }

    fn replay_sinks(&self, replay: &Replay) -> Result<Sinks, OutboxError> {
        let kept_since = self.now() - self.rules.outbox_retention;
        if replay.filter.since < kept_since {
            return Err(OutboxError::NotKept { kept_since });
        }
        match &replay.sink {
            None => Ok(self.sinks()),
            Some(sink) if self.events_for.contains(sink) => Ok(Sinks::from([sink.clone()])),
            Some(_) => Err(OutboxError::NoSuchSink { configured: self.events_for.to_vec() }),
        }
    }
}
