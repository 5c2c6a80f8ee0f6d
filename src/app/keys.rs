//! The signing keys of this installation. Rotation comes with a later release; the table, the
//! sealing and the published set are made for it.

use keyward_verify::{Algorithm, Jwk, Typ};
use serde_json::json;

use super::{App, StartError};
use crate::crypto::{Keyring, SigningKey, SigningKeys};
use crate::domain::{AuditRecord, Caller, SecurityEvent, Timestamp};
use crate::store::{KeyState, SigningKeyRow, Store, StoreError};

impl App {
    /// Returns the JWKS document (RFC 7517 §5) with every key whose tokens may be about.
    #[must_use]
    pub fn jwks(&self) -> String {
        self.signing_keys().jwks().to_owned()
    }

    /// Returns the algorithms of the published keys, as JWS `alg` values.
    #[must_use]
    pub fn signing_algorithms(&self) -> Vec<&'static str> {
        self.signing_keys().algorithms()
    }
}

/// Loads the signing keys, and makes the first one on an empty database. However many replicas do
/// so at once, the database keeps one, and all of them load that.
pub(super) async fn load_or_create(
    store: &Store,
    keyring: &Keyring,
    (algorithm, typ): (Algorithm, Typ),
    now: Timestamp,
) -> Result<SigningKeys, StartError> {
    let mut rows = published(store).await?;
    if !rows.iter().any(|row| row.state == KeyState::Active) {
        create_active(store, keyring, algorithm, now).await?;
        rows = published(store).await?;
    }
    let active = rows
        .iter()
        .find(|row| row.state == KeyState::Active)
        .ok_or_else(|| StartError::Internal("no active signing key".to_owned()))?;
    let active = open(keyring, active)?;
    let jwks = rows
        .iter()
        .map(|row| serde_json::from_str(&row.public_jwk).map_err(|error| broken(&row.kid, &error)))
        .collect::<Result<Vec<Jwk>, StartError>>()?;
    SigningKeys::new(active, jwks, typ).map_err(|error| StartError::Internal(error.to_string()))
}

async fn published(store: &Store) -> Result<Vec<SigningKeyRow>, StoreError> {
    store
        .read("signing_keys_published", |tx| Box::pin(async move { tx.signing_keys_published().await }))
        .await
}

async fn create_active(
    store: &Store,
    keyring: &Keyring,
    algorithm: Algorithm,
    now: Timestamp,
) -> Result<(), StartError> {
    let internal =
        |error: &dyn std::fmt::Display| StartError::Internal(format!("first signing key: {error}"));
    let (key, pkcs8) = SigningKey::generate(algorithm).map_err(|error| internal(&error))?;
    let kid = key.jwk().kid().to_owned();
    let (master_key, sealed_private) =
        keyring.seal(&context(&kid), &pkcs8).map_err(|error| internal(&error))?;
    let row = SigningKeyRow {
        public_jwk: serde_json::to_string(key.jwk()).map_err(|error| internal(&error))?,
        algorithm: algorithm.as_str().to_owned(),
        state: KeyState::Active,
        kid,
        sealed_private,
        master_key,
    };
    let audit = AuditRecord::new(SecurityEvent::SigningKeyCreated, &Caller::default())
        .detail(json!({ "kid": row.kid, "algorithm": row.algorithm }));
    store
        .transaction("signing_key_create", move |tx| {
            Box::pin(async move {
                if tx.signing_key_insert_active(row, now).await? {
                    tx.audit_insert(audit, now).await?;
                }
                Ok::<_, StoreError>(())
            })
        })
        .await?;
    Ok(())
}

fn open(keyring: &Keyring, row: &SigningKeyRow) -> Result<SigningKey, StartError> {
    let pkcs8 = keyring
        .open(&context(&row.kid), row.master_key, &row.sealed_private)
        .map_err(|error| StartError::Configuration(format!("signing key {}: {error}", row.kid)))?;
    let algorithm = row.algorithm.parse().map_err(|error| broken(&row.kid, &error))?;
    let key = SigningKey::from_pkcs8(algorithm, &pkcs8).map_err(|error| broken(&row.kid, &error))?;
    if key.jwk().kid() == row.kid { Ok(key) } else { Err(broken(&row.kid, &"another key was sealed")) }
}

/// Ties a sealed key to its row.
fn context(kid: &str) -> String {
    format!("signing_keys/{kid}")
}

fn broken(kid: &str, error: &dyn std::fmt::Display) -> StartError {
    StartError::Internal(format!("signing key {kid}: {error}"))
}
