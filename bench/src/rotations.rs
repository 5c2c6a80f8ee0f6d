//! Rotations per second through the batcher and the store, as `/auth/refresh` does them, without
//! HTTP and without signatures: what batching makes of the database.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use keyward::clock::Clock;
use keyward::domain::{FamilyLimits, Generation, Handle, KeyId, PresentedToken};
use keyward::store::{Batcher, DatabaseOptions, FamilyWithUser, Location, Rotation, Store};
use sqlx::postgres::PgPoolOptions;

use crate::report::Round;
use crate::{Outcome, SLICE};

const FAMILIES: i64 = 1_024;
/// As the server has it.
const LANES: usize = 2;

pub(crate) struct Rotations {
    batcher: Arc<Batcher<PresentedToken, FamilyWithUser>>,
    tokens: Vec<PresentedToken>,
}

impl Rotations {
    /// Makes sessions straight in the tables: nobody logs in here.
    pub(crate) async fn prepare(url: &str) -> Outcome<Self> {
        let pool = PgPoolOptions::new().max_connections(1).connect(url).await?;
        sqlx::query(
            "INSERT INTO users_auth SELECT gen_random_uuid(), 'r' || i || '@example.org', 'r' || i || '@example.org', \
             false, '', 'user', 'active', 0, 0, now(), now() FROM generate_series(1, $1) AS i",
        )
        .bind(FAMILIES)
        .execute(&pool)
        .await?;
        sqlx::query(
            "INSERT INTO refresh_tokens SELECT gen_random_uuid(), id, decode(md5(email), 'hex'), 0, 0, 0, 'keyward', \
             now(), now(), now() + interval '1 day' FROM users_auth WHERE password_hash = ''",
        )
        .execute(&pool)
        .await?;
        let handles: Vec<Vec<u8>> = sqlx::query_scalar(
            "SELECT r.handle FROM refresh_tokens AS r JOIN users_auth AS u ON u.id = r.user_id WHERE u.password_hash = ''",
        )
        .fetch_all(&pool)
        .await?;
        pool.close().await;
        let handles: Result<Vec<[u8; 16]>, _> = handles.into_iter().map(TryInto::try_into).collect();
        let handles = handles.map_err(|_| "a handle is not 16 bytes")?;
        let options = DatabaseOptions { max_connections: 8, transaction_pooler: false };
        let store = Store::open(Location::Postgres(url), options).await?;
        let batcher = Batcher::start(
            "bench",
            (LANES, 8_192),
            |_| {},
            move |presented| {
                let store = store.clone();
                Box::pin(async move {
                    let rotated = store.refresh_tokens_rotate(presented, rotation()).await?;
                    Ok(rotated.into_iter().map(|session| (presented_for(&session), session)).collect())
                })
            },
        );
        let first = |handle| PresentedToken { handle: Handle(handle), generation: Generation(0) };
        Ok(Self { batcher: Arc::new(batcher), tokens: handles.into_iter().map(first).collect() })
    }

    pub(crate) async fn measure(&mut self) -> Outcome<Round> {
        let done = Arc::new(AtomicU64::new(0));
        let started = Instant::now();
        let mut tasks = Vec::new();
        for mut token in self.tokens.drain(..) {
            let (done, batcher) = (Arc::clone(&done), Arc::clone(&self.batcher));
            tasks.push(tokio::spawn(async move {
                while started.elapsed() < SLICE {
                    batcher.call(token).await?.ok_or("a rotation was refused")?;
                    token.generation = token.generation.next();
                    done.fetch_add(1, Ordering::Relaxed);
                }
                Outcome::Ok(token)
            }));
        }
        for task in tasks {
            self.tokens.push(task.await??);
        }
        Ok(Round::rate(done.load(Ordering::Relaxed), started.elapsed().as_secs_f64()))
    }
}

fn rotation() -> Rotation {
    let hour = Duration::from_secs(3_600);
    let limits = FamilyLimits { idle: hour, grace: Duration::ZERO };
    Rotation { limits, mac_key: KeyId(0), now: Clock::System.now() }
}

fn presented_for(rotated: &FamilyWithUser) -> PresentedToken {
    let generation = Generation(rotated.family.generation.0.saturating_sub(1));
    PresentedToken { handle: rotated.family.handle, generation }
}
