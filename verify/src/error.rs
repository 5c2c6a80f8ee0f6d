use thiserror::Error;

use crate::{MAX_TOKEN_BYTES, UnknownAlgorithm};

/// Says why a token was refused, by the first check that it did not pass.
///
/// To the bearer every variant is the same 401. [`UnknownKey`](Self::UnknownKey) alone asks the verifier for something:
/// fetch the JWKS again (at a bounded rate, since anybody can write a `kid`) and try once more.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The token exceeds [`MAX_TOKEN_BYTES`].
    #[error("token is longer than {MAX_TOKEN_BYTES} bytes")]
    TooLong,
    /// The token is not three dot-separated parts of canonical, unpadded base64url (RFC 7515 §7.1).
    #[error("token is not a compact JWS in canonical base64url")]
    Malformed,
    /// The header is not a JSON object of exactly the strings `alg`, `typ` and `kid`, each once.
    #[error("token header is not exactly alg, typ and kid")]
    Header,
    /// The header asks for extensions with `crit`; Keyward mints none (RFC 7515 §4.1.11).
    #[error("token header has critical extensions")]
    Critical,
    /// The header's `typ` is not the accepted one: the token is of another kind (RFC 8725 §3.11).
    #[error("token is of another type")]
    Typ,
    /// The header's `alg` is not Keyward's, or not the one of the key that `kid` names (RFC 8725 §3.1).
    #[error("token algorithm is not that of the key")]
    Algorithm,
    /// No key has this `kid`; a newer JWKS may hold it.
    #[error("no key has kid {kid:?}")]
    UnknownKey {
        /// The `kid` of the token, as its unverified header gives it; shorter than 300 bytes.
        kid: String,
    },
    /// The signature is not the key's signature of this token.
    #[error("token signature does not verify")]
    Signature,
    /// A claim is missing, duplicated, of the wrong type, empty or absurd; holds which.
    #[error("token claims are not acceptable: {0}")]
    Claims(String),
    /// The token is from another issuer.
    #[error("token has another issuer")]
    Issuer,
    /// The token is for another audience.
    #[error("token is for another audience")]
    Audience,
    /// The token's time is over.
    #[error("token has expired")]
    Expired,
    /// `iat` or `nbf` lies in the future.
    #[error("token is not valid yet")]
    NotYetValid,
}

/// Says why a key or a key set was refused.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum JwkError {
    /// The text is not a JWK set: not JSON, no `keys`, or a member that is not a string.
    #[error("not a JWK set")]
    Json(#[from] serde_json::Error),
    /// The key is of a kind, curve, use or algorithm that Keyward does not sign with; key sets skip such keys.
    #[error("key is of a kind that does not sign Keyward tokens")]
    Unsupported,
    /// The key holds a private or symmetric member, which must never be published.
    #[error("key has the private member {0}")]
    Private(&'static str),
    /// A member that the kind of key needs is missing or empty.
    #[error("key has no {0}")]
    Missing(&'static str),
    /// A member is not canonical base64url of the right length.
    #[error("key member {0} is not canonical base64url of the right length")]
    Encoding(&'static str),
    /// `alg` is an algorithm of another kind of key.
    #[error("key of another kind than its algorithm")]
    Algorithm,
    /// The RSA modulus is outside 2048 to 8192 bits (RFC 7518 §3.3), or the exponent is even, 1 or over 32 bits.
    #[error("rsa key has a modulus or exponent out of range")]
    RsaRange,
    /// The bytes are not a public key, for example a point off the curve.
    #[error("not a valid public key")]
    Invalid,
    /// Two keys of the set share a `kid`.
    #[error("two keys have kid {0:?}")]
    DuplicateKid(String),
}

impl From<UnknownAlgorithm> for JwkError {
    fn from(UnknownAlgorithm: UnknownAlgorithm) -> Self {
        Self::Unsupported
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_kid_cannot_break_a_log_line() {
        let refusal = VerifyError::UnknownKey { kid: "x\n{\"level\":\"info\"}\u{1b}[2J".to_owned() };
        assert!(!refusal.to_string().contains(['\n', '\u{1b}']));
    }
}
