//! Limits that replicas share through Redis.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use proptest::prelude::*;
use redis::AsyncCommands as _;
use reqwest::Method;
use serde_json::json;

use keyward::clock::Clock;
use keyward::config::{Rate, RedisTarget};
use keyward::limits::{Limit, Limiter, Policy, Tag, Taken};

use crate::support::{Answer, TestServer, eventually, key_prefix, redis_url, unique_email};

const ALICE: Tag = Tag([1; 16]);
const BOB: Tag = Tag([2; 16]);

fn limit(policy: Policy, count: u32, per: Duration) -> Limit {
    Limit { policy, object: None, rate: Rate { count, per } }
}

/// A replica that has counted nothing yet, so that Redis alone decides.
async fn replica(prefix: &str, clock: &Clock) -> Limiter {
    let target = RedisTarget { url: redis_url().into(), ca: None };
    let limiter = Limiter::redis(&target, prefix, clock.clone()).expect("a good URL");
    limiter.connect().await;
    eventually("Redis is found", async || limiter.counts_together()).await;
    limiter
}

/// What happens in a sequence, each with the milliseconds that pass before it.
#[derive(Debug, Clone)]
enum Step {
    Take { whose: Tag, object: Option<u8>, after: u64 },
    GiveBack { newest: bool, after: u64 },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let after = || prop_oneof![Just(0), 1..500_u64, 500..30_000_u64];
    let whose = prop_oneof![Just(ALICE), Just(BOB)];
    let take = (whose, prop::option::of(0..3_u8), after());
    let take = take.prop_map(|(whose, object, after)| Step::Take { whose, object, after });
    let give_back = (any::<bool>(), after()).prop_map(|(newest, after)| Step::GiveBack { newest, after });
    prop::collection::vec(prop_oneof![4 => take, 1 => give_back], 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn memory_and_redis_decide_alike(steps in steps(), wide in 1..8_u32, narrow in 1..5_u32) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(agree(steps, wide, narrow));
    }
}

async fn agree(steps: Vec<Step>, wide: u32, narrow: u32) {
    let (prefix, clock) = (key_prefix(), Clock::stopped());
    let memory = Limiter::memory(clock.clone());
    let mut held: VecDeque<(Taken, Taken)> = VecDeque::new();
    for step in steps {
        let replica = replica(&prefix, &clock).await;
        match step {
            Step::Take { whose, object, after } => {
                clock.advance(Duration::from_millis(after));
                let mut limits = vec![limit(Policy::LoginPerIp, wide, Duration::from_secs(7))];
                if let Some(object) = object {
                    let narrow = limit(Policy::LoginPerAccountIp, narrow, Duration::from_secs(11));
                    limits.push(Limit { object: Some(Tag([object; 16])), ..narrow });
                }
                match (memory.take(whose, &limits).await, replica.take(whose, &limits).await) {
                    (Ok(ours), Ok(theirs)) => {
                        assert_eq!(ours.standings, theirs.standings);
                        held.push_back((ours, theirs));
                    }
                    (Err(ours), Err(theirs)) => {
                        assert_eq!(
                            (ours.retry_after, &ours.standings),
                            (theirs.retry_after, &theirs.standings)
                        );
                        assert!(!ours.retry_after.is_zero());
                    }
                    (ours, theirs) => panic!("{ours:?} against {theirs:?}"),
                }
            }
            Step::GiveBack { newest, after } => {
                clock.advance(Duration::from_millis(after));
                let taken = if newest { held.pop_back() } else { held.pop_front() };
                let Some((ours, theirs)) = taken else { continue };
                let both = [Policy::LoginPerIp, Policy::LoginPerAccountIp];
                let _ = memory.give_back(ours, &both);
                let given = replica.give_back(theirs, &both);
                given.shared.expect("Redis was asked").await.expect("no panic");
            }
        }
        assert!(replica.counts_together(), "Redis answered each time");
    }
}

