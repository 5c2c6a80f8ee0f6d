//! The life of a signing key, `pending → active → retired → removed`, as pure decisions.
//!
//! A key is published before it signs, for longer than any verifier caches the key set, and stays
//! published until the last token that it signed has expired. So no verifier ever meets a token
//! whose key it could not have seen.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::Timestamp;

/// Names a signing key: its RFC 7638 thumbprint.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Kid(String);

impl Kid {
    /// Takes base64url of at most 128 characters, which every thumbprint is.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (1..=128).contains(&text.len());
        let base64url = text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
        (fits && base64url).then(|| Self(text.to_owned()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Kid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Kid {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text).ok_or("not a key id")
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// Published, and not signing yet.
    Pending,
    /// Signs; there is exactly one.
    Active,
    /// Published until its last token has expired.
    Retired,
    /// Neither published nor accepted.
    Removed,
}

impl KeyState {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Retired => "retired",
            Self::Removed => "removed",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Pending, Self::Active, Self::Retired, Self::Removed]
            .into_iter()
            .find(|state| state.as_str() == text)
    }
}

/// A signing key as its life cycle sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyStage {
    pub kid: Kid,
    pub algorithm: String,
    pub state: KeyState,
    pub created_at: Timestamp,
    pub promoted_at: Option<Timestamp>,
    pub retired_at: Option<Timestamp>,
}

/// What the settings ask of key rotation.
#[derive(Debug, Clone)]
pub struct RotationRules {
    pub algorithm: String,
    pub rotate_every: Duration,
    pub publish_before: Duration,
    /// How long a retired key stays published: the life of an access token, and some more for a
    /// replica that heard of the change a little late.
    pub retire_for: Duration,
}

/// What is to be done next. At most one step at a time, so that each is small and can be repeated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyStep {
    /// Make a key that signs at once: there is none.
    CreateActive,
    CreatePending,
    /// Let the pending key sign, and retire the active one, if it was not revoked.
    Promote {
        pending: Kid,
        retire: Option<Kid>,
    },
    Remove {
        kid: Kid,
    },
}

/// Decides the next step that is due by itself.
#[must_use]
pub fn next_step(keys: &[KeyStage], rules: &RotationRules, now: Timestamp) -> Option<KeyStep> {
    let in_state = |state| keys.iter().find(move |key| key.state == state);
    let Some(active) = in_state(KeyState::Active) else {
        // After a revocation the pending key steps in: verifiers are likelier to know it than a new one.
        return Some(match in_state(KeyState::Pending) {
            Some(pending) => KeyStep::Promote { pending: pending.kid.clone(), retire: None },
            None => KeyStep::CreateActive,
        });
    };
    let Some(pending) = in_state(KeyState::Pending) else { return Some(KeyStep::CreatePending) };
    if pending.algorithm != rules.algorithm {
        // It never signed, so nothing is lost; its successor has the algorithm that is wanted now.
        return Some(KeyStep::Remove { kid: pending.kid.clone() });
    }
    if now >= due_at(active, pending, rules) {
        return Some(KeyStep::Promote { pending: pending.kid.clone(), retire: Some(active.kid.clone()) });
    }
    keys.iter()
        .find(|key| {
            key.state == KeyState::Retired && key.retired_at.is_none_or(|at| now >= at + rules.retire_for)
        })
        .map(|key| KeyStep::Remove { kid: key.kid.clone() })
}

/// When the pending key has been public for long enough to sign.
#[must_use]
pub fn promotable_at(pending: &KeyStage, rules: &RotationRules) -> Timestamp {
    pending.created_at + rules.publish_before
}

