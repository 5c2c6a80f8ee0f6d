//! E-mail addresses on their way into a log line.

use serde_json::Value;

use super::App;
use crate::domain::{Email, PendingEvent};

/// An address as log lines may show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EmailInLogs {
    /// Equal for equal addresses, and the same as the `identifier` of audit records; tells nothing without the master key.
    Hash(String),
    /// `log_emails` asks for it.
    Clear(String),
}

impl App {
    #[must_use]
    pub fn email_in_logs(&self, email: &Email) -> EmailInLogs {
        if self.log_emails {
            EmailInLogs::Clear(email.display().to_owned())
        } else {
            EmailInLogs::Hash(self.identifier(email))
        }
    }

    /// Puts the hash of an event's address in its place, so that the sink `log:` can print it. It stays an
    /// address by form, as consumers expect one, of a domain that nobody can have (RFC 2606).
    pub(super) fn without_email(&self, event: &PendingEvent) -> PendingEvent {
        let mut event = event.clone();
        if let Some(Value::String(address)) = event.data.get("email") {
            let known = Email::parse(address);
            let hash = known.map_or_else(|_| "unknown".to_owned(), |email| self.identifier(&email));
            if let Some(members) = event.data.as_object_mut() {
                members.insert("email".to_owned(), format!("{hash}@redacted.invalid").into());
            }
        }
        event
    }
}
