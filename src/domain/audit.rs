use serde_json::Value;

use super::{Caller, SessionId, UserId};

/// The closed list of what the audit log records. A successful refresh is not in it: there are
/// too many, and the family's row tells the last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecurityEvent {
    UserCreated,
    LoginSucceeded,
    LoginFailed,
    /// Attempts that a lock turned away, summed: one record a minute and identifier.
    LoginsRefused,
    /// Too many wrong passwords: of an address, whether it is somebody's or not.
    UserLocked,
    UserUnlocked,
    PasswordChanged,
    PasswordChangeFailed,
    PasswordReset,
    UserDisabled,
    UserEnabled,
    UserRolesChanged,
    UserDeleted,
    SessionRevoked,
    SessionsRevoked,
    RefreshTokenReused,
    RefreshTokenAhead,
    ClientCreated,
    ClientRevoked,
    SigningKeyCreated,
    SigningKeyPromoted,
    SigningKeyRevoked,
    /// Sealed anew with the current master key; the older ones may go.
    SigningKeysResealed,
    EventsReplayed,
    EventsAbandoned,
}

impl SecurityEvent {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UserCreated => "user_created",
            Self::LoginSucceeded => "login_succeeded",
            Self::LoginFailed => "login_failed",
            Self::LoginsRefused => "logins_refused",
            Self::UserLocked => "user_locked",
            Self::UserUnlocked => "user_unlocked",
            Self::PasswordChanged => "password_changed",
            Self::PasswordChangeFailed => "password_change_failed",
            Self::PasswordReset => "password_reset",
            Self::UserDisabled => "user_disabled",
            Self::UserEnabled => "user_enabled",
            Self::UserRolesChanged => "user_roles_changed",
            Self::UserDeleted => "user_deleted",
            Self::SessionRevoked => "session_revoked",
            Self::SessionsRevoked => "sessions_revoked",
            Self::RefreshTokenReused => "refresh_token_reused",
            Self::RefreshTokenAhead => "refresh_token_ahead",
            Self::ClientCreated => "client_created",
            Self::ClientRevoked => "client_revoked",
            Self::SigningKeyCreated => "signing_key_created",
            Self::SigningKeyPromoted => "signing_key_promoted",
            Self::SigningKeyRevoked => "signing_key_revoked",
            Self::SigningKeysResealed => "signing_keys_resealed",
            Self::EventsReplayed => "events_replayed",
            Self::EventsAbandoned => "events_abandoned",
        }
    }
}

/// One line of the audit log: who did what, to whom, from where.
#[derive(Debug, Clone)]
pub struct AuditRecord {
    pub event: SecurityEvent,
    /// Whom it is about.
    pub user_id: Option<UserId>,
    pub session_id: Option<SessionId>,
    /// Who did it: its `actor` is set when that is an admin.
    pub caller: Caller,
    /// What else a reader of the log needs; never a secret.
    pub detail: Option<Value>,
}

impl AuditRecord {
    #[must_use]
    pub fn new(event: SecurityEvent, caller: &Caller) -> Self {
        Self { event, user_id: None, session_id: None, caller: caller.clone(), detail: None }
    }

    #[must_use]
    pub fn user(mut self, user_id: UserId) -> Self {
        self.user_id = Some(user_id);
        self
    }

    #[must_use]
    pub fn session(mut self, session_id: SessionId) -> Self {
        self.session_id = Some(session_id);
        self
    }

    #[must_use]
    pub fn detail(mut self, detail: Value) -> Self {
        self.detail = Some(detail);
        self
    }
}
