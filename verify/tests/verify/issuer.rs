//! An issuer that signs whatever a test asks for, good or bad.

use std::sync::LazyLock;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keyward_verify::{Claims, Jwk, KeySet, Verifier, VerifyError};
use serde_json::{Value, json};

pub(crate) const ISSUER: &str = "https://auth.example.com";
pub(crate) const AUDIENCE: &str = "https://api.example.com";
pub(crate) const NOW: i64 = 1_760_000_000;

pub(crate) enum Signer {
    Es256(EcdsaKeyPair),
    EdDsa(Ed25519KeyPair),
    Rs256(RsaKeyPair),
}

pub(crate) static ES256: LazyLock<Signer> =
    LazyLock::new(|| Signer::Es256(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap()));
pub(crate) static EDDSA: LazyLock<Signer> =
    LazyLock::new(|| Signer::EdDsa(Ed25519KeyPair::generate().unwrap()));
pub(crate) static RS256: LazyLock<Signer> =
    LazyLock::new(|| Signer::Rs256(RsaKeyPair::generate(KeySize::Rsa2048).unwrap()));

impl Signer {
    pub(crate) fn jwk(&self) -> Jwk {
        match self {
            Self::Es256(pair) => Jwk::es256(pair.public_key().as_ref()).unwrap(),
            Self::EdDsa(pair) => Jwk::ed25519(pair.public_key().as_ref().try_into().unwrap()).unwrap(),
            Self::Rs256(pair) => {
                // RSAPublicKey in DER: a 2048-bit modulus and the exponent 65537 always stand at the same place.
                let der = pair.public_key().as_ref();
                Jwk::rs256(&der[9..265], &der[267..]).unwrap()
            }
        }
    }

    pub(crate) fn keys(&self) -> KeySet {
        KeySet::from_keys(&[self.jwk()]).unwrap()
    }

    pub(crate) fn sign(&self, message: &str) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Es256(pair) => pair.sign(&random, message.as_bytes()).unwrap().as_ref().to_vec(),
            Self::EdDsa(pair) => pair.sign(message.as_bytes()).as_ref().to_vec(),
            Self::Rs256(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message.as_bytes(), &mut signature).unwrap();
                signature
            }
        }
    }

    pub(crate) fn header(&self) -> Value {
        json!({"alg": self.jwk().algorithm().as_str(), "typ": "at+jwt", "kid": self.jwk().kid()})
    }

    /// A token of exactly these texts, with a true signature.
    pub(crate) fn token(&self, header: &str, payload: &str) -> String {
        let input = format!("{}.{}", encode(header), encode(payload));
        let signature = self.sign(&input);
        format!("{input}.{}", encode(signature))
    }
}

pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(crate) fn claims() -> Value {
    json!({
        "iss": ISSUER, "sub": "user-1", "aud": AUDIENCE, "client_id": "keyward",
        "iat": NOW - 60, "exp": NOW + 540, "jti": "token-1", "sid": "session-1",
        "roles": ["editor", "user"], "email": "ann@example.com", "email_verified": true,
    })
}

pub(crate) fn good_token() -> String {
    ES256.token(&ES256.header().to_string(), &claims().to_string())
}

/// The verifier of these tests: leeway 0, so that limits are sharp.
pub(crate) fn verifier() -> Verifier {
    Verifier::new(ISSUER, AUDIENCE).leeway_seconds(0)
}

pub(crate) fn verify(token: &str) -> Result<Claims, VerifyError> {
    verifier().verify(token, &ES256.keys(), NOW)
}