#[tokio::test]
async fn redis_tells_the_time_for_all_replicas() {
    let prefix = key_prefix();
    let (one, two) = (replica(&prefix, &Clock::System).await, replica(&prefix, &Clock::System).await);
    let limits = [limit(Policy::LoginPerIp, 3, Duration::from_hours(1))];
    one.take(ALICE, &limits).await.expect("the first");
    two.take(ALICE, &limits).await.expect("the second");
    let third = one.take(ALICE, &limits).await.expect("the third");
    for limiter in [&one, &two] {
        let refused = limiter.take(ALICE, &limits).await.expect_err("there is no fourth");
        assert!((1_190..=1_200).contains(&refused.retry_after.as_secs()), "{refused:?}");
    }
    let given = one.give_back(third, &[Policy::LoginPerIp]);
    given.shared.expect("Redis was asked").await.expect("no panic");
    two.take(ALICE, &limits).await.expect("what was given back");
    two.take(BOB, &limits).await.expect("another is not limited");
}

#[tokio::test]
async fn replicas_count_together() {
    let (url, prefix) = (redis_url(), key_prefix());
    let settings = [
        ("limits.enabled", "true"),
        ("redis_url", url.as_str()),
        ("redis_key_prefix", prefix.as_str()),
        ("limits.login_per_account_ip", "6/h"),
    ];
    let one = TestServer::start_with(&settings).await;
    let two = one.replica().await;
    for server in [&one, &two] {
        eventually("Redis is found", async || server.app.limits_shared()).await;
    }
    let (email, mut evaluated) = (unique_email(), 0);
    for round in 0..20 {
        let server = if round % 2 == 0 { &one } else { &two };
        let answer = server.anonymous().login_as(&email, "not the right one").await;
        assert!(answer.status == 401 || answer.status == 429);
        evaluated += u32::from(answer.status == 401);
    }
    assert_eq!(evaluated, 6);
    let metrics = one.anonymous().at(format!("http://{}", one.management)).get("/metrics").await;
    let metrics = String::from_utf8(metrics.body).expect("UTF-8");
    assert!(metrics.contains("keyward_redis_up 1"), "{metrics}");
    assert!(
        metrics
            .contains("keyward_limit_decisions_total{limit=\"login_per_account_ip\",decision=\"refused\"}"),
        "{metrics}"
    );
}

#[tokio::test]
async fn keys_tell_nothing_fit_into_a_cluster_and_expire() {
    let (url, prefix) = (redis_url(), key_prefix());
    let settings = [
        ("limits.enabled", "true"),
        ("trusted_proxies", "127.0.0.1"),
        ("redis_url", url.as_str()),
        ("redis_key_prefix", prefix.as_str()),
    ];
    let server = TestServer::start_with(&settings).await;
    eventually("Redis is found", async || server.app.limits_shared()).await;
    let request = server.anonymous().request(Method::POST, "/auth/login");
    let body = json!({ "email": "ada@example.com", "password": "not the right one" });
    Answer::of(request.header("x-forwarded-for", "203.0.113.77").json(&body)).await.expect_status(401);

    let client = redis::Client::open(url).expect("a good URL");
    let mut redis = client.get_multiplexed_async_connection().await.expect("Redis answers");
    let keys: Vec<String> = redis.keys(format!("{prefix}*")).await.expect("keys");
    let of_login: Vec<_> = keys.iter().filter(|key| key.contains("login_")).collect();
    assert_eq!(of_login.len(), 2, "{keys:?}");
    let slots: BTreeSet<_> =
        of_login.iter().map(|key| key.split(['{', '}']).nth(1).expect("a hash tag")).collect();
    assert_eq!(slots.len(), 1, "{keys:?}");
    for key in &keys {
        assert!(!key.contains("ada") && !key.contains("example") && !key.contains("203.0"), "{key}");
        let ttl: i64 = redis.pttl(key).await.expect("a time");
        assert!((-2..=60_000).contains(&ttl) && ttl != -1, "{key} stays for {ttl} ms");
    }
}
