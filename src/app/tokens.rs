use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Serialize;

use super::{App, Error};
use crate::crypto::RefreshToken;
use crate::domain::{SessionId, UserId};
use crate::random;
use crate::store::FamilyWithUser;

/// What a login or a refresh hands out.
#[derive(Debug)]
pub struct TokenPair {
    pub access_token: String,
    pub expires_in: Duration,
    pub refresh_token: RefreshToken,
    pub refresh_expires_in: Duration,
    /// Whose they are.
    pub user_id: UserId,
    pub session_id: SessionId,
}

/// The claims of an access token (RFC 9068 §2.2).
#[derive(Serialize)]
struct AccessClaims<'a> {
    iss: &'a str,
    sub: String,
    aud: &'a str,
    client_id: &'a str,
    iat: i64,
    exp: i64,
    jti: String,
    sid: String,
    roles: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email_verified: Option<bool>,
}

impl App {
    /// Makes the tokens of a session's present generation. The refresh token is the same each time;
    /// the access token is fresh, and never outlives the session.
    pub(super) fn token_pair(&self, session: &FamilyWithUser) -> Result<TokenPair, Error> {
        let FamilyWithUser { family, user } = session;
        let now = self.now();
        let refresh_token = self
            .refresh_tokens
            .mint(family.mac_key, family.handle, family.generation)
            // The master key that made it was taken away: nobody can make this token again.
            .map_err(|_| Error::SessionEnded)?;
        let idle_end = family.rotated_at + self.rules.family_limits.idle;
        let expires_in = self.rules.access_ttl.min(now.until(family.expires_at));
        let expires_in = Duration::from_secs(expires_in.as_secs().max(1));
        let iat = now.unix_seconds();
        let shown = self.rules.email_claim;
        let access_token = self.signing_keys().sign(&AccessClaims {
            iss: &self.rules.issuer,
            sub: user.id.to_string(),
            aud: &self.rules.audience,
            client_id: "keyward",
            iat,
            exp: iat + i64::try_from(expires_in.as_secs()).unwrap_or(0),
            jti: BASE64_URL_SAFE_NO_PAD.encode(random::bytes::<16>()),
            sid: family.id.to_string(),
            roles: user.roles.names(),
            email: shown.then(|| user.email.display()),
            email_verified: shown.then_some(user.email_verified),
        })?;
        Ok(TokenPair {
            access_token,
            expires_in,
            refresh_token,
            refresh_expires_in: now.until(idle_end.min(family.expires_at)),
            user_id: user.id,
            session_id: family.id,
        })
    }
}
