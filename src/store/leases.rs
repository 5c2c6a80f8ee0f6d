use std::time::Duration;

use super::sql::{Record, Row};
use super::{StoreError, Tx};
use crate::domain::Timestamp;

/// The right to do a job that one replica does at a time, until it expires or is given back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    pub name: String,
    pub holder: String,
    /// Rises with every change of holder; a write that names an old one changes nothing.
    pub fence: i64,
}

/// Who does a job at the moment, as others see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldLease {
    pub holder: String,
    pub expires_at: Timestamp,
}

impl Record for HeldLease {
    fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        Ok(Self { holder: row.get("holder")?, expires_at: row.get("expires_at")? })
    }
}

struct Name(String);

impl Record for Name {
    fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        row.get("name").map(Self)
    }
}

struct Fence(i64);

impl Record for Fence {
    fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        row.get("fence").map(Self)
    }
}

/// What lasts for longer than a lease and this was taken by a clock that was wrong, and nobody is to wait for it. Generous,
/// since two who live and differ by more take it from each other time and again.
const CLOCKS_APART: Duration = Duration::from_secs(600);

impl Tx {
    /// Takes or prolongs a lease; `None` while another holder's has not expired.
    pub async fn lease_take(
        &mut self,
        name: &str,
        holder: &str,
        ttl: Duration,
        now: Timestamp,
    ) -> Result<Option<Lease>, StoreError> {
        let fence: Option<Fence> = self
            .query(
                "INSERT INTO leases (name, holder, fence, expires_at) VALUES ($1, $2, 1, $3) \
                 ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, expires_at = excluded.expires_at, \
                 fence = leases.fence + CASE WHEN leases.holder = excluded.holder THEN 0 ELSE 1 END \
                 WHERE leases.holder = excluded.holder OR leases.expires_at <= $4 OR leases.expires_at > $5 \
                 RETURNING fence",
            )
            .bind(name.to_owned())
            .bind(holder.to_owned())
            .bind(now + ttl)
            .bind(now)
            .bind(now + ttl + CLOCKS_APART)
            .fetch_optional()
            .await?;
        Ok(fence.map(|Fence(fence)| Lease { name: name.to_owned(), holder: holder.to_owned(), fence }))
    }

    /// Returns who took a lease last, be it expired or not.
    pub async fn lease_find(&mut self, name: &str) -> Result<Option<HeldLease>, StoreError> {
        self.query("SELECT holder, expires_at FROM leases WHERE name = $1")
            .bind(name.to_owned())
            .fetch_optional()
            .await
    }

    /// Returns the names of leases that begin so and are held, or were after `since`; not of those that were given back.
    pub async fn leases_held(&mut self, prefix: &str, since: Timestamp) -> Result<Vec<String>, StoreError> {
        let held =
            self.query("SELECT name FROM leases WHERE name LIKE $1 || '%' AND expires_at > $2 ORDER BY name");
        let names: Vec<Name> = held.bind(prefix.to_owned()).bind(since).fetch_all().await?;
        Ok(names.into_iter().map(|Name(name)| name).collect())
    }

    /// Gives a lease back early, so that the next holder need not wait for it to expire.
    pub async fn lease_release(&mut self, lease: &Lease, now: Timestamp) -> Result<(), StoreError> {
        self.query("UPDATE leases SET expires_at = $4 WHERE name = $1 AND holder = $2 AND fence = $3")
            .bind(lease.name.clone())
            .bind(lease.holder.clone())
            .bind(lease.fence)
            .bind(now)
            .execute()
            .await
            .map(drop)
    }
}
