//! The signing keys of this installation: made, promoted, retired and removed in transactions that
//! one replica does at a time, and picked up by all of them within seconds.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use keyward_verify::{Algorithm, Jwk, Typ};
use serde_json::json;
use tokio::time::Instant;

use super::verified_tokens::VerifiedTokens;
use super::{Admin, App, Error, Sinks, StartError, new_event_id, the_server};
use crate::crypto::{Keyring, SigningKey, SigningKeys};
use crate::domain::{
    AuditRecord, Caller, Event, KeyId, KeyStage, KeyState, KeyStep, Kid, RotationRules, SecurityEvent,
    Timestamp, next_step, promotable_at,
};
use crate::store::{SigningKeyRow, Store, StoreError, Tx, within_budget};

/// A replica that has not heard of a change signs with the old key for at most this long.
pub(super) const HEARD_WITHIN: Duration = Duration::from_secs(60);
/// The least time between two looks for new keys that tokens with unknown keys ask for.
const LOOKS_APART: Duration = Duration::from_millis(20);

/// How keys are made and when they change.
#[derive(Debug, Clone)]
pub(super) struct KeyRules {
    pub algorithm: Algorithm,
    pub typ: Typ,
    pub rotation: RotationRules,
}

/// The set that this replica works with, and the stages that it was made from.
#[derive(Debug)]
pub(super) struct Loaded {
    pub keys: Arc<SigningKeys>,
    /// By these keys; others begin with none.
    pub verified: Arc<VerifiedTokens>,
    pub stages: Vec<KeyStage>,
}

/// A look for keys that a token named and that were not known.
#[derive(Debug)]
pub(super) struct KeyLook {
    began: Instant,
    /// What came of it, once that is known.
    worked: Option<bool>,
}

