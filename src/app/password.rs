use super::{App, Error, Principal, new_event_id};
use crate::crypto::Verified;
use crate::domain::{AuditRecord, Caller, EndReason, Event, NewPassword, Password, SecurityEvent};

impl App {
    /// Changes the caller's password and ends every other session. The caller's own goes on: it is
    /// stamped with the new epoch in the same transaction.
    pub async fn password_change(
        &self,
        owner: &Principal,
        current: Password,
        new: NewPassword,
        caller: &Caller,
    ) -> Result<(), Error> {
        let (user_id, kept) = (owner.user.id, owner.session.id);
        let credential = self
            .store
            .read("user_credential_by_id", move |tx| {
                Box::pin(async move { Ok::<_, Error>(tx.user_credential_by_id(user_id).await?) })
            })
            .await?;
        let Some(credential) = credential else { return Err(Error::SessionEnded) };
        let stored = credential.password_hash.clone();
        let attempt = self.password_limit(&owner.user.email, caller).await?;
        let verified = self.hash_pool.verify(current, Some(stored)).await.map_err(Error::from);
        self.limit_settle(attempt, &verified);
        match verified? {
            Verified::Right { .. } => {}
            Verified::Wrong => return self.password_change_refuse(owner, caller).await,
            Verified::Unusable(reason) => {
                tracing::error!(%user_id, reason, "stored password hash is not usable");
                return self.password_change_refuse(owner, caller).await;
            }
        }
        let password_hash = self.hash_pool.hash(new.as_password().clone()).await?;
        let (now, sinks) = (self.now(), self.sinks());
        let audit = AuditRecord::new(SecurityEvent::PasswordChanged, caller).user(user_id).session(kept);
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

    async fn password_change_refuse(&self, owner: &Principal, caller: &Caller) -> Result<(), Error> {
        let now = self.now();
        let audit = AuditRecord::new(SecurityEvent::PasswordChangeFailed, caller)
            .user(owner.user.id)
            .session(owner.session.id);
        self.store
            .write("password_change_refuse", move |tx| {
                Box::pin(async move { Ok::<_, Error>(tx.audit_insert(audit, now).await?) })
            })
            .await?;
        Err(Error::InvalidCredentials)
    }
}
