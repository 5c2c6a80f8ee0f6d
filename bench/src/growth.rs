//! The same requests on a database of a thousand users, of a hundred thousand, and of five million, each with a session,
//! an audit record and an event that was published: nothing is to get slower by it.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use sqlx::postgres::PgPoolOptions;

use crate::database::{self, Database};
use crate::http::get;
use crate::load::{Load, Same};
use crate::login::logins_of;
use crate::me::me;
use crate::refresh::{Refreshing, refreshing};
use crate::report::{Bound, Report, Round};
use crate::server::{CHEAP_HASHES, Server};
use crate::sessions::{credentials, log_in_as};
use crate::{Outcome, ROUNDS, Site};

const SIZES: [(i64, &str); 3] = [(1_000, "1 k"), (100_000, "100 k"), (5_000_000, "5 M")];
/// Few, so that what is measured is how long a request takes, and not how long it waits for others.
const CLIENTS: usize = 4;
/// Between requests: nothing is saturated.
const PAUSE: Duration = Duration::from_millis(5);
const GOAL: f64 = 1.2;
const ADMIN: &str = "admin@example.com";
const ASKED: [&str; 8] =
    ["login", "refresh", "me", "users", "users by e-mail", "admins", "audit", "audit of an event"];
const PAGES: [(&str, &str); 5] = [
    ("users", "/admin/users"),
    ("users by e-mail", "/admin/users?email=user-77%40example.org"),
    ("admins", "/admin/users?role=admin"),
    ("audit", "/admin/audit"),
    ("audit of an event", "/admin/audit?event=login_failed"),
];

/// Rows `$1` to `$2`, with ids in the order of time as the service makes them.
const GROW: [&str; 5] = [
    "INSERT INTO users_auth SELECT (lpad(to_hex(1700000000000 + i), 12, '0') || '7000' || '8' || substr(md5('u' || i), 1, 15))::uuid,
        'user-' || i || '@example.org', 'user-' || i || '@example.org', false, 'x', 'user', 'active', 0, 1,
        now() - i * interval '1 second', now() FROM generate_series($1::bigint, $2::bigint) AS i",
    "INSERT INTO refresh_tokens (id, user_id, handle, generation, mac_key_id, session_epoch, client_id, created_at, rotated_at,
        expires_at)
     SELECT (lpad(to_hex(1700000000000 + i), 12, '0') || '7000' || '8' || substr(md5('s' || i), 1, 15))::uuid,
        (lpad(to_hex(1700000000000 + i), 12, '0') || '7000' || '8' || substr(md5('u' || i), 1, 15))::uuid,
        decode(md5('h' || i), 'hex'), 3, 0, 0, 'keyward', now(), now(), now() + interval '30 days' + i * interval '1 ms'
     FROM generate_series($1::bigint, $2::bigint) AS i",
    "INSERT INTO audit_log (id, occurred_at, event, user_id, request_id)
     SELECT (lpad(to_hex(1700000000000 + i), 12, '0') || '7000' || '8' || substr(md5('a' || i), 1, 15))::uuid,
        now() - i * interval '1 ms', 'login_succeeded',
        (lpad(to_hex(1700000000000 + i), 12, '0') || '7000' || '8' || substr(md5('u' || i), 1, 15))::uuid, 'r'
     FROM generate_series($1::bigint, $2::bigint) AS i",
    "INSERT INTO outbox SELECT (lpad(to_hex(1700000000000 + i), 12, '0') || '7000' || '8' || substr(md5('e' || i), 1, 15))::uuid,
        (lpad(to_hex(1700000000000 + i), 12, '0') || '7000' || '8' || substr(md5('u' || i), 1, 15))::uuid, 1, 'auth.user_created',
        now(), '{}' FROM generate_series($1::bigint, $2::bigint) AS i",
    "INSERT INTO outbox_deliveries (event_id, sink, subject_id, subject_seq, attempts, next_attempt_at, published_at, outcome)
     SELECT (lpad(to_hex(1700000000000 + i), 12, '0') || '7000' || '8' || substr(md5('e' || i), 1, 15))::uuid, 'log',
        (lpad(to_hex(1700000000000 + i), 12, '0') || '7000' || '8' || substr(md5('u' || i), 1, 15))::uuid, 1, 1, now(), now(),
        'published' FROM generate_series($1::bigint, $2::bigint) AS i",
];

