use super::{App, Error};
use crate::domain::{EventId, Timestamp};
use crate::store::Backlog;

/// Events that one statement looks at: few, so that nobody waits for it.
const STEP: u32 = 500;

impl App {
    /// Returns what each sink has not confirmed; sinks without a backlog are left out, those of former settings are not.
    pub async fn outbox_backlogs(&self) -> Result<Vec<Backlog>, Error> {
        self.store
            .read("outbox_backlogs", |tx| Box::pin(async move { Ok(tx.outbox_backlogs().await?) }))
            .await
    }

    /// Deletes events that every sink has had for longer than they are kept.
    pub(super) async fn outbox_purge(&self, now: Timestamp) -> Result<(), Error> {
        let before = now - self.rules.outbox_retention;
        let mut after = Some(EventId::first_at(Timestamp::from_micros(0)));
        while let Some(from) = after {
            after = self
                .store
                .transaction("outbox_purge", move |tx| {
                    Box::pin(async move { tx.outbox_purge(from, before, STEP).await })
                })
                .await?;
        }
        Ok(())
    }
}
