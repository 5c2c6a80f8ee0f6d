//! The account lock: an attempt is charged before its password is looked at, and settled after.

use std::time::Duration;

use serde_json::json;

use super::{App, Error, new_event_id};
use crate::crypto::PresentedDevice;
use crate::domain::{
    AuditRecord, Caller, Email, Event, Failures, LockEnd, LockRules, Pool, SecurityEvent, Timestamp, UserId,
};
use crate::store::{Credential, FailuresKey};

/// An attempt that was charged: it counts as a failure until it is given back or succeeds.
#[derive(Debug, Clone)]
pub(super) struct Attempt {
    pub key: FailuresKey,
    before: Option<Failures>,
    charged: Failures,
    /// Set when this attempt, should it fail, is the one that locks the pool.
    locks: Option<LockEnd>,
}

/// What a login reads, and the attempt that it charges.
#[derive(Debug)]
pub(super) struct Admitted {
    pub credential: Option<Credential>,
    /// `None` while the lock is turned off.
    pub attempt: Option<Attempt>,
    /// Whether it comes from a device that has logged in before.
    pub known_device: bool,
}

/// What is read before an attempt is charged: the same for accounts that exist and those that do not.
struct Standing {
    credential: Option<Credential>,
    untrusted: Option<Failures>,
    device: Option<Failures>,
}

impl App {
    /// Reads the credential of an address and charges an attempt: to the device if it is known and
    /// not locked, else to the pool of all strangers.
    pub(super) async fn login_admit(
        &self,
        email: &Email,
        device: Option<&PresentedDevice>,
        caller: &Caller,
    ) -> Result<Admitted, Error> {
        let identifier = self.identifier(email);
        let key = |pool| FailuresKey { identifier: identifier.clone(), pool };
        let strangers = key(Pool::Untrusted);
        let device_key = device.map(|device| key(Pool::Device(device.device())));
        loop {
            let standing = self.login_standing(email, &strangers, device_key.as_ref()).await?;
            let now = self.now();
            let Standing { credential, untrusted, device: by_device } = standing;
            let known_device = device.is_some_and(|device| {
                credential.as_ref().is_some_and(|credential| {
                    self.devices.known(device, credential.user_id, credential.session_epoch, now)
                })
            });
            let Some(rules) = self.rules.lock else {
                return Ok(Admitted { credential, attempt: None, known_device });
            };
            let own = device_key.as_ref().filter(|_| known_device).map(|key| (key, by_device));
            let pools = own.into_iter().chain([(&strangers, untrusted)]);
            match first_open(rules, pools, now) {
                Ok(attempt) => {
                    if self.attempt_charge(rules, &attempt).await? {
                        return Ok(Admitted { credential, attempt: Some(attempt), known_device });
                    }
                }
                Err(retry_after) => {
                    let user_id = credential.map(|credential| credential.user_id);
                    let event = SecurityEvent::LoginsRefused;
                    self.refusals.count(event, Some(&identifier), user_id, caller, now);
                    return Err(Error::AccountLocked { retry_after });
                }
            }
        }
    }

    /// Charges an attempt to give the current password of a session's user: to the session alone,
    /// so that whoever stole it can lock nobody else out.
    pub(super) async fn attempt_by_session(
        &self,
        key: FailuresKey,
        user_id: UserId,
        caller: &Caller,
    ) -> Result<Option<Attempt>, Error> {
        let Some(rules) = self.rules.lock else { return Ok(None) };
        loop {
            let wanted = key.clone();
            let found = self
                .store
                .read("login_failures_find", move |tx| {
                    Box::pin(async move { Ok::<_, Error>(tx.login_failures_find(&wanted).await?) })
                })
                .await?;
            let now = self.now();
            match first_open(rules, [(&key, found)], now) {
                Ok(attempt) => {
                    if self.attempt_charge(rules, &attempt).await? {
                        return Ok(Some(attempt));
                    }
                }
                Err(retry_after) => {
                    let event = SecurityEvent::LoginsRefused;
                    self.refusals.count(event, Some(&key.identifier), Some(user_id), caller, now);
                    return Err(Error::AccountLocked { retry_after });
                }
            }
        }
    }

    /// Gives the charge back of an attempt whose password nobody looked at.
    pub(super) async fn attempt_give_back(&self, attempt: Option<Attempt>) {
        let Some(Attempt { key, before, charged, .. }) = attempt else { return };
        let earlier = before.filter(|before| before.began_at == charged.began_at);
        let restored_at = earlier.unwrap_or(charged).charged_at;
        let left = Failures {
            count: charged.count.saturating_sub(1),
            in_a_row: charged.in_a_row.saturating_sub(1),
            charged_at: restored_at,
            ..charged
        };
        let expires_at = self.rules.lock.and_then(|rules| rules.expires_at(&left));
        let given_back: Result<(), Error> = self
            .store
            .write("login_failures_give_back", move |tx| {
                Box::pin(async move {
                    Ok(tx.login_failures_give_back(&key, &charged, restored_at, expires_at).await?)
                })
            })
            .await;
        if let Err(error) = given_back {
            tracing::warn!(%error, "an attempt that was not judged still counts as a failure");
        }
    }

