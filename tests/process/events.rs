//! Events while everything around them dies: none lost, none made up, each user's in order.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::support::{Actor, Exchange, PASSWORD, Proxy, RabbitServer, Server, Setup, TestDatabase, rounds};
#[cfg(feature = "kafka")]
use crate::support::{Tansu, Topic, free_port};

const PENDING: &str = "SELECT count(*) FROM outbox_deliveries WHERE published_at IS NULL";
const CLIENTS: usize = 8;

/// What a client was promised: the answer came in full.
#[derive(Default)]
struct Acknowledged {
    signups: BTreeSet<String>,
    logouts: usize,
}

impl Acknowledged {
    async fn add_all(&mut self, clients: Vec<JoinHandle<Self>>) {
        for client in clients {
            let Self { signups, logouts } = client.await.unwrap();
            self.signups.extend(signups);
            self.logouts += logouts;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_event_is_lost_or_made_up_while_broker_and_server_die() {
    let database = TestDatabase::create().await;
    let exchange = Exchange::create().await;
    let mut queue = exchange.queue(&["#"]).await;
    let proxy = Proxy::open_to(&exchange.broker()).await;
    let setup = Setup::on(&database).env("KEYWARD_EVENTS_URL", exchange.events_url_through(proxy.address));
    let promised = work_while_all_dies(&setup, &proxy).await;
    let _server = setup.serve().await;
    let received = queue.distinct(all_published(&database).await).await;
    let consumed = received.into_iter().map(|one| (one.message_id, one.envelope)).collect();
    check_ledger(&database, consumed, &promised).await;
    exchange.delete([queue]).await;
}

/// The broker keeps all in memory, so it is the line to it that dies.
#[cfg(feature = "kafka")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_event_is_lost_or_made_up_on_kafka_either() {
    let database = TestDatabase::create().await;
    let port = free_port();
    let proxy = Proxy::open_to(&format!("127.0.0.1:{port}")).await;
    let _broker = Tansu::start(port, proxy.address, &[]);
    let topic = Topic::at(&proxy.address.to_string());
    let setup = Setup::on(&database).env("KEYWARD_EVENTS_URL", topic.events_url());
    let promised = work_while_all_dies(&setup, &proxy).await;
    let _server = setup.serve().await;
    let records = topic.records(all_published(&database).await).await;
    let id = |envelope: &Value| envelope["id"].as_str().unwrap().to_owned();
    let consumed = records.into_iter().map(|one| (id(&one.envelope), one.envelope)).collect();
    check_ledger(&database, consumed, &promised).await;
}

/// Cuts the line to the broker and kills the server, again and again, under load.
async fn work_while_all_dies(setup: &Setup, proxy: &Proxy) -> Acknowledged {
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
        promised.add_all(clients).await;
    }
    promised
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
    promised.add_all(clients).await;
    let _server = setup.serve().await;
    let received = exchange.queue(&["#"]).await.distinct(all_published(&database).await).await;
    let consumed = received.into_iter().map(|one| (one.message_id, one.envelope)).collect();
    check_ledger(&database, consumed, &promised).await;
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

/// Waits until everything in the outbox is published, and returns how much that is.
async fn all_published(database: &TestDatabase) -> usize {
    let published = async || {
        while database.number(PENDING).await > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let limit = Duration::from_secs(60 + 120 * u64::from(rounds(0, 1)));
    tokio::time::timeout(limit, published()).await.expect("everything is published");
    usize::try_from(database.number("SELECT count(*) FROM outbox").await).unwrap()
}

/// Holds what the consumer saw against the outbox and against what clients were promised.
async fn check_ledger(database: &TestDatabase, consumed: Vec<(String, Value)>, promised: &Acknowledged) {
    let all = consumed.len();
    let mut seen = BTreeMap::new();
    let mut last: BTreeMap<String, u64> = BTreeMap::new();
    for (id, envelope) in consumed {
        let subject = envelope["subject"].as_str().unwrap_or_default();
        let sequence: u64 = envelope["sequence"].as_str().unwrap().parse().unwrap();
        let last = last.entry(subject.to_owned()).or_default();
        assert!(sequence <= *last + 1, "{subject}: {sequence} after {last}");
        *last = sequence.max(*last);
        let earlier = seen.insert(id, envelope.clone());
        assert!(earlier.is_none_or(|earlier| earlier == envelope), "a repeat is the same event");
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
        all - seen.len(),
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
