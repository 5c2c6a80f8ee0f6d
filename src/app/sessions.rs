use super::{Admin, App, Error, Principal, new_event_id};
use crate::domain::{AuditRecord, Caller, EndReason, Event, SecurityEvent, Session, SessionId, UserId};

impl App {
    /// Returns the caller's live sessions, most recently used first.
    pub async fn sessions_list(&self, owner: &Principal) -> Result<Vec<Session>, Error> {
        self.sessions_of(owner.user.id).await
    }

    /// Returns anybody's live sessions, most recently used first.
    pub async fn user_sessions(&self, admin: &Admin, id: UserId) -> Result<Vec<Session>, Error> {
        let user = self.user_by_id(admin, id).await?;
        self.sessions_of(user.id).await
    }

    async fn sessions_of(&self, user_id: UserId) -> Result<Vec<Session>, Error> {
        let (limits, now) = (self.rules.family_limits, self.now());
        self.store
            .read("sessions_list", move |tx| {
                Box::pin(async move { Ok(tx.sessions_list(user_id, limits, now).await?) })
            })
            .await
    }

    /// Ends one of the caller's own sessions. Somebody else's is as unknown as one that never was.
    pub async fn session_revoke(
        &self,
        owner: &Principal,
        id: SessionId,
        caller: &Caller,
    ) -> Result<(), Error> {
        let (user_id, now, sinks) = (owner.user.id, self.now(), self.sinks());
        let audit = AuditRecord::new(SecurityEvent::SessionRevoked, caller).user(user_id).session(id);
        self.store
            .transaction("session_revoke", move |tx| {
                Box::pin(async move {
                    tx.user_lock(user_id).await?;
                    let found = tx.session_by_id(id).await?.filter(|found| found.user.id == user_id);
                    if found.is_none() {
                        return Err(Error::NotFound);
                    }
                    if !tx.session_end(id, EndReason::Revoked, now).await? {
                        return Ok(());
                    }
                    tx.audit_insert(audit, now).await?;
                    let event =
                        Event::SessionRevoked { user_id, sessions: vec![id], reason: EndReason::Revoked };
                    Ok(tx.outbox_insert(new_event_id(now), &event, &sinks, now).await?)
                })
            })
            .await?;
        self.outbox_bell.ring();
        Ok(())
    }
}
