use serde_json::json;

use super::{App, Error, TokenPair, new_event_id};
use crate::crypto::Verified;
use crate::domain::{
    AuditRecord, Caller, Email, EndReason, Event, Handle, Password, SecurityEvent, SessionId, UserId,
    UserStatus,
};
use crate::random;
use crate::store::{Credential, FamilyWithUser, NewFamily};

/// The `client_id` of logins at Keyward's own routes (RFC 9068 §2.2).
const FIRST_PARTY: &str = "keyward";

#[derive(Debug)]
pub struct Credentials {
    pub email: Email,
    pub password: Password,
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
}

impl App {
    /// Opens a session, as often as the limits of the caller's address allow.
    pub async fn login(&self, credentials: Credentials, caller: &Caller) -> Result<TokenPair, Error> {
        let attempt = self.login_limit(&credentials.email, caller).await?;
        let outcome = self.login_within_limits(credentials, caller).await;
        self.login_limit_settle(attempt, &outcome);
        outcome
    }

    /// Whatever is wrong with the credentials, the work and the answer are the same.
    async fn login_within_limits(
        &self,
        credentials: Credentials,
        caller: &Caller,
    ) -> Result<TokenPair, Error> {
        let Credentials { email, password } = credentials;
        let wanted = email.clone();
        let credential = self
            .store
            .read("login", move |tx| {
                Box::pin(async move { Ok::<_, Error>(tx.user_credential_by_email(&wanted).await?) })
            })
            .await?;
        let stored = credential.as_ref().map(|credential| credential.password_hash.clone());
        let verified = self.hash_pool.verify(password.clone(), stored).await?;
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
                return self.login_refuse(refusal, &email, credential.map(|c| c.user_id), caller).await;
            }
        };
        let rehash = if weak { Some(self.hash_pool.hash(password).await?) } else { None };
        let user_id = credential.user_id;
        match self.session_open(credential, rehash, caller).await? {
            Some(session) => self.token_pair(&session),
            None => self.login_refuse(Refusal::Overtaken, &email, Some(user_id), caller).await,
        }
    }

    /// Stores the session under the epoch that was read before hashing; `None` when the user moved on.
    async fn session_open(
        &self,
        credential: Credential,
        rehash: Option<String>,
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
                    tx.audit_insert(audit, now).await?;
                    let ended = tx.sessions_end_excess(user_id, id, keep, now).await?;
                    if !ended.is_empty() {
                        let detail = json!({ "sessions": ended, "reason": EndReason::SessionLimit.as_str() });
                        let audit = AuditRecord::new(SecurityEvent::SessionsRevoked, &caller).user(user_id);
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
        caller: &Caller,
    ) -> Result<TokenPair, Error> {
        let detail = json!({ "reason": refusal.as_str(), "identifier": self.identifier(email) });
        let mut audit = AuditRecord::new(SecurityEvent::LoginFailed, caller).detail(detail);
        audit.user_id = user_id;
        let now = self.now();
        self.store
            .write("login_refuse", move |tx| {
                Box::pin(async move { Ok::<_, Error>(tx.audit_insert(audit, now).await?) })
            })
            .await?;
        Err(Error::InvalidCredentials)
    }

    /// Returns a value that is the same for every spelling of an address, and tells nothing without
    /// the master key.
    fn identifier(&self, email: &Email) -> String {
        use base64::Engine as _;
        let tag = aws_lc_rs::hmac::sign(&self.identifiers, email.canonical().as_bytes());
        base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(tag.as_ref())
    }
}
