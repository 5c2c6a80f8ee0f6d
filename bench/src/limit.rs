//! What everybody takes for the limit: one row by primary key, one commit each, many connections.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use sqlx::postgres::{PgConnection, PgPoolOptions};
use sqlx::{Connection as _, PgPool};
use uuid::Uuid;

use crate::report::Round;
use crate::{Outcome, SLICE};

const CONNECTIONS: usize = 64;
const ROWS: i64 = 10_000;

/// A table like `refresh_tokens` in what an update of it costs.
pub(crate) struct SingleRowUpdates {
    connections: Vec<PgConnection>,
    ids: Arc<Vec<Uuid>>,
}

impl SingleRowUpdates {
    pub(crate) async fn prepare(url: &str) -> Outcome<Self> {
        let pool: PgPool = PgPoolOptions::new().max_connections(1).connect(url).await?;
        sqlx::raw_sql(
            "CREATE TABLE bench_rows (id uuid PRIMARY KEY, generation bigint NOT NULL, rotated_at timestamptz NOT NULL, \
             filler text NOT NULL) WITH (fillfactor = 70)",
        )
        .execute(&pool)
        .await?;
        sqlx::query("INSERT INTO bench_rows SELECT gen_random_uuid(), 0, now(), repeat('x', 200) FROM generate_series(1, $1)")
            .bind(ROWS)
            .execute(&pool)
            .await?;
        let ids = sqlx::query_scalar("SELECT id FROM bench_rows").fetch_all(&pool).await?;
        let mut connections = Vec::with_capacity(CONNECTIONS);
        for _ in 0..CONNECTIONS {
            connections.push(PgConnection::connect(url).await?);
        }
        pool.close().await;
        Ok(Self { connections, ids: Arc::new(ids) })
    }

    pub(crate) async fn measure(&mut self) -> Outcome<Round> {
        let done = Arc::new(AtomicU64::new(0));
        let failure = Arc::new(Mutex::new(None));
        let started = Instant::now();
        let mut tasks = Vec::new();
        for (number, mut connection) in self.connections.drain(..).enumerate() {
            let (done, ids, failure) = (Arc::clone(&done), Arc::clone(&self.ids), Arc::clone(&failure));
            tasks.push(tokio::spawn(async move {
                // Each connection has rows of its own: nobody waits for a lock.
                for id in ids.iter().skip(number).step_by(CONNECTIONS).cycle() {
                    if started.elapsed() >= SLICE {
                        break;
                    }
                    let update = sqlx::query(
                        "UPDATE bench_rows SET generation = generation + 1, rotated_at = now() WHERE id = $1",
                    );
                    if let Err(error) = update.bind(id).execute(&mut connection).await {
                        *failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                        break;
                    }
                    done.fetch_add(1, Ordering::Relaxed);
                }
                connection
            }));
        }
        for task in tasks {
            self.connections.push(task.await?);
        }
        if let Some(error) = failure.lock().unwrap_or_else(PoisonError::into_inner).take() {
            return Err(error.into());
        }
        Ok(Round::rate(done.load(Ordering::Relaxed), started.elapsed().as_secs_f64()))
    }
}
