//! What the rows say about who may do what.

use super::Finding;
use crate::config::Settings;
use crate::store::{AuditGuard, Store, StoreError};

pub(super) async fn look(
    store: &Store,
    settings: &Settings,
    found: &mut Vec<Finding>,
) -> Result<(), StoreError> {
    let admins = store.read("admins_count", |tx| Box::pin(async move { tx.admins_count().await })).await?;
    found.push(judge_admins(admins, settings.admin.is_some()));
    let guard = store.read("audit_guard", |tx| Box::pin(async move { tx.audit_guard().await })).await?;
    found.push(judge_guard(guard));
    Ok(())
}

fn judge_admins(admins: i64, configured: bool) -> Finding {
    const CODE: &str = "admins.exist";
    match (admins, configured) {
        (1.., _) => Finding::ok(CODE, format!("active users with the role admin: {admins}")),
        (_, true) => Finding::note(
            CODE,
            "there is no admin yet",
            "nothing: the next start makes the one of admin.email",
        ),
        (_, false) => Finding::warning(
            CODE,
            "no active user is an admin: /admin is closed to all",
            "`keyward users create --role admin --email you@example.com`, or work with the command line alone",
        ),
    }
}

fn judge_guard(guard: AuditGuard) -> Finding {
    const CODE: &str = "audit.append_only";
    match guard {
        AuditGuard::AppendOnly => {
            Finding::ok(CODE, "the role of this server can add audit records, and change none")
        }
        AuditGuard::Embedded => {
            Finding::ok(CODE, "the audit log is as safe as the file that it is in: SQLite has no roles")
        }
        AuditGuard::Changeable => Finding::warning(
            CODE,
            "the database role of this server may change audit records: whoever breaks in can, too",
            "give servers a role that may not: `keyward migrate grants`, with database.direct_url for the owner",
        ),
    }
}