    /// Writes the audit record of a failure, and of the lock that it causes. The event is for users
    /// alone, and for strangers alone: a device of the owner's locks nothing but itself.
    pub(super) async fn attempt_failed(
        &self,
        attempt: Option<Attempt>,
        audit: AuditRecord,
        caller: &Caller,
    ) -> Result<(), Error> {
        let now = self.now();
        let locking = attempt.and_then(|attempt| Some((attempt.locks?, attempt)));
        let Some((end, attempt)) = locking else {
            return self
                .store
                .write("login_refuse", move |tx| {
                    Box::pin(async move { Ok::<_, Error>(tx.audit_insert(audit, now).await?) })
                })
                .await;
        };
        let (rules, sinks, user_id, pool) = (self.rules.lock, self.sinks(), audit.user_id, attempt.key.pool);
        let lock_audit = lock_record(&attempt, end, user_id, caller);
        let locked = self
            .store
            .transaction("login_lock", move |tx| {
                Box::pin(async move {
                    if let Some(user_id) = user_id {
                        tx.user_lock(user_id).await?;
                    }
                    tx.audit_insert(audit, now).await?;
                    let stands = tx.login_failures_find(&attempt.key).await?;
                    let locked =
                        stands.zip(rules).is_some_and(|(stands, rules)| rules.locked(&stands, now).is_some());
                    if !locked {
                        // Somebody succeeded meanwhile, or an earlier attempt was given back.
                        return Ok(false);
                    }
                    tx.audit_insert(lock_audit, now).await?;
                    let Some(user_id) = user_id.filter(|_| attempt.key.pool == Pool::Untrusted) else {
                        return Ok(true);
                    };
                    if tx.user_by_id(user_id).await?.is_some() {
                        let locked_until = at(end);
                        let failures = attempt.charged.in_a_row;
                        let event = Event::UserLocked { user_id, failures, locked_until };
                        tx.outbox_insert(new_event_id(now), &event, &sinks, now).await?;
                    }
                    Ok::<_, Error>(true)
                })
            })
            .await?;
        if locked {
            self.measures.lock(pool);
        }
        self.outbox_bell.ring();
        Ok(())
    }

    /// Returns a value that is the same for every spelling of an address, and tells nothing without
    /// the master key.
    pub(super) fn identifier(&self, email: &Email) -> String {
        use base64::Engine as _;
        let tag = aws_lc_rs::hmac::sign(&self.identifiers, email.canonical().as_bytes());
        base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(tag.as_ref())
    }

    async fn login_standing(
        &self,
        email: &Email,
        strangers: &FailuresKey,
        device: Option<&FailuresKey>,
    ) -> Result<Standing, Error> {
        let (email, locks) = (email.clone(), self.rules.lock.is_some());
        let (strangers, device) = (strangers.clone(), device.cloned());
        self.store
            .read("login", move |tx| {
                Box::pin(async move {
                    let credential = tx.user_credential_by_email(&email).await?;
                    let mut standing = Standing { credential, untrusted: None, device: None };
                    if locks {
                        standing.untrusted = tx.login_failures_find(&strangers).await?;
                        if let Some(key) = device {
                            standing.device = tx.login_failures_find(&key).await?;
                        }
                    }
                    Ok::<_, Error>(standing)
                })
            })
            .await
    }

    /// False when another attempt was quicker: then what was read is out of date.
    async fn attempt_charge(&self, rules: LockRules, attempt: &Attempt) -> Result<bool, Error> {
        let Attempt { key, before, charged, .. } = attempt.clone();
        let expires_at = rules.expires_at(&charged);
        self.store
            .write("login_failures_charge", move |tx| {
                Box::pin(async move {
                    Ok(tx.login_failures_charge(&key, before.as_ref(), &charged, expires_at).await?)
                })
            })
            .await
    }
}

/// Finds the first pool that may try, or how long to wait until one of them may.
fn first_open<'k>(
    rules: LockRules,
    pools: impl IntoIterator<Item = (&'k FailuresKey, Option<Failures>)>,
    now: Timestamp,
) -> Result<Attempt, Duration> {
    let mut shortest = Duration::MAX;
    for (key, before) in pools {
        match rules.charge(before, now) {
            Ok(charged) => {
                let locks = rules.lock_end(&charged);
                return Ok(Attempt { key: key.clone(), before, charged, locks });
            }
            Err(end) => shortest = shortest.min(end.wait(now)),
        }
    }
    Err(shortest)
}

fn lock_record(attempt: &Attempt, end: LockEnd, user_id: Option<UserId>, caller: &Caller) -> AuditRecord {
    let detail = json!({
        "identifier": attempt.key.identifier,
        "pool": attempt.key.pool.to_string(),
        "failures": attempt.charged.in_a_row,
        "locked_until": at(end),
    });
    let mut record = AuditRecord::new(SecurityEvent::UserLocked, caller).detail(detail);
    record.user_id = user_id;
    record
}

fn at(end: LockEnd) -> Option<Timestamp> {
    match end {
        LockEnd::At(end) => Some(end),
        LockEnd::ByAdmin => None,
    }
}
