use std::cmp;
use std::net::IpAddr;

use super::sql::{Record, Row};
use super::{StoreError, Tx};
use crate::domain::{EndReason, Epoch, FamilyLimits, Handle, KeyId, Session, SessionId, Timestamp, UserId};

impl Record for Session {
    fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.get("id")?,
            created_at: row.get("created_at")?,
            last_used_at: row.get("rotated_at")?,
            expires_at: row.get("expires_at")?,
            ip: row.optional("ip")?,
            user_agent: row.optional("user_agent")?,
        })
    }
}

/// What a login stores.
#[derive(Debug)]
pub struct NewFamily {
    pub id: SessionId,
    pub user_id: UserId,
    pub handle: Handle,
    pub mac_key: KeyId,
    /// Read before the password was hashed: a change made meanwhile wins.
    pub session_epoch: Epoch,
    pub client_id: &'static str,
    pub now: Timestamp,
    pub expires_at: Timestamp,
    pub ip: Option<IpAddr>,
    pub user_agent: Option<String>,
}

struct Id(SessionId);

impl Record for Id {
    fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        row.get("id").map(Self)
    }
}

impl Tx {
    /// Returns a user's live sessions, most recently used first.
    pub async fn sessions_list(
        &mut self,
        user_id: UserId,
        limits: FamilyLimits,
        now: Timestamp,
    ) -> Result<Vec<Session>, StoreError> {
        let mut sessions: Vec<Session> = self
            .query(
                "SELECT r.id, r.created_at, r.rotated_at, r.expires_at, r.ip, r.user_agent
                 FROM refresh_tokens AS r JOIN users_auth AS u ON u.id = r.user_id
                 WHERE r.user_id = $1 AND r.ended_at IS NULL AND r.expires_at > $2 AND r.rotated_at > $3
                    AND u.status = 'active' AND u.session_epoch = r.session_epoch
                 ORDER BY r.rotated_at DESC, r.id DESC",
            )
            .bind(user_id)
            .bind(now)
            .bind(now - limits.idle)
            .fetch_all()
            .await?;
        for session in &mut sessions {
            session.expires_at = cmp::min(session.expires_at, session.last_used_at + limits.idle);
        }
        Ok(sessions)
    }

    /// Keeps a session alive over a change of its user's epoch; false when it has ended.
    pub async fn session_restamp(&mut self, id: SessionId, epoch: Epoch) -> Result<bool, StoreError> {
        self.query("UPDATE refresh_tokens SET session_epoch = $2 WHERE id = $1 AND ended_at IS NULL")
            .bind(id)
            .bind(epoch)
            .execute()
            .await
            .map(|stamped| stamped == 1)
    }

    /// Ends every session there is; to be called after every user was locked.
    pub async fn sessions_end_everywhere(
        &mut self,
        reason: EndReason,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        self.query("UPDATE refresh_tokens SET ended_at = $1, end_reason = $2 WHERE ended_at IS NULL")
            .bind(now)
            .bind(reason)
            .execute()
            .await
    }

    /// Stores a family, unless its user was disabled or moved to another epoch since it was read.
    pub async fn session_insert(&mut self, family: NewFamily) -> Result<bool, StoreError> {
        self.query(
            "INSERT INTO refresh_tokens (id, user_id, handle, generation, mac_key_id, session_epoch, client_id, \
             created_at, rotated_at, expires_at, ip, user_agent) \
             SELECT $1, u.id, $3, 0, $4, u.session_epoch, $6, $7, $7, $8, $9, $10 \
             FROM users_auth AS u WHERE u.id = $2 AND u.status = 'active' AND u.session_epoch = $5",
        )
        .bind(family.id)
        .bind(family.user_id)
        .bind(family.handle)
        .bind(family.mac_key)
        .bind(family.session_epoch)
        .bind(family.client_id.to_owned())
        .bind(family.now)
        .bind(family.expires_at)
        .bind_optional(family.ip)
        .bind_optional(family.user_agent)
        .execute()
        .await
        .map(|inserted| inserted == 1)
    }

    /// Ends a session; false when it had ended before.
    pub async fn session_end(
        &mut self,
        id: SessionId,
        reason: EndReason,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.query(
            "UPDATE refresh_tokens SET ended_at = $2, end_reason = $3 WHERE id = $1 AND ended_at IS NULL",
        )
        .bind(id)
        .bind(now)
        .bind(reason)
        .execute()
        .await
        .map(|ended| ended == 1)
    }

    /// Deletes some of the sessions that were over before `then`, and returns how many.
    pub async fn sessions_purge(&mut self, then: Timestamp, limit: u32) -> Result<u64, StoreError> {
        self.query(
            "DELETE FROM refresh_tokens WHERE id IN (
                SELECT id FROM (SELECT id FROM refresh_tokens WHERE expires_at < $1 LIMIT $2) AS expired
                UNION SELECT id FROM (SELECT id FROM refresh_tokens WHERE ended_at < $1 LIMIT $2) AS ended
                LIMIT $2
             )",
        )
        .bind(then)
        .bind(i64::from(limit))
        .execute()
        .await
    }

    /// Ends the least recently used sessions of a user, so that `opened` and at most `keep - 1` others
    /// are left. `opened` stays whatever its time: the clock of another replica may be ahead.
    pub async fn sessions_end_excess(
        &mut self,
        user_id: UserId,
        opened: SessionId,
        keep: u32,
        now: Timestamp,
    ) -> Result<Vec<SessionId>, StoreError> {
        let ended: Vec<Id> = self
            .query(
                "UPDATE refresh_tokens SET ended_at = $2, end_reason = $3 WHERE id IN (
                    SELECT id FROM refresh_tokens
                    WHERE user_id = $1 AND ended_at IS NULL AND expires_at > $2 AND id <> $5
                    ORDER BY rotated_at DESC, id DESC LIMIT 1000000 OFFSET $4
                 ) RETURNING id",
            )
            .bind(user_id)
            .bind(now)
            .bind(EndReason::SessionLimit)
            .bind(i64::from(keep.saturating_sub(1)))
            .bind(opened)
            .fetch_all()
            .await?;
        Ok(ended.into_iter().map(|Id(id)| id).collect())
    }

    /// Ends every session of a user, perhaps but one, and returns the ids of those that ended.
    pub async fn sessions_end_all(
        &mut self,
        user_id: UserId,
        except: Option<SessionId>,
        reason: EndReason,
        now: Timestamp,
    ) -> Result<Vec<SessionId>, StoreError> {
        let ended: Vec<Id> = self
            .query(
                "UPDATE refresh_tokens SET ended_at = $2, end_reason = $3 \
                 WHERE user_id = $1 AND id IS DISTINCT FROM $4 AND ended_at IS NULL RETURNING id",
            )
            .bind(user_id)
            .bind(now)
            .bind(reason)
            .bind_optional(except)
            .fetch_all()
            .await?;
        Ok(ended.into_iter().map(|Id(id)| id).collect())
    }
}
