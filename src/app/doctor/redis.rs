//! Redis, which counts for all servers together and keeps nothing that would be missed.

use super::{Fault, Finding};
use crate::config::{DatabaseUrl, Settings};
use crate::limits::{RedisLook, look_at_redis};

const ANSWERS: &str = "redis.answers";
const POLICY: &str = "redis.policy";

pub(super) async fn look(settings: &Settings) -> Vec<Finding> {
    let Some(target) = &settings.redis_url else { return vec![without(&settings.database_url)] };
    match look_at_redis(target, &settings.redis_key_prefix).await {
        Ok(look) => judge(&look),
        Err(reason) => vec![Finding::problem(
            ANSWERS,
            Fault::Away,
            format!("Redis is away: {reason}; until it is back each server limits by its own counters"),
            "start it, or look at host, port and password in redis_url; servers find it again by themselves",
        )],
    }
}

fn without(database: &DatabaseUrl) -> Finding {
    match database {
        DatabaseUrl::Sqlite { .. } => Finding::ok(ANSWERS, "no Redis is set, and one server needs none"),
        DatabaseUrl::Postgres { .. } => Finding::note(
            ANSWERS,
            "no Redis is set: each server limits by itself, so several let through as many times as much",
            "nothing for one server; for several, set redis_url",
        ),
    }
}

fn judge(look: &RedisLook) -> Vec<Finding> {
    let took = look.answered_in.as_secs_f64() * 1_000.0;
    let mut found = vec![Finding::ok(ANSWERS, format!("Redis counts an attempt in {took:.1} ms"))];
    let Some(policy) = &look.maxmemory_policy else {
        let meaning = "Redis does not say what it does when it is full (INFO is not allowed)";
        found.push(Finding::note(
            POLICY,
            meaning,
            "allow INFO, or see yourself that maxmemory-policy evicts",
        ));
        return found;
    };
    found.push(match (policy.as_str(), look.maxmemory) {
        ("noeviction", 1..) => Finding::warning(
            POLICY,
            "a full Redis refuses writes (maxmemory-policy noeviction): then each server limits by its own counters",
            "CONFIG SET maxmemory-policy allkeys-lru, in a Redis of Keyward's own; a lost counter is no harm",
        ),
        (_, 0) => Finding::note(
            POLICY,
            "Redis may grow without bound (maxmemory 0); counters end by themselves, so it is a flood that fills it",
            "CONFIG SET maxmemory 100mb and maxmemory-policy allkeys-lru, in a Redis of Keyward's own",
        ),
        (policy, _) => Finding::ok(POLICY, format!("a full Redis forgets counters ({policy}), which is no harm")),
    });
    if look.persists == Some(true) {
        found.push(Finding::note(
            "redis.persistence",
            "Redis writes what it holds to disk, which Keyward does not need: the truth is in the database",
            "CONFIG SET save \"\" and appendonly no save its work, in a Redis of Keyward's own",
        ));
    }
    found
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::Level;
    use super::*;

    #[test]
    fn what_a_full_redis_does_is_judged() {
        let level = |policy: Option<&str>, maxmemory, persists| -> Vec<Level> {
            let maxmemory_policy = policy.map(str::to_owned);
            let look = RedisLook { answered_in: Duration::ZERO, maxmemory, maxmemory_policy, persists };
            judge(&look).into_iter().map(|finding| finding.level).collect()
        };
        let (ok, note, warning) = (Level::Ok, Level::Note, Level::Warning);
        assert_eq!(level(Some("noeviction"), 1, Some(false)), [ok, warning]);
        assert_eq!(level(Some("noeviction"), 0, Some(false)), [ok, note]);
        assert_eq!(level(Some("allkeys-lru"), 1, Some(false)), [ok, ok]);
        assert_eq!(level(Some("allkeys-lru"), 1, Some(true)), [ok, ok, note]);
        assert_eq!(level(None, 0, None), [ok, note]);
    }
}
