//! The store: every statement runs on this database and does what its name says.

mod admin;
mod audit;
mod login_failures;
mod look;
mod outbox;

use std::time::Duration;

use keyward::clock::Clock;
use keyward::domain::{
    AuditRecord, Caller, ClientId, Email, EndReason, Epoch, Event, EventId, FamilyLimits, Generation, Handle,
    KeyId, KeyStage, KeyState, Kid, PresentedToken, Role, Roles, SecurityEvent, SessionId, Timestamp, User,
    UserFilter, UserId,
};
use keyward::random;
use keyward::store::{
    DeliveryOutcome, MasterKeyRow, NewFamily, NewUser, Rotation, SigningKeyRow, Store, StoreError, Tx,
    UserPage, Work,
};
use serde_json::json;

use crate::support::TestDatabase;

const MAC_KEY: KeyId = KeyId(7);

#[tokio::test]
async fn users_are_stored_found_and_changed() {
    let (_database, store, now) = open().await;
    let (ada, eve) = (new_user("Ada@Example.com", now), new_user("ada@example.COM", now));
    let (id, email) = (ada.id, ada.email.clone());
    run(&store, move |tx| {
        Box::pin(async move {
            let made = tx.user_insert(ada).await?.expect("a new user");
            assert!(tx.user_insert(eve).await?.is_none(), "the canonical address is taken");
            assert_eq!(
                (made.email.display(), made.email.canonical()),
                ("Ada@Example.com", "ada@example.com")
            );
            assert_eq!((made.created_at, made.updated_at, made.session_epoch), (now, now, Epoch(0)));
            let by_id = tx.user_by_id(id).await?.expect("by id");
            let by_email = tx.user_by_email(&email).await?.expect("by address");
            assert_eq!((by_id.id, by_email.id, by_id.roles.names()), (id, id, vec!["admin", "user"]));
            assert!(tx.user_by_id(UserId::new(random::uuid_v7(now))).await?.is_none());
            assert!(tx.admin_exists().await?);

            tx.user_lock(id).await?;
            tx.user_rehash(id, "not this one".to_owned(), "new".to_owned()).await?;
            assert_eq!(tx.user_credential_by_email(&email).await?.expect("one").password_hash, "old");
            tx.user_rehash(id, "old".to_owned(), "new".to_owned()).await?;
            let later = now + Duration::from_secs(1);
            assert_eq!(tx.user_advance_epoch(id, later).await?, 1);
            let credential = tx.user_credential_by_email(&email).await?.expect("one");
            assert_eq!((credential.password_hash.as_str(), credential.session_epoch), ("new", Epoch(1)));
            assert_eq!(tx.user_by_id(id).await?.expect("one").updated_at, later);
            Ok(())
        })
    })
    .await;
}

#[tokio::test]
async fn users_are_listed_page_by_page() {
    let (_database, store, now) = open().await;
    run(&store, move |tx| {
        Box::pin(async move {
            for number in 0..5 {
                let at = now + Duration::from_millis(number);
                tx.user_insert(new_user(&format!("u{number}@example.com"), at)).await?;
            }
            let first = tx.users_list(UserFilter::default(), UserPage { after: None, limit: 3 }).await?;
            let after = first.last().map(|user| user.id);
            let rest = tx.users_list(UserFilter::default(), UserPage { after, limit: 3 }).await?;
            let all: Vec<_> = first.iter().chain(&rest).map(|user| user.email.display().to_owned()).collect();
            assert_eq!(all, (0..5).map(|n| format!("u{n}@example.com")).collect::<Vec<_>>());
            Ok(())
        })
    })
    .await;
}

