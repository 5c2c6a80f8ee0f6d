use serde_json::{Value, json};

use super::{Email, EndReason, EventId, Roles, SessionId, Timestamp, UserId};

/// A fact that other services hear of. Never holds a secret.
#[derive(Debug, Clone)]
pub enum Event {
    UserCreated { user_id: UserId, email: Email, email_verified: bool, roles: Roles },
    SessionRevoked { user_id: UserId, sessions: Vec<SessionId>, reason: EndReason },
    RefreshTokenReused { user_id: UserId, session_id: SessionId },
}

/// The type of an event, as it stands in the envelope and in routing keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    UserCreated,
    SessionRevoked,
    RefreshTokenReused,
}

impl EventKind {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UserCreated => "auth.user_created",
            Self::SessionRevoked => "auth.session_revoked",
            Self::RefreshTokenReused => "auth.refresh_token_reused",
        }
    }
}

impl Event {
    #[must_use]
    pub const fn kind(&self) -> EventKind {
        match self {
            Self::UserCreated { .. } => EventKind::UserCreated,
            Self::SessionRevoked { .. } => EventKind::SessionRevoked,
            Self::RefreshTokenReused { .. } => EventKind::RefreshTokenReused,
        }
    }

    /// Returns the user whom the event is about: order is kept per subject.
    #[must_use]
    pub const fn subject(&self) -> UserId {
        match self {
            Self::UserCreated { user_id, .. }
            | Self::SessionRevoked { user_id, .. }
            | Self::RefreshTokenReused { user_id, .. } => *user_id,
        }
    }

    /// Returns the `data` member of the envelope.
    #[must_use]
    pub fn data(&self) -> Value {
        match self {
            Self::UserCreated { user_id, email, email_verified, roles } => json!({
                "user_id": user_id,
                "email": email.display(),
                "email_verified": email_verified,
                "roles": roles.names(),
            }),
            Self::SessionRevoked { user_id, sessions, reason } => json!({
                "user_id": user_id,
                "session_ids": sessions,
                "reason": reason.as_str(),
            }),
            Self::RefreshTokenReused { user_id, session_id } => json!({
                "user_id": user_id,
                "session_id": session_id,
            }),
        }
    }
}

/// An event in the outbox, as it is to be published.
#[derive(Debug, Clone)]
pub struct PendingEvent {
    pub id: EventId,
    pub subject: UserId,
    /// Counts the events of a subject, in the order in which they were committed.
    pub sequence: i64,
    pub kind: String,
    pub occurred_at: Timestamp,
    pub data: Value,
}
