use serde::Deserialize;
use serde::de::Deserializer;

use crate::VerifyError;
use crate::token::json_object;

/// Longest time from `iat` to `exp` that is believed, in seconds (24 hours). Keyward's default is 10 minutes.
pub const MAX_LIFETIME_SECONDS: i64 = 24 * 60 * 60;

/// Holds what a verified access token says (RFC 9068 §2.2). Times are unix seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// The issuer: the verifier's own expectation, exactly.
    pub iss: String,
    /// The id of the user, or of the client that acts for itself. Key your records on this.
    pub sub: String,
    /// The audiences, among them the verifier's. A token with a single string gives a list of one (RFC 7519 §4.1.3).
    pub aud: Vec<String>,
    /// The client that the token was issued to; `keyward` for first-party logins.
    pub client_id: String,
    /// When the token was issued.
    pub iat: i64,
    /// The first second at which the token is no longer valid.
    pub exp: i64,
    /// The id of this token.
    pub jti: String,
    /// The id of the session that the token belongs to.
    pub sid: String,
    /// The roles of the subject when the token was issued.
    pub roles: Vec<String>,
    /// The e-mail address, if the issuer includes it. It may change; `sub` does not.
    pub email: Option<String>,
    /// Whether the address is known to be the subject's, if the issuer includes it.
    pub email_verified: Option<bool>,
}

impl Claims {
    /// Tells whether `roles` holds exactly this role.
    #[must_use]
    pub fn has_role(&self, role: &str) -> bool {
        self.roles.iter().any(|held| held == role)
    }
}

/// Claims as decoded: the types are right and nothing known occurs twice, but the values are still to be judged.
///
/// Members that are not listed are skipped. An optional one may be absent; `null` is a wrong type like any other.
#[derive(Debug, Deserialize)]
pub(crate) struct Unchecked {
    pub(crate) iss: String,
    sub: String,
    pub(crate) aud: Audience,
    client_id: String,
    pub(crate) iat: i64,
    pub(crate) exp: i64,
    #[serde(default, deserialize_with = "not_null")]
    pub(crate) nbf: Option<i64>,
    jti: String,
    sid: String,
    roles: Vec<String>,
    #[serde(default, deserialize_with = "not_null")]
    email: Option<String>,
    #[serde(default, deserialize_with = "not_null")]
    email_verified: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "`aud` is neither a string nor a list of strings")]
pub(crate) enum Audience {
    One(String),
    Many(Vec<String>),
}

impl Unchecked {
    pub(crate) fn decode(payload: &[u8]) -> Result<Self, VerifyError> {
        let refused = |reason: &str| VerifyError::Claims(reason.to_owned());
        let text = json_object(payload).ok_or_else(|| refused("not a JSON object"))?;
        let claims: Self =
            serde_json::from_str(text).map_err(|error| VerifyError::Claims(error.to_string()))?;
        for (name, value) in [
            ("sub", &claims.sub),
            ("client_id", &claims.client_id),
            ("jti", &claims.jti),
            ("sid", &claims.sid),
        ] {
            if value.is_empty() {
                return Err(VerifyError::Claims(format!("`{name}` is empty")));
            }
        }
        if claims.iat < 0 {
            return Err(refused("`iat` is negative"));
        }
        if claims.exp <= claims.iat {
            return Err(refused("`exp` is not after `iat`"));
        }
        if claims.exp - claims.iat > MAX_LIFETIME_SECONDS {
            return Err(refused("`exp` is more than a day after `iat`"));
        }
        Ok(claims)
    }
}

impl Audience {
    pub(crate) fn holds(&self, audience: &str) -> bool {
        match self {
            Self::One(only) => only == audience,
            Self::Many(list) => list.iter().any(|one| one == audience),
        }
    }
}

impl From<Unchecked> for Claims {
    fn from(claims: Unchecked) -> Self {
        Self {
            iss: claims.iss,
            sub: claims.sub,
            aud: match claims.aud {
                Audience::One(only) => vec![only],
                Audience::Many(list) => list,
            },
            client_id: claims.client_id,
            iat: claims.iat,
            exp: claims.exp,
            jti: claims.jti,
            sid: claims.sid,
            roles: claims.roles,
            email: claims.email,
            email_verified: claims.email_verified,
        }
    }
}

/// Reads an optional member that is present, so that `null` has to be a `T` too.
fn not_null<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    T::deserialize(deserializer).map(Some)
}
