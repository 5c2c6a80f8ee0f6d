//! What operators do with users. None of it is reachable for strangers.

use super::{App, Error, Signup};
use crate::domain::{Caller, Email, Role, Roles, User, UserId};
use crate::store::UserPage;

impl App {
    /// Makes a user with any roles; the operator vouches for the address.
    pub async fn user_create_by_operator(
        &self,
        signup: Signup,
        roles: Roles,
        caller: &Caller,
    ) -> Result<User, Error> {
        self.user_create(signup, roles, true, caller).await
    }

    pub async fn user_by_email(&self, email: Email) -> Result<Option<User>, Error> {
        self.store
            .read("user_by_email", move |tx| Box::pin(async move { Ok(tx.user_by_email(&email).await?) }))
            .await
    }

    pub async fn user_by_id(&self, id: UserId) -> Result<Option<User>, Error> {
        self.store.read("user_by_id", move |tx| Box::pin(async move { Ok(tx.user_by_id(id).await?) })).await
    }

    /// Returns a page of users, oldest first.
    pub async fn users_list(&self, page: UserPage) -> Result<Vec<User>, Error> {
        self.store.read("users_list", move |tx| Box::pin(async move { Ok(tx.users_list(page).await?) })).await
    }

    pub(super) async fn admin_exists(&self) -> Result<bool, Error> {
        let admin = Role::admin();
        let count: Result<i64, Error> = self
            .store
            .read("users_count_with_role", move |tx| {
                Box::pin(async move { Ok(tx.users_count_with_role(&admin).await?) })
            })
            .await;
        Ok(count? > 0)
    }
}
