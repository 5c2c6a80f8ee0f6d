use super::sql::{Record, Row};
use super::{Lease, StoreError, Tx};
use crate::domain::{Event, EventId, PendingEvent, Timestamp, UserId};

/// Stands in `subject_id` for events that are about no user.
const INSTALLATION: UserId = UserId::new(uuid::Uuid::nil());

/// An event that a sink has not confirmed yet.
#[derive(Debug, Clone)]
pub struct Delivery {
    pub event: PendingEvent,
    /// How often it was tried before.
    pub attempts: i64,
}

/// What became of an attempt.
#[derive(Debug, Clone)]
pub enum DeliveryOutcome {
    Published,
    Failed { next_attempt_at: Timestamp, error: String },
}

impl Record for Delivery {
    fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        let data: String = row.get("data")?;
        let event = PendingEvent {
            id: row.get("event_id")?,
            subject: Some(row.get("subject_id")?).filter(|subject| *subject != INSTALLATION),
            sequence: row.get("subject_seq")?,
            kind: row.get("type")?,
            occurred_at: row.get("occurred_at")?,
            data: serde_json::from_str(&data).map_err(|e| StoreError::column("data", &e))?,
        };
        Ok(Self { event, attempts: row.get("attempts")? })
    }
}

struct Seq(i64);

impl Record for Seq {
    fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        row.get("event_seq").map(Self)
    }
}

struct Count(i64);

impl Record for Count {
    fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        row.get("count").map(Self)
    }
}

impl Tx {
    /// Writes an event in the transaction that causes it, with one delivery for each sink. Its
    /// number is given under the user's row lock, so numbers follow the order of the commits.
    pub async fn outbox_insert(
        &mut self,
        id: EventId,
        event: &Event,
        sinks: &[&'static str],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let subject = event.subject().unwrap_or(INSTALLATION);
        let Seq(seq) = match event.subject() {
            Some(user) => {
                self.query(
                    "UPDATE users_auth SET event_seq = event_seq + 1 WHERE id = $1 RETURNING event_seq",
                )
                .bind(user)
                .fetch_one()
                .await?
            }
            None => {
                self.query(
                    "UPDATE installation SET event_seq = event_seq + 1 WHERE id = 1 RETURNING event_seq",
                )
                .fetch_one()
                .await?
            }
        };
        self.query(
            "INSERT INTO outbox (id, subject_id, subject_seq, type, occurred_at, data) VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(id)
        .bind(subject)
        .bind(seq)
        .bind(event.kind().to_owned())
        .bind(now)
        .bind(event.data().to_string())
        .execute()
        .await?;
        for sink in sinks {
            self.query(
                "INSERT INTO outbox_deliveries (event_id, sink, subject_id, subject_seq, attempts, next_attempt_at) \
                 VALUES ($1, $2, $3, $4, 0, $5)",
            )
            .bind(id)
            .bind((*sink).to_owned())
            .bind(subject)
            .bind(seq)
            .bind(now)
            .execute()
            .await?;
        }
        Ok(())
    }

    /// Returns what a sink is due, at most one event per user: the next waits for its confirmation.
    pub async fn outbox_due(
        &mut self,
        sink: &str,
        limit: u32,
        now: Timestamp,
    ) -> Result<Vec<Delivery>, StoreError> {
        self.query(
            "SELECT d.event_id, d.subject_id, d.subject_seq, d.attempts, o.type, o.occurred_at, o.data
             FROM outbox_deliveries AS d JOIN outbox AS o ON o.id = d.event_id
             WHERE d.sink = $1 AND d.published_at IS NULL AND d.next_attempt_at <= $2
                AND NOT EXISTS (
                    SELECT 1 FROM outbox_deliveries AS earlier
                    WHERE earlier.sink = d.sink AND earlier.subject_id = d.subject_id
                        AND earlier.subject_seq < d.subject_seq AND earlier.published_at IS NULL
                )
             ORDER BY d.event_id LIMIT $3",
        )
        .bind(sink.to_owned())
        .bind(now)
        .bind(i64::from(limit))
        .fetch_all()
        .await
    }

    /// Records the outcome of an attempt; false when the lease has passed to somebody else, in
    /// which case nothing changes and the event may reach the sink twice.
    pub async fn outbox_settle(
        &mut self,
        (event_id, sink): (EventId, &str),
        outcome: DeliveryOutcome,
        lease: &Lease,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let (published_at, next_attempt_at, error) = match outcome {
            DeliveryOutcome::Published => (Some(now), now, None),
            DeliveryOutcome::Failed { next_attempt_at, error } => (None, next_attempt_at, Some(error)),
        };
        self.query(
            "UPDATE outbox_deliveries
             SET attempts = attempts + 1, published_at = $3, next_attempt_at = $4, last_error = $5
             WHERE event_id = $1 AND sink = $2 AND published_at IS NULL
                AND EXISTS (SELECT 1 FROM leases WHERE name = $6 AND holder = $7 AND fence = $8)",
        )
        .bind(event_id)
        .bind(sink.to_owned())
        .bind_optional(published_at)
        .bind(next_attempt_at)
        .bind_optional(error)
        .bind(lease.name.to_owned())
        .bind(lease.holder.clone())
        .bind(lease.fence)
        .execute()
        .await
        .map(|settled| settled == 1)
    }

    /// Counts what a sink has not confirmed.
    pub async fn outbox_pending(&mut self, sink: &str) -> Result<i64, StoreError> {
        let count: Count = self
            .query("SELECT count(*) AS count FROM outbox_deliveries WHERE sink = $1 AND published_at IS NULL")
            .bind(sink.to_owned())
            .fetch_one()
            .await?;
        Ok(count.0)
    }
}
