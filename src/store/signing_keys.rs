use super::sql::{Record, Row};
use super::{StoreError, Tx};
use crate::domain::{KeyId, KeyStage, Kid, Timestamp};

/// A signing key as it is kept: the public half in clear, the private half sealed.
#[derive(Debug, Clone)]
pub struct SigningKeyRow {
    pub stage: KeyStage,
    pub public_jwk: String,
    pub sealed_private: Vec<u8>,
    pub master_key: KeyId,
}

impl Record for SigningKeyRow {
    fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            stage: KeyStage {
                kid: row.get("kid")?,
                algorithm: row.get("algorithm")?,
                state: row.get("state")?,
                created_at: row.get("created_at")?,
                promoted_at: row.optional("promoted_at")?,
                retired_at: row.optional("retired_at")?,
            },
            public_jwk: row.get("public_jwk")?,
            sealed_private: row.get("sealed_private")?,
            master_key: row.get("master_key_id")?,
        })
    }
}

impl Tx {
    /// Returns every key whose public half is published, newest first.
    pub async fn signing_keys_published(&mut self) -> Result<Vec<SigningKeyRow>, StoreError> {
        self.query(
            "SELECT kid, algorithm, state, public_jwk, sealed_private, master_key_id, created_at, promoted_at, \
             retired_at FROM signing_keys WHERE state <> 'removed' ORDER BY created_at DESC, kid",
        )
        .fetch_all()
        .await
    }

    /// Keeps everyone else from changing signing keys until the transaction ends; reading goes on.
    pub async fn signing_keys_lock(&mut self) -> Result<(), StoreError> {
        self.query_either("SELECT 1", "LOCK TABLE signing_keys IN SHARE ROW EXCLUSIVE MODE")
            .execute()
            .await
            .map(drop)
    }

    pub async fn signing_key_insert(&mut self, key: SigningKeyRow) -> Result<(), StoreError> {
        let SigningKeyRow { stage, public_jwk, sealed_private, master_key } = key;
        self.query(
            "INSERT INTO signing_keys (kid, algorithm, state, public_jwk, sealed_private, master_key_id, created_at, \
             promoted_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(stage.kid)
        .bind(stage.algorithm)
        .bind(stage.state)
        .bind(public_jwk)
        .bind(sealed_private)
        .bind(master_key)
        .bind(stage.created_at)
        .bind_optional(stage.promoted_at)
        .execute()
        .await
        .map(drop)
    }

    pub async fn signing_key_retire(&mut self, kid: Kid, now: Timestamp) -> Result<(), StoreError> {
        self.query("UPDATE signing_keys SET state = 'retired', retired_at = $2 WHERE kid = $1")
            .bind(kid)
            .bind(now)
            .execute()
            .await
            .map(drop)
    }

    pub async fn signing_key_promote(&mut self, kid: Kid, now: Timestamp) -> Result<(), StoreError> {
        self.query("UPDATE signing_keys SET state = 'active', promoted_at = $2 WHERE kid = $1")
            .bind(kid)
            .bind(now)
            .execute()
            .await
            .map(drop)
    }

    /// Takes a key out of use for good, and forgets its private half.
    pub async fn signing_key_remove(&mut self, kid: Kid) -> Result<(), StoreError> {
        self.query("UPDATE signing_keys SET state = 'removed', sealed_private = $2 WHERE kid = $1")
            .bind(kid)
            .bind(Vec::<u8>::new())
            .execute()
            .await
            .map(drop)
    }

    pub async fn signing_key_reseal(
        &mut self,
        kid: Kid,
        sealed: Vec<u8>,
        key: KeyId,
    ) -> Result<(), StoreError> {
        self.query("UPDATE signing_keys SET sealed_private = $2, master_key_id = $3 WHERE kid = $1")
            .bind(kid)
            .bind(sealed)
            .bind(key)
            .execute()
            .await
            .map(drop)
    }
}
