use std::net::IpAddr;
use std::str::FromStr;

use serde::Serialize;
use serde_json::Value;

use super::{AuditId, Caller, Origin, SessionId, Timestamp, UserId};

/// Whether the caller got what they asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Success,
    Failure,
}

impl Outcome {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Success, Self::Failure].into_iter().find(|outcome| outcome.as_str() == text)
    }
}

/// One table of every event, so that none can be without a name or an outcome, or missing in `ALL`.
macro_rules! security_events {
    ($($(#[$doc:meta])* $event:ident $name:literal $outcome:ident,)*) => {
        /// The closed list of what the audit log records. A successful refresh is not in it: there are
        /// too many, and the family's row tells the last one.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum SecurityEvent {
            $($(#[$doc])* $event,)*
        }

        impl SecurityEvent {
            pub const ALL: &[Self] = &[$(Self::$event,)*];

            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$event => $name,)*
                }
            }

            #[must_use]
            pub const fn outcome(self) -> Outcome {
                match self {
                    $(Self::$event => Outcome::$outcome,)*
                }
            }
        }
    };
}

security_events! {
    UserCreated "user_created" Success,
    LoginSucceeded "login_succeeded" Success,
    LoginFailed "login_failed" Failure,
    /// Attempts that a lock turned away, summed: one record a minute and identifier.
    LoginsRefused "logins_refused" Failure,
    /// Too many wrong passwords: of an address, whether it is somebody's or not.
    UserLocked "user_locked" Failure,
    UserUnlocked "user_unlocked" Success,
    PasswordChanged "password_changed" Success,
    PasswordChangeFailed "password_change_failed" Failure,
    PasswordReset "password_reset" Success,
    UserDisabled "user_disabled" Success,
    UserEnabled "user_enabled" Success,
    UserRolesChanged "user_roles_changed" Success,
    UserDeleted "user_deleted" Success,
    SessionRevoked "session_revoked" Success,
    SessionsRevoked "sessions_revoked" Success,
    RefreshTokenReused "refresh_token_reused" Failure,
    RefreshTokenAhead "refresh_token_ahead" Failure,
    /// Users who asked for what only admins may, summed: one record a minute and user.
    AdminDenied "admin_denied" Failure,
    ClientCreated "client_created" Success,
    ClientRevoked "client_revoked" Success,
    /// Wrong secrets of service clients, summed: one record a minute and client.
    ClientDenied "client_denied" Failure,
    SigningKeyCreated "signing_key_created" Success,
    SigningKeyPromoted "signing_key_promoted" Success,
    SigningKeyRevoked "signing_key_revoked" Success,
    /// The last token that it signed has expired.
    SigningKeyRemoved "signing_key_removed" Success,
    /// Sealed anew with the current master key; the older ones may go.
    SigningKeysResealed "signing_keys_resealed" Success,
    EventsReplayed "events_replayed" Success,
    EventsAbandoned "events_abandoned" Success,
    /// Records deleted by an operator. What the settings say about retention is no event.
    AuditPruned "audit_pruned" Success,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a security event, such as login_failed")]
pub struct UnknownSecurityEvent;

impl FromStr for SecurityEvent {
    type Err = UnknownSecurityEvent;

    fn from_str(text: &str) -> Result<Self, UnknownSecurityEvent> {
        Self::ALL.iter().copied().find(|event| event.as_str() == text).ok_or(UnknownSecurityEvent)
    }
}

/// One line of the audit log: who did what, to whom, from where.
#[derive(Debug, Clone)]
pub struct AuditRecord {
    pub event: SecurityEvent,
    /// Whom it is about.
    pub user_id: Option<UserId>,
    /// Which session it is about, or else which one asked for it.
    pub session_id: Option<SessionId>,
    /// Who did it: its `actor` is set when that is an admin.
    pub caller: Caller,
    /// What else a reader of the log needs; never a secret, and nothing that a stranger typed.
    pub detail: Option<Value>,
}

impl AuditRecord {
    #[must_use]
    pub fn new(event: SecurityEvent, caller: &Caller) -> Self {
        Self { event, user_id: None, session_id: caller.session, caller: caller.clone(), detail: None }
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

/// A record as it is kept. What an older version did not write is `None`, and a newer one may have
/// written an event that this one does not know.
#[derive(Debug, Clone, Serialize)]
pub struct AuditEntry {
    pub id: AuditId,
    pub occurred_at: Timestamp,
    pub event: String,
    pub outcome: Option<Outcome>,
    pub origin: Option<Origin>,
    pub user_id: Option<UserId>,
    pub actor_id: Option<UserId>,
    pub session_id: Option<SessionId>,
    pub ip: Option<IpAddr>,
    pub user_agent: Option<String>,
    pub request_id: String,
    pub detail: Option<Value>,
}

impl AuditEntry {
    #[must_use]
    pub fn new(id: AuditId, occurred_at: Timestamp, record: AuditRecord) -> Self {
        let AuditRecord { event, user_id, session_id, caller, detail } = record;
        Self {
            id,
            occurred_at,
            event: event.as_str().to_owned(),
            outcome: Some(event.outcome()),
            origin: Some(caller.origin),
            user_id,
            actor_id: caller.actor,
            session_id,
            ip: caller.ip,
            user_agent: caller.user_agent().map(str::to_owned),
            request_id: caller.request_id,
            detail,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_is_read_by_its_own_name() {
        for event in SecurityEvent::ALL {
            assert_eq!(event.as_str().parse(), Ok(*event));
        }
        for text in ["", "login", "LOGIN_FAILED", "login_failed "] {
            assert_eq!(text.parse::<SecurityEvent>(), Err(UnknownSecurityEvent), "{text}");
        }
    }
}
