//! Servers that are stopped and started one after the other, behind a balancer that looks at their readiness (F9).

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::support::{Actor, Crowd, Faults, Kind, Server, Setup, TestDatabase, rounds, until};

const SERVERS: usize = 3;
const PEOPLE: usize = 8;
/// Between two looks at a server, and how many in a row must say so before it is taken out.
const LOOK_EVERY: Duration = Duration::from_secs(1);
const LOOKS: usize = 2;
/// What is promised of a stop.
const STOPPED: Duration = Duration::from_secs(25);

/// Sends requests round to those that are ready, as far as it knows.
#[derive(Clone, Default)]
struct Balancer {
    ready: Arc<Mutex<BTreeMap<String, bool>>>,
    next: Arc<AtomicUsize>,
}

impl Balancer {
    /// Looks at a server from now on, and sends requests there once it is ready.
    async fn add(&self, server: &Server) -> JoinHandle<()> {
        let (balancer, base, operator) = (self.clone(), server.url(""), server.operator());
        let looking = tokio::spawn(async move {
            let mut failed = LOOKS;
            loop {
                let ready = matches!(operator.look().await, Some(200));
                failed = if ready { 0 } else { failed + 1 };
                balancer.ready.lock().unwrap().insert(base.clone(), failed < LOOKS);
                tokio::time::sleep(LOOK_EVERY).await;
            }
        });
        let base = server.url("");
        until("a look at the new server", async || self.sends_to(&base).then_some(())).await;
        looking
    }

    fn sends_to(&self, base: &str) -> bool {
        self.ready.lock().unwrap().get(base).copied().unwrap_or_default()
    }

    fn choose(&self) -> String {
        let ready = self.ready.lock().unwrap();
        let ready: Vec<&String> = ready.iter().filter(|(_, ready)| **ready).map(|(base, _)| base).collect();
        ready[self.next.fetch_add(1, Ordering::Relaxed) % ready.len()].clone()
    }
}

impl Actor {
    /// The status of `/readyz`; `None` where nobody answers.
    async fn look(&self) -> Option<u16> {
        let answer = self.request(reqwest::Method::GET, "/readyz").timeout(LOOK_EVERY).send().await;
        Some(answer.ok()?.status().as_u16())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_fails_while_servers_are_replaced_one_after_the_other() {
    if Kind::of_this_run() == Kind::Sqlite {
        return; // one server a file
    }
    let database = TestDatabase::create().await;
    let (setup, balancer) = (Setup::on(&database), Balancer::default());
    let mut servers = Vec::new();
    for _ in 0..SERVERS {
        let server = setup.serve().await;
        let looking = balancer.add(&server).await;
        servers.push((server, looking));
    }
    let choose = balancer.clone();
    let crowd = Crowd::through(move || choose.choose(), PEOPLE, Faults::None);
    for _ in 0..rounds(2, 15) {
        crowd.works(20).await;
        let (mut old, old_looking) = servers.remove(0);
        let asked = Instant::now();
        let code = old.stop().await;
        assert_eq!(code, 0, "{}", old.process.said());
        assert!(asked.elapsed() < STOPPED, "it stopped after {:?}", asked.elapsed());
        assert!(!balancer.sends_to(&old.url("")), "it was gone before its balancer could know");
        old_looking.abort();
        let server = setup.serve().await;
        let looking = balancer.add(&server).await;
        servers.push((server, looking));
    }
    crowd.works(20).await;
    let ledger = crowd.leaves().await;
    println!("{ledger}");
    ledger.check(&servers[0].0).await;
    database.check_invariants().await;
}

#[tokio::test]
async fn connections_are_closed_in_order_while_a_balancer_is_told() {
    let database = TestDatabase::create().await;
    let mut server = Setup::on(&database).serve().await;
    let user = server.user().await;
    assert_eq!(user.me().await.header("connection"), "");
    server.operator().get("/readyz").await.expect_status(200);
    server.process.signal("TERM");
    until("a server that drains", async || (server.operator().look().await == Some(503)).then_some(())).await;
    // A new connection, which ends after its answer.
    let other = Actor { http: Actor::new(String::new()).http, ..user.clone() };
    for person in [user, other] {
        assert_eq!(person.me().await.expect_status(200).header("connection"), "close");
    }
    assert_eq!(server.process.exit_code().await, 0, "{}", server.process.said());
}
