use super::sql::{Record, Row};
use super::{StoreError, Tx};
use crate::domain::{Email, Epoch, Role, Roles, Timestamp, User, UserFilter, UserId, UserStatus};

/// What a sign-up stores.
#[derive(Debug)]
pub struct NewUser {
    pub id: UserId,
    pub email: Email,
    pub email_verified: bool,
    pub password_hash: String,
    pub roles: Roles,
    pub now: Timestamp,
}

/// What a login reads before it hashes.
#[derive(Debug)]
pub struct Credential {
    pub user_id: UserId,
    pub password_hash: String,
    pub status: UserStatus,
    pub session_epoch: Epoch,
}

/// Where a listing goes on: after this user.
#[derive(Debug, Clone, Copy)]
pub struct UserPage {
    pub after: Option<UserId>,
    pub limit: u16,
}

impl Record for Credential {
    fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            user_id: row.get("id")?,
            password_hash: row.get("password_hash")?,
            status: row.get("status")?,
            session_epoch: row.get("session_epoch")?,
        })
    }
}

impl Record for User {
    fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.get("id")?,
            email: Email::from_stored(row.get("email")?, row.get("email_canonical")?),
            email_verified: row.get("email_verified")?,
            roles: row.get("roles")?,
            status: row.get("status")?,
            session_epoch: row.get("session_epoch")?,
            created_at: row.get("created_at")?,
            updated_at: row.get("updated_at")?,
        })
    }
}

struct SessionEpoch(Epoch);

impl Record for SessionEpoch {
    fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        row.get("session_epoch").map(Self)
    }
}

/// That there is a row.
struct Found;

impl Record for Found {
    fn read(_: &Row<'_>) -> Result<Self, StoreError> {
        Ok(Self)
    }
}

impl Tx {
    /// Stores a user; `None` when the canonical address is taken.
    pub async fn user_insert(&mut self, user: NewUser) -> Result<Option<User>, StoreError> {
        self.query(
            "INSERT INTO users_auth (id, email, email_canonical, email_verified, password_hash, roles, status, \
             session_epoch, event_seq, created_at, updated_at) \
             VALUES ($1, $2, $3, $4, $5, $6, 'active', 0, 0, $7, $7) \
             ON CONFLICT (email_canonical) DO NOTHING \
             RETURNING id, email, email_canonical, email_verified, roles, status, session_epoch, created_at, updated_at",
        )
        .bind(user.id)
        .bind(user.email.display().to_owned())
        .bind(user.email.canonical().to_owned())
        .bind(user.email_verified)
        .bind(user.password_hash)
        .bind(user.roles)
        .bind(user.now)
        .fetch_optional()
        .await
    }

    pub async fn user_credential_by_email(
        &mut self,
        email: &Email,
    ) -> Result<Option<Credential>, StoreError> {
        self.query(
            "SELECT id, password_hash, status, session_epoch FROM users_auth WHERE email_canonical = $1",
        )
        .bind(email.canonical().to_owned())
        .fetch_optional()
        .await
    }

    pub async fn user_credential_by_id(&mut self, id: UserId) -> Result<Option<Credential>, StoreError> {
        self.query("SELECT id, password_hash, status, session_epoch FROM users_auth WHERE id = $1")
            .bind(id)
            .fetch_optional()
            .await
    }

    /// Replaces the password and advances the epoch, unless either changed since `old` was read.
    pub async fn user_password_replace(
        &mut self,
        old: &Credential,
        password_hash: String,
        now: Timestamp,
    ) -> Result<Option<Epoch>, StoreError> {
        let epoch: Option<SessionEpoch> = self
            .query(
                "UPDATE users_auth SET password_hash = $4, session_epoch = session_epoch + 1, updated_at = $5 \
                 WHERE id = $1 AND password_hash = $2 AND session_epoch = $3 AND status = 'active' \
                 RETURNING session_epoch",
            )
            .bind(old.user_id)
            .bind(old.password_hash.clone())
            .bind(old.session_epoch)
            .bind(password_hash)
            .bind(now)
            .fetch_optional()
            .await?;
        Ok(epoch.map(|SessionEpoch(epoch)| epoch))
    }

    /// Holds a user's row until the transaction ends; to be called before its sessions are touched.
    pub async fn user_lock(&mut self, id: UserId) -> Result<(), StoreError> {
        self.query_either(
            "SELECT id FROM users_auth WHERE id = $1",
            "SELECT id FROM users_auth WHERE id = $1 FOR NO KEY UPDATE",
        )
        .bind(id)
        .execute()
        .await
        .map(drop)
    }

    pub async fn user_by_id(&mut self, id: UserId) -> Result<Option<User>, StoreError> {
        self.query(
            "SELECT id, email, email_canonical, email_verified, roles, status, session_epoch, created_at, updated_at \
             FROM users_auth WHERE id = $1",
        )
        .bind(id)
        .fetch_optional()
        .await
    }

    pub async fn user_by_email(&mut self, email: &Email) -> Result<Option<User>, StoreError> {
        self.query(
            "SELECT id, email, email_canonical, email_verified, roles, status, session_epoch, created_at, updated_at \
             FROM users_auth WHERE email_canonical = $1",
        )
        .bind(email.canonical().to_owned())
        .fetch_optional()
        .await
    }