pub(crate) async fn run(site: &Site) -> Outcome<Report> {
    let lend = &site.postgres;
    database::with(lend, async |medium| {
        database::with(lend, async |large| compare(site, [lend.clone(), medium, large]).await).await
    })
    .await
}

/// All databases are made first, and then asked in turn: a machine is not always equally fast.
async fn compare(site: &Site, databases: [String; 3]) -> Outcome<Report> {
    for ((users, _), url) in SIZES.into_iter().zip(&databases) {
        // Makes the tables.
        drop(Server::start(site, &Database::Postgres(url.clone()), &CHEAP_HASHES).await?);
        grow(url, users).await?;
    }
    // Not before: tokens live for some minutes.
    let mut subjects = Vec::new();
    for ((_, size), url) in SIZES.into_iter().zip(databases) {
        subjects.push((size, Subject::start(site, &Database::Postgres(url)).await?));
    }
    let mut report = Report::new("growth");
    for _ in 0..ROUNDS {
        for what in ASKED {
            for (size, subject) in &mut subjects {
                let round = subject.ask(what).await?;
                let p50 = round.latency.map_or(f64::NAN, |latency| latency.p50);
                report.add(&format!("{what}, {size} users"), "ms", Round { value: p50, ..round });
            }
        }
    }
    let [(_, small), .., (_, large)] = SIZES;
    for what in ASKED {
        let of = |size: &str| report.median(&format!("{what}, {size} users"));
        let ratio = of(large) / of(small);
        let goal = matches!(what, "login" | "refresh").then_some(Bound::AtMost(GOAL));
        report.figure(&format!("p50 of {what} with {large} users ÷ with {small}"), (ratio, "×"), goal);
    }
    Ok(report)
}

async fn grow(url: &str, users: i64) -> Outcome<()> {
    let pool = PgPoolOptions::new().max_connections(1).connect(url).await?;
    let begun = Instant::now();
    // In steps, so that a checkpoint comes between them.
    for from in (1..=users).step_by(500_000) {
        for statement in GROW {
            sqlx::query(statement).bind(from).bind(users.min(from + 499_999)).execute(&pool).await?;
        }
    }
    for statement in ["VACUUM ANALYZE", "CHECKPOINT"] {
        sqlx::raw_sql(statement).execute(&pool).await?;
    }
    let bytes: i64 =
        sqlx::query_scalar("SELECT pg_database_size(current_database())").fetch_one(&pool).await?;
    let seconds = begun.elapsed().as_secs_f64();
    println!("{users} users made in {seconds:.0} s: the database has {} MiB", bytes >> 20);
    Ok(())
}

/// A server on a database of one size, and who asks it.
struct Subject {
    refreshes: Load<Refreshing>,
    others: HashMap<&'static str, Load<Same>>,
    _server: Server,
}

impl Subject {
    async fn start(site: &Site, database: &Database) -> Outcome<Self> {
        let admin = [("KEYWARD_ADMIN_EMAIL", ADMIN), ("KEYWARD_ADMIN_PASSWORD", "a quiet lake at dawn")];
        let settings: Vec<_> = CHEAP_HASHES.into_iter().chain(admin).collect();
        let server = Server::start(site, database, &settings).await?;
        let at = (server.address.as_str(), server.process);
        let token = log_in_as(&server.address, &credentials(ADMIN)).await?.access_token;
        let refreshes = Load::new(at, 200, refreshing(&server, CLIENTS).await?).await?.pausing(PAUSE);
        let logins = logins_of(&server, CLIENTS).await?.pausing(PAUSE);
        let visits = Load::new(at, 200, me(&server, CLIENTS).await?).await?.pausing(PAUSE);
        let mut others = HashMap::from([("login", logins), ("me", visits)]);
        for (what, path) in PAGES {
            let requests = vec![Same(get(&server.address, path, Some(&token))); CLIENTS];
            others.insert(what, Load::new(at, 200, requests).await?.pausing(PAUSE));
        }
        Ok(Self { refreshes, others, _server: server })
    }

    async fn ask(&mut self, what: &str) -> Outcome<Round> {
        match self.others.get_mut(what) {
            Some(load) => load.measure().await,
            None => self.refreshes.measure().await,
        }
    }
}
