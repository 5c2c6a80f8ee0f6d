//! Redis killed, frozen and slow while passwords are tried on two servers: never more are tried than each
//! server allows by itself, nobody gets a 5xx, nobody waits, and afterwards they count together again.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;

use keyward::clock::Clock;
use keyward::config::{Rate, RedisTarget};
use keyward::limits::{Limit, Limiter, Policy, Tag};

use crate::support::{
    Actor, Answer, PrivateRedis, SlowLink, TestServer, eventually, key_prefix, rounds, unique_email,
};

const LIMIT: usize = 20;
const GUESSES: usize = 60;
/// Tests run on busy machines; without a bound on Redis it would be as long as Redis is away.
const NO_WAIT: Duration = Duration::from_secs(3);

struct Pair {
    one: TestServer,
    two: TestServer,
}

impl Pair {
    async fn start(redis_url: &str) -> Self {
        let prefix = key_prefix();
        let settings = [
            ("limits.enabled", "true"),
            ("limits.login_per_ip", "20/d"),
            ("trusted_proxies", "127.0.0.1"),
            ("redis_url", redis_url),
            ("redis_key_prefix", prefix.as_str()),
        ];
        let one = TestServer::start_with(&settings).await;
        let two = one.replica().await;
        let pair = Self { one, two };
        pair.together().await;
        pair
    }

    async fn together(&self) {
        let both = async || self.one.app.limits_shared() && self.two.app.limits_shared();
        eventually("both servers have found Redis", both).await;
    }

    /// Asserts that both together let no more through than one may. On a busy machine one may lose sight of Redis for a
    /// moment, and go on by itself as it should: then another address of the network is tried.
    async fn counts_together(&self, network: &str) {
        for host in 1..=5 {
            self.together().await;
            if self.storm(&format!("{network}.{host}"), || ()).await == LIMIT {
                return;
            }
        }
        panic!("together they let more through, time and again");
    }

    /// Tries passwords from one address on both servers, and breaks Redis in the midst of it. Returns how
    /// many were evaluated.
    async fn storm(&self, address: &str, break_redis: impl FnOnce()) -> usize {
        let answered = Arc::new(AtomicUsize::new(0));
        let guessers: Vec<_> = [&self.one, &self.two, &self.one, &self.two]
            .map(|server| tokio::spawn(guess(server.anonymous(), address.to_owned(), Arc::clone(&answered))))
            .into_iter()
            .collect();
        eventually("some guesses", async || answered.load(Ordering::Relaxed) >= 4).await;
        break_redis();
        let mut evaluated = 0;
        for guesser in guessers {
            evaluated += guesser.await.expect("every answer was in order");
        }
        evaluated
    }
}

async fn guess(actor: Actor, address: String, answered: Arc<AtomicUsize>) -> usize {
    let (mut evaluated, mut guesses) = (0, 0);
    let until = Instant::now() + Duration::from_secs(rounds(0, 60).into());
    while guesses < GUESSES || Instant::now() < until {
        guesses += 1;
        let body = json!({ "email": unique_email(), "password": "not the right one" });
        let request = actor.request(Method::POST, "/auth/login").header("x-forwarded-for", &address);
        let begun = Instant::now();
        let answer = Answer::of(request.json(&body)).await;
        assert!(begun.elapsed() < NO_WAIT, "{:?}", begun.elapsed());
        assert!([401, 429].contains(&answer.status.as_u16()), "{}", answer.status);
        evaluated += usize::from(answer.status == 401);
        answered.fetch_add(1, Ordering::Relaxed);
    }
    evaluated
}

#[tokio::test]
async fn a_killed_redis_lets_no_more_through_than_each_server_alone() {
    let mut redis = PrivateRedis::start().await;
    let pair = Pair::start(&redis.url()).await;
    pair.counts_together("198.51.100").await;
    let evaluated = pair.storm("192.0.2.2", || redis.kill()).await;
    assert!((LIMIT..=2 * LIMIT).contains(&evaluated), "{evaluated}");
    assert!(!pair.one.app.limits_shared() && !pair.two.app.limits_shared());
    assert_eq!(pair.storm("192.0.2.3", || ()).await, 2 * LIMIT, "each by itself");

    let _redis = redis.restart().await;
    pair.together().await;
    // What Redis forgot, the servers remember.
    assert_eq!(pair.storm("192.0.2.3", || ()).await, 0);
    pair.counts_together("203.0.113").await;
}

#[tokio::test]
async fn a_frozen_redis_holds_nobody_up() {
    let redis = PrivateRedis::start().await;
    let pair = Pair::start(&redis.url()).await;
    let evaluated = pair.storm("192.0.2.1", || redis.freeze()).await;
    assert!((LIMIT..=2 * LIMIT).contains(&evaluated), "{evaluated}");
    redis.thaw();
    pair.counts_together("198.51.100").await;
}

#[tokio::test]
async fn a_slow_redis_is_one_that_is_away() {
    let redis = PrivateRedis::start().await;
    let link = SlowLink::to(redis.address()).await;
    let pair = Pair::start(&link.url()).await;
    let evaluated = pair.storm("192.0.2.1", || link.delay(Duration::from_millis(400))).await;
    assert!((LIMIT..=2 * LIMIT).contains(&evaluated), "{evaluated}");
    link.delay(Duration::ZERO);
    pair.counts_together("198.51.100").await;
}

#[tokio::test]
async fn one_request_waits_a_moment_for_a_redis_that_froze_and_the_next_do_not() {
    let redis = PrivateRedis::start().await;
    let target = RedisTarget { url: redis.url().into(), ca: None };
    let limiter = Limiter::redis(&target, &key_prefix(), Clock::System).expect("a good URL");
    limiter.connect().await;
    eventually("Redis is found", async || limiter.counts_together()).await;
    redis.freeze();
    let rate = Rate { count: 1_000, per: Duration::from_hours(1) };
    let limits = [Limit { policy: Policy::LoginPerIp, object: None, rate }];
    let mut waits = Vec::new();
    for _ in 0..101 {
        let begun = Instant::now();
        limiter.take(Tag([7; 16]), &limits).await.expect("far below the limit");
        waits.push(begun.elapsed());
    }
    assert!(waits[0] >= Duration::from_millis(90), "{:?}", waits[0]);
    assert!(waits[0] < Duration::from_secs(1), "{:?}", waits[0]);
    waits.sort_unstable();
    assert!(waits[50] < Duration::from_millis(10), "{:?}", waits[50]);
}
