//! The audit log, one statement at a time.

use std::time::Duration;

use keyward::domain::{AuditEntry, AuditFilter, AuditRecord, Caller, Origin, Outcome, SecurityEvent, UserId};
use keyward::random;
use keyward::store::{AuditGuard, AuditPage};
use serde_json::json;

use super::{open, run};
use crate::support::Kind;

#[tokio::test]
async fn records_are_read_newest_first_and_purged_oldest_first() {
    let (database, store, now) = open().await;
    let guard = if database.kind == Kind::Sqlite { AuditGuard::Embedded } else { AuditGuard::Changeable };
    run(&store, move |tx| {
        Box::pin(async move {
            assert_eq!(tx.audit_guard().await?, guard, "the role of tests owns the table");
            let user = UserId::new(random::uuid_v7(now));
            let admin = UserId::new(random::uuid_v7(now));
            let at = |second: u64| now + Duration::from_secs(second);
            let caller = Caller::new(Some([192, 0, 2, 7].into()), Some("agent"), "request".to_owned());
            let by_admin = caller.clone().acting_as(admin);
            for (second, record) in [
                (0, AuditRecord::new(SecurityEvent::UserCreated, &caller).user(user)),
                (
                    1,
                    AuditRecord::new(SecurityEvent::LoginFailed, &caller)
                        .user(user)
                        .detail(json!({ "reason": "x" })),
                ),
                (2, AuditRecord::new(SecurityEvent::LoginFailed, &Caller::command_line("c".to_owned()))),
                (3, AuditRecord::new(SecurityEvent::UserDisabled, &by_admin).user(user)),
            ] {
                tx.audit_insert(record, at(second)).await?;
            }
            let page = |limit| AuditPage { before: None, limit };
            let seconds = |entries: &[AuditEntry]| -> Vec<u64> {
                entries.iter().map(|entry| entry.occurred_at.since(now).as_secs()).collect()
            };
            let all = AuditFilter::default();
            let failed = AuditFilter { event: Some(SecurityEvent::LoginFailed), ..all };
            for (filter, expected) in [
                (all, vec![3, 2, 1, 0]),
                (AuditFilter { user: Some(user), ..all }, vec![3, 1, 0]),
                (AuditFilter { actor: Some(admin), ..all }, vec![3]),
                (failed, vec![2, 1]),
                (AuditFilter { user: Some(user), ..failed }, vec![1]),
                (AuditFilter { actor: Some(admin), ..failed }, vec![]),
                (AuditFilter { since: Some(at(1)), until: Some(at(3)), ..all }, vec![2, 1]),
            ] {
                assert_eq!(seconds(&tx.audit_log_list(&filter, page(9)).await?), expected, "{filter:?}");
            }
            let first = tx.audit_log_list(&all, page(2)).await?;
            assert_eq!(seconds(&first), [3, 2]);
            let rest = AuditPage { before: Some(first[1].id), limit: 2 };
            let rest = tx.audit_log_list(&all, rest).await?;
            assert_eq!(seconds(&rest), [1, 0]);
            assert_eq!((first[0].actor_id, first[0].origin), (Some(admin), Some(Origin::Http)));
            assert_eq!((first[1].origin, first[1].ip), (Some(Origin::CommandLine), None));
            assert_eq!((rest[0].outcome, rest[1].outcome), (Some(Outcome::Failure), Some(Outcome::Success)));
            assert_eq!(rest[0].detail, Some(json!({ "reason": "x" })));
            assert_eq!(rest[0].ip, Some([192, 0, 2, 7].into()));

            assert_eq!(tx.audit_log_purge(at(3), 2).await?, 2, "a step");
            assert_eq!(seconds(&tx.audit_log_list(&all, page(9)).await?), [3, 2], "the oldest are gone");
            assert_eq!(tx.audit_log_purge(at(3), 2).await?, 1);
            assert_eq!(tx.audit_log_purge(at(3), 2).await?, 0);
            Ok(())
        })
    })
    .await;
}
