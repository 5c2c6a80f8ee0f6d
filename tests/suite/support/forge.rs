use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use keyward::crypto::{Keyring, MasterKey};
use keyward::store::{SigningKeyRow, StoreError};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::server::master_key;
use super::{Actor, ISSUER, TestServer};

/// The server's own signing key in the wrong hands: what is refused although the signature is
/// right is refused for the reason that the test is about.
pub struct Forge {
    pub kid: String,
    pair: EcdsaKeyPair,
    /// Claims that the server accepts: those of a live session.
    pub claims: Value,
}

impl Forge {
    /// Unseals the active key with the master key, and borrows the claims of somebody's access token.
    pub async fn of(server: &TestServer, user: &Actor) -> Self {
        let rows: Result<Vec<SigningKeyRow>, StoreError> = server
            .database
            .store()
            .await
            .read("signing_keys_published", |tx| Box::pin(async move { tx.signing_keys_published().await }))
            .await;
        let rows = rows.expect("the signing keys");
        let [header, payload] = header_and_payload(&user.access_token);
        let kid = header["kid"].as_str().expect("a kid").to_owned();
        let row = rows.iter().find(|row| row.stage.kid.as_str() == kid).expect("the key of the token");
        let master = BASE64_STANDARD.decode(master_key()).expect("base64").try_into().expect("32 bytes");
        let keyring = Keyring::new(MasterKey::new(&Zeroizing::new(master)), vec![]);
        let context = format!("signing_keys/{kid}");
        let pkcs8 =
            keyring.open(&context, row.master_key, &row.sealed_private).expect("the sealed key opens");
        Self { kid, pair: pair(&pkcs8), claims: payload }
    }

    /// The same token with another key, as another installation has one.
    pub fn with_own_key(&self) -> Self {
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
        let pkcs8 = pkcs8.expect("a key");
        Self { kid: self.kid.clone(), pair: pair(pkcs8.as_ref()), claims: self.claims.clone() }
    }

    /// `04 ‖ x ‖ y`.
    pub fn public_point(&self) -> &[u8] {
        self.pair.public_key().as_ref()
    }

    pub fn header(&self) -> Value {
        json!({ "alg": "ES256", "typ": "at+jwt", "kid": self.kid })
    }

    /// A compact JWS of any two texts.
    pub fn sign_texts(&self, header: &str, payload: &str) -> String {
        let input = format!("{}.{}", encode(header), encode(payload));
        let signature = self.pair.sign(&SystemRandom::new(), input.as_bytes()).expect("a signature");
        format!("{input}.{}", encode(signature))
    }

    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        self.sign_texts(&header.to_string(), &claims.to_string())
    }

    /// The good token, but for one member of its header.
    pub fn with_header(&self, name: &str, value: Value) -> String {
        let mut header = self.header();
        header[name] = value;
        self.sign(&header, &self.claims)
    }

    /// The good token, but for one claim.
    pub fn with_claim(&self, name: &str, value: Value) -> String {
        let mut claims = self.claims.clone();
        claims[name] = value;
        self.sign(&self.header(), &claims)
    }

    /// A token that the server accepts: the control of every test that changes one thing.
    pub fn good(&self) -> String {
        assert_eq!(self.claims["iss"], ISSUER);
        self.sign(&self.header(), &self.claims)
    }
}

/// The header and the payload of a compact JWS.
fn header_and_payload(token: &str) -> [Value; 2] {
    let mut parts = token.split('.').map(|part| {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(part).expect("base64url");
        serde_json::from_slice(&bytes).unwrap_or_default()
    });
    [parts.next().expect("a header"), parts.next().expect("a payload")]
}

fn pair(pkcs8: &[u8]) -> EcdsaKeyPair {
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8).expect("a P-256 key")
}

pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}