#[tokio::test]
async fn sessions_open_advance_and_end() {
    let (_database, store, now) = open().await;
    let user = insert_user(&store, now).await;
    let (first, second, stale) = (family(&user, 1, now), family(&user, 2, now), family(&user, 3, now));
    let stale = NewFamily { session_epoch: Epoch(9), ..stale };
    let (id, other, handle) = (first.id, second.id, first.handle);
    run(&store, move |tx| {
        Box::pin(async move {
            assert!(tx.session_insert(first).await? && tx.session_insert(second).await?);
            assert!(!tx.session_insert(stale).await?, "the user moved on");
            let read = tx.session_by_id(id).await?.expect("a session");
            assert_eq!((read.family.generation, read.family.mac_key), (Generation(0), MAC_KEY));
            assert_eq!((read.family.rotated_at, read.user.id), (now, user.id));
            assert!(tx.refresh_token_lock(Handle([9; 16])).await?.is_none());
            assert_eq!(tx.refresh_token_find(handle).await?.expect("by handle").family.id, id);
            assert_eq!(tx.refresh_token_lock(handle).await?.expect("by handle").family.id, id);
            assert_eq!(tx.session_lock(id).await?.expect("by id").family.handle, handle);
            let later = now + Duration::from_secs(5);
            tx.refresh_token_advance(id, Rotation { now: later, mac_key: KeyId(8), ..rotation(now) }).await?;
            let read = tx.session_by_id(id).await?.expect("a session").family;
            assert_eq!((read.generation, read.mac_key, read.rotated_at), (Generation(1), KeyId(8), later));

            assert_eq!(
                tx.sessions_end_excess(user.id, id, 1, later).await?,
                [other],
                "the one less lately used"
            );
            assert!(tx.session_end(id, EndReason::Logout, later).await?);
            assert!(!tx.session_end(id, EndReason::Logout, later).await?, "once");
            let third = family(&user, 4, now);
            let third_id = third.id;
            assert!(tx.session_insert(third).await?);
            assert_eq!(tx.sessions_end_all(user.id, None, EndReason::Logout, later).await?, [third_id]);
            assert_eq!(tx.session_by_id(id).await?.expect("one").family.ended, Some(EndReason::Logout));
            assert_eq!(tx.sessions_purge(later, 10).await?, 0, "none was over before");
            assert_eq!(tx.sessions_purge(later + Duration::from_secs(1), 2).await?, 2, "some at a time");
            assert_eq!(tx.sessions_purge(later + Duration::from_secs(1), 10).await?, 1);
            Ok(())
        })
    })
    .await;
}

#[tokio::test]
async fn a_batch_of_rotations_takes_the_live_and_leaves_the_rest() {
    let (_database, store, now) = open().await;
    let user = insert_user(&store, now).await;
    let families: Vec<_> = (1..=4).map(|number| family(&user, number, now)).collect();
    let ids: Vec<_> = families.iter().map(|family| family.id).collect();
    let ended = ids[3];
    run(&store, move |tx| {
        Box::pin(async move {
            for family in families {
                assert!(tx.session_insert(family).await?);
            }
            tx.session_end(ended, EndReason::Logout, now).await.map(drop)
        })
    })
    .await;
    let presented = |number: u8, generation| PresentedToken {
        handle: Handle([number; 16]),
        generation: Generation(generation),
    };
    let batch = vec![presented(1, 0), presented(2, 0), presented(3, 1), presented(4, 0), presented(5, 0)];
    let later = now + Duration::from_secs(60);
    let how = Rotation { now: later, mac_key: KeyId(9), ..rotation(now) };
    let rotated = store.refresh_tokens_rotate(batch, how).await.expect("a rotation");
    let mut got: Vec<_> = rotated.iter().map(|one| one.family.id).collect();
    got.sort();
    assert_eq!(got, ids[..2], "live families whose current token it is");
    for one in &rotated {
        let family = &one.family;
        assert_eq!((family.generation, family.rotated_at, family.mac_key), (Generation(1), later, KeyId(9)));
    }
    let idle = Rotation { now: later + Duration::from_secs(3600), ..how };
    let none = store.refresh_tokens_rotate(vec![presented(1, 1)], idle).await.expect("a rotation");
    assert!(none.is_empty(), "it has idled too long");
    assert!(store.refresh_tokens_rotate(Vec::new(), how).await.expect("nothing").is_empty());

    let mut found = store
        .sessions_by_ids(vec![ids[0], ids[3], SessionId::new(random::uuid_v7(now))])
        .await
        .expect("reads");
    found.sort_by_key(|one| one.family.id);
    assert_eq!(found.iter().map(|one| one.family.id).collect::<Vec<_>>(), [ids[0], ids[3]]);
}

