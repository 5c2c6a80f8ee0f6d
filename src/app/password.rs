use std::sync::Arc;

use super::lock::Attempt;
use super::to_the_end::{Gone, to_the_end};
use super::{App, Error, Principal, new_event_id};
use crate::crypto::{Place, Verified};
use crate::domain::{AuditRecord, Caller, EndReason, Event, NewPassword, Password, Pool, SecurityEvent};
use crate::store::{Credential, FailuresKey};

impl App {
    /// Changes the caller's password and ends every other session. The caller's own goes on: it is
    /// stamped with the new epoch in the same transaction.
    ///
    /// Wrong current passwords lock the session that tries them, as wrong logins lock strangers: a
    /// stolen token is no way around. They lock nobody else, so a thief cannot keep the owner from
    /// changing the password.
    pub async fn password_change(
        self: &Arc<Self>,
        owner: Principal,
        current: Password,
        new: NewPassword,
        caller: &Caller,
    ) -> Result<(), Error> {
        let attempt = self.password_limit(&owner.user.email, caller).await?;
        let outcome = self.password_change_within_limits(owner, current, new, caller).await;
        self.limit_settle(attempt, &outcome);
        outcome
    }

    async fn password_change_within_limits(
        self: &Arc<Self>,
        owner: Principal,
        current: Password,
        new: NewPassword,
        caller: &Caller,
    ) -> Result<(), Error> {
        let place = self.hash_pool.admit()?;
        let (app, caller) = (Arc::clone(self), caller.clone());
        to_the_end(|gone| async move {
            app.password_change_settled(&owner, current, new, &place, gone, &caller).await
        })
        .await
    }

    async fn password_change_settled(
        &self,
        owner: &Principal,
        current: Password,
        new: NewPassword,
        place: &Place,
        gone: Gone,
        caller: &Caller,
    ) -> Result<(), Error> {
        let user_id = owner.user.id;
        let caller = &caller.clone().in_session(owner.session.id);
        let credential = self
            .store
            .read("user_credential_by_id", move |tx| {
                Box::pin(async move { Ok::<_, Error>(tx.user_credential_by_id(user_id).await?) })
            })
            .await?;
        let Some(credential) = credential else { return Err(Error::SessionEnded) };
        let identifier = self.identifier(&owner.user.email);
        let key = FailuresKey { identifier, pool: Pool::Session(owner.session.id) };
        let attempt = self.attempt_by_session(key, user_id, caller).await?;
        let stored = credential.password_hash.clone();
        match self.hash_pool.verify(place, current, Some(stored), gone).await {
            Ok(Verified::Right { .. }) => {}
            Ok(wrong) => {
                if let Verified::Unusable(reason) = wrong {
                    tracing::error!(%user_id, reason, "stored password hash is not usable");
                }
                let audit = AuditRecord::new(SecurityEvent::PasswordChangeFailed, caller).user(user_id);
                self.attempt_failed(attempt, audit, caller).await?;
                return Err(Error::InvalidCredentials);
            }
            Err(error) => {
                self.attempt_give_back(attempt).await;
                return Err(error.into());
            }
        }
        let changed = match self.hash_pool.hash(place, new.as_password().clone()).await {
            Ok(hash) => self.password_replace(owner, credential, hash, attempt.as_ref(), caller).await,
            Err(error) => Err(error.into()),
        };
        if changed.is_err() {
            self.attempt_give_back(attempt).await;
        }
        changed
    }

    async fn password_replace(
        &self,
        owner: &Principal,
        credential: Credential,
        password_hash: String,
        attempt: Option<&Attempt>,
        caller: &Caller,
    ) -> Result<(), Error> {
        let (user_id, kept) = (owner.user.id, owner.session.id);
        let pool = attempt.map(|attempt| attempt.key.clone());
        let (now, sinks) = (self.now(), self.sinks());
        let audit = AuditRecord::new(SecurityEvent::PasswordChanged, caller).user(user_id);
        self.store
            .transaction("password_change", move |tx| {
                Box::pin(async move {
                    tx.user_lock(user_id).await?;
                    // Whoever changed the account since the hash was read has the last word.
                    let Some(epoch) = tx.user_password_replace(&credential, password_hash, now).await? else {
                        return Err(Error::SessionEnded);
                    };
                    if !tx.session_restamp(kept, epoch).await? {
                        return Err(Error::SessionEnded);
                    }
                    let ended =
                        tx.sessions_end_all(user_id, Some(kept), EndReason::PasswordChanged, now).await?;
                    if let Some(pool) = pool {
                        tx.login_failures_clear(&pool).await?;
                    }
                    tx.audit_insert(audit, now).await?;
                    let changed = Event::PasswordChanged { user_id };
                    tx.outbox_insert(new_event_id(now), &changed, &sinks, now).await?;
                    if !ended.is_empty() {
                        let reason = EndReason::PasswordChanged;
                        let event = Event::SessionRevoked { user_id, sessions: ended, reason };
                        tx.outbox_insert(new_event_id(now), &event, &sinks, now).await?;
                    }
                    Ok(())
                })
            })
            .await?;
        self.outbox_bell.ring();
        Ok(())
    }
}