/// When the pending key takes over by itself.
#[must_use]
pub fn due_at(active: &KeyStage, pending: &KeyStage, rules: &RotationRules) -> Timestamp {
    let worn = active.promoted_at.unwrap_or(active.created_at) + rules.rotate_every;
    worn.max(promotable_at(pending, rules))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DAY: i64 = 86_400;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    fn rules() -> RotationRules {
        RotationRules {
            algorithm: "ES256".to_owned(),
            rotate_every: Duration::from_secs(30 * 86_400),
            publish_before: Duration::from_secs(86_400),
            retire_for: Duration::from_secs(660),
        }
    }

    fn key(kid: &str, state: KeyState, created: i64) -> KeyStage {
        KeyStage {
            kid: Kid::parse(kid).unwrap(),
            algorithm: "ES256".to_owned(),
            state,
            created_at: at(created),
            promoted_at: (state == KeyState::Active).then(|| at(created)),
            retired_at: None,
        }
    }

    fn kid(text: &str) -> Kid {
        Kid::parse(text).unwrap()
    }

    #[test]
    fn an_empty_installation_gets_an_active_and_then_a_pending_key() {
        assert_eq!(next_step(&[], &rules(), at(0)), Some(KeyStep::CreateActive));
        let active = key("a", KeyState::Active, 0);
        assert_eq!(next_step(&[active], &rules(), at(0)), Some(KeyStep::CreatePending));
    }

    #[test]
    fn a_key_signs_only_after_it_was_public_for_long_enough() {
        let keys = [key("a", KeyState::Active, 0), key("b", KeyState::Pending, 30 * DAY - 10)];
        assert_eq!(next_step(&keys, &rules(), at(30 * DAY)), None, "due, but too fresh");
        let due = Some(KeyStep::Promote { pending: kid("b"), retire: Some(kid("a")) });
        assert_eq!(next_step(&keys, &rules(), at(31 * DAY - 10)), due);
        let early = [key("a", KeyState::Active, 0), key("b", KeyState::Pending, 0)];
        assert_eq!(next_step(&early, &rules(), at(30 * DAY - 1)), None);
        assert_eq!(next_step(&early, &rules(), at(30 * DAY)), due);
    }

    #[test]
    fn a_retired_key_stays_until_its_last_token_expired() {
        let retired = KeyStage { retired_at: Some(at(100)), ..key("r", KeyState::Retired, 0) };
        let keys = [key("a", KeyState::Active, 100), key("b", KeyState::Pending, 100), retired];
        assert_eq!(next_step(&keys, &rules(), at(759)), None);
        assert_eq!(next_step(&keys, &rules(), at(760)), Some(KeyStep::Remove { kid: kid("r") }));
    }

    #[test]
    fn a_revoked_active_key_is_followed_by_the_pending_one() {
        let keys = [key("b", KeyState::Pending, 0)];
        assert_eq!(
            next_step(&keys, &rules(), at(1)),
            Some(KeyStep::Promote { pending: kid("b"), retire: None })
        );
    }

    #[test]
    fn a_changed_algorithm_replaces_the_pending_key() {
        let keys = [key("a", KeyState::Active, 0), key("b", KeyState::Pending, 0)];
        let rules = RotationRules { algorithm: "EdDSA".to_owned(), ..rules() };
        assert_eq!(next_step(&keys, &rules, at(1)), Some(KeyStep::Remove { kid: kid("b") }));
    }

    #[test]
    fn kids_are_base64url() {
        assert!(Kid::parse("JZsZHhTQLhEx7eFSUC0gv2ykgMrjwNx_DC6Qcl854dc").is_some());
        for bad in ["", "a/b", "a b", "a.b", "é", &"a".repeat(129)] {
            assert!(Kid::parse(bad).is_none(), "{bad}");
        }
    }

    proptest! {
        /// Over any series of looks at any times, no token's key is ever missing from the set that a
        /// verifier fetched up to `publish_before` ago, nor from the present set while the token lives.
        #[test]
        fn no_verifier_meets_an_unknown_key(pauses in prop::collection::vec(1_i64..(3 * DAY), 1..120)) {
            let rules = rules();
            let mut keys: Vec<KeyStage> = Vec::new();
            let mut now = 0;
            let mut first_day = true;
            for (number, pause) in pauses.into_iter().enumerate() {
                now += pause;
                for round in 0..8 {
                    let Some(step) = next_step(&keys, &rules, at(now)) else { break };
                    match step {
                        KeyStep::CreateActive => keys.push(key(&format!("k{number}-{round}"), KeyState::Active, now)),
                        KeyStep::CreatePending => keys.push(key(&format!("k{number}-{round}"), KeyState::Pending, now)),
                        KeyStep::Promote { pending, retire } => {
                            for key in &mut keys {
                                if Some(&key.kid) == retire.as_ref() {
                                    key.state = KeyState::Retired;
                                    key.retired_at = Some(at(now));
                                }
                                if key.kid == pending {
                                    prop_assert!(at(now) >= key.created_at + rules.publish_before);
                                    key.state = KeyState::Active;
                                    key.promoted_at = Some(at(now));
                                }
                            }
                            first_day = false;
                        }
                        KeyStep::Remove { kid } => {
                            let gone = keys.iter().find(|key| key.kid == kid).unwrap();
                            prop_assert!(gone.retired_at.is_some_and(|then| at(now) >= then + rules.retire_for));
                            keys.retain(|key| key.kid != kid);
                        }
                    }
                }
                prop_assert_eq!(keys.iter().filter(|key| key.state == KeyState::Active).count(), 1);
                prop_assert_eq!(keys.iter().filter(|key| key.state == KeyState::Pending).count(), 1);
            }
            prop_assert!(first_day || now >= 30 * DAY);
        }
    }
}
