use super::sql::{Record, Row};
use super::{Store, StoreError, Tx};
use crate::domain::{
    Epoch, Family, FamilyLimits, Handle, KeyId, PresentedToken, SessionId, Timestamp, User, UserStatus,
};

/// A family and the user it belongs to, read in one statement.
#[derive(Debug, Clone)]
pub struct FamilyWithUser {
    pub family: Family,
    pub user: User,
}

impl FamilyWithUser {
    /// Returns the user's epoch, or `None` when the user may hold no session.
    #[must_use]
    pub fn user_epoch(&self) -> Option<Epoch> {
        (self.user.status == UserStatus::Active).then_some(self.user.session_epoch)
    }
}

/// How a rotation is to be done.
#[derive(Debug, Clone, Copy)]
pub struct Rotation {
    pub limits: FamilyLimits,
    pub mac_key: KeyId,
    pub now: Timestamp,
}

impl Rotation {
    /// A family that was last rotated at this time or earlier has idled too long.
    fn idle_since(&self) -> Timestamp {
        self.now - self.limits.idle
    }
}

impl Record for FamilyWithUser {
    fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        let user = User::read(row)?;
        let family = Family {
            id: row.get("family_id")?,
            user_id: user.id,
            handle: row.get("handle")?,
            generation: row.get("generation")?,
            mac_key: row.get("mac_key_id")?,
            session_epoch: row.get("family_epoch")?,
            created_at: row.get("family_created_at")?,
            rotated_at: row.get("rotated_at")?,
            expires_at: row.get("expires_at")?,
            ended: row.optional("end_reason")?,
        };
        Ok(Self { family, user })
    }
}

struct Id(SessionId);

impl Record for Id {
    fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        row.get("id").map(Self)
    }
}

/// The columns of [`FamilyWithUser`], from `refresh_tokens AS r` and `users_auth AS u`.
macro_rules! family_columns {
    () => {
        "r.id AS family_id, r.handle, r.generation, r.mac_key_id, r.session_epoch AS family_epoch, \
         r.created_at AS family_created_at, r.rotated_at, r.expires_at, r.end_reason, \
         u.id, u.email, u.email_canonical, u.email_verified, u.roles, u.status, u.session_epoch, \
         u.created_at, u.updated_at"
    };
}

impl Store {
    /// Advances every family whose current token is presented and that is live, and returns those.
    /// At most one item per family. What is not returned is to be judged singly, under its lock.
    pub async fn refresh_tokens_rotate(
        &self,
        presented: Vec<PresentedToken>,
        how: Rotation,
    ) -> Result<Vec<FamilyWithUser>, StoreError> {
        match self {
            Self::Postgres { .. } => {
                self.write("refresh_tokens_rotate", move |tx| {
                    Box::pin(async move { tx.refresh_tokens_rotate_together(&presented, how).await })
                })
                .await
            }
            Self::Sqlite { .. } => {
                self.transaction("refresh_tokens_rotate", move |tx| {
                    Box::pin(async move {
                        let mut rotated = Vec::with_capacity(presented.len());
                        for token in presented {
                            rotated.extend(tx.refresh_token_rotate_one(token, how).await?);
                        }
                        Ok(rotated)
                    })
                })
                .await
            }
        }
    }

    /// Reads several sessions in one statement (PostgreSQL) or on one connection (SQLite).
    pub async fn sessions_by_ids(&self, ids: Vec<SessionId>) -> Result<Vec<FamilyWithUser>, StoreError> {
        self.read("sessions_by_ids", move |tx| {
            Box::pin(async move {
                if tx.postgres() {
                    return tx.sessions_by_ids_together(&ids).await;
                }
                let mut found = Vec::with_capacity(ids.len());
                for id in ids {
                    found.extend(tx.session_by_id(id).await?);
                }
                Ok(found)
            })
        })
        .await
    }
}

