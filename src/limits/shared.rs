//! Counters of all replicas together, in Redis. Each server counts what itself lets through as well, and
//! asks Redis only about what passes there. So it is never more than the limit times the number of
//! servers, whenever Redis goes away, comes back or forgets; and a flood that one server sees costs
//! Redis nothing.

use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use metrics::Counter;
use redis::{Script, ScriptInvocation};
use tokio::task::JoinHandle;

use super::link::Link;
use super::{Charge, Counters, Gcra, Limit, Refused, Tag, Taken};
use crate::clock::Clock;
use crate::config::RedisTarget;
use crate::telemetry::LIMITS_WITHOUT_REDIS;

#[derive(Debug)]
pub struct Shared {
    local: Counters,
    link: Arc<Link>,
    clock: Clock,
    without_redis: Counter,
}

impl Shared {
    pub(super) fn new(target: &RedisTarget, key_prefix: &str, clock: Clock) -> Result<Self, String> {
        let link = Link::new(target, Scripts::new(key_prefix))?;
        Ok(Self { local: Counters::new(), link, clock, without_redis: LIMITS_WITHOUT_REDIS.counter(&[]) })
    }

    pub(super) async fn connect(&self) {
        self.link.connect().await;
    }

    pub(super) fn connected(&self) -> bool {
        self.link.up()
    }

    pub(super) async fn take(&self, whose: Tag, limits: &[Limit]) -> Result<Taken, Refused> {
        let now = self.clock.now().micros();
        let local = self.local.take(whose, limits, now)?;
        let mut charges: Vec<_> = limits
            .iter()
            .zip(local)
            .map(|(limit, local)| Charge { limit: *limit, local, shared: None })
            .collect();
        let invocation = self.link.scripts().take(whose, limits, &redis_now(&self.clock));
        let answer: Option<Vec<i64>> = self.link.run(&invocation).await;
        let Some([through, redis_now, found @ ..]) = answer.as_deref() else {
            self.without_redis.increment(1);
            return Ok(Taken::new(whose, charges, now));
        };
        if *through == 0 {
            self.local.give_back(whose, &charges, now);
            return Err(Refused::new(limits, found, *redis_now));
        }
        for (charge, found) in charges.iter_mut().zip(found) {
            charge.shared = Some(Gcra::of(charge.limit.rate).taken(*found));
        }
        Ok(Taken::new(whose, charges, *redis_now))
    }

    pub(super) fn give_back(&self, whose: Tag, charges: Vec<Charge>) -> Option<JoinHandle<()>> {
        self.local.give_back(whose, &charges, self.clock.now().micros());
        if charges.iter().any(|charge| charge.shared.is_none()) {
            return None;
        }
        let (link, now) = (Arc::clone(&self.link), redis_now(&self.clock));
        Some(tokio::spawn(async move {
            let invocation = link.scripts().give_back(whose, &charges, &now);
            let _: Option<i64> = link.run(&invocation).await;
        }))
    }
}

/// Redis takes its own time, which is one for all replicas; a clock that a test moves is told to it.
fn redis_now(clock: &Clock) -> String {
    match clock {
        Clock::System => String::new(),
        Clock::Shifted(_) | Clock::Stopped(_) => clock.now().micros().to_string(),
    }
}

/// What runs in Redis, and under which keys. The tag stands between braces: all keys of an attempt are in
/// one slot of a cluster.
pub(super) struct Scripts {
    take: Script,
    give_back: Script,
    key_prefix: String,
}

impl Scripts {
    pub(super) fn new(key_prefix: &str) -> Self {
        Self {
            take: Script::new(include_str!("take.lua")),
            give_back: Script::new(include_str!("give_back.lua")),
            key_prefix: key_prefix.to_owned(),
        }
    }

    fn take(&self, whose: Tag, limits: &[Limit], now: &str) -> ScriptInvocation<'_> {
        let mut invocation = self.take.prepare_invoke();
        invocation.arg(now);
        for limit in limits {
            let Gcra { interval, tolerance } = Gcra::of(limit.rate);
            invocation.key(self.key(whose, limit)).arg(interval).arg(tolerance);
        }
        invocation
    }

    fn give_back(&self, whose: Tag, charges: &[Charge], now: &str) -> ScriptInvocation<'_> {
        let mut invocation = self.give_back.prepare_invoke();
        invocation.arg(now);
        for Charge { limit, shared, .. } in charges {
            let interval = Gcra::of(limit.rate).interval;
            invocation.key(self.key(whose, limit)).arg(interval).arg(shared.unwrap_or_default());
        }
        invocation
    }

    /// Does what an attempt does, to a counter of nobody.
    pub(super) fn probe(&self) -> ScriptInvocation<'_> {
        let mut invocation = self.take.prepare_invoke();
        invocation.key(format!("{}limit:probe", self.key_prefix)).arg("").arg(1).arg(1_000_000);
        invocation
    }

    fn key(&self, whose: Tag, Limit { policy, object, .. }: &Limit) -> String {
        let (prefix, policy) = (&self.key_prefix, policy.as_str());
        let tag = |tag: &Tag| BASE64_URL_SAFE_NO_PAD.encode(tag.0);
        let object = object.as_ref().map(|object| format!(":{}", tag(object)));
        format!("{prefix}limit:{{{}}}:{policy}{}", tag(&whose), object.unwrap_or_default())
    }
}