/// When a rotation asked for by hand takes place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RotateWhen {
    /// Only if the pending key has been public for long enough.
    Published,
    /// At once: verifiers that cache the key set refuse new tokens until they fetch it again.
    Now,
}

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

    /// Returns the published keys, newest first, and the rules they go by.
    pub async fn keys_list(&self, _: &Admin) -> Result<(Vec<KeyStage>, &RotationRules), Error> {
        let rows = published(&self.store).await?;
        Ok((rows.into_iter().map(|row| row.stage).collect(), &self.key_rules.rotation))
    }

    /// Lets the pending key sign from now on, and returns it.
    pub async fn keys_rotate(&self, admin: &Admin, when: RotateWhen) -> Result<KeyStage, Error> {
        self.keys_advance(admin.caller()).await?;
        let (rules, now, caller, sinks) =
            (self.key_rules.clone(), self.now(), admin.caller().clone(), self.sinks());
        let promoted = self
            .store
            .transaction("keys_rotate", move |tx| {
                Box::pin(async move {
                    tx.signing_keys_lock().await?;
                    let rows = tx.signing_keys_published().await?;
                    let stage = |state| rows.iter().map(|row| &row.stage).find(|stage| stage.state == state);
                    let pending = stage(KeyState::Pending).ok_or(Error::NotFound)?;
                    let ready_at = promotable_at(pending, &rules.rotation);
                    if when == RotateWhen::Published && now < ready_at {
                        return Err(Error::KeyTooFresh { ready_at });
                    }
                    let retire = stage(KeyState::Active).map(|active| active.kid.clone());
                    promote(tx, pending.kid.clone(), retire, &caller, &sinks, now).await?;
                    Ok(KeyStage { state: KeyState::Active, promoted_at: Some(now), ..pending.clone() })
                })
            })
            .await?;
        self.outbox_bell.ring();
        self.keys_advance(&the_server(now)).await?;
        Ok(promoted)
    }

    /// Takes a compromised key out of use: no token that it signed is accepted any more, here at
    /// once, on other replicas within two seconds, and at verifiers when they fetch the set again.
    pub async fn keys_revoke(&self, admin: &Admin, kid: Kid) -> Result<(), Error> {
        let audit = AuditRecord::new(SecurityEvent::SigningKeyRevoked, admin.caller())
            .detail(json!({ "kid": kid.as_str() }));
        let (rules, now, caller, sinks) =
            (self.key_rules.rotation.clone(), self.now(), admin.caller().clone(), self.sinks());
        self.store
            .transaction("keys_revoke", move |tx| {
                Box::pin(async move {
                    tx.signing_keys_lock().await?;
                    let rows = tx.signing_keys_published().await?;
                    if !rows.iter().any(|row| row.stage.kid == kid) {
                        return Err(Error::NotFound);
                    }
                    tx.signing_key_remove(kid).await?;
                    tx.audit_insert(audit, now).await?;
                    // In the same moment another signs: no replica is left with nothing but the one that is gone.
                    let left = stages(&tx.signing_keys_published().await?);
                    match next_step(&left, &rules, now) {
                        Some(step @ KeyStep::Promote { .. }) => {
                            take(tx, step, None, &caller, &sinks, now).await
                        }
                        _ => Ok(()),
                    }
                })
            })
            .await?;
        self.keys_advance(admin.caller()).await
    }

    /// Takes every step of the life cycle that is due, and loads what came of it.
    pub async fn keys_advance(&self, caller: &Caller) -> Result<(), Error> {
        advance(&self.store, &self.keyring, &self.key_rules, caller, &self.sinks(), self.now()).await?;
        self.outbox_bell.ring();
        self.keys_reload().await
    }

    /// Seals every private key with the current master key, and lets the older ones go out of use.
    pub async fn keys_reseal(&self, admin: &Admin) -> Result<usize, Error> {
        let (keyring, now) = (Arc::clone(&self.keyring), self.now());
        let audit = AuditRecord::new(SecurityEvent::SigningKeysResealed, admin.caller());
        self.store
            .transaction("keys_reseal", move |tx| {
                Box::pin(async move {
                    // Or a replica that still seals with an older key makes one behind our back.
                    tx.signing_keys_lock().await?;
                    let current = keyring.current().id();
                    let mut rows = tx.signing_keys_published().await?;
                    rows.retain(|row| row.master_key != current);
                    let kids: Vec<&str> = rows.iter().map(|row| row.stage.kid.as_str()).collect();
                    let audit = audit.detail(json!({ "kids": kids, "master_key": current.to_string() }));
                    let resealed = rows.len();
                    for row in rows {
                        let (key, sealed) = reseal(&keyring, &row)?;
                        tx.signing_key_reseal(row.stage.kid, sealed, key).await?;
                    }
                    tx.master_keys_retire_all_but(current, now).await?;
                    tx.audit_insert(audit, now).await?;
                    Ok(resealed)
                })
            })
            .await
    }

    /// Loads signing keys and token epoch again if they changed; cheap enough for every second.
    pub async fn keys_reload(&self) -> Result<(), Error> {
        self.refresh_tokens.follow_epoch(token_epoch(&self.store).await?);
        let rows = published(&self.store).await?;
        if same(&self.signing_keys.read().unwrap_or_else(PoisonError::into_inner).stages, &rows) {
            return Ok(());
        }
        let fresh = load(&self.keyring, &rows, self.key_rules.typ)?;
        *self.signing_keys.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(())
    }

    /// Looks for new keys because a token names an unknown one. One look serves everyone who came
    /// before it began, and looks are spaced: strangers can write any `kid`, and must not be able to
    /// keep the database busy with them.
    pub(super) async fn keys_look_again(&self) -> Result<(), Error> {
        const LOOK: &str = "keys_look_again";
        let came = Instant::now();
        let mut last = within_budget(LOOK, self.last_key_look.lock()).await?;
        match last.as_ref().filter(|look| look.began >= came).and_then(|look| look.worked) {
            Some(true) => return Ok(()),
            // It is not known whether there is such a key.
            Some(false) => return Err(StoreError::Timeout { work: LOOK }.into()),
            None => {}
        }
        if let Some(look) = last.as_ref() {
            tokio::time::sleep_until(look.began + LOOKS_APART).await;
        }
        // Noted before it begins: who hangs up meanwhile has had a look, too.
        let look = last.insert(KeyLook { began: Instant::now(), worked: None });
        let looked = self.keys_reload().await;
        look.worked = Some(looked.is_ok());
        looked
    }
}

fn same(stages: &[KeyStage], rows: &[SigningKeyRow]) -> bool {
    stages.len() == rows.len() && stages.iter().zip(rows).all(|(stage, row)| *stage == row.stage)
}

