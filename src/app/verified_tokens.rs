//! Access tokens whose signature has held, so that it is not verified anew at every request.
//!
//! They are remembered beside the key set that they were verified with, and forgotten with it: when a key is revoked or
//! removed, the next set begins with none. Time is looked at each time, and so are the session and its user, elsewhere.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_lc_rs::digest::{SHA256, digest};

use crate::domain::SessionId;

const SHARDS: usize = 16;
/// Of each shard and each of its two ages; all together some 5 MiB.
const AGE_MAX: usize = 512;

/// What is to be known of an access token that is ours.
#[derive(Debug, Clone)]
pub(super) struct VerifiedToken {
    pub session_id: SessionId,
    /// The `jti` claim.
    pub id: Arc<str>,
    /// Unix seconds.
    pub issued_at: i64,
    /// Unix seconds.
    pub expires_at: i64,
}

/// Names a token without being one.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Name([u8; 32]);

/// Bounded: of what was not asked for lately, the oldest half goes at once.
pub(super) struct VerifiedTokens([Mutex<Shard>; SHARDS]);

#[derive(Default)]
struct Shard {
    young: HashMap<Name, VerifiedToken>,
    old: HashMap<Name, VerifiedToken>,
}

impl Name {
    /// Of the whole token: one letter of the signature makes another.
    pub(super) fn of(token: &str) -> Self {
        let mut name = [0; 32];
        name.iter_mut().zip(digest(&SHA256, token.as_bytes()).as_ref()).for_each(|(to, from)| *to = *from);
        Self(name)
    }
}

impl Default for VerifiedTokens {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Mutex::default()))
    }
}

impl fmt::Debug for VerifiedTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedTokens").finish_non_exhaustive()
    }
}

impl VerifiedTokens {
    /// Returns what is known of a token, unless its time is over or, the clock having been set back, not yet come.
    pub(super) fn find(&self, name: Name, now: i64) -> Option<VerifiedToken> {
        let mut shard = self.shard(name);
        if !shard.young.contains_key(&name) {
            let found = shard.old.remove(&name)?;
            shard.remember(name, found);
        }
        let found = shard.young.get(&name)?;
        (found.issued_at..found.expires_at).contains(&now).then(|| found.clone())
    }

    pub(super) fn remember(&self, name: Name, token: VerifiedToken) {
        self.shard(name).remember(name, token);
    }

    #[expect(clippy::indexing_slicing, reason = "what remains of a division by SHARDS is less than SHARDS")]
    fn shard(&self, Name(name): Name) -> MutexGuard<'_, Shard> {
        self.0[usize::from(name[0]) % SHARDS].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shard {
    fn remember(&mut self, name: Name, token: VerifiedToken) {
        if self.young.len() >= AGE_MAX {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(name, token);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(jti: &str) -> VerifiedToken {
        let session_id = "01a20ba5-8b63-7751-b30b-733a4758b26d".parse().unwrap();
        VerifiedToken { session_id, id: jti.into(), issued_at: 100, expires_at: 160 }
    }

    fn known(tokens: &VerifiedTokens, text: &str, now: i64) -> Option<String> {
        tokens.find(Name::of(text), now).map(|token| token.id.to_string())
    }

    #[test]
    fn a_token_is_known_in_its_time_only_and_to_the_last_letter() {
        let tokens = VerifiedTokens::default();
        tokens.remember(Name::of("a.b.c"), token("1"));
        assert_eq!(known(&tokens, "a.b.c", 100).as_deref(), Some("1"));
        assert_eq!(known(&tokens, "a.b.c", 159).as_deref(), Some("1"));
        assert_eq!(known(&tokens, "a.b.c", 160), None, "expired");
        assert_eq!(known(&tokens, "a.b.c", 99), None, "the clock was set back");
        assert_eq!(known(&tokens, "a.b.d", 100), None);
    }

    #[test]
    fn what_is_asked_for_stays_and_the_number_is_bounded() {
        let tokens = VerifiedTokens::default();
        tokens.remember(Name::of("kept"), token("kept"));
        let most = 2 * AGE_MAX * SHARDS;
        for number in 0..3 * most {
            tokens.remember(Name::of(&number.to_string()), token("other"));
            if number % AGE_MAX == 0 {
                assert!(known(&tokens, "kept", 100).is_some(), "after {number}");
            }
        }
        let held = tokens.0.iter().map(|shard| shard.lock().unwrap()).map(|s| s.young.len() + s.old.len());
        assert!(held.sum::<usize>() <= most);
        assert!(known(&tokens, "0", 100).is_none());
    }
}
