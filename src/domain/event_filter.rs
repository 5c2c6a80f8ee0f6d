use serde_json::{Value, json};

use super::{EventId, Timestamp, UserId};

/// Which events of the outbox are meant.
#[derive(Debug, Clone)]
pub struct EventFilter {
    pub since: Timestamp,
    /// Only what happened before; `None` for all until now and what comes.
    pub until: Option<Timestamp>,
    /// Only events of this type, such as `auth.user_created`.
    pub kind: Option<String>,
    /// Only events about this user.
    pub user: Option<UserId>,
}

impl EventFilter {
    /// Returns the least identifier that is meant and the least above it that is not: an identifier begins with the time.
    #[must_use]
    pub fn ids(&self) -> (EventId, EventId) {
        (EventId::first_at(self.since), self.until.map_or(EventId::MAX, EventId::first_at))
    }

    /// Says in a record of the audit log what was meant.
    #[must_use]
    pub fn detail(&self) -> Value {
        json!({ "since": self.since, "until": self.until, "type": self.kind, "user": self.user })
    }
}
