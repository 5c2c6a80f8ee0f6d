use super::{App, Error};
use crate::domain::{Family, SessionId, User, Verdict, judge};

/// Who is asking: a user with a live session, as the database has it now.
#[derive(Debug, Clone)]
pub struct Principal {
    pub user: User,
    pub session: Family,
}

impl App {
    /// Checks an access token and then, in the database, its session and its user. So what was
    /// revoked a moment ago on another replica does not pass here.
    pub async fn authenticate(&self, access_token: &str) -> Result<Principal, Error> {
        let id = self.verify(access_token)?;
        let Some(found) = self.batches.session_checks.call(id).await? else {
            return Err(Error::SessionEnded);
        };
        let (epoch, generation) = (found.user_epoch(), found.family.generation);
        // A session is live while its current refresh token would be accepted.
        match judge(&found.family, epoch, generation, self.rules.family_limits, self.now()) {
            Verdict::Rotate => Ok(Principal { user: found.user, session: found.family }),
            _ => Err(Error::SessionEnded),
        }
    }

    /// Checks signature and claims alone, and returns the session that the token names.
    pub(super) fn verify(&self, access_token: &str) -> Result<SessionId, Error> {
        let keys = self.signing_keys();
        let claims = self
            .verifier
            .verify(access_token, keys.verifying(), self.now().unix_seconds())
            .map_err(|error| Error::InvalidToken(error.to_string()))?;
        claims.sid.parse().map_err(|_| Error::InvalidToken("sid is not a session id".to_owned()))
    }
}
