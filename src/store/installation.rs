use super::sql::{Record, Row};
use super::{StoreError, Tx};
use crate::domain::{KeyId, Timestamp};

/// Proof that a master key was used with this database.
#[derive(Debug, Clone)]
pub struct MasterKeyRow {
    pub key_id: KeyId,
    pub check_value: Vec<u8>,
}

impl Record for MasterKeyRow {
    fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        Ok(Self { key_id: row.get("key_id")?, check_value: row.get("check_value")? })
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

    pub async fn master_keys_list(&mut self) -> Result<Vec<MasterKeyRow>, StoreError> {
        self.query("SELECT key_id, check_value FROM master_keys ORDER BY created_at, key_id")
            .fetch_all()
            .await
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
