//! The two questions that come in thousands, asked together: rotations and session checks.

use std::collections::HashMap;

use crate::clock::Clock;
use crate::crypto::RefreshTokens;
use crate::domain::{FamilyLimits, Generation, PresentedToken, SessionId};
use crate::store::{Batcher, FamilyWithUser, Group, Rotation, Store};
use crate::telemetry::{BATCH_SIZE, BATCH_WAIT};

/// Statements in flight. Two keep the database busy while answers are handed out; more would make
/// the groups smaller and the commits more.
const LANES: usize = 2;
const QUEUE: usize = 8_192;

#[derive(Debug)]
pub(super) struct Batches {
    pub(super) rotations: Batcher<PresentedToken, FamilyWithUser>,
    pub(super) session_checks: Batcher<SessionId, FamilyWithUser>,
}

impl Batches {
    pub(super) fn start(store: &Store, clock: &Clock, tokens: &RefreshTokens, limits: FamilyLimits) -> Self {
        let (rotating, clock, mac_key) = (store.clone(), clock.clone(), tokens.current_key());
        let rotations = Batcher::start("rotations", (LANES, QUEUE), watch("rotations"), move |presented| {
            let (store, how) = (rotating.clone(), Rotation { limits, mac_key, now: clock.now() });
            Box::pin(async move {
                let rotated = store.refresh_tokens_rotate(one_a_family(presented), how).await?;
                Ok(rotated
                    .into_iter()
                    .filter_map(|session| Some((presented_for(&session)?, session)))
                    .collect())
            })
        });
        let checking = store.clone();
        let session_checks =
            Batcher::start("session_checks", (LANES, QUEUE), watch("session_checks"), move |ids| {
                let store = checking.clone();
                Box::pin(async move {
                    let found = store.sessions_by_ids(ids).await?;
                    Ok(found.into_iter().map(|session| (session.family.id, session)).collect())
                })
            });
        Self { rotations, session_checks }
    }
}

/// Two generations of one family cannot both be current; those left out are judged singly.
fn one_a_family(presented: Vec<PresentedToken>) -> Vec<PresentedToken> {
    let mut families: HashMap<_, PresentedToken> = HashMap::with_capacity(presented.len());
    for token in presented {
        families.entry(token.handle).or_insert(token);
    }
    families.into_values().collect()
}

/// The token that was presented for a family that has just advanced.
fn presented_for(rotated: &FamilyWithUser) -> Option<PresentedToken> {
    let generation = Generation(rotated.family.generation.0.checked_sub(1)?);
    Some(PresentedToken { handle: rotated.family.handle, generation })
}

/// Measures the groups of a batch.
fn watch(batch: &'static str) -> impl Fn(Group) + Clone {
    let (size, wait) = (BATCH_SIZE.histogram(&[batch]), BATCH_WAIT.histogram(&[batch]));
    move |group| {
        size.record(u32::try_from(group.size).unwrap_or(u32::MAX));
        wait.record(group.waited);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Handle;

    #[test]
    fn a_statement_sees_each_family_once() {
        let token = |handle, generation| PresentedToken {
            handle: Handle([handle; 16]),
            generation: Generation(generation),
        };
        let kept = one_a_family(vec![token(1, 5), token(2, 1), token(1, 4)]);
        assert_eq!(kept.len(), 2);
        assert!(kept.contains(&token(1, 5)) && kept.contains(&token(2, 1)));
    }
}
