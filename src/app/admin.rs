//! The right to do what admins do, as a value that use cases ask for: who does not hold it cannot
//! call them.

use super::{App, Error, Principal};
use crate::clock::Clock;
use crate::config::Settings;
use crate::domain::{Caller, Role, SecurityEvent, SessionId, UserId};
use crate::random;

/// Held by whoever may do what admins do, for the length of one request or command.
#[derive(Debug)]
pub struct Admin {
    caller: Caller,
}

impl Admin {
    /// The operator at the command line: who has the settings, master key and all, needs no role.
    #[must_use]
    pub fn operator(_: &Settings) -> Self {
        Self { caller: Caller::command_line(random::uuid_v7(Clock::System.now()).to_string()) }
    }

    /// The session that asks; none at the command line.
    #[must_use]
    pub const fn session(&self) -> Option<SessionId> {
        self.caller.session
    }

    /// The user and the session that ask; nobody at the command line.
    #[must_use]
    pub fn asks_as(&self) -> Option<(UserId, SessionId)> {
        self.caller.actor.zip(self.caller.session)
    }

    pub(super) const fn caller(&self) -> &Caller {
        &self.caller
    }
}

impl App {
    /// Checks an access token, its session, and the user's role, as the database has them now. What
    /// roles the token names does not matter.
    pub async fn authenticate_admin(&self, access_token: &str, caller: Caller) -> Result<Admin, Error> {
        let Principal { user, session } = self.authenticate(access_token).await?;
        let caller = caller.in_session(session.id);
        if !user.roles.contains(&Role::admin()) {
            let (event, subject) = (SecurityEvent::AdminDenied, user.id.to_string());
            self.refusals.count(event, Some(&subject), Some(user.id), &caller, self.now());
            return Err(Error::InsufficientRole);
        }
        Ok(Admin { caller: caller.acting_as(user.id) })
    }
}
