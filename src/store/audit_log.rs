#[cfg(test)]
mod tests;

use super::sql::{Record, Row};
use super::{StoreError, Tx};
use crate::domain::{AuditEntry, AuditFilter, AuditId, AuditRecord, Origin, Outcome, Timestamp};
use crate::random;

/// Where a listing goes on: with what is older than this record.
#[derive(Debug, Clone, Copy)]
pub struct AuditPage {
    pub before: Option<AuditId>,
    pub limit: u16,
}

/// What keeps records from being changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuditGuard {
    /// Nothing but the file system: whoever may write the file may change any row.
    Embedded,
    /// The database: our role may add records and read them.
    AppendOnly,
    /// Nothing: our role may change or delete them, or owns what would stop it.
    Changeable,
}

impl Record for AuditEntry {
    fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        let detail: Option<String> = row.optional("detail")?;
        let detail = detail.map(|text| serde_json::from_str(&text)).transpose();
        Ok(Self {
            id: row.get("id")?,
            occurred_at: row.get("occurred_at")?,
            event: row.get("event")?,
            outcome: row.optional("outcome")?,
            origin: row.optional("origin")?,
            user_id: row.optional("user_id")?,
            actor_id: row.optional("actor_id")?,
            session_id: row.optional("session_id")?,
            ip: row.optional("ip")?,
            user_agent: row.optional("user_agent")?,
            request_id: row.get("request_id")?,
            detail: detail.map_err(|error| StoreError::column("detail", &error))?,
        })
    }
}

struct Flag(bool);

impl Record for Flag {
    fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        row.get("flag").map(Self)
    }
}

/// A statement of its own for each index: with one for all, SQLite would take the same index for
/// every filter.
macro_rules! listing {
    ($narrowest:literal) => {
        concat!(
            "SELECT id, occurred_at, event, outcome, origin, user_id, actor_id, session_id, ip, user_agent, request_id, \
             detail FROM audit_log WHERE ",
            $narrowest,
            " AND id >= $1 AND id < $2 AND ($3 IS NULL OR user_id = $3) AND ($4 IS NULL OR actor_id = $4) \
             AND ($5 IS NULL OR event = $5) ORDER BY id DESC LIMIT $6"
        )
    };
}

const fn statement(filter: &AuditFilter) -> &'static str {
    match filter {
        AuditFilter { user: Some(_), .. } => listing!("user_id = $3"),
        AuditFilter { actor: Some(_), .. } => listing!("actor_id = $4"),
        AuditFilter { event: Some(_), .. } => listing!("event = $5"),
        _ => listing!("TRUE"),
    }
}

impl Tx {
    /// Appends a record in the transaction of what it records: no effect without its record. It is
    /// told on the log as well, once it is committed.
    pub async fn audit_insert(&mut self, record: AuditRecord, now: Timestamp) -> Result<(), StoreError> {
        let event = record.event;
        let entry = AuditEntry::new(AuditId::new(random::uuid_v7(now)), now, record);
        self.query(
            "INSERT INTO audit_log (id, occurred_at, event, outcome, origin, user_id, actor_id, session_id, ip, \
             user_agent, request_id, detail) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        )
        .bind(entry.id)
        .bind(entry.occurred_at)
        .bind(event.as_str().to_owned())
        .bind_optional(entry.outcome)
        .bind_optional(entry.origin)
        .bind_optional(entry.user_id)
        .bind_optional(entry.actor_id)
        .bind_optional(entry.session_id)
        .bind_optional(entry.ip)
        .bind_optional(entry.user_agent.clone())
        .bind(entry.request_id.clone())
        .bind_optional(entry.detail.as_ref().map(ToString::to_string))
        .execute()
        .await?;
        self.recorded.push(entry);
        Ok(())
    }

    /// Returns a page of records, newest first.
    pub async fn audit_log_list(
        &mut self,
        filter: &AuditFilter,
        page: AuditPage,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        let (first, end) = filter.ids();
        self.query(statement(filter))
            .bind(first)
            .bind(page.before.map_or(end, |before| before.min(end)))
            .bind_optional(filter.user)
            .bind_optional(filter.actor)
            .bind_optional(filter.event.map(|event| event.as_str().to_owned()))
            .bind(i64::from(page.limit))
            .fetch_all()
            .await
    }

    /// Deletes some of the records from before a time, the oldest first, and returns how many.
    pub async fn audit_log_purge(&mut self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        self.query(
            "DELETE FROM audit_log WHERE id IN (SELECT id FROM audit_log WHERE id < $1 ORDER BY id LIMIT $2)",
        )
        .bind(AuditId::first_at(before))
        .bind(i64::from(limit))
        .execute()
        .await
    }

    /// Tells what keeps the role that we are from changing records. Who owns the table, or the schema
    /// that it is in, could give itself any right, or drop it.
    pub async fn audit_guard(&mut self) -> Result<AuditGuard, StoreError> {
        let embedded = !self.postgres();
        let changeable: Flag = self
            .query_either(
                "SELECT TRUE AS flag",
                "SELECT has_table_privilege(t.oid, 'UPDATE, DELETE, TRUNCATE') \
                    OR has_any_column_privilege(t.oid, 'UPDATE') \
                    OR pg_has_role(t.relowner, 'MEMBER') OR pg_has_role(s.nspowner, 'MEMBER') AS flag \
                 FROM pg_class AS t JOIN pg_namespace AS s ON s.oid = t.relnamespace \
                 WHERE t.oid = 'audit_log'::regclass",
            )
            .fetch_one()
            .await?;
        Ok(match changeable {
            _ if embedded => AuditGuard::Embedded,
            Flag(true) => AuditGuard::Changeable,
            Flag(false) => AuditGuard::AppendOnly,
        })
    }
}

/// Tells committed records on the log, one line each.
pub(super) fn announce(entries: Vec<AuditEntry>) {
    for entry in entries {
        let detail = entry.detail.as_ref().map(ToString::to_string);
        tracing::info!(
            target: "keyward::audit",
            audit_id = %entry.id,
            occurred_at = %entry.occurred_at,
            event = entry.event,
            outcome = entry.outcome.map(Outcome::as_str),
            origin = entry.origin.map(Origin::as_str),
            user_id = entry.user_id.map(tracing::field::display),
            actor_id = entry.actor_id.map(tracing::field::display),
            session_id = entry.session_id.map(tracing::field::display),
            ip = entry.ip.map(tracing::field::display),
            user_agent = entry.user_agent,
            request_id = entry.request_id,
            detail,
            "audit"
        );
    }
}
