//! Events that were written, whatever became of them: to look at, and to publish again.

use super::outbox::INSTALLATION;
use super::sql::{Record, Row};
use super::{StoreError, Tx};
use crate::domain::{EventFilter, EventId, PendingEvent, Timestamp, UserId};

/// Where a walk through the outbox stands. It goes from user to user and, for each, in the order of the events: whoever
/// makes events due on the way can stop anywhere, and an earlier one is never behind a later one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutboxPosition {
    subject: UserId,
    sequence: i64,
}

impl OutboxPosition {
    /// Before the first event, or before the first of one user.
    #[must_use]
    pub fn start(user: Option<UserId>) -> Self {
        Self { subject: user.unwrap_or(INSTALLATION), sequence: 0 }
    }
}

impl Record for OutboxPosition {
    fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        Ok(Self { subject: row.get("subject_id")?, sequence: row.get("subject_seq")? })
    }
}

struct Count(i64);

impl Record for Count {
    fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        row.get("count").map(Self)
    }
}

impl Tx {
    /// Returns what the filter means and comes after `after`, in the order of identifiers.
    pub async fn outbox_page(
        &mut self,
        filter: &EventFilter,
        after: Option<EventId>,
        limit: u32,
    ) -> Result<Vec<PendingEvent>, StoreError> {
        let (first, end) = filter.ids();
        self.query(
            "SELECT id AS event_id, subject_id, subject_seq, type, occurred_at, data FROM outbox
             WHERE id >= $1 AND id < $2 AND ($3 IS NULL OR id > $3)
                AND ($4 IS NULL OR type = $4) AND ($5 IS NULL OR subject_id = $5)
             ORDER BY id LIMIT $6",
        )
        .bind(after.unwrap_or(first))
        .bind(end)
        .bind_optional(after)
        .bind_optional(filter.kind.clone())
        .bind_optional(filter.user)
        .bind(i64::from(limit))
        .fetch_all()
        .await
    }

    /// Returns where a walk is after `limit` more events, and keeps these until the transaction ends; `None` at the end.
    pub async fn outbox_walk(
        &mut self,
        after: OutboxPosition,
        user: Option<UserId>,
        limit: u32,
    ) -> Result<Option<OutboxPosition>, StoreError> {
        let window: Vec<OutboxPosition> = self
            .query_either(
                "SELECT subject_id, subject_seq FROM outbox
                 WHERE (subject_id, subject_seq) > ($1, $2) AND ($3 IS NULL OR subject_id = $3)
                 ORDER BY subject_id, subject_seq LIMIT $4",
                "SELECT subject_id, subject_seq FROM outbox
                 WHERE (subject_id, subject_seq) > ($1, $2) AND ($3 IS NULL OR subject_id = $3)
                 ORDER BY subject_id, subject_seq LIMIT $4 FOR KEY SHARE",
            )
            .bind(after.subject)
            .bind(after.sequence)
            .bind_optional(user)
            .bind(i64::from(limit))
            .fetch_all()
            .await?;
        Ok(window.last().copied())
    }

    /// Counts what the filter means between two positions.
    pub async fn outbox_count(
        &mut self,
        filter: &EventFilter,
        after: OutboxPosition,
        to: OutboxPosition,
    ) -> Result<u64, StoreError> {
        let (first, end) = filter.ids();
        let Count(count) = self
            .query(
                "SELECT count(*) AS count FROM outbox
                 WHERE (subject_id, subject_seq) > ($1, $2) AND (subject_id, subject_seq) <= ($3, $4)
                    AND id >= $5 AND id < $6 AND ($7 IS NULL OR type = $7)",
            )
            .bind(after.subject)
            .bind(after.sequence)
            .bind(to.subject)
            .bind(to.sequence)
            .bind(first)
            .bind(end)
            .bind_optional(filter.kind.clone())
            .fetch_one()
            .await?;
        Ok(u64::try_from(count).unwrap_or_default())
    }

    /// Makes what the filter means between two positions due at a sink as if it were new, and returns how much that is.
    pub async fn deliveries_renew(
        &mut self,
        sink: &str,
        filter: &EventFilter,
        after: OutboxPosition,
        to: OutboxPosition,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let (first, end) = filter.ids();
        self.query(
            "INSERT INTO outbox_deliveries (event_id, sink, subject_id, subject_seq, attempts, next_attempt_at)
             SELECT id, $8, subject_id, subject_seq, 0, $9 FROM outbox
             WHERE (subject_id, subject_seq) > ($1, $2) AND (subject_id, subject_seq) <= ($3, $4)
                AND id >= $5 AND id < $6 AND ($7 IS NULL OR type = $7)
             ON CONFLICT (event_id, sink) DO UPDATE SET attempts = 0, next_attempt_at = excluded.next_attempt_at,
                published_at = NULL, outcome = NULL, last_error = NULL",
        )
        .bind(after.subject)
        .bind(after.sequence)
        .bind(to.subject)
        .bind(to.sequence)
        .bind(first)
        .bind(end)
        .bind_optional(filter.kind.clone())
        .bind(sink.to_owned())
        .bind(now)
        .execute()
        .await
    }
}