    /// Returns a page of users, oldest first: ids rise with time. An address names one user at most
    /// and is looked up by [`user_by_email`](Tx::user_by_email) instead.
    pub async fn users_list(
        &mut self,
        UserFilter { email: _, role, status }: UserFilter,
        page: UserPage,
    ) -> Result<Vec<User>, StoreError> {
        // Written out, it is what the index of admins is about: they are few among many.
        let statement = if role == Some(Role::admin()) {
            "SELECT id, email, email_canonical, email_verified, roles, status, session_epoch, created_at, updated_at \
             FROM users_auth \
             WHERE id > $1 AND ' ' || roles || ' ' LIKE '% admin %' AND ' ' || roles || ' ' LIKE $2 ESCAPE '!' \
             AND ($3 IS NULL OR status = $3) ORDER BY id LIMIT $4"
        } else {
            "SELECT id, email, email_canonical, email_verified, roles, status, session_epoch, created_at, updated_at \
             FROM users_auth \
             WHERE id > $1 AND ' ' || roles || ' ' LIKE $2 ESCAPE '!' AND ($3 IS NULL OR status = $3) \
             ORDER BY id LIMIT $4"
        };
        // `_` may be part of a role's name, and is a wildcard to LIKE.
        let pattern = role.map_or("%".to_owned(), |role| format!("% {} %", role.as_str().replace('_', "!_")));
        self.query(statement)
            .bind(page.after.unwrap_or(UserId::new(uuid::Uuid::nil())))
            .bind(pattern)
            .bind_optional(status)
            .bind(i64::from(page.limit))
            .fetch_all()
            .await
    }

    /// Tells whether there would still be an active admin without this user.
    pub async fn admin_active_without(&mut self, id: UserId) -> Result<bool, StoreError> {
        let another = self
            .query(
                "SELECT id FROM users_auth \
                 WHERE id <> $1 AND status = 'active' AND ' ' || roles || ' ' LIKE '% admin %' LIMIT 1",
            )
            .bind(id);
        Ok(another.fetch_optional::<Found>().await?.is_some())
    }

    /// Tells whether anybody is an admin, active or not.
    pub async fn admin_exists(&mut self) -> Result<bool, StoreError> {
        let admin =
            self.query("SELECT id FROM users_auth WHERE ' ' || roles || ' ' LIKE '% admin %' LIMIT 1");
        Ok(admin.fetch_optional::<Found>().await?.is_some())
    }

    pub async fn user_set_status(
        &mut self,
        id: UserId,
        status: UserStatus,
        now: Timestamp,
    ) -> Result<User, StoreError> {
        self.query(
            "UPDATE users_auth SET status = $2, updated_at = $3 WHERE id = $1 \
             RETURNING id, email, email_canonical, email_verified, roles, status, session_epoch, created_at, updated_at",
        )
        .bind(id)
        .bind(status)
        .bind(now)
        .fetch_one()
        .await
    }

    pub async fn user_set_roles(
        &mut self,
        id: UserId,
        roles: Roles,
        now: Timestamp,
    ) -> Result<User, StoreError> {
        self.query(
            "UPDATE users_auth SET roles = $2, updated_at = $3 WHERE id = $1 \
             RETURNING id, email, email_canonical, email_verified, roles, status, session_epoch, created_at, updated_at",
        )
        .bind(id)
        .bind(roles)
        .bind(now)
        .fetch_one()
        .await
    }

    pub async fn user_set_password(
        &mut self,
        id: UserId,
        password_hash: String,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.query("UPDATE users_auth SET password_hash = $2, updated_at = $3 WHERE id = $1")
            .bind(id)
            .bind(password_hash)
            .bind(now)
            .execute()
            .await
            .map(drop)
    }

    /// Deletes a user, and with the row every session.
    pub async fn user_delete(&mut self, id: UserId) -> Result<(), StoreError> {
        self.query("DELETE FROM users_auth WHERE id = $1").bind(id).execute().await.map(drop)
    }

    /// Replaces a password hash unless it was changed meanwhile.
    pub async fn user_rehash(&mut self, id: UserId, old: String, new: String) -> Result<(), StoreError> {
        self.query("UPDATE users_auth SET password_hash = $3 WHERE id = $1 AND password_hash = $2")
            .bind(id)
            .bind(old)
            .bind(new)
            .execute()
            .await
            .map(drop)
    }

    /// Ends every session made so far: none of them carries the new epoch.
    pub async fn user_advance_epoch(&mut self, id: UserId, now: Timestamp) -> Result<u64, StoreError> {
        self.query("UPDATE users_auth SET session_epoch = session_epoch + 1, updated_at = $2 WHERE id = $1")
            .bind(id)
            .bind(now)
            .execute()
            .await
    }

    /// Ends every session of everybody. Locks every user, so it comes before any session is locked.
    pub async fn users_advance_epoch(&mut self, now: Timestamp) -> Result<u64, StoreError> {
        self.query("UPDATE users_auth SET session_epoch = session_epoch + 1, updated_at = $1")
            .bind(now)
            .execute()
            .await
    }
}
