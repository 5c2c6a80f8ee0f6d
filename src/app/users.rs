//! Users, as admins look at them. None of it is reachable for strangers.

use std::time::Duration;

use super::{Admin, App, Error, Signup};
use crate::domain::{Caller, Email, Role, Roles, User, UserFilter, UserId};
use crate::store::UserPage;

const CURSOR_TTL: Duration = Duration::from_secs(60 * 60);

/// A part of a listing, and how to ask for the next.
#[derive(Debug)]
pub struct UsersPage {
    pub users: Vec<User>,
    pub next_cursor: Option<String>,
}

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
    ) -> Result<UsersPage, Error> {
        let listing = format!("users {filter}");
        let after = cursor.map(|cursor| self.cursors.parse(&listing, cursor, self.now())).transpose()?;
        // One more than is shown tells whether there is a next page.
        let page = UserPage { after: after.map(UserId::new), limit: limit.saturating_add(1) };
        let mut users = self.users_list(admin, filter, page).await?;
        let more = users.len() > usize::from(limit);
        users.truncate(limit.into());
        let last = users.last().filter(|_| more).map(|user| user.id.uuid());
        let next_cursor = last.map(|last| self.cursors.mint(&listing, last, self.now() + CURSOR_TTL));
        Ok(UsersPage { users, next_cursor })
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
