use super::{StoreError, Tx};
use crate::domain::{AuditId, AuditRecord, Timestamp};
use crate::random;

impl Tx {
    /// Appends a record in the transaction of what it records: no effect without its record.
    pub async fn audit_insert(&mut self, record: AuditRecord, now: Timestamp) -> Result<(), StoreError> {
        let AuditRecord { event, user_id, session_id, caller, detail } = record;
        self.query(
            "INSERT INTO audit_log (id, occurred_at, event, user_id, actor_id, session_id, ip, user_agent, \
             request_id, detail) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        )
        .bind(AuditId::new(random::uuid_v7(now)))
        .bind(now)
        .bind(event.as_str().to_owned())
        .bind_optional(user_id)
        .bind_optional(caller.actor)
        .bind_optional(session_id)
        .bind_optional(caller.ip)
        .bind_optional(caller.user_agent().map(str::to_owned))
        .bind(caller.request_id)
        .bind_optional(detail.map(|value| value.to_string()))
        .execute()
        .await
        .map(drop)
    }
}