#[tokio::test]
async fn events_are_due_in_order_and_settled_under_the_lease() {
    let (_database, store, now) = open().await;
    let user = insert_user(&store, now).await;
    run(&store, move |tx| {
        Box::pin(async move {
            let event = |session| Event::RefreshTokenReused { user_id: user.id, session_id: session };
            for number in 0..2_u64 {
                let at = now + Duration::from_millis(number);
                let id = EventId::new(random::uuid_v7(at));
                tx.outbox_insert(id, &event(SessionId::new(random::uuid_v7(at))), &["log".to_owned()], at)
                    .await?;
            }
            let backlogs = tx.outbox_backlogs().await?;
            assert_eq!((backlogs.len(), &*backlogs[0].sink, backlogs[0].pending), (1, "log", 2));
            assert_eq!(backlogs[0].oldest_at, now);
            let (later, ttl) = (now + Duration::from_secs(1), Duration::from_secs(10));
            let lease = tx.lease_take("relay", "a", ttl, now).await?.expect("a free lease");
            let due = tx.outbox_due("log", 10, &lease, later).await?;
            assert_eq!(
                (due.len(), due[0].event.sequence, due[0].attempts),
                (1, 1, 0),
                "one event a user at a time"
            );

            assert_eq!(tx.lease_take("relay", "a", ttl, later).await?.as_ref(), Some(&lease), "prolonged");
            assert!(tx.lease_take("relay", "b", ttl, later).await?.is_none());
            assert!(tx.lease_take("red", "a", Duration::ZERO, later).await?.is_some());
            assert_eq!(tx.leases_held("re", later).await?, ["relay"]);
            assert!(tx.lease_take("ahead", "a", ttl, later + Duration::from_secs(599)).await?.is_some());
            assert!(tx.lease_take("ahead", "b", ttl, later).await?.is_none());
            assert!(tx.lease_take("ahead", "a", ttl, later + Duration::from_secs(3_600)).await?.is_some());
            assert!(tx.lease_take("ahead", "b", ttl, later).await?.is_some(), "nobody waits for an hour");
            let first = due[0].event.id;
            let refused = DeliveryOutcome::Refused { next_attempt_at: later + ttl, error: "away".to_owned() };
            assert_eq!(tx.outbox_settle("log", &[(first, refused)], &lease, later).await?, 1);
            assert!(
                tx.outbox_due("log", 10, &lease, later).await?.is_empty(),
                "it waits, and the next behind it"
            );
            tx.lease_release(&lease, later).await?;
            let taken = tx.lease_take("relay", "b", ttl, later).await?.expect("given back");
            assert_eq!(taken.fence, lease.fence + 1);
            let published = [(first, DeliveryOutcome::Published)];
            assert_eq!(tx.outbox_settle("log", &published, &lease, later).await?, 0, "an old fence");
            assert_eq!(tx.outbox_settle("log", &published, &taken, later).await?, 1);
            assert_eq!(tx.outbox_settle("log", &published, &taken, later).await?, 0, "once");
            let next = tx.outbox_due("log", 10, &taken, later).await?;
            assert_eq!((next.len(), next[0].event.sequence), (1, 2));
            assert!(tx.outbox_due("log", 10, &lease, later).await?.is_empty(), "an old fence");

            let (nil, far) = (EventId::first_at(Timestamp::from_micros(0)), now + 10 * ttl);
            assert!(tx.outbox_purge(nil, now, 10).await?.is_none(), "too young");
            let last = tx.outbox_purge(nil, far, 1).await?.expect("one step");
            assert_eq!((last, tx.outbox_purge(last, far, 10).await?), (first, Some(next[0].event.id)));
            let unwanted = [(next[0].event.id, DeliveryOutcome::NoSubscriber)];
            assert_eq!(tx.outbox_settle("log", &unwanted, &taken, later).await?, 1, "what waits is kept");
            assert!(tx.outbox_backlogs().await?.is_empty());
            assert!(tx.outbox_purge(nil, far, 10).await?.is_some());
            assert!(tx.outbox_purge(nil, far, 10).await?.is_none(), "all gone");
            Ok(())
        })
    })
    .await;
}

#[tokio::test]
async fn signing_keys_go_through_their_states() {
    let (_database, store, now) = open().await;
    run(&store, move |tx| {
        Box::pin(async move {
            tx.signing_keys_lock().await?;
            tx.signing_key_insert(signing_key("a", KeyState::Active, now)).await?;
            let later = now + Duration::from_secs(1);
            tx.signing_key_insert(signing_key("b", KeyState::Pending, later)).await?;
            let keys = tx.signing_keys_published().await?;
            let states: Vec<_> = keys.iter().map(|key| (key.stage.kid.as_str(), key.stage.state)).collect();
            assert_eq!(states, [("b", KeyState::Pending), ("a", KeyState::Active)], "newest first");
            assert_eq!((&keys[1].sealed_private, keys[1].master_key), (&vec![1, 2, 3], MAC_KEY));
            tx.signing_key_retire(kid("a"), later).await?;
            tx.signing_key_promote(kid("b"), later).await?;
            tx.signing_key_reseal(kid("b"), vec![4], KeyId(8)).await?;
            let keys = tx.signing_keys_published().await?;
            assert_eq!((keys[0].stage.state, keys[0].stage.promoted_at), (KeyState::Active, Some(later)));
            assert_eq!((&keys[0].sealed_private, keys[0].master_key), (&vec![4], KeyId(8)));
            assert_eq!((keys[1].stage.state, keys[1].stage.retired_at), (KeyState::Retired, Some(later)));
            tx.signing_key_remove(kid("a")).await?;
            assert_eq!(tx.signing_keys_published().await?.len(), 1);
            Ok(())
        })
    })
    .await;
    let second: Result<(), StoreError> = store
        .transaction("second", move |tx| {
            Box::pin(async move { tx.signing_key_insert(signing_key("c", KeyState::Active, now)).await })
        })
        .await;
    assert!(second.is_err(), "one active key");
}

