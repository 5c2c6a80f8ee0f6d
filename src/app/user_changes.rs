//! What admins do to users. Each is one transaction: the user's row is held, state, audit record and
//! events are written, and what must end has ended when the answer is given.

use serde_json::{Value, json};

use super::{Admin, App, Error, Sinks, new_event_id};
use crate::domain::{
    AuditRecord, Caller, EndReason, Event, NewPassword, Roles, SecurityEvent, Timestamp, User, UserId,
    UserStatus,
};
use crate::store::{self, Tx};

impl App {
    /// Disables a user, which ends every session, or lets one in again. Asking for what is so
    /// already changes nothing.
    pub async fn user_set_status(
        &self,
        admin: &Admin,
        id: UserId,
        status: UserStatus,
    ) -> Result<User, Error> {
        let deed = self.deed(admin, id);
        let user = self
            .store
            .transaction("user_set_status", move |tx| {
                Box::pin(async move {
                    tx.admins_lock().await?;
                    let before = deed.hold(tx).await?;
                    if before.status == status {
                        return Ok(before);
                    }
                    let after = tx.user_set_status(id, status, deed.now).await?;
                    refuse_last_admin(tx, &before, Some(&after)).await?;
                    match status {
                        UserStatus::Disabled => {
                            deed.record(tx, SecurityEvent::UserDisabled, None).await?;
                            deed.tell(tx, &Event::UserDisabled { user_id: id }).await?;
                            deed.end_sessions(tx).await?;
                        }
                        UserStatus::Active => {
                            deed.record(tx, SecurityEvent::UserEnabled, None).await?;
                            deed.tell(tx, &Event::UserUpdated { user_id: id, status }).await?;
                        }
                    }
                    Ok::<_, Error>(after)
                })
            })
            .await?;
        self.outbox_bell.ring();
        Ok(user)
    }

    /// Replaces a user's roles: asked for at the next request here, named in tokens from the next
    /// refresh. The same roles again change nothing.
    pub async fn user_set_roles(&self, admin: &Admin, id: UserId, roles: Roles) -> Result<User, Error> {
        let deed = self.deed(admin, id);
        let user = self
            .store
            .transaction("user_set_roles", move |tx| {
                Box::pin(async move {
                    tx.admins_lock().await?;
                    let before = deed.hold(tx).await?;
                    if before.roles == roles {
                        return Ok(before);
                    }
                    let after = tx.user_set_roles(id, roles.clone(), deed.now).await?;
                    refuse_last_admin(tx, &before, Some(&after)).await?;
                    let detail = json!({ "before": before.roles.names(), "after": roles.names() });
                    deed.record(tx, SecurityEvent::UserRolesChanged, Some(detail)).await?;
                    deed.tell(tx, &Event::UserRolesChanged { user_id: id, roles }).await?;
                    Ok::<_, Error>(after)
                })
            })
            .await?;
        self.outbox_bell.ring();
        Ok(user)
    }

    /// Gives a user another password and ends every session.
    pub async fn user_reset_password(
        &self,
        admin: &Admin,
        id: UserId,
        password: NewPassword,
    ) -> Result<(), Error> {
        let password_hash =
            self.hash_pool.hash(&self.hash_pool.admit()?, password.as_password().clone()).await?;
        let deed = self.deed(admin, id);
        self.store
            .transaction("user_reset_password", move |tx| {
                Box::pin(async move {
                    deed.hold(tx).await?;
                    tx.user_set_password(id, password_hash, deed.now).await?;
                    deed.record(tx, SecurityEvent::PasswordReset, None).await?;
                    deed.tell(tx, &Event::PasswordChanged { user_id: id }).await?;
                    deed.end_sessions(tx).await
                })
            })
            .await?;
        self.outbox_bell.ring();
        Ok(())
    }

    /// Deletes a user for good. The id is never used again; the address may sign up anew.
    pub async fn user_delete(&self, admin: &Admin, id: UserId) -> Result<(), Error> {
        let deed = self.deed(admin, id);
        self.store
            .transaction("user_delete", move |tx| {
                Box::pin(async move {
                    tx.admins_lock().await?;
                    let user = deed.hold(tx).await?;
                    refuse_last_admin(tx, &user, None).await?;
                    deed.record(tx, SecurityEvent::UserDeleted, None).await?;
                    // While the row is there: it gives the event its number.
                    deed.tell(tx, &Event::UserDeleted { user_id: id }).await?;
                    Ok::<_, Error>(tx.user_delete(id).await?)
                })
            })
            .await?;
        self.outbox_bell.ring();
        Ok(())
    }

