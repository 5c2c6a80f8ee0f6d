use std::ops::RangeInclusive;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::members::{KeyMembers, SetMembers};
use crate::{Algorithm, JwkError};

/// Modulus sizes in bits that RSA keys may have; below, RFC 7518 §3.3 forbids them, above, verifying gets dear.
const RSA_BITS: RangeInclusive<usize> = 2048..=8192;

/// Holds one public signing key, checked and ready to verify (RFC 7517 §4).
///
/// A value always has a `kid`, `use` = `sig` and an `alg`, and never a private member: reading a JWK that has one is
/// an error, as is reading a kind of key that Keyward does not sign with ([`JwkError`] says which).
#[derive(Debug, Clone)]
pub struct Jwk {
    kid: String,
    public: Public,
    key: ParsedPublicKey,
}

/// Holds a JWK set as it is published (RFC 7517 §5). Reading one skips keys of unknown kinds.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(try_from = "SetMembers")]
pub struct Jwks {
    /// The keys, in published order.
    pub keys: Vec<Jwk>,
}

/// The members that make the key, in base64url (RFC 7518 §6.2.1, §6.3.1; RFC 8037 §2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kty")]
enum Public {
    #[serde(rename = "EC")]
    P256 { crv: &'static str, x: String, y: String },
    #[serde(rename = "OKP")]
    Ed25519 { crv: &'static str, x: String },
    #[serde(rename = "RSA")]
    Rsa { n: String, e: String },
}

impl Jwk {
    /// Makes a key from a P-256 point in uncompressed SEC 1 form: 65 bytes, `04 ‖ x ‖ y`.
    pub fn es256(uncompressed_point: &[u8]) -> Result<Self, JwkError> {
        let [4, coordinates @ ..] = uncompressed_point else {
            return Err(JwkError::Invalid);
        };
        let (x, y) = coordinates.split_at_checked(32).ok_or(JwkError::Invalid)?;
        let public =
            Public::P256 { crv: "P-256", x: URL_SAFE_NO_PAD.encode(x), y: URL_SAFE_NO_PAD.encode(y) };
        let key = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, uncompressed_point);
        Ok(Self::new(public, key.map_err(|_| JwkError::Invalid)?))
    }

    /// Makes a key from the 32 bytes of an Ed25519 public key (RFC 8032 §5.1.5).
    ///
    /// Bytes that are no point of the curve are not noticed here; no signature verifies with them.
    pub fn ed25519(public_key: &[u8; 32]) -> Result<Self, JwkError> {
        let public = Public::Ed25519 { crv: "Ed25519", x: URL_SAFE_NO_PAD.encode(public_key) };
        let key = ParsedPublicKey::new(&ED25519, public_key);
        Ok(Self::new(public, key.map_err(|_| JwkError::Invalid)?))
    }

    /// Makes a key from an RSA modulus and exponent, both big-endian without leading zeros (RFC 7518 §6.3.1).
    pub fn rs256(n: &[u8], e: &[u8]) -> Result<Self, JwkError> {
        if !bit_length(n).is_some_and(|bits| RSA_BITS.contains(&bits)) || !good_exponent(e) {
            return Err(JwkError::RsaRange);
        }
        let public = Public::Rsa { n: URL_SAFE_NO_PAD.encode(n), e: URL_SAFE_NO_PAD.encode(e) };
        let key = RsaPublicKeyComponents { n, e }.to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256);
        Ok(Self::new(public, key.map_err(|_| JwkError::Invalid)?))
    }

    fn new(public: Public, key: ParsedPublicKey) -> Self {
        let kid = public.thumbprint();
        Self { kid, public, key }
    }

    pub(crate) fn with_kid(self, kid: String) -> Self {
        Self { kid, ..self }
    }

    /// Returns the key's name. Keys made here are named by their thumbprint; keys that were read keep their name.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Returns the one algorithm that the key verifies.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        match self.public {
            Public::P256 { .. } => Algorithm::Es256,
            Public::Ed25519 { .. } => Algorithm::EdDsa,
            Public::Rsa { .. } => Algorithm::Rs256,
        }
    }

    /// Returns the SHA-256 thumbprint of the key in base64url, 43 characters (RFC 7638 §3, RFC 8037 §2).
    #[must_use]
    pub fn thumbprint(&self) -> String {
        self.public.thumbprint()
    }

    /// Tells whether `signature` is this key's signature of `message`.
    pub(crate) fn signed(&self, message: &[u8], signature: &[u8]) -> bool {
        self.key.verify_sig(message, signature).is_ok()
    }
}

impl PartialEq for Jwk {
    fn eq(&self, other: &Self) -> bool {
        self.kid == other.kid && self.public == other.public
    }
}

impl Eq for Jwk {}

impl Serialize for Jwk {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Published<'a> {
            #[serde(flatten)]
            public: &'a Public,
            kid: &'a str,
            r#use: &'static str,
            alg: &'static str,
        }
        Published { public: &self.public, kid: &self.kid, r#use: "sig", alg: self.algorithm().as_str() }
            .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Jwk {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let members = KeyMembers::deserialize(deserializer)?;
        Self::try_from(members).map_err(serde::de::Error::custom)
    }
}

impl Public {
    fn thumbprint(&self) -> String {
        // Required members only, names in order, no white space; base64url needs no JSON escapes.
        let canonical = match self {
            Self::P256 { crv, x, y } => {
                format!(r#"{{"crv":"{crv}","kty":"EC","x":"{x}","y":"{y}"}}"#)
            }
            Self::Ed25519 { crv, x } => format!(r#"{{"crv":"{crv}","kty":"OKP","x":"{x}"}}"#),
            Self::Rsa { n, e } => format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#),
        };
        URL_SAFE_NO_PAD.encode(digest(&SHA256, canonical.as_bytes()))
    }
}

/// Returns the length in bits of a big-endian number, or nothing when it has leading zeros or is empty.
fn bit_length(number: &[u8]) -> Option<usize> {
    let first = number.first().filter(|byte| **byte != 0)?;
    Some(number.len() * 8 - first.leading_zeros() as usize)
}

fn good_exponent(e: &[u8]) -> bool {
    let odd = e.last().is_some_and(|byte| byte % 2 == 1);
    odd && bit_length(e).is_some_and(|bits| (2..=32).contains(&bits))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed(jwk: &str, input: &str, signature: &str) -> bool {
        let key: Jwk = serde_json::from_str(jwk).unwrap();
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        assert!(!key.signed(b"another message", &signature));
        key.signed(input.as_bytes(), &signature)
    }

    #[test]
    fn ed25519_signature_of_rfc_8037() {
        assert!(signed(
            r#"{"kty":"OKP","crv":"Ed25519","kid":"a","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
            "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
            "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
        ));
    }

    #[test]
    fn p256_signature_of_rfc_7515() {
        assert!(signed(
            r#"{"kty":"EC","crv":"P-256","kid":"a",
                "x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
                "y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#,
            "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ",
            "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
        ));
    }
}
