use super::{App, Error, new_event_id};
use crate::domain::{AuditRecord, Caller, Email, Event, NewPassword, Roles, SecurityEvent, User, UserId};
use crate::random;
use crate::store::NewUser;

/// What a stranger brings to sign up.
#[derive(Debug)]
pub struct Signup {
    pub email: Email,
    pub password: NewPassword,
}

impl App {
    /// Makes an account with the role `user`, as often as the limit of the caller's address allows.
    pub async fn signup(&self, signup: Signup, caller: &Caller) -> Result<User, Error> {
        let outcome = self.signup_within_limits(signup, caller).await;
        self.measures.signup(&outcome);
        outcome
    }

    async fn signup_within_limits(&self, signup: Signup, caller: &Caller) -> Result<User, Error> {
        if !self.rules.signup_enabled {
            return Err(Error::SignupDisabled);
        }
        let attempt = self.signup_limit(caller).await?;
        let outcome = self.user_create(signup, Roles::of_new_user(), false, caller).await;
        self.limit_settle(attempt, &outcome);
        outcome
    }

    /// Makes an account: user, audit record and `auth.user_created` in one transaction.
    pub(super) async fn user_create(
        &self,
        Signup { email, password }: Signup,
        roles: Roles,
        email_verified: bool,
        caller: &Caller,
    ) -> Result<User, Error> {
        let place = self.hash_pool.admit()?;
        // The answer is known before the dear part: a taken address costs no hash.
        if self.user_find(email.clone()).await?.is_some() {
            return Err(Error::EmailTaken);
        }
        let password_hash = self.hash_pool.hash(&place, password.as_password().clone()).await?;
        let now = self.now();
        let id = UserId::new(random::uuid_v7(now));
        let new = NewUser { id, email, email_verified, password_hash, roles, now };
        let (sinks, identifier) = (self.sinks(), self.identifier(&new.email));
        let audit = AuditRecord::new(SecurityEvent::UserCreated, caller).user(id);
        let user = self
            .store
            .transaction("signup", move |tx| {
                Box::pin(async move {
                    let user = tx.user_insert(new).await?.ok_or(Error::EmailTaken)?;
                    // Whatever was tried while the address was nobody's, or somebody else's.
                    tx.login_failures_clear_all(&identifier).await?;
                    tx.audit_insert(audit, now).await?;
                    let event = Event::UserCreated {
                        user_id: user.id,
                        email: user.email.clone(),
                        email_verified: user.email_verified,
                        roles: user.roles.clone(),
                    };
                    tx.outbox_insert(new_event_id(now), &event, &sinks, now).await?;
                    Ok::<_, Error>(user)
                })
            })
            .await?;
        self.outbox_bell.ring();
        Ok(user)
    }
}
