//! Events are made due again step by step, also for a sink that came later.

use std::time::Duration;

use keyward::app::{Error, OutboxError, Replay};
use keyward::domain::{Event, EventFilter, EventId, UserId};
use keyward::random;

use crate::support::TestServer;

/// More than one transaction makes due.
const MANY: u64 = 1_100;

#[tokio::test]
async fn a_replay_goes_through_all_that_is_kept() {
    let server = TestServer::start().await;
    let user_id: UserId = server.user().await.id().await.parse().unwrap();
    let now = server.clock.now();
    // As events are that were written before their sink was configured.
    let written: Result<(), Error> = server
        .database
        .store()
        .await
        .transaction("test", move |tx| {
            Box::pin(async move {
                for _ in 0..MANY {
                    let id = EventId::new(random::uuid_v7(now));
                    tx.outbox_insert(id, &Event::PasswordChanged { user_id }, &[], now).await?;
                }
                Ok(())
            })
        })
        .await;
    written.unwrap();
    let database = &server.database;
    let deliveries = "SELECT count(*) FROM outbox_deliveries WHERE sink = 'log'";
    assert_eq!(database.number(deliveries).await, 1, "the sign-up's");

    let hour = Duration::from_secs(3_600);
    let all = EventFilter { since: now - hour, until: None, kind: None, user: None };
    let changes = EventFilter { kind: Some("auth.password_changed".to_owned()), ..all.clone() };
    let operator = server.operator();
    let replay = |filter| Replay { filter, sink: None };
    let (sinks, events) = server.app.outbox_replayable(&operator, &replay(changes.clone())).await.unwrap();
    assert_eq!((sinks, events), (vec!["log".to_owned()], MANY));
    assert_eq!(server.app.outbox_replayable(&operator, &replay(all)).await.unwrap().1, MANY + 1);
    assert_eq!(server.app.outbox_replay(&operator, &replay(changes.clone())).await.unwrap(), MANY);
    assert_eq!(database.number(deliveries).await, 1 + i64::try_from(MANY).unwrap());
    database.check_invariants().await;

    let old = EventFilter { since: now - server.app.rules().outbox_retention - hour, ..changes };
    let refused = server.app.outbox_replay(&operator, &replay(old)).await;
    assert!(matches!(refused, Err(OutboxError::NotKept { .. })), "{refused:?}");
    let records = "SELECT count(*) FROM audit_log WHERE event = 'events_replayed'";
    assert_eq!(database.number(records).await, 1, "what was refused and what only counted left none");
}
