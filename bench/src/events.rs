//! Events at RabbitMQ: how soon one arrives, and how fast a backlog goes out, with confirms.

use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use lapin::options::{
    BasicConsumeOptions, ExchangeDeclareOptions, ExchangeDeleteOptions, QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::FieldTable;
use lapin::{Channel, Connection, ConnectionProperties, Consumer, ExchangeKind};
use serde_json::json;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use uuid::Uuid;

use crate::http;
use crate::server::Server;
use crate::{Outcome, ROUNDS, median};

const SIGNUPS: usize = 200;
const BACKLOG: i64 = 30_000;
/// The goals of the design.
const GOAL_MS: f64 = 50.0;
const GOAL_PER_SECOND: f64 = 5_000.0;

pub(crate) async fn run(binary: &str, postgres: &str, amqp: &str) -> Outcome<()> {
    let exchange = Exchange::declare(amqp).await?;
    let measured = measure(binary, postgres, amqp, &exchange).await;
    let delete =
        exchange.channel.exchange_delete(exchange.name.as_str().into(), ExchangeDeleteOptions::default());
    delete.await?;
    measured
}

async fn measure(binary: &str, database: &str, amqp: &str, exchange: &Exchange) -> Outcome<()> {
    let mut consumer = exchange.consume().await?;
    let events_url = format!("{amqp}?exchange={}", exchange.name);
    let environment = [("KEYWARD_EVENTS_URL", events_url.as_str())];
    let server = Server::start_with(binary, database, &environment).await?;
    let mut waits = Vec::with_capacity(SIGNUPS);
    let mut connection = http::Connection::open(&server.address).await?;
    for number in 0..SIGNUPS {
        let body =
            json!({ "email": format!("soon-{number}@example.com"), "password": "a quiet lake at dawn" });
        let (status, _) = connection.post("/auth/signup", &body.to_string()).await?;
        let answered = Instant::now();
        consumer.next().await.ok_or("no message")??;
        waits.push(answered.elapsed().as_secs_f64() * 1_000.0);
        if status != 201 {
            return Err(format!("a sign-up was answered {status}").into());
        }
    }
    drop(server);
    println!("answer of a sign-up to consumer: median {:.1} ms; goal: under {GOAL_MS:.0}", median(waits));

    let pool = PgPoolOptions::new().max_connections(1).connect(database).await?;
    println!("round  events/s from a backlog of {BACKLOG}, one a user, confirmed and settled");
    let mut rates = Vec::with_capacity(ROUNDS);
    for round in 1..=ROUNDS {
        fill(&pool).await?;
        let server = Server::start_with(binary, database, &environment).await?;
        let started = Instant::now();
        for _ in 0..BACKLOG {
            consumer.next().await.ok_or("no message")??;
        }
        while pending(&pool).await? > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        #[expect(clippy::cast_precision_loss, reason = "a count of thousands")]
        let rate = BACKLOG as f64 / started.elapsed().as_secs_f64();
        println!("{round:>6} {rate:>9.0}");
        rates.push(rate);
        drop(server);
    }
    println!("median {:>9.0}; goal: at least {GOAL_PER_SECOND:.0}", median(rates));
    Ok(())
}

/// Makes events straight in the tables, as sign-ups of so many users would.
async fn fill(pool: &PgPool) -> Outcome<()> {
    let fill = "
        WITH made AS (
            INSERT INTO outbox (id, subject_id, subject_seq, type, occurred_at, data)
            SELECT gen_random_uuid(), gen_random_uuid(), 1, 'auth.user_created', now(),
                json_build_object('user_id', gen_random_uuid(), 'email', 'user-' || i || '@example.com',
                    'email_verified', false, 'roles', json_build_array('user'))::text
            FROM generate_series(1, $1) AS i
            RETURNING id, subject_id, subject_seq, occurred_at
        )
        INSERT INTO outbox_deliveries (event_id, sink, subject_id, subject_seq, attempts, next_attempt_at)
        SELECT id, 'amqp', subject_id, subject_seq, 0, occurred_at FROM made";
    sqlx::query(fill).bind(BACKLOG).execute(pool).await?;
    sqlx::query("ANALYZE outbox, outbox_deliveries").execute(pool).await?;
    Ok(())
}

async fn pending(pool: &PgPool) -> Outcome<i64> {
    let count = "SELECT count(*) FROM outbox_deliveries WHERE published_at IS NULL";
    Ok(sqlx::query_scalar(count).fetch_one(pool).await?)
}

/// An exchange of this run's own, with one durable queue behind it.
struct Exchange {
    name: String,
    channel: Channel,
    _connection: Connection,
}

impl Exchange {
    async fn declare(amqp: &str) -> Outcome<Self> {
        let connection = Connection::connect(amqp, ConnectionProperties::default()).await?;
        let channel = connection.create_channel().await?;
        let name = format!("keyward.bench.{}", Uuid::new_v4().simple());
        let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
        channel
            .exchange_declare(name.as_str().into(), ExchangeKind::Topic, durable, FieldTable::default())
            .await?;
        Ok(Self { name, channel, _connection: connection })
    }

    async fn consume(&self) -> Outcome<Consumer> {
        let name = self.name.as_str();
        let queue =
            QueueDeclareOptions { durable: true, auto_delete: true, ..QueueDeclareOptions::default() };
        self.channel.queue_declare(name.into(), queue, FieldTable::default()).await?;
        let bind = QueueBindOptions::default();
        self.channel.queue_bind(name.into(), name.into(), "#".into(), bind, FieldTable::default()).await?;
        let unacknowledged = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
        Ok(self
            .channel
            .basic_consume(name.into(), "bench".into(), unacknowledged, FieldTable::default())
            .await?)
    }
}
