//! The outbox as operators see it: what waits, and what may go.

use super::sql::{Record, Row};
use super::{StoreError, Tx};
use crate::domain::{EventId, Timestamp};

/// What a sink has not confirmed.
#[derive(Debug, Clone)]
pub struct Backlog {
    pub sink: String,
    pub pending: i64,
    /// When the longest waiting event happened.
    pub oldest_at: Timestamp,
}

impl Record for Backlog {
    fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        Ok(Self { sink: row.get("sink")?, pending: row.get("pending")?, oldest_at: row.get("oldest_at")? })
    }
}

/// What a sink has refused and will be offered again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusals {
    pub count: i64,
    pub last_error: Option<String>,
}

impl Record for Refusals {
    fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        Ok(Self { count: row.get("count")?, last_error: row.optional("last_error")? })
    }
}

struct Id(EventId);

impl Record for Id {
    fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        row.get("id").map(Self)
    }
}

impl Tx {
    /// Counts what waits, for each sink where something does; sinks of former settings too.
    pub async fn outbox_backlogs(&mut self) -> Result<Vec<Backlog>, StoreError> {
        self.query(
            "SELECT d.sink, count(*) AS pending, min(o.occurred_at) AS oldest_at
             FROM outbox_deliveries AS d JOIN outbox AS o ON o.id = d.event_id
             WHERE d.published_at IS NULL
             GROUP BY d.sink ORDER BY d.sink",
        )
        .fetch_all()
        .await
    }

    /// Counts what waits because a sink refused it, with the reason that was heard last.
    pub async fn outbox_refusals(&mut self, sink: &str) -> Result<Refusals, StoreError> {
        self.query(
            "SELECT count(*) AS count, (
                SELECT last_error FROM outbox_deliveries
                WHERE sink = $1 AND published_at IS NULL AND attempts > 0
                ORDER BY next_attempt_at DESC LIMIT 1
             ) AS last_error
             FROM outbox_deliveries WHERE sink = $1 AND published_at IS NULL AND attempts > 0",
        )
        .bind(sink.to_owned())
        .fetch_one()
        .await
    }

    /// Gives up some of what waits for a sink, `limit` events at most, and returns how many.
    pub async fn deliveries_abandon(
        &mut self,
        sink: &str,
        limit: u32,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        self.query(
            "UPDATE outbox_deliveries SET published_at = $2, outcome = 'abandoned'
             WHERE sink = $1 AND published_at IS NULL AND event_id IN (
                SELECT event_id FROM outbox_deliveries WHERE sink = $1 AND published_at IS NULL LIMIT $3
             )",
        )
        .bind(sink.to_owned())
        .bind(now)
        .bind(i64::from(limit))
        .execute()
        .await
    }

    /// Deletes events that happened before `before` and that every sink has, out of the first `limit` behind `after`.
    /// Returns where it stopped, to go on from there; `None` at the end.
    pub async fn outbox_purge(
        &mut self,
        after: EventId,
        before: Timestamp,
        limit: u32,
    ) -> Result<Option<EventId>, StoreError> {
        // An id begins with the time, so the primary key is in order of time.
        let end = EventId::first_at(before);
        let window: Vec<Id> = self
            .query("SELECT id FROM outbox WHERE id > $1 AND id < $2 ORDER BY id LIMIT $3")
            .bind(after)
            .bind(end)
            .bind(i64::from(limit))
            .fetch_all()
            .await?;
        let Some(Id(last)) = window.last() else { return Ok(None) };
        self.query(
            "DELETE FROM outbox WHERE id > $1 AND id <= $2 AND NOT EXISTS (
                SELECT 1 FROM outbox_deliveries AS d WHERE d.event_id = outbox.id AND d.published_at IS NULL
             )",
        )
        .bind(after)
        .bind(*last)
        .execute()
        .await?;
        Ok(Some(*last))
    }
}