impl Tx {
    /// PostgreSQL. A row that is held by somebody else is left out: it does not stall its neighbours, and two such
    /// statements cannot deadlock.
    ///
    /// The subqueries are planned for one row each, which no statistics can make anything but a look at an index
    /// (decision 23); the second look at the generation tells the planner that few are found.
    async fn refresh_tokens_rotate_together(
        &mut self,
        presented: &[PresentedToken],
        how: Rotation,
    ) -> Result<Vec<FamilyWithUser>, StoreError> {
        self.query(concat!(
            "WITH locked AS (
                SELECT found.*
                FROM unnest($1, $2) AS presented (handle, generation)
                CROSS JOIN LATERAL (
                    SELECT ",
            family_columns!(),
            "       FROM refresh_tokens AS r JOIN users_auth AS u ON u.id = r.user_id
                    WHERE r.handle = presented.handle AND r.generation = presented.generation
                        AND r.ended_at IS NULL AND r.expires_at > $3 AND r.rotated_at > $4
                        AND u.status = 'active' AND u.session_epoch = r.session_epoch
                    FOR NO KEY UPDATE OF r SKIP LOCKED
                ) AS found
                WHERE found.generation = presented.generation
            )
            UPDATE refresh_tokens AS r
            SET generation = r.generation + 1, rotated_at = $3, mac_key_id = $5
            FROM locked
            WHERE r.id = locked.family_id
            RETURNING locked.family_id, locked.handle, r.generation, r.mac_key_id, locked.family_epoch,
                locked.family_created_at, r.rotated_at, locked.expires_at, locked.end_reason,
                locked.id, locked.email, locked.email_canonical, locked.email_verified, locked.roles, locked.status,
                locked.session_epoch, locked.created_at, locked.updated_at"
        ))
        .bind_array(presented.iter().map(|token| token.handle))
        .bind_array(presented.iter().map(|token| token.generation))
        .bind(how.now)
        .bind(how.idle_since())
        .bind(how.mac_key)
        .fetch_all()
        .await
    }

    /// PostgreSQL. One subquery for each, planned as in [`Self::refresh_tokens_rotate_together`].
    async fn sessions_by_ids_together(
        &mut self,
        ids: &[SessionId],
    ) -> Result<Vec<FamilyWithUser>, StoreError> {
        self.query(concat!(
            "SELECT found.* FROM unnest($1) AS asked (id) CROSS JOIN LATERAL (
                SELECT ",
            family_columns!(),
            "   FROM refresh_tokens AS r JOIN users_auth AS u ON u.id = r.user_id WHERE r.id = asked.id LIMIT 1
            ) AS found"
        ))
        .bind_array(ids.iter().copied())
        .fetch_all()
        .await
    }

    /// SQLite, where `RETURNING` cannot name a joined table.
    async fn refresh_token_rotate_one(
        &mut self,
        token: PresentedToken,
        how: Rotation,
    ) -> Result<Option<FamilyWithUser>, StoreError> {
        let rotated: Option<Id> = self
            .query(
                "UPDATE refresh_tokens SET generation = generation + 1, rotated_at = $3, mac_key_id = $5
                 WHERE handle = $1 AND generation = $2 AND ended_at IS NULL AND expires_at > $3 AND rotated_at > $4
                    AND EXISTS (
                        SELECT 1 FROM users_auth AS u
                        WHERE u.id = user_id AND u.status = 'active' AND u.session_epoch = refresh_tokens.session_epoch
                    )
                 RETURNING id",
            )
            .bind(token.handle)
            .bind(token.generation)
            .bind(how.now)
            .bind(how.idle_since())
            .bind(how.mac_key)
            .fetch_optional()
            .await?;
        match rotated {
            Some(Id(id)) => self.session_by_id(id).await,
            None => Ok(None),
        }
    }

    /// Reads a family by the handle of a presented token and holds it, and its user, until the
    /// transaction ends.
    pub async fn refresh_token_lock(&mut self, handle: Handle) -> Result<Option<FamilyWithUser>, StoreError> {
        let id: Option<Id> = self
            .query("SELECT id FROM refresh_tokens WHERE handle = $1")
            .bind(handle)
            .fetch_optional()
            .await?;
        match id {
            Some(Id(id)) => self.session_lock(id).await,
            None => Ok(None),
        }
    }

    pub async fn refresh_token_find(&mut self, handle: Handle) -> Result<Option<FamilyWithUser>, StoreError> {
        self.query(concat!(
            "SELECT ",
            family_columns!(),
            " FROM refresh_tokens AS r JOIN users_auth AS u ON u.id = r.user_id WHERE r.handle = $1"
        ))
        .bind(handle)
        .fetch_optional()
        .await
    }

    /// Reads a session and holds it, and its user, until the transaction ends. The user comes
    /// first, here and everywhere: two transactions that lock in one order cannot deadlock.
    pub async fn session_lock(&mut self, id: SessionId) -> Result<Option<FamilyWithUser>, StoreError> {
        self.query_either(
            "SELECT id FROM users_auth WHERE id = (SELECT user_id FROM refresh_tokens WHERE id = $1)",
            "SELECT id FROM users_auth WHERE id = (SELECT user_id FROM refresh_tokens WHERE id = $1) \
             FOR NO KEY UPDATE",
        )
        .bind(id)
        .execute()
        .await?;
        self.query_either(
            "SELECT id FROM refresh_tokens WHERE id = $1",
            "SELECT id FROM refresh_tokens WHERE id = $1 FOR NO KEY UPDATE",
        )
        .bind(id)
        .execute()
        .await?;
        self.session_by_id(id).await
    }

    /// Advances a family that this transaction holds.
    pub async fn refresh_token_advance(&mut self, id: SessionId, how: Rotation) -> Result<(), StoreError> {
        self.query(
            "UPDATE refresh_tokens SET generation = generation + 1, rotated_at = $2, mac_key_id = $3 WHERE id = $1",
        )
        .bind(id)
        .bind(how.now)
        .bind(how.mac_key)
        .execute()
        .await
        .map(drop)
    }

    pub async fn session_by_id(&mut self, id: SessionId) -> Result<Option<FamilyWithUser>, StoreError> {
        self.query(concat!(
            "SELECT ",
            family_columns!(),
            " FROM refresh_tokens AS r JOIN users_auth AS u ON u.id = r.user_id WHERE r.id = $1"
        ))
        .bind(id)
        .fetch_optional()
        .await
    }
}
