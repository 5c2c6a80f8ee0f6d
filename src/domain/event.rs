use serde_json::{Value, json};

use super::{Email, EndReason, EventId, Kid, Roles, SessionId, Timestamp, UserId, UserStatus};

/// A fact that other services hear of. Never holds a secret.
#[derive(Debug, Clone)]
pub enum Event {
    UserCreated {
        user_id: UserId,
        email: Email,
        email_verified: bool,
        roles: Roles,
    },
    /// Something about the user changed that has no event of its own, such as being enabled again.
    UserUpdated {
        user_id: UserId,
        status: UserStatus,
    },
    UserRolesChanged {
        user_id: UserId,
        roles: Roles,
    },
    UserDisabled {
        user_id: UserId,
    },
    UserDeleted {
        user_id: UserId,
    },
    /// Too many wrong passwords from devices that have not logged in before.
    UserLocked {
        user_id: UserId,
        /// Since the last success.
        failures: u32,
        /// `None` until an admin unlocks.
        locked_until: Option<Timestamp>,
    },
    PasswordChanged {
        user_id: UserId,
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

impl Event {
    /// Returns the type, as it stands in the envelope and in routing keys.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::UserCreated { .. } => "auth.user_created",
            Self::UserUpdated { .. } => "auth.user_updated",
            Self::UserRolesChanged { .. } => "auth.user_roles_changed",
            Self::UserDisabled { .. } => "auth.user_disabled",
            Self::UserDeleted { .. } => "auth.user_deleted",
            Self::UserLocked { .. } => "auth.user_locked",
            Self::PasswordChanged { .. } => "auth.password_changed",
            Self::SessionRevoked { .. } => "auth.session_revoked",
            Self::RefreshTokenReused { .. } => "auth.refresh_token_reused",
            Self::SigningKeyRotated { .. } => "auth.signing_key_rotated",
        }
    }

    /// Returns the user whom the event is about: order is kept per user. `None` for what is about
    /// the installation.
    #[must_use]
    pub const fn subject(&self) -> Option<UserId> {
        match self {
            Self::UserCreated { user_id, .. }
            | Self::UserUpdated { user_id, .. }
            | Self::UserRolesChanged { user_id, .. }
            | Self::UserDisabled { user_id }
            | Self::UserDeleted { user_id }
            | Self::UserLocked { user_id, .. }
            | Self::PasswordChanged { user_id }
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
            Self::UserUpdated { user_id, status } => {
                json!({ "user_id": user_id, "status": status.as_str() })
            }
            Self::UserRolesChanged { user_id, roles } => {
                json!({ "user_id": user_id, "roles": roles.names() })
            }
            Self::UserLocked { user_id, failures, locked_until } => {
                json!({ "user_id": user_id, "failures": failures, "locked_until": locked_until })
            }
            Self::UserDisabled { user_id }
            | Self::UserDeleted { user_id }
            | Self::PasswordChanged { user_id } => json!({ "user_id": user_id }),
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
