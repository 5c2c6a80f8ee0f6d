use super::sql::{Record, Row};
use super::{StoreError, Tx};
use crate::domain::{ClientId, Timestamp};

/// A service client; its secret is known only to the service.
#[derive(Debug, Clone)]
pub struct ClientRow {
    pub id: ClientId,
    pub secret_sha256: Vec<u8>,
    pub created_at: Timestamp,
    pub revoked_at: Option<Timestamp>,
}

impl Record for ClientRow {
    fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.get("id")?,
            secret_sha256: row.get("secret_sha256")?,
            created_at: row.get("created_at")?,
            revoked_at: row.optional("revoked_at")?,
        })
    }
}

impl Tx {
    /// Stores a client; false when the name is taken, also by a revoked one: names are not used again.
    pub async fn client_insert(
        &mut self,
        id: ClientId,
        secret_sha256: Vec<u8>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.query(
            "INSERT INTO clients (id, secret_sha256, created_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        )
        .bind(id)
        .bind(secret_sha256)
        .bind(now)
        .execute()
        .await
        .map(|inserted| inserted == 1)
    }

    pub async fn client_by_id(&mut self, id: ClientId) -> Result<Option<ClientRow>, StoreError> {
        self.query("SELECT id, secret_sha256, created_at, revoked_at FROM clients WHERE id = $1")
            .bind(id)
            .fetch_optional()
            .await
    }

    pub async fn clients_list(&mut self) -> Result<Vec<ClientRow>, StoreError> {
        self.query("SELECT id, secret_sha256, created_at, revoked_at FROM clients ORDER BY id")
            .fetch_all()
            .await
    }

    /// Takes a client's access away; false when it had none.
    pub async fn client_revoke(&mut self, id: ClientId, now: Timestamp) -> Result<bool, StoreError> {
        self.query("UPDATE clients SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL")
            .bind(id)
            .bind(now)
            .execute()
            .await
            .map(|revoked| revoked == 1)
    }
}
