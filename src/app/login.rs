use std::sync::Arc;

use serde_json::json;

use super::lock::{Admitted, Attempt};
use super::measures::LoginOutcome;
use super::to_the_end::to_the_end;
use super::{App, Error, TokenPair, new_event_id};
use crate::crypto::{DeviceToken, Place, PresentedDevice, Verified};
use crate::domain::{
    AuditRecord, Caller, DeviceId, Email, EndReason, Event, Handle, Password, SecurityEvent, SessionId,
    UserId, UserStatus,
};
use crate::random;
use crate::store::{Credential, FamilyWithUser, NewFamily};

/// The `client_id` of logins at Keyward's own routes (RFC 9068 §2.2).
const FIRST_PARTY: &str = "keyward";

#[derive(Debug)]
pub struct Credentials {
    pub email: Email,
    pub password: Password,
    /// What an earlier login gave. Anything that is not one is as good as none.
    pub device_token: Option<String>,
}

/// What a login hands out.
#[derive(Debug)]
pub struct Login {
    pub pair: TokenPair,
    /// To be sent along with the next login, so that strangers cannot lock this device out.
    pub device_token: DeviceToken,
}

/// Why a login was refused: for the audit log, never for the caller.
#[derive(Debug, Clone, Copy)]
enum Refusal {
    UnknownUser,
    WrongPassword,
    Disabled,
    /// What is stored is no password hash that may be worked on: somebody must look at the row.
    UnusableHash,
    /// The account changed while the password was being hashed.
    Overtaken,
}

impl Refusal {
    const fn as_str(self) -> &'static str {
        match self {
            Self::UnknownUser => "unknown_user",
            Self::WrongPassword => "wrong_password",
            Self::Disabled => "disabled",
            Self::UnusableHash => "unusable_hash",
            Self::Overtaken => "account_changed",
        }
    }

    const fn outcome(self) -> LoginOutcome {
        match self {
            Self::UnknownUser => LoginOutcome::UnknownUser,
            Self::WrongPassword => LoginOutcome::WrongPassword,
            Self::Disabled => LoginOutcome::Disabled,
            Self::UnusableHash => LoginOutcome::UnusableHash,
            Self::Overtaken => LoginOutcome::AccountChanged,
        }
    }
}

impl App {
    /// Opens a session, as often as the limits of the caller's address allow.
    ///
    /// What was begun is settled and recorded even if its caller hangs up: nobody tries passwords
    /// unseen. A hash that was not begun by then is not begun any more.
    pub async fn login(self: &Arc<Self>, credentials: Credentials, caller: &Caller) -> Result<Login, Error> {
        let outcome = match self.login_limit(&credentials.email, caller).await {
            Ok(attempt) => {
                let outcome = self.login_within_limits(credentials, caller).await;
                self.login_limit_settle(attempt, &outcome);
                outcome
            }
            Err(limited) => Err(limited),
        };
        self.measures.login(&outcome);
        outcome
    }

    async fn login_within_limits(
        self: &Arc<Self>,
        credentials: Credentials,
        caller: &Caller,
    ) -> Result<Login, Error> {
        let place = self.hash_pool.admit()?;
        let (app, caller) = (Arc::clone(self), caller.clone());
        to_the_end(|gone| async move { app.login_settled(credentials, &place, gone, &caller).await }).await
    }

    /// Whatever is wrong with the credentials, the work and the answer are the same.
    async fn login_settled(
        &self,
        credentials: Credentials,
        place: &Place,
        gone: impl Future<Output = ()>,
        caller: &Caller,
    ) -> Result<Login, Error> {
        let Credentials { email, password, device_token } = credentials;
        let device = device_token.as_deref().and_then(PresentedDevice::parse);
        let Admitted { credential, attempt, known_device } =
            self.login_admit(&email, device.as_ref(), caller).await?;
        let stored = credential.as_ref().map(|credential| credential.password_hash.clone());
        let verified = match self.hash_pool.verify(place, password.clone(), stored, gone).await {
            Ok(verified) => verified,
            Err(error) => {
                self.attempt_give_back(attempt).await;
                return Err(error.into());
            }
        };
        let (credential, weak) = match (credential, verified) {
            (Some(credential), Verified::Right { weak }) if credential.status == UserStatus::Active => {
                (credential, weak)
            }
            (credential, verified) => {
                let refusal = match (&credential, verified) {
                    (None, _) => Refusal::UnknownUser,
                    (Some(_), Verified::Wrong) => Refusal::WrongPassword,
                    (Some(_), Verified::Right { .. }) => Refusal::Disabled,
                    (Some(credential), Verified::Unusable(reason)) => {
                        tracing::error!(user_id = %credential.user_id, reason, "stored password hash is not usable");
                        Refusal::UnusableHash
                    }
                };
                return self
                    .login_refuse(refusal, &email, credential.map(|c| c.user_id), attempt, caller)
                    .await;
            }
        };
        let device = device.filter(|_| known_device).map(|device| device.device());
        let user_id = credential.user_id;
        let rehash = if weak { self.rehash(place, password).await } else { None };
        match self.login_open(credential, rehash, device, attempt.as_ref(), caller).await {
            Ok(Some(login)) => Ok(login),
            Ok(None) => self.login_refuse(Refusal::Overtaken, &email, Some(user_id), attempt, caller).await,
            Err(error) => {
                // The password was right: whatever went wrong here is no failure of its owner's.
                self.attempt_give_back(attempt).await;
                Err(error)
            }
        }
    }

