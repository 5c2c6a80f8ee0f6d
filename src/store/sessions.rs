use std::cmp;

use super::sql::{Record, Row};
use super::{StoreError, Tx};
use crate::domain::{EndReason, Epoch, FamilyLimits, Session, SessionId, Timestamp, UserId};

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

    /// Ends every session of a user but one, and returns their ids.
    pub async fn sessions_end_all_but(
        &mut self,
        user_id: UserId,
        kept: SessionId,
        reason: EndReason,
        now: Timestamp,
    ) -> Result<Vec<SessionId>, StoreError> {
        let ended: Vec<Id> = self
            .query(
                "UPDATE refresh_tokens SET ended_at = $2, end_reason = $3 \
                 WHERE user_id = $1 AND id <> $4 AND ended_at IS NULL RETURNING id",
            )
            .bind(user_id)
            .bind(now)
            .bind(reason)
            .bind(kept)
            .fetch_all()
            .await?;
        Ok(ended.into_iter().map(|Id(id)| id).collect())
    }
}
