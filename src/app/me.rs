use keyward_verify::{Claims, VerifyError};

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
        let id = self.verify(access_token).await?;
        self.session_live(id).await
    }

    /// Asks the database whether a session is live, together with everyone who asks at this moment.
    pub(super) async fn session_live(&self, id: SessionId) -> Result<Principal, Error> {
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
    pub(super) async fn verify(&self, access_token: &str) -> Result<SessionId, Error> {
        let claims = self.verify_claims(access_token).await?;
        session_id(&claims)
    }

    pub(super) async fn verify_claims(&self, access_token: &str) -> Result<Claims, Error> {
        let check =
            || self.verifier.verify(access_token, self.signing_keys().verifying(), self.now().unix_seconds());
        let mut claims = check();
        if matches!(claims, Err(VerifyError::UnknownKey { .. })) {
            // Perhaps another replica has begun to sign with a key that this one has not seen yet.
            self.keys_look_again().await?;
            claims = check();
        }
        claims.map_err(|error| Error::InvalidToken(error.to_string()))
    }
}

pub(super) fn session_id(claims: &Claims) -> Result<SessionId, Error> {
    claims.sid.parse().map_err(|_| Error::InvalidToken("sid is not a session id".to_owned()))
}
