//! Counters in this process. There are never more than [`SHARDS`] × [`SHARD_MAX`] of them.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Charge, Gcra, Limit, Policy, Refused, Tag};

const SHARDS: usize = 64;
/// 4096 × 64 are a quarter of a million counters, some 20 MiB.
const SHARD_MAX: usize = 4_096;

/// Whose it is, of which policy, and for what.
type Name = (Tag, Policy, Option<Tag>);

/// A counter that is paid off is as good as none, so it may go at any time.
pub struct Counters {
    /// By the first byte of the tag: all counters of an attempt are under one lock.
    shards: Box<[Mutex<HashMap<Name, i64>>; SHARDS]>,
}

impl Counters {
    pub(super) fn new() -> Self {
        Self { shards: Box::new(std::array::from_fn(|_| Mutex::default())) }
    }

    /// Charges one to each limit, and returns what the counters hold then; or nothing to any.
    pub(super) fn take(&self, whose: Tag, limits: &[Limit], now: i64) -> Result<Vec<i64>, Refused> {
        let mut shard = self.shard(whose);
        let found: Vec<_> = limits
            .iter()
            .map(|limit| Gcra::of(limit.rate).counter(shard.get(&name(whose, limit)).copied(), now))
            .collect();
        let lets_through = |(limit, found): (&Limit, &i64)| Gcra::of(limit.rate).lets_through(*found, now);
        if !limits.iter().zip(&found).all(lets_through) {
            return Err(Refused::new(limits, &found, now));
        }
        let charge = |(limit, found): (&Limit, i64)| {
            let counter = Gcra::of(limit.rate).taken(found);
            make_room(&mut shard, now);
            shard.insert(name(whose, limit), counter);
            counter
        };
        Ok(limits.iter().zip(found).map(charge).collect())
    }

    pub(super) fn give_back(&self, whose: Tag, charges: &[Charge], now: i64) {
        let mut shard = self.shard(whose);
        for Charge { limit, local, .. } in charges {
            let name = name(whose, limit);
            let Some(stored) = shard.get(&name).copied() else { continue };
            match Gcra::of(limit.rate).given_back(stored, *local, now) {
                Some(counter) => shard.insert(name, counter),
                None => shard.remove(&name),
            };
        }
    }

    #[expect(clippy::indexing_slicing, reason = "what remains of a division by SHARDS is less than SHARDS")]
    fn shard(&self, whose: Tag) -> MutexGuard<'_, HashMap<Name, i64>> {
        let [first, ..] = whose.0;
        let shard = &self.shards[usize::from(first) % SHARDS];
        // A number is whole whatever happened to the thread that held the lock.
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const fn name(whose: Tag, limit: &Limit) -> Name {
    (whose, limit.policy, limit.object)
}

/// Lets go of counters that are paid off and, if all places are still taken, of the half that will be
/// soonest. Whoever wants to be forgotten would have to use up some hundred thousand others first,
/// and would get less by it than those let through.
fn make_room(shard: &mut HashMap<Name, i64>, now: i64) {
    if shard.len() < SHARD_MAX {
        return;
    }
    shard.retain(|_, paid_off| *paid_off > now);
    if shard.len() < SHARD_MAX {
        return;
    }
    let mut all: Vec<i64> = shard.values().copied().collect();
    let middle = all.len() / 2;
    let (_, median, _) = all.select_nth_unstable(middle);
    let median = *median;
    shard.retain(|_, paid_off| *paid_off > median);
}

impl fmt::Debug for Counters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Counters")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::Rate;

    const NOW: i64 = 1_000_000_000_000_000;

    fn limit(policy: Policy, count: u32) -> Limit {
        Limit { policy, object: None, rate: Rate { count, per: Duration::from_mins(1) } }
    }

    fn held(counters: &Counters) -> usize {
        counters.shards.iter().map(|shard| shard.lock().unwrap().len()).sum()
    }

    /// Spread over all shards.
    fn tag(number: u32) -> Tag {
        let mut tag = [0; 16];
        tag[0] = number.to_le_bytes()[0];
        tag[4..8].copy_from_slice(&number.to_le_bytes());
        Tag(tag)
    }

    #[test]
    fn an_attempt_is_charged_to_all_of_its_limits_or_to_none() {
        let counters = Counters::new();
        let (wide, narrow) = (limit(Policy::LoginPerIp, 5), limit(Policy::LoginPerAccountIp, 2));
        for _ in 0..2 {
            counters.take(tag(1), &[wide, narrow], NOW).unwrap();
        }
        for _ in 0..10 {
            let refused = counters.take(tag(1), &[wide, narrow], NOW).unwrap_err();
            assert_eq!(refused.retry_after, Duration::from_secs(30));
            assert_eq!(refused.standings.iter().map(|s| s.remaining).collect::<Vec<_>>(), [3, 0]);
        }
        for _ in 0..3 {
            counters.take(tag(1), &[wide], NOW).unwrap();
        }
        assert!(counters.take(tag(1), &[wide], NOW).is_err());
        assert!(counters.take(tag(2), &[wide, narrow], NOW).is_ok(), "another is not limited");
    }

    #[test]
    fn the_number_of_counters_is_bounded_and_what_is_used_up_stays() {
        let counters = Counters::new();
        let one = limit(Policy::PerIp, 3);
        for _ in 0..3 {
            counters.take(tag(0), &[one], NOW).unwrap();
        }
        let all = u32::try_from(SHARDS * SHARD_MAX).unwrap();
        for number in 1..2 * all {
            counters.take(tag(number), &[one], NOW).unwrap();
        }
        assert!(held(&counters) <= SHARDS * SHARD_MAX);
        assert!(counters.take(tag(0), &[one], NOW).is_err(), "the most used counter is the last to go");
        // A minute later all are paid off, and the next to need a place sweeps them away.
        let later = NOW + 61_000_000;
        for number in 0..all {
            counters.take(tag(number), &[one], later).unwrap();
        }
        assert!(held(&counters) <= SHARDS * SHARD_MAX);
    }

    #[test]
    fn what_was_given_back_leaves_no_trace() {
        let counters = Counters::new();
        let one = limit(Policy::LoginPerIp, 1);
        for _ in 0..100 {
            let local = counters.take(tag(7), &[one], NOW).unwrap()[0];
            counters.give_back(tag(7), &[Charge { limit: one, local, shared: None }], NOW + 1);
        }
        assert_eq!(held(&counters), 0);
    }
}
