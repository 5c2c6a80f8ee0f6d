use super::sql::{Record, Row};
use super::{StoreError, Tx};
use crate::domain::{KeyId, Timestamp};

/// Proof that a master key was used with this database.
#[derive(Debug, Clone)]
pub struct MasterKeyRow {
    pub key_id: KeyId,
    pub check_value: Vec<u8>,
    /// Set once nothing is sealed with it any more: a replica may be without it.
    pub retired: bool,
}

impl Record for MasterKeyRow {
    fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        let retired_at: Option<Timestamp> = row.optional("retired_at")?;
        Ok(Self {
            key_id: row.get("key_id")?,
            check_value: row.get("check_value")?,
            retired: retired_at.is_some(),
        })
    }
}

struct TokenEpoch(i64);

impl Record for TokenEpoch {
    fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        row.get("token_epoch").map(Self)
    }
}

impl Tx {
    /// Returns the number that is part of every refresh token's MAC.
    pub async fn installation_token_epoch(&mut self) -> Result<i64, StoreError> {
        let epoch: TokenEpoch =
            self.query("SELECT token_epoch FROM installation WHERE id = 1").fetch_one().await?;
        Ok(epoch.0)
    }

    /// Ends every refresh token there is: none has a MAC over the new number.
    pub async fn installation_advance_token_epoch(&mut self) -> Result<i64, StoreError> {
        let epoch: TokenEpoch = self
            .query("UPDATE installation SET token_epoch = token_epoch + 1 WHERE id = 1 RETURNING token_epoch")
            .fetch_one()
            .await?;
        Ok(epoch.0)
    }

    /// Lets one transaction at a time take admins away, so that two cannot take away each other's
    /// last one. To be called before any user is locked.
    pub async fn admins_lock(&mut self) -> Result<(), StoreError> {
        self.query_either("SELECT 1", "SELECT id FROM installation WHERE id = 1 FOR NO KEY UPDATE")
            .execute()
            .await
            .map(drop)
    }

    pub async fn master_keys_list(&mut self) -> Result<Vec<MasterKeyRow>, StoreError> {
        self.query("SELECT key_id, check_value, retired_at FROM master_keys ORDER BY created_at, key_id")
            .fetch_all()
            .await
    }

    /// Lets replicas be without any master key but the current one.
    pub async fn master_keys_retire_all_but(
        &mut self,
        current: KeyId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.query("UPDATE master_keys SET retired_at = $2 WHERE key_id <> $1 AND retired_at IS NULL")
            .bind(current)
            .bind(now)
            .execute()
            .await
            .map(drop)
    }

    /// Takes back that a replica may be without this key: it makes everything new again.
    pub async fn master_key_return(&mut self, current: KeyId) -> Result<(), StoreError> {
        self.query("UPDATE master_keys SET retired_at = NULL WHERE key_id = $1 AND retired_at IS NOT NULL")
            .bind(current)
            .execute()
            .await
            .map(drop)
    }

    /// Records a master key; one that is there already is left as it is.
    pub async fn master_key_insert(&mut self, row: MasterKeyRow, now: Timestamp) -> Result<(), StoreError> {
        self.query(
            "INSERT INTO master_keys (key_id, check_value, created_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        )
        .bind(row.key_id)
        .bind(row.check_value)
        .bind(now)
        .execute()
        .await
        .map(drop)
    }
}
