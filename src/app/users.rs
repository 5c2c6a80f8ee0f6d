//! Users, as admins look at them. None of it is reachable for strangers.

use super::{Admin, App, Error, Page, Signup};
use crate::domain::{Email, Roles, User, UserFilter, UserId};
use crate::store::UserPage;

impl App {
    /// Makes a user with any roles; the operator vouches for the address.
    pub async fn user_create_by_operator(
        &self,
        admin: &Admin,
        signup: Signup,
        roles: Roles,
    ) -> Result<User, Error> {
        self.user_create(signup, roles, true, admin.caller()).await
    }

    pub async fn user_by_email(&self, _: &Admin, email: Email) -> Result<User, Error> {
        self.user_find(email).await?.ok_or(Error::NotFound)
    }

    pub async fn user_by_id(&self, _: &Admin, id: UserId) -> Result<User, Error> {
        self.store
            .read("user_by_id", move |tx| {
                Box::pin(async move { tx.user_by_id(id).await?.ok_or(Error::NotFound) })
            })
            .await
    }

    /// Returns users, oldest first, from where a cursor of the same filter left off.
    pub async fn users_page(
        &self,
        admin: &Admin,
        filter: UserFilter,
        limit: u16,
        cursor: Option<&str>,
    ) -> Result<Page<User>, Error> {
        let listing = format!("users {filter}");
        let after = self.page_after(&listing, cursor)?.map(UserId::new);
        let page = UserPage { after, limit: limit.saturating_add(1) };
        let found = self.users_list(admin, filter, page).await?;
        Ok(self.page(&listing, found, limit, |user| user.id.uuid()))
    }

    /// Returns users, oldest first.
    pub async fn users_list(
        &self,
        _: &Admin,
        filter: UserFilter,
        page: UserPage,
    ) -> Result<Vec<User>, Error> {
        if let Some(email) = filter.email.clone() {
            let found = self.user_find(email).await?;
            let after = |user: &User| page.after.is_none_or(|after| user.id > after);
            return Ok(found.into_iter().filter(|user| filter.matches(user) && after(user)).collect());
        }
        self.store
            .read("users_list", move |tx| Box::pin(async move { Ok(tx.users_list(filter, page).await?) }))
            .await
    }

    pub(super) async fn user_find(&self, email: Email) -> Result<Option<User>, Error> {
        self.store
            .read("user_by_email", move |tx| Box::pin(async move { Ok(tx.user_by_email(&email).await?) }))
            .await
    }

    pub(super) async fn admin_exists(&self) -> Result<bool, Error> {
        self.store.read("admin_exists", |tx| Box::pin(async move { Ok(tx.admin_exists().await?) })).await
    }
}
