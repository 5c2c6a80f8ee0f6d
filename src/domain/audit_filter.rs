use std::fmt;

use super::{AuditId, SecurityEvent, Timestamp, UserId};

/// Which records of the audit log a listing shows: those for which everything that is named holds.
#[derive(Debug, Clone, Copy, Default)]
pub struct AuditFilter {
    /// Whom they are about.
    pub user: Option<UserId>,
    /// The admin who did it.
    pub actor: Option<UserId>,
    pub event: Option<SecurityEvent>,
    /// To the millisecond, as is `until`.
    pub since: Option<Timestamp>,
    /// Only what happened before.
    pub until: Option<Timestamp>,
}

impl AuditFilter {
    /// Returns the least identifier that is meant and the least above it that is not: an identifier begins with the time.
    #[must_use]
    pub fn ids(&self) -> (AuditId, AuditId) {
        let first = self.since.map_or(AuditId::MIN, AuditId::first_at);
        (first, self.until.map_or(AuditId::MAX, AuditId::first_at))
    }
}

/// One text for each filter: a cursor is good for the listing that it came from.
impl fmt::Display for AuditFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { user, actor, event, since, until } = self;
        let word = |value: Option<String>| value.unwrap_or_default();
        write!(
            f,
            "{} {} {} {} {}",
            word(user.map(|id| id.to_string())),
            word(actor.map(|id| id.to_string())),
            event.map_or("", SecurityEvent::as_str),
            word(since.map(|time| time.micros().to_string())),
            word(until.map(|time| time.micros().to_string())),
        )
    }
}
