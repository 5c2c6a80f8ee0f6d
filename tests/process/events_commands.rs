//! `keyward events` beside a running server, on both databases.

use std::collections::BTreeMap;
use std::time::Duration;

use keyward::clock::Clock;
use keyward::domain::{Event, EventId, Kid};
use keyward::store::StoreError;
use serde_json::Value;

use crate::support::{Process, Server, Setup, TestDatabase, until};

#[tokio::test]
async fn an_operator_sees_that_nothing_waits_and_who_relays() {
    let database = TestDatabase::create().await;
    let setup = Setup::on(&database);
    let server = setup.serve().await;
    server.user().await;
    published(&server, 1).await;
    let status = status(&setup).await;
    let log = &status["sinks"][0];
    assert_eq!((&log["name"], &log["configured"], &log["pending"]), (&"log".into(), &true.into(), &0.into()));
    let holder = log["relay"]["holder"].as_str().expect("a server relays");
    assert!(server.process.stdout().contains(holder), "its log tells which server it is");
    let text = setup.run(&["events", "status", "--max-age", "0s"]).await.expect_code(0).stdout;
    assert!(text.starts_with("log\n  pending  0\n  relay    0"), "{text}");
}

#[tokio::test]
async fn replayed_events_come_again_under_the_same_ids_in_the_same_order() {
    let database = TestDatabase::create().await;
    let setup = Setup::on(&database);
    let server = setup.serve().await;
    let (ada, eve) = (server.user().await, server.user().await);
    let (ada_id, eve_id) = (ada.id().await, eve.id().await);
    ada.logout().await.expect_status(204);
    eve.logout().await.expect_status(204);
    let before = published(&server, 4).await;
    let replay = async |arguments: &[&str]| {
        setup.run(&[&["events", "replay", "--since", "1h"], arguments].concat()).await
    };

    let would = "4 events would be due again for log";
    assert_eq!(replay(&["--dry-run"]).await.expect_code(0).stdout, format!("{would}\n"));
    replay(&[]).await.expect_refusal(1, &[would, "nothing was changed", "--yes"]);
    for (arguments, count) in [
        (["--user", ada_id.as_str()], 2),
        (["--type", "auth.user_created"], 2),
        (["--type", "auth.user_deleted"], 0),
        (["--until", "1h"], 0),
        (["--sink", "log"], 4),
    ] {
        let said = replay(&[&arguments[..], &["--dry-run"]].concat()).await.expect_code(0).stdout;
        assert!(said.starts_with(&format!("{count} events")), "{arguments:?}: {said}");
    }

    assert_eq!(replay(&["--yes"]).await.expect_code(0).stdout, "4 events are due again\n");
    let after = published(&server, 8).await;
    let again = by_subject(&after[4..]);
    assert_eq!(again, by_subject(&before), "the same events, those of a user in the same order");
    assert_eq!(again.keys().collect::<Vec<_>>(), {
        let mut ids = [&ada_id, &eve_id];
        ids.sort();
        ids
    });
    replay(&["--user", &eve_id, "--type", "auth.user_created", "--yes"]).await.expect_code(0);
    let last = published(&server, 9).await.remove(8);
    assert_eq!((&last["subject"], &last["sequence"]), (&eve_id.into(), &"1".into()));
    let records = database.texts("SELECT detail FROM audit_log WHERE event = 'events_replayed' ORDER BY id");
    let records = records.await;
    assert_eq!(records.len(), 2, "{records:?}");
    assert!(
        records[1].contains("auth.user_created") && records[1].contains(r#""sinks":["log"]"#),
        "{records:?}"
    );
}

#[tokio::test]
async fn what_cannot_be_replayed_is_refused_with_a_reason() {
    let database = TestDatabase::create().await;
    let setup = Setup::on(&database).env("KEYWARD_RETENTION_OUTBOX", "1h");
    let replay = ["events", "replay", "--since"];
    let run = async |arguments: &[&str]| setup.run(&[&replay, arguments].concat()).await;
    run(&["61m", "--yes"]).await.expect_refusal(1, &["may have been deleted", "retention.outbox", "fix:"]);
    run(&["2020-01-01T00:00:00Z", "--dry-run"]).await.expect_refusal(1, &["may have been deleted"]);
    run(&["59m", "--dry-run"]).await.expect_code(0);
    run(&["1m", "--sink", "amqp", "--yes"]).await.expect_refusal(1, &["no sink \"amqp\"", "log"]);
    run(&["yesterday", "--yes"]).await.expect_refusal(2, &["2h", "2026-11-24T03:42:08Z"]);
    run(&["1m", "--type", "user_created"]).await.expect_refusal(2, &["auth.user_created"]);
    run(&["1m", "--dry-run", "--yes"]).await.expect_refusal(2, &["cannot be used with"]);
    assert_eq!(database.number("SELECT count(*) FROM audit_log WHERE event LIKE 'events%'").await, 0);
}

#[tokio::test]
async fn tail_shows_events_as_they_are_committed_each_once() {
    let database = TestDatabase::create().await;
    let setup = Setup::on(&database);
    let server = setup.serve().await;
    let early = server.user().await.id().await;
    let mut tail = setup.start(&["events", "tail", "--json"]);
    let mut late = Vec::new();
    until("the first line", async || {
        late.push(server.user().await.id().await);
        (!tail.stdout().is_empty()).then_some(())
    })
    .await;
    let last = late.last().unwrap().clone();
    let shown = until("the last user", async || {
        let shown = subjects(&tail);
        shown.contains(&last).then_some(shown)
    })
    .await;
    assert!(!shown.contains(&early), "it began with the next");
    let first = late.iter().position(|id| *id == shown[0]).unwrap();
    assert_eq!(shown, late[first..]);
    tail.signal("INT");
    assert_eq!(tail.exit_code().await, 0, "{}", tail.said());

    // What is committed late has an identifier from before.
    let mut tail = setup.start(&["events", "tail", "--since", "1h", "--type", "auth.signing_key_rotated"]);
    let mut all = setup.start(&["events", "tail", "--since", "1h"]);
    until("the past", async || all.stdout().contains(&last).then_some(())).await;
    let behind = Clock::System.now() - Duration::from_secs(30);
    let id = EventId::new(keyward::random::uuid_v7(behind));
    let event =
        Event::SigningKeyRotated { kid: Kid::parse(&"behind-".repeat(7)[..43]).unwrap(), previous: None };
    let store = database.store().await;
    let written: Result<(), StoreError> = store
        .transaction("test", move |tx| {
            Box::pin(async move { tx.outbox_insert(id, &event, &[], behind).await })
        })
        .await;
    written.unwrap();
    until("the one that came late", async || tail.stdout().contains("behind").then_some(())).await;
    until("the one among all", async || all.stdout().contains("behind").then_some(())).await;
    assert!(all.stdout().contains(&format!("auth.user_created  {early} #1  {{")), "{}", all.stdout());
    assert_eq!(tail.stdout().lines().count(), 1, "{}", tail.stdout());
    let lines = all.stdout().lines().count();
    assert_eq!(lines, late.len() + 2, "each once: {}", all.stdout());
    for tail in [&mut tail, &mut all] {
        tail.signal("TERM");
        assert_eq!(tail.exit_code().await, 0, "{}", tail.said());
    }
}

async fn status(setup: &Setup) -> Value {
    let said = setup.run(&["events", "status", "--json"]).await.expect_code(0).stdout;
    serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"))
}

/// Waits until so many envelopes were logged.
async fn published(server: &Server, count: usize) -> Vec<Value> {
    let published = until("events in the log", async || {
        let envelopes = server.process.envelopes();
        (envelopes.len() >= count).then_some(envelopes)
    })
    .await;
    assert_eq!(published.len(), count, "{published:?}");
    published
}

/// Identifiers and types, for each user in the order in which they came.
fn by_subject(envelopes: &[Value]) -> BTreeMap<String, Vec<String>> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for envelope in envelopes {
        let subject = envelope["subject"].as_str().unwrap_or_default().to_owned();
        found.entry(subject).or_default().push(format!("{} {}", envelope["id"], envelope["type"]));
    }
    found
}

fn subjects(tail: &Process) -> Vec<String> {
    let stdout = tail.stdout();
    let whole = stdout.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let envelopes = whole.lines().map(|line| serde_json::from_str::<Value>(line).expect("one JSON a line"));
    envelopes.map(|envelope| envelope["subject"].as_str().unwrap_or_default().to_owned()).collect()
}
