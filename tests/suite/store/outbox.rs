//! The outbox as operators look at it, one statement at a time.

use std::time::Duration;

use keyward::domain::{Event, EventFilter, EventId, SessionId, Timestamp, User, UserId};
use keyward::random;
use keyward::store::{DeliveryOutcome, OutboxPosition, StoreError, Tx};

use crate::support::Kind;

use super::{insert_user, open, run};

const SINKS: [&str; 2] = ["amqp", "log"];

/// Writes events about a user, a second apart, and returns their ids.
async fn written(
    tx: &mut Tx,
    user: UserId,
    first: Timestamp,
    count: u64,
) -> Result<Vec<EventId>, StoreError> {
    let mut ids = Vec::new();
    for number in 0..count {
        let at = first + Duration::from_secs(number);
        let id = EventId::new(random::uuid_v7(at));
        let event =
            Event::RefreshTokenReused { user_id: user, session_id: SessionId::new(random::uuid_v7(at)) };
        tx.outbox_insert(id, &event, &SINKS.map(str::to_owned), at).await?;
        ids.push(id);
    }
    Ok(ids)
}

fn all(since: Timestamp) -> EventFilter {
    EventFilter { since, until: None, kind: None, user: None }
}

#[tokio::test]
async fn events_are_paged_by_time_type_and_user() {
    let (_database, store, now) = open().await;
    let User { id: user, .. } = insert_user(&store, now).await;
    run(&store, move |tx| {
        Box::pin(async move {
            let ids = written(tx, user, now, 4).await?;
            let page = tx.outbox_page(&all(now), None, 3).await?;
            assert_eq!(page.iter().map(|event| event.id).collect::<Vec<_>>(), ids[..3]);
            assert_eq!((page[0].sequence, page[0].subject, page[0].occurred_at), (1, Some(user), now));
            let rest = tx.outbox_page(&all(now), Some(ids[2]), 3).await?;
            assert_eq!(rest.iter().map(|event| event.id).collect::<Vec<_>>(), ids[3..]);
            for (filter, expected) in [
                (all(now + Duration::from_secs(2)), 2),
                (EventFilter { until: Some(now + Duration::from_secs(1)), ..all(now) }, 1),
                (EventFilter { user: Some(user), ..all(now) }, 4),
                (EventFilter { user: Some(UserId::new(random::uuid_v7(now))), ..all(now) }, 0),
                (EventFilter { kind: Some("auth.refresh_token_reused".to_owned()), ..all(now) }, 4),
                (EventFilter { kind: Some("auth.user_created".to_owned()), ..all(now) }, 0),
            ] {
                assert_eq!(tx.outbox_page(&filter, None, 9).await?.len(), expected, "{filter:?}");
            }
            Ok(())
        })
    })
    .await;
}

