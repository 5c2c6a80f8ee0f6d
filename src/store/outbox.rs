use super::sql::{Record, Row};
use super::{Lease, StoreError, Tx};
use crate::domain::{Event, EventId, PendingEvent, Timestamp, UserId};

/// Stands in `subject_id` for events that are about no user.
pub(super) const INSTALLATION: UserId = UserId::new(uuid::Uuid::nil());

/// An event that a sink has not confirmed yet.
#[derive(Debug, Clone)]
pub struct Delivery {
    pub event: PendingEvent,
    /// How often it was refused before.
    pub attempts: i64,
}

/// How an attempt ended.
#[derive(Debug, Clone)]
pub enum DeliveryOutcome {
    Published,
    /// The sink works and nobody wants events of this type.
    NoSubscriber,
    Refused {
        next_attempt_at: Timestamp,
        error: String,
    },
}

impl Record for PendingEvent {
    fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        let data: String = row.get("data")?;
        Ok(Self {
            id: row.get("event_id")?,
            subject: Some(row.get("subject_id")?).filter(|subject| *subject != INSTALLATION),
            sequence: row.get("subject_seq")?,
            kind: row.get("type")?,
            occurred_at: row.get("occurred_at")?,
            data: serde_json::from_str(&data).map_err(|e| StoreError::column("data", &e))?,
        })
    }
}

impl Record for Delivery {
    fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        Ok(Self { event: PendingEvent::read(row)?, attempts: row.get("attempts")? })
    }
}

struct Seq(i64);

impl Record for Seq {
    fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        row.get("event_seq").map(Self)
    }
}

impl Tx {
    /// Writes an event in the transaction that causes it, with one delivery for each sink. Its
    /// number is given under the user's row lock, so numbers follow the order of the commits.
    pub async fn outbox_insert(
        &mut self,
        id: EventId,
        event: &Event,
        sinks: &[String],
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
            .bind(sink.clone())
            .bind(subject)
            .bind(seq)
            .bind(now)
            .execute()
            .await?;
        }
        Ok(())
    }

    /// Returns what a sink is due, at most one event per user: the next waits for its confirmation.
    /// Nothing, when the lease has passed to somebody else.
    pub async fn outbox_due(
        &mut self,
        sink: &str,
        limit: usize,
        lease: &Lease,
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
                AND EXISTS (SELECT 1 FROM leases WHERE name = $4 AND holder = $5 AND fence = $6)
             ORDER BY d.next_attempt_at, d.event_id LIMIT $3",
        )
        .bind(sink.to_owned())
        .bind(now)
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .bind(lease.name.clone())
        .bind(lease.holder.clone())
        .bind(lease.fence)
        .fetch_all()
        .await
    }

    /// Records how attempts ended and returns how many were recorded. When the lease has passed to
    /// somebody else that is none, and the events may reach the sink twice.
    pub async fn outbox_settle(
        &mut self,
        sink: &str,
        outcomes: &[(EventId, DeliveryOutcome)],
        lease: &Lease,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let ended = |wanted: fn(&DeliveryOutcome) -> bool| {
            let ids = outcomes.iter().filter(move |(_, outcome)| wanted(outcome)).map(|(id, _)| *id);
            ids.collect::<Vec<_>>()
        };
        let published = ended(|outcome| matches!(outcome, DeliveryOutcome::Published));
        let unwanted = ended(|outcome| matches!(outcome, DeliveryOutcome::NoSubscriber));
        let mut settled = self.deliveries_end(sink, &published, "published", lease, now).await?;
        settled += self.deliveries_end(sink, &unwanted, "no_subscriber", lease, now).await?;
        for (id, outcome) in outcomes {
            if let DeliveryOutcome::Refused { next_attempt_at, error } = outcome {
                settled += self.delivery_postpone(sink, *id, *next_attempt_at, error, lease).await?;
            }
        }
        Ok(settled)
    }

    async fn deliveries_end(
        &mut self,
        sink: &str,
        ids: &[EventId],
        outcome: &str,
        lease: &Lease,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        // PostgreSQL takes them all in one statement, SQLite one after the other in the transaction.
        let groups: Vec<&[EventId]> =
            if self.postgres() { ids.chunks(ids.len().max(1)).collect() } else { ids.chunks(1).collect() };
        let mut ended = 0;
        for group in groups {
            let query = self.query_either(
                "UPDATE outbox_deliveries
                 SET attempts = attempts + 1, published_at = $1, outcome = $2, last_error = NULL
                 WHERE sink = $3 AND published_at IS NULL
                    AND EXISTS (SELECT 1 FROM leases WHERE name = $4 AND holder = $5 AND fence = $6)
                    AND event_id = $7",
                "UPDATE outbox_deliveries
                 SET attempts = attempts + 1, published_at = $1, outcome = $2, last_error = NULL
                 WHERE sink = $3 AND published_at IS NULL
                    AND EXISTS (SELECT 1 FROM leases WHERE name = $4 AND holder = $5 AND fence = $6)
                    AND event_id = ANY($7)",
            );
            let query = query
                .bind(now)
                .bind(outcome.to_owned())
                .bind(sink.to_owned())
                .bind(lease.name.clone())
                .bind(lease.holder.clone())
                .bind(lease.fence);
            ended += query.bind_group(group.iter().copied()).execute().await?;
        }
        Ok(ended)
    }

    async fn delivery_postpone(
        &mut self,
        sink: &str,
        id: EventId,
        next_attempt_at: Timestamp,
        error: &str,
        lease: &Lease,
    ) -> Result<u64, StoreError> {
        self.query(
            "UPDATE outbox_deliveries SET attempts = attempts + 1, next_attempt_at = $3, last_error = $4
             WHERE event_id = $1 AND sink = $2 AND published_at IS NULL
                AND EXISTS (SELECT 1 FROM leases WHERE name = $5 AND holder = $6 AND fence = $7)",
        )
        .bind(id)
        .bind(sink.to_owned())
        .bind(next_attempt_at)
        .bind(error.to_owned())
        .bind(lease.name.clone())
        .bind(lease.holder.clone())
        .bind(lease.fence)
        .execute()
        .await
    }
}