/// Tells whether there is a key to sign with.
pub(super) async fn can_sign(store: &Store) -> Result<bool, StoreError> {
    Ok(published(store).await?.iter().any(|row| row.stage.state == KeyState::Active))
}

/// Loads the keys, after the steps that are due where those who hear of them are given. However many start at once, one makes
/// them.
pub(super) async fn start(
    store: &Store,
    keyring: &Keyring,
    rules: &KeyRules,
    advance_telling: Option<&Sinks>,
    now: Timestamp,
) -> Result<Loaded, StartError> {
    if let Some(sinks) = advance_telling {
        advance(store, keyring, rules, &the_server(now), sinks, now).await?;
    }
    let rows = published(store).await?;
    Ok(load(keyring, &rows, rules.typ)?)
}

/// Refuses a keyring that lacks what a published key is sealed with.
pub(super) async fn check_openable(store: &Store, keyring: &Keyring) -> Result<(), StartError> {
    let rows = published(store).await?;
    let Some(row) = rows.iter().find(|row| keyring.find(row.master_key).is_none()) else { return Ok(()) };
    Err(StartError::Configuration(format!(
        "signing key {} is sealed with master key {}, which is not among the configured ones\n  \
         fix: add that key to KEYWARD_MASTER_KEY, and run `keyward keys reseal` before it is left out",
        row.stage.kid, row.master_key
    )))
}

fn load(keyring: &Keyring, rows: &[SigningKeyRow], typ: Typ) -> Result<Loaded, Error> {
    let active = rows.iter().find(|row| row.stage.state == KeyState::Active);
    let active = active.ok_or_else(|| Error::Internal("no active signing key".to_owned()))?;
    let jwks = rows
        .iter()
        .map(|row| serde_json::from_str(&row.public_jwk).map_err(|error| broken(&row.stage.kid, &error)))
        .collect::<Result<Vec<Jwk>, Error>>()?;
    let keys = SigningKeys::new(open(keyring, active)?, jwks, typ)?;
    let stages = rows.iter().map(|row| row.stage.clone()).collect();
    Ok(Loaded { keys: Arc::new(keys), verified: Arc::default(), stages })
}

/// Returns the number that is part of every refresh token's MAC.
pub(super) async fn token_epoch(store: &Store) -> Result<i64, StoreError> {
    store
        .read("installation_token_epoch", |tx| Box::pin(async move { tx.installation_token_epoch().await }))
        .await
}

pub(super) async fn published(store: &Store) -> Result<Vec<SigningKeyRow>, StoreError> {
    store
        .read("signing_keys_published", |tx| Box::pin(async move { tx.signing_keys_published().await }))
        .await
}

/// Takes steps until none is due.
async fn advance(
    store: &Store,
    keyring: &Keyring,
    rules: &KeyRules,
    caller: &Caller,
    sinks: &Sinks,
    now: Timestamp,
) -> Result<(), Error> {
    // The look costs one read; only when something is due is the table locked.
    while let Some(step) = next_step(&stages(&published(store).await?), &rules.rotation, now) {
        // Made before the lock is taken: an RSA key takes a while.
        let made = match step {
            KeyStep::CreateActive => Some(create(keyring, rules.algorithm, KeyState::Active, now)?),
            KeyStep::CreatePending => Some(create(keyring, rules.algorithm, KeyState::Pending, now)?),
            KeyStep::Promote { .. } | KeyStep::Remove { .. } => None,
        };
        let (rules, caller, sinks) = (rules.rotation.clone(), caller.clone(), Arc::clone(sinks));
        store
            .transaction("keys_advance", move |tx| {
                Box::pin(async move {
                    tx.signing_keys_lock().await?;
                    let stages = stages(&tx.signing_keys_published().await?);
                    // Another replica may have been here first.
                    match (next_step(&stages, &rules, now), made) {
                        (Some(due), made) if due == step => take(tx, due, made, &caller, &sinks, now).await,
                        _ => Ok(()),
                    }
                })
            })
            .await?;
    }
    Ok(())
}

fn stages(rows: &[SigningKeyRow]) -> Vec<KeyStage> {
    rows.iter().map(|row| row.stage.clone()).collect()
}

