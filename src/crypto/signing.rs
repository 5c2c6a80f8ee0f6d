use std::fmt;
use std::sync::Arc;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{self, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use keyward_verify::{Algorithm, Jwk, Jwks, KeySet, Typ};
use serde::Serialize;
use zeroize::Zeroizing;

#[derive(Debug, thiserror::Error)]
pub enum SigningError {
    #[error("the private key is not a PKCS#8 key of its algorithm")]
    PrivateKey,
    #[error("signing did not work")]
    Signing,
    #[error("the public keys cannot be published: {0}")]
    Publishing(String),
}

enum KeyPair {
    Es256(EcdsaKeyPair),
    EdDsa(Ed25519KeyPair),
    Rs256(rsa::KeyPair),
}

/// A private key that signs access tokens, parsed once.
pub struct SigningKey {
    pair: KeyPair,
    jwk: Jwk,
}

impl SigningKey {
    /// Makes a new key and its PKCS#8 form, which is to be sealed before it is stored.
    pub fn generate(algorithm: Algorithm) -> Result<(Self, Zeroizing<Vec<u8>>), SigningError> {
        let unusable = |_| SigningError::Signing;
        let random = SystemRandom::new();
        let pkcs8 = match algorithm {
            Algorithm::Es256 => EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random)
                .map_err(unusable)?
                .as_ref()
                .to_vec(),
            Algorithm::EdDsa => {
                Ed25519KeyPair::generate_pkcs8v1(&random).map_err(unusable)?.as_ref().to_vec()
            }
            Algorithm::Rs256 => {
                let pair = rsa::KeyPair::generate(KeySize::Rsa2048).map_err(unusable)?;
                let der: Pkcs8V1Der<'_> = pair.as_der().map_err(unusable)?;
                der.as_ref().to_vec()
            }
        };
        let pkcs8 = Zeroizing::new(pkcs8);
        Ok((Self::from_pkcs8(algorithm, &pkcs8)?, pkcs8))
    }

    pub fn from_pkcs8(algorithm: Algorithm, pkcs8: &[u8]) -> Result<Self, SigningError> {
        let unusable = |_| SigningError::PrivateKey;
        let (pair, jwk) = match algorithm {
            Algorithm::Es256 => {
                let pair =
                    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8).map_err(unusable)?;
                let jwk = Jwk::es256(pair.public_key().as_ref());
                (KeyPair::Es256(pair), jwk)
            }
            Algorithm::EdDsa => {
                let pair = Ed25519KeyPair::from_pkcs8(pkcs8).map_err(unusable)?;
                let public = pair.public_key().as_ref().try_into().map_err(|_| SigningError::PrivateKey)?;
                (KeyPair::EdDsa(pair), Jwk::ed25519(&public))
            }
            Algorithm::Rs256 => {
                let pair = rsa::KeyPair::from_pkcs8(pkcs8).map_err(unusable)?;
                let public = pair.public_key();
                let (n, e) = (public.modulus(), public.exponent());
                let jwk =
                    Jwk::rs256(n.big_endian_without_leading_zero(), e.big_endian_without_leading_zero());
                (KeyPair::Rs256(pair), jwk)
            }
        };
        Ok(Self { pair, jwk: jwk.map_err(|error| SigningError::Publishing(error.to_string()))? })
    }

    /// Returns the public half, as it is published; its `kid` is its RFC 7638 thumbprint.
    #[must_use]
    pub const fn jwk(&self) -> &Jwk {
        &self.jwk
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SigningError> {
        let random = SystemRandom::new();
        let failed = |_| SigningError::Signing;
        match &self.pair {
            KeyPair::Es256(pair) => Ok(pair.sign(&random, message).map_err(failed)?.as_ref().to_vec()),
            KeyPair::EdDsa(pair) => Ok(pair.try_sign(message).map_err(failed)?.as_ref().to_vec()),
            KeyPair::Rs256(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).map_err(failed)?;
                Ok(signature)
            }
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("kid", &self.jwk.kid()).finish_non_exhaustive()
    }
}

/// The key that signs now, and every key whose tokens are still good.
#[derive(Debug, Clone)]
pub struct SigningKeys {
    active: Arc<SigningKey>,
    /// The encoded JOSE header of every token that the active key signs.
    header: String,
    verifying: Arc<KeySet>,
    jwks: String,
    algorithms: Vec<&'static str>,
}

impl SigningKeys {
    /// Takes the active key and all published ones, itself among them.
    pub fn new(active: SigningKey, published: Vec<Jwk>, typ: Typ) -> Result<Self, SigningError> {
        #[derive(Serialize)]
        struct Header<'a> {
            alg: &'a str,
            typ: &'a str,
            kid: &'a str,
        }
        let publishing = |error: &dyn fmt::Display| SigningError::Publishing(error.to_string());
        let header =
            Header { alg: active.jwk.algorithm().as_str(), typ: typ.as_str(), kid: active.jwk.kid() };
        let header = serde_json::to_vec(&header).map_err(|e| publishing(&e))?;
        let mut algorithms: Vec<_> = published.iter().map(|jwk| jwk.algorithm().as_str()).collect();
        algorithms.sort_unstable();
        algorithms.dedup();
        let verifying = KeySet::from_keys(&published).map_err(|e| publishing(&e))?;
        let jwks = serde_json::to_string(&Jwks { keys: published }).map_err(|e| publishing(&e))?;
        Ok(Self {
            active: Arc::new(active),
            header: BASE64_URL_SAFE_NO_PAD.encode(header),
            verifying: Arc::new(verifying),
            jwks,
            algorithms,
        })
    }

    /// Signs claims into a compact JWS (RFC 7515 §7.1).
    pub fn sign(&self, claims: &impl Serialize) -> Result<String, SigningError> {
        let claims = serde_json::to_vec(claims).map_err(|_| SigningError::Signing)?;
        let mut token = String::with_capacity(self.header.len() + claims.len() * 4 / 3 + 96);
        token.push_str(&self.header);
        token.push('.');
        BASE64_URL_SAFE_NO_PAD.encode_string(claims, &mut token);
        let signature = self.active.sign(token.as_bytes())?;
        token.push('.');
        BASE64_URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(token)
    }

    /// Returns the public keys, ready to verify.
    #[must_use]
    pub fn verifying(&self) -> &KeySet {
        &self.verifying
    }

    /// Returns the algorithms of the published keys, sorted.
    #[must_use]
    pub fn algorithms(&self) -> Vec<&'static str> {
        self.algorithms.clone()
    }

    /// Returns the JWKS document (RFC 7517 §5), rendered once.
    #[must_use]
    pub fn jwks(&self) -> &str {
        &self.jwks
    }
}
