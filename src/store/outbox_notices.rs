//! `NOTIFY` and `LISTEN`: shorten the wait for new events. Everything works without them.

use sqlx::postgres::PgListener;

use super::{Store, StoreError};

const CHANNEL: &str = "keyward_outbox";

/// Hears of commits of other replicas.
#[derive(Debug)]
pub struct OutboxListener(PgListener);

impl OutboxListener {
    /// Waits for the next notice; an error means that this listener is over.
    pub async fn heard(&mut self) -> Result<(), StoreError> {
        match self.0.try_recv().await? {
            Some(_) => Ok(()),
            None => Err(sqlx::Error::PoolClosed.into()),
        }
    }
}

impl Store {
    /// Tells other replicas of new events. After the commit and never inside: there it would make commits wait for each
    /// other.
    pub async fn outbox_announce(&self) -> Result<(), StoreError> {
        if matches!(self, Self::Sqlite { .. }) {
            return Ok(());
        }
        self.write("outbox_announce", |tx| {
            Box::pin(async move {
                let notify = tx.query_either("SELECT 1", "SELECT pg_notify('keyward_outbox', '')");
                notify.execute().await.map(drop)
            })
        })
        .await
    }

    /// Returns an ear for such notices, on a connection of its own; `None` on SQLite, which has none.
    pub async fn outbox_listener(&self) -> Result<Option<OutboxListener>, StoreError> {
        let Self::Postgres { pool, .. } = self else { return Ok(None) };
        let mut listener = PgListener::connect_with(pool).await?;
        listener.listen(CHANNEL).await?;
        Ok(Some(OutboxListener(listener)))
    }
}