async fn take(
    tx: &mut Tx,
    step: KeyStep,
    made: Option<SigningKeyRow>,
    caller: &Caller,
    sinks: &[String],
    now: Timestamp,
) -> Result<(), Error> {
    match (step, made) {
        (KeyStep::CreateActive | KeyStep::CreatePending, Some(row)) => {
            let detail = json!({ "kid": row.stage.kid.as_str(), "algorithm": row.stage.algorithm, "state": row.stage.state.as_str() });
            let audit = AuditRecord::new(SecurityEvent::SigningKeyCreated, caller).detail(detail);
            tx.signing_key_insert(row).await?;
            Ok(tx.audit_insert(audit, now).await?)
        }
        (KeyStep::Promote { pending, retire }, _) => promote(tx, pending, retire, caller, sinks, now).await,
        (KeyStep::Remove { kid }, _) => {
            let detail = json!({ "kid": kid.as_str() });
            tx.signing_key_remove(kid).await?;
            let audit = AuditRecord::new(SecurityEvent::SigningKeyRemoved, caller).detail(detail);
            Ok(tx.audit_insert(audit, now).await?)
        }
        (KeyStep::CreateActive | KeyStep::CreatePending, None) => Ok(()),
    }
}

async fn promote(
    tx: &mut Tx,
    pending: Kid,
    retire: Option<Kid>,
    caller: &Caller,
    sinks: &[String],
    now: Timestamp,
) -> Result<(), Error> {
    if let Some(active) = retire.clone() {
        tx.signing_key_retire(active, now).await?;
    }
    tx.signing_key_promote(pending.clone(), now).await?;
    let detail = json!({ "kid": pending.as_str(), "previous_kid": retire.as_ref().map(Kid::as_str) });
    let audit = AuditRecord::new(SecurityEvent::SigningKeyPromoted, caller).detail(detail);
    tx.audit_insert(audit, now).await?;
    let event = Event::SigningKeyRotated { kid: pending, previous: retire };
    Ok(tx.outbox_insert(new_event_id(now), &event, sinks, now).await?)
}

fn create(
    keyring: &Keyring,
    algorithm: Algorithm,
    state: KeyState,
    now: Timestamp,
) -> Result<SigningKeyRow, Error> {
    let internal = |error: &dyn std::fmt::Display| Error::Internal(format!("new signing key: {error}"));
    let (key, pkcs8) = SigningKey::generate(algorithm)?;
    let kid = Kid::parse(key.jwk().kid()).ok_or_else(|| internal(&"its thumbprint is no key id"))?;
    let (master_key, sealed_private) =
        keyring.seal(&context(&kid), &pkcs8).map_err(|error| internal(&error))?;
    Ok(SigningKeyRow {
        public_jwk: serde_json::to_string(key.jwk()).map_err(|error| internal(&error))?,
        stage: KeyStage {
            kid,
            algorithm: algorithm.as_str().to_owned(),
            state,
            created_at: now,
            promoted_at: (state == KeyState::Active).then_some(now),
            retired_at: None,
        },
        sealed_private,
        master_key,
    })
}

fn reseal(keyring: &Keyring, row: &SigningKeyRow) -> Result<(KeyId, Vec<u8>), Error> {
    let kid = &row.stage.kid;
    let plain = keyring.open(&context(kid), row.master_key, &row.sealed_private);
    let plain = plain.map_err(|error| broken(kid, &error))?;
    keyring.seal(&context(kid), &plain).map_err(|error| broken(kid, &error))
}

pub(super) fn open(keyring: &Keyring, row: &SigningKeyRow) -> Result<SigningKey, Error> {
    let kid = &row.stage.kid;
    let pkcs8 = keyring
        .open(&context(kid), row.master_key, &row.sealed_private)
        .map_err(|error| broken(kid, &error))?;
    let algorithm = row.stage.algorithm.parse().map_err(|error| broken(kid, &error))?;
    let key = SigningKey::from_pkcs8(algorithm, &pkcs8).map_err(|error| broken(kid, &error))?;
    if key.jwk().kid() == kid.as_str() { Ok(key) } else { Err(broken(kid, &"another key was sealed")) }
}

/// Ties a sealed key to its row.
fn context(kid: &Kid) -> String {
    format!("signing_keys/{kid}")
}

fn broken(kid: &Kid, error: &dyn std::fmt::Display) -> Error {
    Error::Internal(format!("signing key {kid}: {error}"))
}