#[tokio::test]
async fn clients_are_named_once_and_revoked_for_good() {
    let (_database, store, now) = open().await;
    run(&store, move |tx| {
        Box::pin(async move {
            let id: ClientId = "orders".parse().expect("a name");
            assert!(tx.client_insert(id.clone(), vec![1], now).await?);
            assert!(!tx.client_insert(id.clone(), vec![2], now).await?, "taken");
            let client = tx.client_by_id(id.clone()).await?.expect("a client");
            assert_eq!((client.secret_sha256, client.created_at, client.revoked_at), (vec![1], now, None));
            assert!(tx.client_revoke(id.clone(), now).await?);
            assert!(!tx.client_revoke(id.clone(), now).await?, "once");
            assert!(!tx.client_insert(id, vec![3], now).await?, "not even then");
            let all = tx.clients_list().await?;
            assert_eq!((all.len(), all[0].revoked_at), (1, Some(now)));
            Ok(())
        })
    })
    .await;
}

#[tokio::test]
async fn a_password_change_keeps_one_session() {
    let (_database, store, now) = open().await;
    let user = insert_user(&store, now).await;
    let (kept, other) = (family(&user, 1, now), family(&user, 2, now));
    let (kept_id, other_id) = (kept.id, other.id);
    run(&store, move |tx| {
        Box::pin(async move {
            assert!(tx.session_insert(kept).await? && tx.session_insert(other).await?);
            let listed = tx.sessions_list(user.id, rotation(now).limits, now).await?;
            assert_eq!(listed.iter().map(|one| one.id).collect::<Vec<_>>(), [other_id, kept_id]);
            let old = tx.user_credential_by_id(user.id).await?.expect("one");
            let epoch = tx.user_password_replace(&old, "new".to_owned(), now).await?.expect("replaced");
            assert_eq!(epoch, Epoch(1));
            assert!(tx.user_password_replace(&old, "newer".to_owned(), now).await?.is_none(), "it changed");
            assert!(
                tx.sessions_list(user.id, rotation(now).limits, now).await?.is_empty(),
                "of another epoch"
            );
            let ended = tx.sessions_end_all(user.id, Some(kept_id), EndReason::Logout, now).await?;
            assert_eq!(ended, [other_id]);
            assert!(tx.session_restamp(kept_id, epoch).await?);
            assert!(!tx.session_restamp(other_id, epoch).await?, "it has ended");
            let listed = tx.sessions_list(user.id, rotation(now).limits, now).await?;
            assert_eq!(listed.iter().map(|one| one.id).collect::<Vec<_>>(), [kept_id]);
            Ok(())
        })
    })
    .await;
}

