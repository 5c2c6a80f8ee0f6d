use std::time::Duration;

use redis::InfoDict;
use redis::aio::ConnectionManager;

use super::link::Link;
use super::shared::Scripts;
use crate::config::RedisTarget;

/// The limits of time are those of servers, who try again by themselves, too: once too late says little.
const TRIES: usize = 3;

/// What a Redis is like that answers.
#[derive(Debug, Clone)]
pub struct RedisLook {
    /// How long it took to charge an attempt.
    pub answered_in: Duration,
    /// In bytes; 0 is no limit.
    pub maxmemory: u64,
    /// `None` where it does not say.
    pub maxmemory_policy: Option<String>,
    /// Whether it writes to disk; `None` where it does not say.
    pub persists: Option<bool>,
}

/// Does once what servers do: connects, and charges an attempt to a counter of nobody, which is gone within a
/// millisecond. The error says why that does not work.
pub async fn look_at_redis(target: &RedisTarget, key_prefix: &str) -> Result<RedisLook, String> {
    let link = Link::new(target, Scripts::new(key_prefix))?;
    let mut dialled = link.dial().await;
    for _ in 1..TRIES {
        if dialled.is_err() {
            dialled = link.dial().await;
        }
    }
    let (mut connection, answered_in) = dialled.map_err(|error| error.to_string())?;
    let info: Option<InfoDict> = redis::cmd("INFO").query_async(&mut connection).await.ok();
    let get = |name: &str| info.as_ref().and_then(|info| info.get::<String>(name));
    let aof = get("aof_enabled").map(|enabled| enabled == "1");
    let persists = match (aof, saves(&mut connection).await) {
        (Some(true), _) | (_, Some(true)) => Some(true),
        (Some(false), Some(false)) => Some(false),
        _ => None,
    };
    Ok(RedisLook {
        answered_in,
        maxmemory: get("maxmemory").and_then(|bytes| bytes.parse().ok()).unwrap_or_default(),
        maxmemory_policy: get("maxmemory_policy"),
        persists,
    })
}

/// Whether it makes snapshots. Services that run it for others often do not tell.
async fn saves(connection: &mut ConnectionManager) -> Option<bool> {
    let answer = redis::cmd("CONFIG").arg("GET").arg("save").query_async(connection).await;
    let pair: Vec<String> = answer.ok()?;
    pair.get(1).map(|points| !points.is_empty())
}
