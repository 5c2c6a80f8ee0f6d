//! Rotations and refreshes per second, against single-row updates per second on the same server.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use serde_json::json;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;

use crate::http::{Connection, member};
use crate::limit::{CONNECTIONS, SingleRowUpdates, per_second};
use crate::rotations::Rotations;
use crate::server::Server;
use crate::{Outcome, ROUNDS, median};

/// Clients, each with a session and a connection of its own.
const CLIENTS: usize = 256;
/// The goal of the design.
const GOAL: f64 = 1.5;

pub(crate) async fn run(binary: &str, url: &str) -> Outcome<()> {
    let server = Server::start(binary, url).await?;
    let mut clients = Clients::log_in(&server.address).await?;
    let mut rotations = Rotations::prepare(url).await?;
    let mut updates = SingleRowUpdates::prepare(url).await?;
    let mut figures = Figures::default();
    println!("round  updates/s  rotations/s  ratio  refreshes/s  ratio");
    for round in 1..=ROUNDS {
        let update = updates.measure().await?;
        let rotation = rotations.measure().await?;
        let refresh = clients.measure().await?;
        figures.add(&round.to_string(), [update, rotation, refresh]);
    }
    figures.conclude();
    println!("answers other than 200: {:?}", clients.others());
    let pool: PgPool = PgPoolOptions::new().max_connections(1).connect(url).await?;
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM refresh_tokens").fetch_one(&pool).await?;
    let generations: i64 =
        sqlx::query_scalar("SELECT sum(generation)::bigint FROM refresh_tokens").fetch_one(&pool).await?;
    println!("rows in refresh_tokens after {generations} rotations: {rows}, one a session");
    Ok(())
}

/// What each round measured: the limit, then what is held against it.
#[derive(Default)]
struct Figures {
    columns: [Vec<f64>; 3],
    ratios: [Vec<f64>; 2],
}

impl Figures {
    fn add(&mut self, round: &str, measured: [f64; 3]) {
        let [update, rotation, refresh] = measured;
        print_row(round, measured, [rotation / update, refresh / update]);
        for (column, figure) in self.columns.iter_mut().zip(measured) {
            column.push(figure);
        }
        for (column, figure) in self.ratios.iter_mut().zip([rotation, refresh]) {
            column.push(figure / update);
        }
    }

    fn conclude(self) {
        print_row("median", self.columns.map(median), self.ratios.map(median));
        println!("updates: one row by primary key, a commit each, {CONNECTIONS} connections");
        println!("rotations: batcher and store, without HTTP and signatures; goal: at least {GOAL}");
        println!("refreshes: over HTTP, with an ES256 signature each, clients on the same cores");
    }
}

fn print_row(round: &str, [update, rotation, refresh]: [f64; 3], [rotated, refreshed]: [f64; 2]) {
    println!("{round:>6} {update:>10.0} {rotation:>12.0} {rotated:>6.2} {refresh:>12.0} {refreshed:>6.2}");
}

struct Clients {
    clients: Vec<(Connection, String)>,
    others: Arc<Mutex<BTreeMap<u16, u64>>>,
}

impl Clients {
    async fn log_in(address: &str) -> Outcome<Self> {
        let mut clients = Vec::with_capacity(CLIENTS);
        for number in 0..CLIENTS {
            let mut connection = Connection::open(address).await?;
            let body =
                json!({ "email": format!("bench-{number}@example.com"), "password": "a quiet lake at dawn" });
            let body = body.to_string();
            connection.post("/auth/signup", &body).await?;
            let (_, pair) = connection.post("/auth/login", &body).await?;
            let token = member(&pair, "refresh_token").ok_or("a login was refused")?.to_owned();
            clients.push((connection, token));
        }
        Ok(Self { clients, others: Arc::default() })
    }

    /// Returns successful refreshes per second; others are counted apart.
    async fn measure(&mut self) -> Outcome<f64> {
        for (connection, _) in &mut self.clients {
            // The server closes what was idle while the other side was measured.
            connection.reopen().await?;
        }
        let done = Arc::new(AtomicU64::new(0));
        let started = Instant::now();
        let mut tasks = Vec::new();
        for (mut connection, mut token) in self.clients.drain(..) {
            let (done, others) = (Arc::clone(&done), Arc::clone(&self.others));
            tasks.push(tokio::spawn(async move {
                while started.elapsed() < crate::SLICE {
                    let body = format!("{{\"refresh_token\":\"{token}\"}}");
                    let (status, pair) = connection.post("/auth/refresh", &body).await?;
                    if let (200, Some(next)) = (status, member(&pair, "refresh_token")) {
                        next.clone_into(&mut token);
                        done.fetch_add(1, Ordering::Relaxed);
                    } else {
                        *others.lock().unwrap_or_else(PoisonError::into_inner).entry(status).or_default() +=
                            1;
                    }
                }
                Outcome::Ok((connection, token))
            }));
        }
        for task in tasks {
            self.clients.push(task.await??);
        }
        Ok(per_second(done.load(Ordering::Relaxed), started))
    }

    fn others(&self) -> BTreeMap<u16, u64> {
        self.others.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