#[tokio::test]
async fn records_and_the_installation_are_kept() {
    let (database, store, now) = open().await;
    run(&store, move |tx| {
        Box::pin(async move {
            assert_eq!(tx.installation_token_epoch().await?, 0);
            let row = MasterKeyRow { key_id: MAC_KEY, check_value: vec![1], retired: false };
            let next = MasterKeyRow { key_id: KeyId(8), ..row.clone() };
            tx.master_key_insert(row.clone(), now).await?;
            tx.master_key_insert(MasterKeyRow { check_value: vec![2], ..row }, now).await?;
            tx.master_key_insert(next, now).await?;
            tx.master_keys_retire_all_but(KeyId(8), now).await?;
            let rows = tx.master_keys_list().await?;
            let rows: Vec<_> = rows.iter().map(|row| (row.key_id, row.check_value[0], row.retired)).collect();
            assert_eq!(rows, [(MAC_KEY, 1, true), (KeyId(8), 1, false)]);
            tx.master_key_return(MAC_KEY).await?;
            assert!(tx.master_keys_list().await?.iter().all(|row| !row.retired));

            let caller = Caller::new(Some([127, 0, 0, 1].into()), Some("a\u{1b}gent"), "id".to_owned());
            let whole = AuditRecord::new(SecurityEvent::LoginFailed, &caller)
                .user(UserId::new(random::uuid_v7(now)))
                .session(SessionId::new(random::uuid_v7(now)))
                .detail(json!({ "reason": "why" }));
            tx.audit_insert(whole, now).await?;
            tx.audit_insert(AuditRecord::new(SecurityEvent::LoginFailed, &Caller::default()), now).await
        })
    })
    .await;
    let texts = "SELECT ip || ' ' || user_agent || ' ' || request_id || ' ' || detail FROM audit_log WHERE detail IS NOT NULL";
    assert_eq!(database.texts(texts).await, [r#"127.0.0.1 agent id {"reason":"why"}"#]);
    let bare = "SELECT count(*) FROM audit_log WHERE user_id IS NULL AND session_id IS NULL AND ip IS NULL \
        AND user_agent IS NULL AND detail IS NULL";
    assert_eq!(database.number(bare).await, 1);
}

/// A new method of `Tx` or `Store` without a test here would be tried on one database at most.
#[test]
fn every_statement_has_a_test() {
    let tests = [
        include_str!("store.rs"),
        include_str!("store/admin.rs"),
        include_str!("store/audit.rs"),
        include_str!("store/look.rs"),
        include_str!("store/outbox.rs"),
        include_str!("store/login_failures.rs"),
        include_str!("migrations.rs"),
        include_str!("transactions.rs"),
    ]
    .concat();
    let elsewhere = [
        "open",
        "sqlite_path",
        "user_epoch",
        "transient",
        "with_budget",
        "within_budget",
        "unhurried",
        "start",
        "call",
    ];
    for entry in std::fs::read_dir("src/store").expect("tests run in the package's folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() || path.file_name().is_some_and(|name| name == "sql.rs") {
            continue;
        }
        let source = std::fs::read_to_string(&path).expect("UTF-8");
        for rest in source.split("pub async fn ").skip(1) {
            let name = rest.split(['(', '<']).next().unwrap_or_default();
            let called = [".", "::"].iter().any(|by| tests.contains(&format!("{by}{name}(")));
            assert!(called || elsewhere.contains(&name), "{}: {name} has no test", path.display());
        }
    }
}

async fn open() -> (TestDatabase, Store, Timestamp) {
    let database = TestDatabase::create().await;
    let store = database.open().await;
    let now = Clock::System.now();
    store.migrate_up(now).await.expect("a schema");
    (database, store, now)
}

async fn run<F>(store: &Store, work: F)
where
    F: for<'t> FnOnce(&'t mut Tx) -> Work<'t, (), StoreError> + Send + 'static,
{
    store.transaction("test", work).await.expect("the statements run");
}

async fn insert_user(store: &Store, now: Timestamp) -> User {
    let user = new_user("ada@example.com", now);
    let inserted: Result<Option<User>, StoreError> =
        store.transaction("test", |tx| Box::pin(async move { tx.user_insert(user).await })).await;
    inserted.expect("it runs").expect("a new user")
}

fn new_user(email: &str, now: Timestamp) -> NewUser {
    NewUser {
        id: UserId::new(random::uuid_v7(now)),
        email: Email::parse(email).expect("an address"),
        email_verified: false,
        password_hash: "old".to_owned(),
        roles: Roles::new([Role::user(), Role::admin()]).expect("two roles"),
        now,
    }
}

fn family(user: &User, number: u8, now: Timestamp) -> NewFamily {
    NewFamily {
        id: SessionId::new(random::uuid_v7(now + Duration::from_millis(number.into()))),
        user_id: user.id,
        handle: Handle([number; 16]),
        mac_key: MAC_KEY,
        session_epoch: user.session_epoch,
        client_id: "keyward",
        now,
        expires_at: now + Duration::from_secs(86_400),
        ip: None,
        user_agent: Some("test".to_owned()),
    }
}

const fn rotation(now: Timestamp) -> Rotation {
    let limits = FamilyLimits { idle: Duration::from_secs(600), grace: Duration::from_secs(30) };
    Rotation { limits, mac_key: MAC_KEY, now }
}

fn signing_key(name: &str, state: KeyState, now: Timestamp) -> SigningKeyRow {
    SigningKeyRow {
        stage: KeyStage {
            kid: kid(name),
            algorithm: "ES256".to_owned(),
            state,
            created_at: now,
            promoted_at: None,
            retired_at: None,
        },
        public_jwk: "{}".to_owned(),
        sealed_private: vec![1, 2, 3],
        master_key: MAC_KEY,
    }
}

fn kid(name: &str) -> Kid {
    Kid::parse(name).expect("a key id")
}

fn role(name: &str) -> Role {
    Role::parse(name).expect("a role")
}
