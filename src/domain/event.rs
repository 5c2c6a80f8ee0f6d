use serde_json::{Value, json};

use super::{Email, EndReason, EventId, Kid, Roles, SessionId, Timestamp, UserId};

/// A fact that other services hear of. Never holds a secret.
#[derive(Debug, Clone)]
pub enum Event {
    UserCreated {
        user_id: UserId,
        email: Email,
        email_verified: bool,
        roles: Roles,
    },
    SessionRevoked {
        user_id: UserId,
        sessions: Vec<SessionId>,
        reason: EndReason,
    },
    RefreshTokenReused {
        user_id: UserId,
        session_id: SessionId,
    },
    /// `kid` signs from now on.
    SigningKeyRotated {
        kid: Kid,
        previous: Option<Kid>,
    },
}

/// The type of an event, as it stands in the envelope and in routing keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    UserCreated,
    SessionRevoked,
    RefreshTokenReused,
    SigningKeyRotated,
}

impl EventKind {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UserCreated => "auth.user_created",
            Self::SessionRevoked => "auth.session_revoked",
            Self::RefreshTokenReused => "auth.refresh_token_reused",
            Self::SigningKeyRotated => "auth.signing_key_rotated",
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
            Self::SigningKeyRotated { .. } => EventKind::SigningKeyRotated,
        }
    }

    /// Returns the user whom the event is about: order is kept per user. `None` for what is about
    /// the installation.
    #[must_use]
    pub const fn subject(&self) -> Option<UserId> {
        match self {
            Self::UserCreated { user_id, .. }
            | Self::SessionRevoked { user_id, .. }
            | Self::RefreshTokenReused { user_id, .. } => Some(*user_id),
            Self::SigningKeyRotated { .. } => None,
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
            Self::SigningKeyRotated { kid, previous } => json!({
                "kid": kid.as_str(),
                "previous_kid": previous.as_ref().map(Kid::as_str),
            }),
        }
    }
}

/// An event in the outbox, as it is to be published.
#[derive(Debug, Clone)]
pub struct PendingEvent {
    pub id: EventId,
    pub subject: Option<UserId>,
    /// Counts the events of a subject, in the order in which they were committed.
    pub sequence: i64,
    pub kind: String,
    pub occurred_at: Timestamp,
    pub data: Value,
}
