//! The right to do what admins do, as a value that use cases ask for: who does not hold it cannot
//! call them.

use super::{App, Error};
use crate::config::Settings;
use crate::domain::{Caller, Role, SessionId, UserId};

/// Held by whoever may do what admins do, for the length of one request or command.
#[derive(Debug)]
pub struct Admin {
    caller: Caller,
    session: Option<SessionId>,
}

impl Admin {
    /// The operator at the command line: who has the settings, master key and all, needs no role.
    #[must_use]
    pub fn operator(_: &Settings) -> Self {
        Self { caller: Caller::command_line(), session: None }
    }

    /// The session that asks; none at the command line.
    #[must_use]
    pub const fn session(&self) -> Option<SessionId> {
        self.session
    }

    /// The user and the session that ask; nobody at the command line.
    #[must_use]
    pub fn asks_as(&self) -> Option<(UserId, SessionId)> {
        self.caller.actor.zip(self.session)
    }

    pub(super) const fn caller(&self) -> &Caller {
        &self.caller
    }
}

impl App {
    /// Checks an access token, its session, and the user's role, as the database has them now. What
    /// roles the token names does not matter.
    pub async fn authenticate_admin(&self, access_token: &str, caller: Caller) -> Result<Admin, Error> {
        let principal = self.authenticate(access_token).await?;
        if !principal.user.roles.contains(&Role::admin()) {
            return Err(Error::InsufficientRole);
        }
        Ok(Admin { caller: caller.acting_as(principal.user.id), session: Some(principal.session.id) })
    }
}
