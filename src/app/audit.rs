//! The audit log, as admins and operators read it, and how long its records are kept.

use std::time::Duration;

use serde_json::json;

use super::start::open_owner_store;
use super::{Admin, App, Error, Page, StartError};
use crate::clock::Clock;
use crate::config::Settings;
use crate::domain::{AuditEntry, AuditFilter, AuditId, AuditRecord, SecurityEvent, Timestamp};
use crate::store::{AuditGuard, AuditPage, Store};

/// Records that one statement deletes: few, so that nobody waits for it.
const STEP: u32 = 500;

impl App {
    /// Returns records, newest first, from where a cursor of the same filter left off.
    pub async fn audit_page(
        &self,
        _: &Admin,
        filter: AuditFilter,
        limit: u16,
        cursor: Option<&str>,
    ) -> Result<Page<AuditEntry>, Error> {
        let listing = format!("audit {filter}");
        let before = self.page_after(&listing, cursor)?.map(AuditId::new);
        let page = AuditPage { before, limit: limit.saturating_add(1) };
        let found = list(&self.store, filter, page).await?;
        Ok(self.page(&listing, found, limit, |entry| entry.id.uuid()))
    }

    /// Tells what keeps this replica from changing records.
    pub async fn audit_guard(&self) -> Result<AuditGuard, Error> {
        self.store.read("audit_guard", |tx| Box::pin(async move { Ok(tx.audit_guard().await?) })).await
    }

    /// Deletes records that have been kept for long enough, if the database's role may; else its owner does, by
    /// `keyward audit prune`.
    pub(super) async fn audit_purge(&self, now: Timestamp) -> Result<u64, Error> {
        if self.audit_guard().await? == AuditGuard::AppendOnly {
            return Ok(0);
        }
        purge(&self.store, now - self.rules.audit_retention, None, now).await
    }
}

/// The audit log beside the servers, for whoever owns its table. Needs no keys.
#[derive(Debug)]
pub struct AuditLog {
    store: Store,
    kept_for: Duration,
}

impl AuditLog {
    pub async fn open(settings: &Settings, clock: &Clock) -> Result<Self, StartError> {
        let store = open_owner_store(settings).await?;
        store.migrate_up(clock.now()).await?;
        Ok(Self { store, kept_for: settings.retention.audit })
    }

    /// How long the settings want records to be kept.
    #[must_use]
    pub const fn kept_for(&self) -> Duration {
        self.kept_for
    }

    /// Returns records, newest first.
    pub async fn list(
        &self,
        _: &Admin,
        filter: AuditFilter,
        page: AuditPage,
    ) -> Result<Vec<AuditEntry>, Error> {
        list(&self.store, filter, page).await
    }

    /// Deletes records from before a time, and returns how many. That it was done is a record, too.
    pub async fn prune(&self, admin: &Admin, before: Timestamp, now: Timestamp) -> Result<u64, Error> {
        let record = AuditRecord::new(SecurityEvent::AuditPruned, admin.caller());
        purge(&self.store, before, Some(record.detail(json!({ "before": before }))), now).await
    }

    pub async fn close(&self) {
        self.store.close().await;
    }
}

async fn list(store: &Store, filter: AuditFilter, page: AuditPage) -> Result<Vec<AuditEntry>, Error> {
    store
        .read("audit_log_list", move |tx| {
            Box::pin(async move { Ok(tx.audit_log_list(&filter, page).await?) })
        })
        .await
}

/// Deletes step by step. The record is written with the first of them: nothing to delete, nothing to record.
async fn purge(
    store: &Store,
    before: Timestamp,
    mut record: Option<AuditRecord>,
    now: Timestamp,
) -> Result<u64, Error> {
    let mut purged = 0;
    loop {
        let record = record.take();
        let step: Result<u64, Error> = store
            .transaction("audit_log_purge", move |tx| {
                Box::pin(async move {
                    let step = tx.audit_log_purge(before, STEP).await?;
                    if let Some(record) = record.filter(|_| step > 0) {
                        tx.audit_insert(record, now).await?;
                    }
                    Ok(step)
                })
            })
            .await;
        match step? {
            0 => return Ok(purged),
            step => purged += step,
        }
    }
}