    /// Hashes a password as today's settings want it. If that does not work now, the old hash serves
    /// until the next login, as it has until this one.
    async fn rehash(&self, place: &Place, password: Password) -> Option<String> {
        let rehash = self.hash_pool.hash(place, password).await;
        rehash.inspect_err(|error| tracing::debug!(%error, "a password is not rehashed")).ok()
    }

    /// Opens the session of a right password; `None` when the user moved on.
    async fn login_open(
        &self,
        credential: Credential,
        rehash: Option<String>,
        device: Option<DeviceId>,
        attempt: Option<&Attempt>,
        caller: &Caller,
    ) -> Result<Option<Login>, Error> {
        let (user_id, epoch) = (credential.user_id, credential.session_epoch);
        let Some(session) = self.session_open(credential, rehash, attempt, caller).await? else {
            return Ok(None);
        };
        let device = device.unwrap_or_else(|| DeviceId(random::bytes()));
        let device_token = self.devices.mint(device, user_id, epoch, self.now());
        let device_token =
            device_token.ok_or_else(|| Error::Internal("no key for device tokens".to_owned()))?;
        Ok(Some(Login { pair: self.token_pair(&session)?, device_token }))
    }

    /// Stores the session under the epoch that was read before hashing; `None` when the user moved on.
    async fn session_open(
        &self,
        credential: Credential,
        rehash: Option<String>,
        attempt: Option<&Attempt>,
        caller: &Caller,
    ) -> Result<Option<FamilyWithUser>, Error> {
        let now = self.now();
        let (id, user_id) = (SessionId::new(random::uuid_v7(now)), credential.user_id);
        let family = NewFamily {
            id,
            user_id,
            handle: Handle(random::bytes()),
            mac_key: self.refresh_tokens.current_key(),
            session_epoch: credential.session_epoch,
            client_id: FIRST_PARTY,
            now,
            expires_at: now + self.rules.refresh_absolute_ttl,
            ip: caller.ip,
            user_agent: caller.user_agent().map(str::to_owned),
        };
        let audit = AuditRecord::new(SecurityEvent::LoginSucceeded, caller).user(user_id).session(id);
        let pool = attempt.map(|attempt| attempt.key.clone());
        let (keep, sinks, caller) = (self.rules.max_sessions_per_user, self.sinks(), caller.clone());
        let session = self
            .store
            .transaction("session_open", move |tx| {
                Box::pin(async move {
                    tx.user_lock(user_id).await?;
                    // Or the token would be made for an epoch that has passed, and be refused later.
                    let token_epoch = tx.installation_token_epoch().await?;
                    if !tx.session_insert(family).await? {
                        return Ok::<_, Error>(None);
                    }
                    if let Some(new) = rehash {
                        tx.user_rehash(user_id, credential.password_hash, new).await?;
                    }
                    if let Some(pool) = pool {
                        tx.login_failures_clear(&pool).await?;
                    }
                    tx.audit_insert(audit, now).await?;
                    let ended = tx.sessions_end_excess(user_id, id, keep, now).await?;
                    if !ended.is_empty() {
                        let detail = json!({ "sessions": ended, "reason": EndReason::SessionLimit.as_str() });
                        let audit = AuditRecord::new(SecurityEvent::SessionsRevoked, &caller);
                        let audit = audit.user(user_id).session(id);
                        tx.audit_insert(audit.detail(detail), now).await?;
                        let event = Event::SessionRevoked {
                            user_id,
                            sessions: ended,
                            reason: EndReason::SessionLimit,
                        };
                        tx.outbox_insert(new_event_id(now), &event, &sinks, now).await?;
                    }
                    let session = tx.session_by_id(id).await?;
                    Ok(session.map(|session| (session, token_epoch)))
                })
            })
            .await?;
        self.outbox_bell.ring();
        Ok(session.map(|(session, token_epoch)| {
            self.refresh_tokens.follow_epoch(token_epoch);
            session
        }))
    }

    async fn login_refuse(
        &self,
        refusal: Refusal,
        email: &Email,
        user_id: Option<UserId>,
        attempt: Option<Attempt>,
        caller: &Caller,
    ) -> Result<Login, Error> {
        let detail = json!({ "reason": refusal.as_str(), "identifier": self.identifier(email) });
        let mut audit = AuditRecord::new(SecurityEvent::LoginFailed, caller).detail(detail);
        audit.user_id = user_id;
        self.attempt_failed(attempt, audit, caller).await?;
        self.measures.logins.increment(refusal.outcome());
        Err(Error::InvalidCredentials)
    }
}