    /// Forgets the failures of a user: strangers, devices and sessions may try again.
    pub async fn user_unlock(&self, admin: &Admin, id: UserId) -> Result<(), Error> {
        let identifier = self.identifier(&self.user_by_id(admin, id).await?.email);
        let deed = self.deed(admin, id);
        self.store
            .transaction("user_unlock", move |tx| {
                Box::pin(async move {
                    deed.hold(tx).await?;
                    tx.login_failures_clear_all(&identifier).await?;
                    deed.record(tx, SecurityEvent::UserUnlocked, None).await
                })
            })
            .await
    }

    /// Ends every session of a user, and a login that is under way.
    pub async fn user_end_sessions(&self, admin: &Admin, id: UserId) -> Result<(), Error> {
        let deed = self.deed(admin, id);
        self.store
            .transaction("user_end_sessions", move |tx| {
                Box::pin(async move {
                    deed.hold(tx).await?;
                    deed.record(tx, SecurityEvent::SessionsRevoked, None).await?;
                    deed.end_sessions(tx).await
                })
            })
            .await?;
        self.outbox_bell.ring();
        Ok(())
    }

    /// Ends every session of everybody, as after a restored backup: no refresh token made so far
    /// has the right MAC any more, and no session its user's epoch. Returns how many had not ended.
    pub async fn sessions_end_everywhere(&self, admin: &Admin) -> Result<u64, Error> {
        let now = self.now();
        let audit = AuditRecord::new(SecurityEvent::SessionsRevoked, admin.caller())
            .detail(json!({ "users": "all" }));
        let work = self.store.transaction("sessions_end_everywhere", move |tx| {
            Box::pin(async move {
                tx.unhurried().await?;
                // Holds the installation's row, as those do who go on to lock a user.
                tx.installation_advance_token_epoch().await?;
                tx.users_advance_epoch(now).await?;
                let ended = tx.sessions_end_everywhere(EndReason::Admin, now).await?;
                tx.audit_insert(audit, now).await?;
                Ok::<_, Error>(ended)
            })
        });
        let ended = store::unhurried(work).await?;
        self.keys_reload().await?;
        Ok(ended)
    }

    fn deed(&self, admin: &Admin, user_id: UserId) -> Deed {
        Deed { user_id, caller: admin.caller().clone(), sinks: self.sinks(), now: self.now() }
    }
}

/// What an admin is about to do to a user.
#[derive(Debug)]
struct Deed {
    user_id: UserId,
    caller: Caller,
    sinks: Sinks,
    now: Timestamp,
}

impl Deed {
    /// Reads the user and holds the row until the transaction ends.
    async fn hold(&self, tx: &mut Tx) -> Result<User, Error> {
        tx.user_lock(self.user_id).await?;
        tx.user_by_id(self.user_id).await?.ok_or(Error::NotFound)
    }

    async fn record(&self, tx: &mut Tx, event: SecurityEvent, detail: Option<Value>) -> Result<(), Error> {
        let mut record = AuditRecord::new(event, &self.caller).user(self.user_id);
        record.detail = detail;
        Ok(tx.audit_insert(record, self.now).await?)
    }

    async fn tell(&self, tx: &mut Tx, event: &Event) -> Result<(), Error> {
        Ok(tx.outbox_insert(new_event_id(self.now), event, &self.sinks, self.now).await?)
    }

    async fn end_sessions(&self, tx: &mut Tx) -> Result<(), Error> {
        let (user_id, reason) = (self.user_id, EndReason::Admin);
        tx.user_advance_epoch(user_id, self.now).await?;
        let sessions = tx.sessions_end_all(user_id, None, reason, self.now).await?;
        if sessions.is_empty() {
            return Ok(());
        }
        self.tell(tx, &Event::SessionRevoked { user_id, sessions, reason }).await
    }
}

/// Refuses what would leave nobody who can do what admins do.
async fn refuse_last_admin(tx: &mut Tx, before: &User, after: Option<&User>) -> Result<(), Error> {
    let stays = after.is_some_and(User::active_admin);
    if before.active_admin() && !stays && !tx.admin_active_without(before.id).await? {
        return Err(Error::LastAdmin);
    }
    Ok(())
}
