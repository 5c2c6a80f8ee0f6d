use super::sql::{Record, Row};
use super::{StoreError, Tx};
use crate::domain::{Failures, Pool, Timestamp};

/// Names the failures of one pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailuresKey {
    pub identifier: String,
    pub pool: Pool,
}

impl Record for Failures {
    fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            count: row.get("failures")?,
            in_a_row: row.get("in_a_row")?,
            began_at: row.get("began_at")?,
            charged_at: row.get("charged_at")?,
        })
    }
}

impl Tx {
    pub async fn login_failures_find(&mut self, key: &FailuresKey) -> Result<Option<Failures>, StoreError> {
        self.query(
            "SELECT failures, in_a_row, began_at, charged_at FROM login_failures WHERE identifier = $1 AND pool = $2",
        )
        .bind(key.identifier.clone())
        .bind(key.pool.to_string())
        .fetch_optional()
        .await
    }

    /// Charges an attempt: `after` takes the place of `before`, which was read. False when another
    /// attempt was quicker, so that no count is lost; then read again.
    pub async fn login_failures_charge(
        &mut self,
        key: &FailuresKey,
        before: Option<&Failures>,
        after: &Failures,
        expires_at: Option<Timestamp>,
    ) -> Result<bool, StoreError> {
        let statement = match before {
            None => self.query(
                "INSERT INTO login_failures (identifier, pool, failures, in_a_row, began_at, charged_at, expires_at) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (identifier, pool) DO NOTHING",
            ),
            Some(_) => self.query(
                "UPDATE login_failures SET failures = $3, in_a_row = $4, began_at = $5, charged_at = $6, expires_at = $7 \
                 WHERE identifier = $1 AND pool = $2 AND in_a_row = $8 AND charged_at = $9",
            ),
        };
        let mut statement = statement
            .bind(key.identifier.clone())
            .bind(key.pool.to_string())
            .bind(after.count)
            .bind(after.in_a_row)
            .bind(after.began_at)
            .bind(after.charged_at)
            .bind_optional(expires_at);
        if let Some(before) = before {
            statement = statement.bind(before.in_a_row).bind(before.charged_at);
        }
        Ok(statement.execute().await? == 1)
    }

    /// Takes the charge of an attempt back that was not judged. `restored_at` is when the one before
    /// it was charged. What has begun anew since then does not know this attempt. `expires_at` is for what had no end by it.
    pub async fn login_failures_give_back(
        &mut self,
        key: &FailuresKey,
        charged: &Failures,
        restored_at: Timestamp,
        expires_at: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        self.query(
            "UPDATE login_failures SET failures = failures - 1, in_a_row = in_a_row - 1, charged_at = $4, \
             expires_at = COALESCE(expires_at, $5) \
             WHERE identifier = $1 AND pool = $2 AND began_at = $3 AND failures > 0 AND in_a_row > 0",
        )
        .bind(key.identifier.clone())
        .bind(key.pool.to_string())
        .bind(charged.began_at)
        .bind(restored_at)
        .bind_optional(expires_at)
        .execute()
        .await
        .map(drop)
    }

    /// Forgets the failures of one pool, as after its success.
    pub async fn login_failures_clear(&mut self, key: &FailuresKey) -> Result<(), StoreError> {
        self.query("DELETE FROM login_failures WHERE identifier = $1 AND pool = $2")
            .bind(key.identifier.clone())
            .bind(key.pool.to_string())
            .execute()
            .await
            .map(drop)
    }

    /// Forgets the failures of every pool of an identifier.
    pub async fn login_failures_clear_all(&mut self, identifier: &str) -> Result<u64, StoreError> {
        self.query("DELETE FROM login_failures WHERE identifier = $1")
            .bind(identifier.to_owned())
            .execute()
            .await
    }

    /// Deletes some of the rows that have expired, and returns how many.
    pub async fn login_failures_purge(&mut self, now: Timestamp, limit: u32) -> Result<u64, StoreError> {
        // Once more outside: a row may have been charged anew since it was found.
        self.query(
            "DELETE FROM login_failures WHERE expires_at <= $1 AND (identifier, pool) IN (
                SELECT identifier, pool FROM login_failures WHERE expires_at <= $1 LIMIT $2
             )",
        )
        .bind(now)
        .bind(i64::from(limit))
        .execute()
        .await
    }
}
