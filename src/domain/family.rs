//! A family of refresh tokens: the decision what a presented one is worth.

use std::time::Duration;

use super::{Epoch, KeyId, SessionId, Timestamp, UserId};

/// Names a family inside its refresh tokens; random, and shown nowhere else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Handle(pub [u8; 16]);

/// Counts the rotations of a family; the first token is generation 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(pub u32);

impl Generation {
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// A refresh token whose MAC was found right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PresentedToken {
    pub handle: Handle,
    pub generation: Generation,
}

/// The row of a family, which is a session.
#[derive(Debug, Clone)]
pub struct Family {
    pub id: SessionId,
    pub user_id: UserId,
    pub handle: Handle,
    pub generation: Generation,
    /// The master key under which the current token was made, so that it can be made again.
    pub mac_key: KeyId,
    pub session_epoch: Epoch,
    pub created_at: Timestamp,
    /// When the current token was made.
    pub rotated_at: Timestamp,
    pub expires_at: Timestamp,
    pub ended: Option<EndReason>,
}

/// Why a family ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndReason {
    Logout,
    LogoutAll,
    /// By its owner, from another session.
    Revoked,
    PasswordChanged,
    /// By an admin: ended, disabled, or the password was reset.
    Admin,
    Reuse,
    /// A token ahead of the database: it was restored, or a fail-over lost writes.
    Ahead,
    /// The user had more sessions than `max_sessions_per_user`.
    SessionLimit,
}

impl EndReason {
    pub const ALL: [Self; 8] = [
        Self::Logout,
        Self::LogoutAll,
        Self::Revoked,
        Self::PasswordChanged,
        Self::Admin,
        Self::Reuse,
        Self::Ahead,
        Self::SessionLimit,
    ];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Logout => "logout",
            Self::LogoutAll => "logout_all",
            Self::Revoked => "revoked",
            Self::PasswordChanged => "password_changed",
            Self::Admin => "admin",
            Self::Reuse => "refresh_token_reused",
            Self::Ahead => "refresh_token_ahead",
            Self::SessionLimit => "session_limit",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text)
    }
}

/// How long a family lives. The absolute limit stands in the row, from the day of the login.
#[derive(Debug, Clone, Copy)]
pub struct FamilyLimits {
    pub idle: Duration,
    pub grace: Duration,
}

/// What a presented refresh token is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The current one: advance.
    Rotate,
    /// The one before, within the grace: the answer was lost, or two tabs asked. The same successor again.
    RepeatSuccessor,
    /// An older one, or the one before after the grace: somebody holds a copy. The family ends.
    Reuse,
    /// A generation that was never given out by this database. The family ends.
    Ahead,
    /// The family had ended, had expired, or its user has moved on.
    Ended,
}

/// Judges a presented generation against the family's row and the epoch of its user, or `None` when
/// the user may not hold sessions at all (disabled, deleted).
#[must_use]
pub fn judge(
    family: &Family,
    user_epoch: Option<Epoch>,
    presented: Generation,
    limits: FamilyLimits,
    now: Timestamp,
) -> Verdict {
    let expired = now >= family.expires_at || now >= family.rotated_at + limits.idle;
    if family.ended.is_some() || user_epoch != Some(family.session_epoch) || expired {
        return Verdict::Ended;
    }
    if presented == family.generation {
        return Verdict::Rotate;
    }
    if presented > family.generation {
        return Verdict::Ahead;
    }
    // Clocks of replicas differ: `since` counts a negative time as zero.
    if presented.next() == family.generation && now.since(family.rotated_at) <= limits.grace {
        return Verdict::RepeatSuccessor;
    }
    Verdict::Reuse
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use uuid::Uuid;

    const LIMITS: FamilyLimits =
        FamilyLimits { idle: Duration::from_secs(1_000), grace: Duration::from_secs(30) };
    const EPOCH: Epoch = Epoch(3);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    fn family(generation: u32, rotated_at: i64) -> Family {
        Family {
            id: SessionId::new(Uuid::nil()),
            user_id: UserId::new(Uuid::nil()),
            handle: Handle([7; 16]),
            generation: Generation(generation),
            mac_key: KeyId(0),
            session_epoch: EPOCH,
            created_at: at(0),
            rotated_at: at(rotated_at),
            expires_at: at(5_000),
            ended: None,
        }
    }

    fn verdict(family: &Family, presented: u32, now: i64) -> Verdict {
        judge(family, Some(EPOCH), Generation(presented), LIMITS, at(now))
    }

    #[test]
    fn generations_decide() {
        let family = family(5, 100);
        assert_eq!(verdict(&family, 5, 101), Verdict::Rotate);
        assert_eq!(verdict(&family, 4, 101), Verdict::RepeatSuccessor);
        assert_eq!(verdict(&family, 4, 130), Verdict::RepeatSuccessor, "the grace is inclusive");
        assert_eq!(verdict(&family, 4, 131), Verdict::Reuse);
        assert_eq!(verdict(&family, 4, 90), Verdict::RepeatSuccessor, "a clock that lags counts as zero");
        assert_eq!(verdict(&family, 3, 101), Verdict::Reuse, "within the grace, but two behind");
        assert_eq!(verdict(&family, 6, 101), Verdict::Ahead);
    }

    #[test]
    fn limits_hold_exactly() {
        let family = family(0, 100);
        assert_eq!(verdict(&family, 0, 1_099), Verdict::Rotate);
        assert_eq!(verdict(&family, 0, 1_100), Verdict::Ended, "idle");
        let late = Family { rotated_at: at(4_900), ..family };
        assert_eq!(verdict(&late, 0, 4_999), Verdict::Rotate);
        assert_eq!(verdict(&late, 0, 5_000), Verdict::Ended, "absolute");
    }

    #[test]
    fn an_ended_family_answers_nothing_else() {
        let family = Family { ended: Some(EndReason::Logout), ..family(5, 100) };
        for presented in 0..8 {
            assert_eq!(verdict(&family, presented, 101), Verdict::Ended);
        }
    }

    #[test]
    fn a_user_who_moved_on_ends_all() {
        let family = family(5, 100);
        for epoch in [None, Some(Epoch(2)), Some(Epoch(4))] {
            assert_eq!(judge(&family, epoch, Generation(5), LIMITS, at(101)), Verdict::Ended);
        }
    }

    proptest! {
        /// A model that remembers every token it ever gave out agrees with the row that remembers one number.
        #[test]
        fn the_row_agrees_with_a_model_that_remembers_everything(
            steps in prop::collection::vec((0_i64..40, 0_u32..6), 1..60)
        ) {
            let mut row = family(0, 0);
            let mut issued_at = vec![0_i64];
            let mut now = 0;
            for (pause, back) in steps {
                now += pause;
                let newest = u32::try_from(issued_at.len() - 1).unwrap();
                let Some(presented) = newest.checked_sub(back) else { continue };
                let replaced_at = issued_at.get(presented as usize + 1);
                let expected = match (back, replaced_at) {
                    (0, _) => Verdict::Rotate,
                    (1, Some(then)) if now - then <= 30 => Verdict::RepeatSuccessor,
                    _ => Verdict::Reuse,
                };
                prop_assert_eq!(verdict(&row, presented, now), expected);
                match expected {
                    Verdict::Rotate => {
                        row.generation = row.generation.next();
                        row.rotated_at = at(now);
                        issued_at.push(now);
                    }
                    Verdict::Reuse => {
                        row.ended = Some(EndReason::Reuse);
                        prop_assert_eq!(verdict(&row, newest, now), Verdict::Ended);
                        return Ok(());
                    }
                    _ => {}
                }
            }
        }
    }
}
