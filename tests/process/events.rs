//! Events while everything around them dies: none lost, none made up, each user's in order.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;

use crate::support::{
    Actor, Exchange, PASSWORD, Proxy, RabbitServer, Received, Server, Setup, TestDatabase, rounds,
};

const PENDING: &str = "SELECT count(*) FROM outbox_deliveries WHERE published_at IS NULL";
const CLIENTS: usize = 8;

/// What a client was promised: the answer came in full.
#[derive(Default)]
struct Acknowledged {
    signups: BTreeSet<String>,
    logouts: usize,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_event_is_lost_or_made_up_while_broker_and_server_die() {
    let database = TestDatabase::create().await;
    let exchange = Exchange::create().await;
    let mut queue = exchange.queue(&["#"]).await;
    let proxy = Proxy::open_to(&exchange.broker()).await;
    let setup = Setup::on(&database).env("KEYWARD_EVENTS_URL", exchange.events_url_through(proxy.address));
    let mut promised = Acknowledged::default();
    for _ in 0..rounds(2, 5) {
        let mut server = setup.serve().await;
        let (done, wanted) = (Arc::new(AtomicUsize::new(0)), rounds(40, 2_000) as usize);
        let clients: Vec<_> =
            (0..CLIENTS).map(|_| tokio::spawn(work_until_cut(&server, Arc::clone(&done)))).collect();
        let reach = async |part: usize| {
            while done.load(Ordering::Relaxed) < part {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        reach(wanted / 3).await;
        proxy.cut();
        reach(wanted * 2 / 3).await;
        proxy.restore();
        reach(wanted).await;
        server.process.kill();
        for client in clients {
            let Acknowledged { signups, logouts } = client.await.unwrap();
            promised.signups.extend(signups);
            promised.logouts += logouts;
        }
    }
    let _server = setup.serve().await;
    let received = all_events(&database, async |count| queue.distinct(count).await).await;
    check_ledger(&database, &received, &promised).await;
    exchange.delete([queue]).await;
}

/// A broker of its own, killed and started again on what it had on disk.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "starts RabbitMQ six times: `cargo xtask prove` runs it"]
async fn no_event_is_lost_while_rabbitmq_itself_is_killed() {
    let database = TestDatabase::create().await;
    let mut rabbit = RabbitServer::start().await;
    let exchange = Exchange::on(&rabbit.url()).await;
    exchange.queue(&["#"]).await;
    let setup = Setup::on(&database).env("KEYWARD_EVENTS_URL", exchange.events_url());
    let server = setup.serve().await;
    let done = Arc::new(AtomicUsize::new(0));
    let clients: Vec<_> =
        (0..CLIENTS).map(|_| tokio::spawn(work_until_cut(&server, Arc::clone(&done)))).collect();
    for _ in 0..5 {
        let before = done.load(Ordering::Relaxed);
        while done.load(Ordering::Relaxed) < before + 500 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        rabbit.kill_and_start_again().await;
    }
    let mut server = server;
    server.process.kill();
    let mut promised = Acknowledged::default();
    for client in clients {
        let Acknowledged { signups, logouts } = client.await.unwrap();
        promised.signups.extend(signups);
        promised.logouts += logouts;
    }
    let _server = setup.serve().await;
    let mut queue = exchange.queue(&["#"]).await;
    let received = all_events(&database, async |count| queue.distinct(count).await).await;
    check_ledger(&database, &received, &promised).await;
}

/// Signs up, logs in and out, one user after another, until the connection breaks.
fn work_until_cut(server: &Server, done: Arc<AtomicUsize>) -> impl Future<Output = Acknowledged> + use<> {
    let (base, http) = (server.url(""), server.anonymous().http);
    async move {
        let mut promised = Acknowledged::default();
        loop {
            let actor = Actor { http: http.clone(), ..Actor::new(base.clone()) };
            let body = json!({ "email": actor.email, "password": PASSWORD });
            let send = |path: &str| http.post(format!("{base}{path}")).json(&body).send();
            match send("/auth/signup").await {
                Ok(answer) if answer.status() == 201 => promised.signups.insert(actor.email.clone()),
                Ok(answer) if answer.status() == 503 => continue,
                Ok(answer) => panic!("{answer:?}"),
                Err(_) => return promised,
            };
            done.fetch_add(1, Ordering::Relaxed);
            if !done.load(Ordering::Relaxed).is_multiple_of(4) {
                continue;
            }
            let Ok(answer) = send("/auth/login").await else { return promised };
            // A machine that is too busy may say so; nothing was promised then.
            if answer.status() == 503 {
                continue;
            }
            assert_eq!(answer.status(), 200, "{answer:?}");
            let Ok(pair) = answer.json::<serde_json::Value>().await else { return promised };
            let access_token = pair["access_token"].as_str().unwrap_or_default();
            let logout = http.post(format!("{base}/auth/logout")).bearer_auth(access_token).send();
            match logout.await {
                Ok(answer) if answer.status() == 204 => promised.logouts += 1,
                Ok(answer) if answer.status() == 503 => {}
                Ok(answer) => panic!("{answer:?}"),
                Err(_) => return promised,
            }
        }
    }
}

/// Waits until the outbox is empty and everything in it has come out of the queue.
async fn all_events(
    database: &TestDatabase,
    take: impl AsyncFnOnce(usize) -> Vec<Received>,
) -> Vec<Received> {
    let patience = async || loop {
        if database.number(PENDING).await == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let limit = Duration::from_secs(60 + 120 * u64::from(rounds(0, 1)));
    tokio::time::timeout(limit, patience()).await.expect("everything is published");
    let count = database.number("SELECT count(*) FROM outbox").await;
    take(usize::try_from(count).unwrap()).await
}

/// Holds what the consumer saw against the outbox and against what clients were promised.
async fn check_ledger(database: &TestDatabase, received: &[Received], promised: &Acknowledged) {
    let mut seen = BTreeMap::new();
    let mut last: BTreeMap<&str, u64> = BTreeMap::new();
    for one in received {
        let earlier = seen.insert(one.message_id.clone(), &one.envelope);
        assert!(earlier.is_none_or(|earlier| *earlier == one.envelope), "a repeat is the same event");
        let subject = one.envelope["subject"].as_str().unwrap_or_default();
        let sequence: u64 = one.envelope["sequence"].as_str().unwrap().parse().unwrap();
        let last = last.entry(subject).or_default();
        assert!(sequence <= *last + 1, "{subject}: {sequence} after {last}");
        *last = sequence.max(*last);
    }
    let ids: BTreeSet<_> = database.texts(id_texts(database)).await.into_iter().collect();
    assert_eq!(seen.keys().cloned().collect::<BTreeSet<_>>(), ids, "none lost, none made up");
    let created: BTreeSet<&str> = seen
        .values()
        .filter(|envelope| envelope["type"] == "auth.user_created")
        .filter_map(|envelope| envelope["data"]["email"].as_str())
        .collect();
    for email in &promised.signups {
        assert!(created.contains(email.as_str()), "{email} was told 201 and has no event");
    }
    assert_eq!(
        database.number("SELECT count(*) FROM users_auth").await,
        i64::try_from(created.len()).unwrap()
    );
    let revoked = seen.values().filter(|envelope| envelope["type"] == "auth.session_revoked").count();
    assert!(revoked >= promised.logouts, "{revoked} of {}", promised.logouts);
    println!(
        "{} events, {} repeats, {} sign-ups and {} logouts acknowledged",
        seen.len(),
        received.len() - seen.len(),
        promised.signups.len(),
        promised.logouts,
    );
}

/// How ids read as text, as JSON writes them.
fn id_texts(database: &TestDatabase) -> &'static str {
    if database.embedded() {
        "SELECT lower(substr(hex(id), 1, 8) || '-' || substr(hex(id), 9, 4) || '-' || substr(hex(id), 13, 4)
            || '-' || substr(hex(id), 17, 4) || '-' || substr(hex(id), 21)) FROM outbox"
    } else {
        "SELECT id::text FROM outbox"
    }
}
