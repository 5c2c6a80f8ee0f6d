use keyward_verify::{MAX_TOKEN_BYTES, VerifyError};

use super::verified_tokens::{Name, VerifiedToken};
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
        let token = self.verify(access_token).await?;
        self.session_live(token.session_id).await
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

    /// Checks signature and claims alone.
    pub(super) async fn verify(&self, access_token: &str) -> Result<VerifiedToken, Error> {
        let mut verified = self.verify_now(access_token);
        if matches!(verified, Err(Refusal::Token(VerifyError::UnknownKey { .. }))) {
            // Perhaps another replica has begun to sign with a key that this one has not seen yet.
            self.keys_look_again().await?;
            verified = self.verify_now(access_token);
        }
        verified.map_err(|refusal| Error::InvalidToken(refusal.to_string()))
    }

    fn verify_now(&self, access_token: &str) -> Result<VerifiedToken, Refusal> {
        if access_token.len() > MAX_TOKEN_BYTES {
            return Err(Refusal::Token(VerifyError::TooLong));
        }
        let (keys, verified) = self.verifying_keys();
        let (name, now) = (Name::of(access_token), self.now().unix_seconds());
        if let Some(known) = verified.find(name, now) {
            return Ok(known);
        }
        let claims = self.verifier.verify(access_token, keys.verifying(), now)?;
        let token = VerifiedToken {
            session_id: claims.sid.parse().map_err(|_| Refusal::Session)?,
            id: claims.jti.into(),
            issued_at: claims.iat,
            expires_at: claims.exp,
        };
        verified.remember(name, token.clone());
        Ok(token)
    }
}

#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error(transparent)]
    Token(#[from] VerifyError),
    #[error("sid is not a session id")]
    Session,
}
