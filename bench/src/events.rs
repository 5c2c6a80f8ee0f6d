//! Events at RabbitMQ: how soon one arrives, and how fast a backlog goes out, with confirms.

use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use lapin::options::{
    BasicConsumeOptions, ExchangeDeclareOptions, ExchangeDeleteOptions, QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::FieldTable;
use lapin::{Channel, Connection, ConnectionProperties, Consumer, ExchangeKind};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use uuid::Uuid;

use crate::database::Database;
use crate::http;
use crate::report::{Bound, Percentiles, Report, Round};
use crate::server::{CHEAP_HASHES, Server};
use crate::sessions::credentials;
use crate::{Outcome, ROUNDS, Site};

const SIGNUPS: usize = 200;
const BACKLOG: u32 = 30_000;
/// The goals of the design.
const GOAL_MS: f64 = 50.0;
const GOAL_PER_SECOND: f64 = 5_000.0;

pub(crate) async fn run(site: &Site) -> Outcome<Report> {
    let exchange = Exchange::declare(&site.amqp).await?;
    let measured = measure(site, &exchange).await;
    let delete =
        exchange.channel.exchange_delete(exchange.name.as_str().into(), ExchangeDeleteOptions::default());
    delete.await?;
    measured
}

async fn measure(site: &Site, exchange: &Exchange) -> Outcome<Report> {
    const SOON: &str = "answer of a sign-up to consumer";
    const RATE: &str = "events of a backlog, confirmed and settled";
    let mut report = Report::new("events");
    let mut consumer = exchange.consume().await?;
    let events_url = format!("{}?exchange={}", site.amqp, exchange.name);
    let settings = [CHEAP_HASHES.as_slice(), &[("KEYWARD_EVENTS_URL", events_url.as_str())]].concat();
    let database = Database::postgres(site);
    let server = Server::start(site, &database, &settings).await?;
    report.add(SOON, "ms", soon(&server, &mut consumer).await?);
    drop(server);

    let pool = PgPoolOptions::new().max_connections(1).connect(&site.postgres).await?;
    for _ in 0..ROUNDS {
        fill(&pool).await?;
        let server = Server::start(site, &database, &settings).await?;
        let started = Instant::now();
        for _ in 0..BACKLOG {
            consumer.next().await.ok_or("no message")??;
        }
        while pending(&pool).await? > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let round = Round::rate(BACKLOG.into(), started.elapsed().as_secs_f64());
        let cpu_seconds = Some(server.process.cpu_seconds()?);
        let resident_mib = Some(server.process.resident_mib()?);
        report.add(RATE, "/s", Round { cpu_seconds, resident_mib, ..round });
    }
    report.figure(&format!("{SOON}, median"), (report.median(SOON), "ms"), Some(Bound::Below(GOAL_MS)));
    let rate = (report.median(RATE), "/s");
    report.figure(RATE, rate, Some(Bound::AtLeast(GOAL_PER_SECOND)));
    Ok(report)
}

/// One sign-up after the other: how soon after its answer the consumer has the event.
async fn soon(server: &Server, consumer: &mut Consumer) -> Outcome<Round> {
    let mut waits = Vec::with_capacity(SIGNUPS);
    let mut connection = http::Connection::open(&server.address).await?;
    for number in 0..SIGNUPS {
        let body = credentials(&format!("soon-{number}@example.com"));
        let (status, _) = connection.post("/auth/signup", &body).await?;
        let answered = Instant::now();
        consumer.next().await.ok_or("no message")??;
        waits.push(answered.elapsed());
        if status != 201 {
            return Err(format!("a sign-up was answered {status}").into());
        }
    }
    let latency = Percentiles::of(waits).ok_or("no sign-ups")?;
    Ok(Round { latency: Some(latency), ..Round::value(latency.p50) })
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
    sqlx::query(fill).bind(i64::from(BACKLOG)).execute(pool).await?;
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