#[tokio::test]
async fn a_walk_goes_by_user_and_number_and_what_it_passes_is_due_again() {
    let (_database, store, now) = open().await;
    let User { id: user, .. } = insert_user(&store, now).await;
    run(&store, move |tx| {
        Box::pin(async move {
            // The second event of the user has the earlier identifier: it waited for the lock in vain.
            let first = written(tx, user, now + Duration::from_secs(5), 1).await?[0];
            let second = written(tx, user, now, 1).await?[0];
            let lease =
                tx.lease_take("relay", "a", Duration::from_secs(99), now).await?.expect("a free lease");
            let later = now + Duration::from_secs(10);
            for id in [first, second] {
                let published = [(id, DeliveryOutcome::Published)];
                assert_eq!(tx.outbox_settle("log", &published, &lease, later).await?, 1);
            }
            assert!(tx.outbox_due("log", 9, &lease, later).await?.is_empty());

            let start = OutboxPosition::start(None);
            let one = tx.outbox_walk(start, None, 1).await?.expect("an event");
            let two = tx.outbox_walk(one, Some(user), 1).await?.expect("another");
            assert_eq!(tx.outbox_walk(two, None, 9).await?, None);
            assert_eq!(tx.outbox_walk(start, None, 9).await?, Some(two));
            assert_eq!(tx.outbox_walk(OutboxPosition::start(Some(user)), Some(user), 1).await?, Some(one));
            let nobody = UserId::new(random::uuid_v7(now));
            assert_eq!(tx.outbox_walk(OutboxPosition::start(Some(nobody)), Some(nobody), 9).await?, None);

            assert_eq!(tx.outbox_count(&all(now), start, two).await?, 2);
            assert_eq!(tx.outbox_count(&all(now), one, two).await?, 1);
            let young = all(now + Duration::from_secs(1));
            assert_eq!(tx.outbox_count(&young, start, two).await?, 1);
            let other = EventFilter { kind: Some("auth.user_created".to_owned()), ..all(now) };
            assert_eq!(tx.outbox_count(&other, start, two).await?, 0);

            assert_eq!(tx.deliveries_renew("log", &other, start, two, later).await?, 0);
            assert_eq!(tx.deliveries_renew("log", &all(now), start, one, later).await?, 1);
            let due = tx.outbox_due("log", 9, &lease, later).await?;
            assert_eq!((due.len(), due[0].event.id, due[0].attempts), (1, first, 0), "what comes first");
            assert_eq!(tx.deliveries_renew("log", &all(now), one, two, later).await?, 1);
            assert_eq!(tx.outbox_due("log", 9, &lease, later).await?[0].event.id, first);
            // A sink that came later gets what it never had.
            assert_eq!(tx.deliveries_renew("new", &all(now), start, two, later).await?, 2);
            assert_eq!(tx.outbox_due("new", 9, &lease, later).await?[0].event.id, first);
            Ok(())
        })
    })
    .await;
}

#[tokio::test]
async fn refusals_are_told_and_what_waits_can_be_given_up() {
    let (_database, store, now) = open().await;
    let User { id: user, .. } = insert_user(&store, now).await;
    run(&store, move |tx| {
        Box::pin(async move {
            let ids = written(tx, user, now, 3).await?;
            let none = tx.outbox_refusals("log").await?;
            assert_eq!((none.count, none.last_error), (0, None));
            let (ttl, soon) = (Duration::from_secs(99), now + Duration::from_secs(1));
            assert!(tx.lease_find("relay").await?.is_none());
            let lease = tx.lease_take("relay", "a", ttl, now).await?.expect("a free lease");
            let held = tx.lease_find("relay").await?.expect("it is held");
            assert_eq!((held.holder.as_str(), held.expires_at), ("a", now + ttl));
            for (id, error, wait) in [(ids[0], "later", 2), (ids[1], "earlier", 1)] {
                let next_attempt_at = soon + Duration::from_secs(wait);
                let refused = DeliveryOutcome::Refused { next_attempt_at, error: error.to_owned() };
                assert_eq!(tx.outbox_settle("log", &[(id, refused)], &lease, soon).await?, 1);
            }
            let refusals = tx.outbox_refusals("log").await?;
            assert_eq!((refusals.count, refusals.last_error.as_deref()), (2, Some("later")));
            assert_eq!(tx.outbox_refusals("amqp").await?.count, 0);

            assert_eq!(tx.deliveries_abandon("log", 2, soon).await?, 2, "some at a time");
            assert_eq!(tx.deliveries_abandon("log", 2, soon).await?, 1);
            assert_eq!(tx.deliveries_abandon("log", 2, soon).await?, 0);
            let backlogs = tx.outbox_backlogs().await?;
            assert_eq!((backlogs.len(), &*backlogs[0].sink, backlogs[0].pending), (1, "amqp", 3));
            Ok(())
        })
    })
    .await;
}

#[tokio::test]
async fn notices_are_heard_where_there_are_any() {
    let (database, store, _) = open().await;
    let listener = store.outbox_listener().await.expect("it can be asked for");
    store.outbox_announce().await.expect("it can always be said");
    match (database.kind, listener) {
        (Kind::Sqlite, listener) => assert!(listener.is_none()),
        (Kind::Postgres, listener) => listener.expect("an ear").heard().await.expect("a notice"),
    }
}
