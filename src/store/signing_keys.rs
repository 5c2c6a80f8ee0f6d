use super::sql::{Record, Row};
use super::{StoreError, Tx};
use crate::domain::{KeyId, Timestamp};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    Pending,
    Active,
    Retired,
    Removed,
}

impl KeyState {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Retired => "retired",
            Self::Removed => "removed",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Pending, Self::Active, Self::Retired, Self::Removed]
            .into_iter()
            .find(|state| state.as_str() == text)
    }
}

/// A signing key as it is kept: the public half in clear, the private half sealed.
#[derive(Debug, Clone)]
pub struct SigningKeyRow {
    pub kid: String,
    pub algorithm: String,
    pub state: KeyState,
    pub public_jwk: String,
    pub sealed_private: Vec<u8>,
    pub master_key: KeyId,
}

impl Record for SigningKeyRow {
    fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        let state: String = row.get("state")?;
        Ok(Self {
            kid: row.get("kid")?,
            algorithm: row.get("algorithm")?,
            state: KeyState::parse(&state).ok_or_else(|| StoreError::column("state", &"not a state"))?,
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
            "SELECT kid, algorithm, state, public_jwk, sealed_private, master_key_id FROM signing_keys \
             WHERE state <> 'removed' ORDER BY created_at DESC, kid",
        )
        .fetch_all()
        .await
    }

    /// Stores the active key; false when another replica was first, whose key then counts.
    pub async fn signing_key_insert_active(
        &mut self,
        key: SigningKeyRow,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.query(
            "INSERT INTO signing_keys (kid, algorithm, state, public_jwk, sealed_private, master_key_id, created_at, \
             promoted_at) VALUES ($1, $2, 'active', $3, $4, $5, $6, $6) ON CONFLICT DO NOTHING",
        )
        .bind(key.kid)
        .bind(key.algorithm)
        .bind(key.public_jwk)
        .bind(key.sealed_private)
        .bind(key.master_key)
        .bind(now)
        .execute()
        .await
        .map(|inserted| inserted == 1)
    }
}
