use crate::claims::Unchecked;
use crate::token::{Compact, MAX_HEADER_BYTES};
use crate::{Algorithm, Claims, KeySet, VerifyError};

/// Clock difference between issuer and verifier that is forgiven unless set otherwise, in seconds.
pub const DEFAULT_LEEWAY_SECONDS: u32 = 30;

/// Names the kind of token that is accepted, by the header's `typ`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Typ {
    /// `at+jwt` (RFC 9068 §2.1), which no other kind of token carries.
    #[default]
    AtJwt,
    /// `JWT`, for issuers with `token.typ = "JWT"`. It tells kinds of tokens apart no longer.
    Jwt,
}

/// Verifies access tokens of one issuer for one audience.
///
/// It holds settings only, so it can be shared and kept; the keys and the time come with each call.
#[derive(Debug, Clone)]
pub struct Verifier {
    issuer: String,
    audience: String,
    typ: Typ,
    leeway: i64,
    expiry_leeway: i64,
}

impl Typ {
    /// Returns the name as Keyward mints it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AtJwt => "at+jwt",
            Self::Jwt => "JWT",
        }
    }

    /// Compares as media types do: without regard to case, `application/` optional (RFC 7515 §4.1.9).
    fn names(self, typ: &str) -> bool {
        const PREFIX: &str = "application/";
        let subtype = match typ.split_at_checked(PREFIX.len()) {
            Some((prefix, subtype)) if prefix.eq_ignore_ascii_case(PREFIX) => subtype,
            _ => typ,
        };
        subtype.eq_ignore_ascii_case(self.as_str())
    }
}

impl Verifier {
    /// Makes a verifier that accepts `at+jwt` with [`DEFAULT_LEEWAY_SECONDS`].
    ///
    /// Both names are compared byte for byte with `iss` and `aud`: a trailing slash makes another issuer.
    #[must_use]
    pub fn new(issuer: impl Into<String>, audience: impl Into<String>) -> Self {
        Self {
            issuer: issuer.into(),
            audience: audience.into(),
            typ: Typ::default(),
            leeway: i64::from(DEFAULT_LEEWAY_SECONDS),
            expiry_leeway: i64::from(DEFAULT_LEEWAY_SECONDS),
        }
    }

    /// Sets the one kind of token that is accepted.
    #[must_use]
    pub fn typ(self, typ: Typ) -> Self {
        Self { typ, ..self }
    }

    /// Sets by how many seconds the clocks may differ: `iat` and `nbf` may lie that far ahead, and a token is accepted
    /// for that long after `exp`.
    #[must_use]
    pub fn leeway_seconds(self, seconds: u32) -> Self {
        Self { leeway: i64::from(seconds), expiry_leeway: i64::from(seconds), ..self }
    }

    /// Sets for how many seconds after `exp` a token is still accepted. 0 suits a cluster of issuers: a token dated by
    /// a replica whose clock is ahead is not "from the future", and yet none lives longer than it says.
    #[must_use]
    pub fn expiry_leeway_seconds(self, seconds: u32) -> Self {
        Self { expiry_leeway: i64::from(seconds), ..self }
    }

    /// Verifies a compact token at the unix time `now`, in seconds, and returns its claims.
    ///
    /// The claims are read after the signature holds and not before. The time in which a refusal comes is no secret: it
    /// depends on the token and on public keys alone.
    pub fn verify(&self, token: &str, keys: &KeySet, now: i64) -> Result<Claims, VerifyError> {
        let token = Compact::split(token)?;
        let mut buffer = [0; MAX_HEADER_BYTES];
        let header = token.header(&mut buffer)?;
        if !self.typ.names(header.typ) {
            return Err(VerifyError::Typ);
        }
        // An algorithm that no key can have is refused before the look-up, so that it asks nobody to fetch keys.
        let algorithm: Algorithm = header.alg.parse().map_err(|_| VerifyError::Algorithm)?;
        let key =
            keys.find(header.kid).ok_or_else(|| VerifyError::UnknownKey { kid: header.kid.to_owned() })?;
        if key.algorithm() != algorithm {
            return Err(VerifyError::Algorithm);
        }
        token.check_signature(key)?;
        let claims = Unchecked::decode(&token.payload()?)?;
        self.check(&claims, now)?;
        Ok(claims.into())
    }

    fn check(&self, claims: &Unchecked, now: i64) -> Result<(), VerifyError> {
        if claims.iss != self.issuer {
            return Err(VerifyError::Issuer);
        }
        if !claims.aud.holds(&self.audience) {
            return Err(VerifyError::Audience);
        }
        if now >= claims.exp.saturating_add(self.expiry_leeway) {
            return Err(VerifyError::Expired);
        }
        let latest_start = now.saturating_add(self.leeway);
        if claims.iat > latest_start || claims.nbf.is_some_and(|nbf| nbf > latest_start) {
            return Err(VerifyError::NotYetValid);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typ_is_a_media_type() {
        for same in ["at+jwt", "AT+JWT", "application/at+jwt", "Application/At+Jwt"] {
            assert!(Typ::AtJwt.names(same), "{same}");
        }
        for other in [
            "",
            "JWT",
            "jwt",
            "at+jwt ",
            "at+jwt;x=1",
            "application/",
            "application/application/at+jwt",
            "text/at+jwt",
            "applicatio\u{fc}/at+jwt",
        ] {
            assert!(!Typ::AtJwt.names(other), "{other}");
        }
        assert!(Typ::Jwt.names("jwt"));
        assert!(Typ::Jwt.names("application/JWT"));
        assert!(!Typ::Jwt.names("at+jwt"));
    }
}
