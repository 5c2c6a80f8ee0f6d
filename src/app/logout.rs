use super::{App, Error, new_event_id};
use crate::domain::{
    AuditRecord, Caller, EndReason, Event, FamilyLimits, PresentedToken, SecurityEvent, SessionId, Timestamp,
    UserId, Verdict, judge,
};
use crate::store::{FamilyWithUser, Tx};

/// How a caller names the session that is to end.
#[derive(Debug)]
pub enum SessionCredential<'a> {
    RefreshToken(&'a str),
    AccessToken(&'a str),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogoutScope {
    /// The session that the credential belongs to.
    This,
    /// Every session of its user.
    All,
}

#[derive(Debug, Clone, Copy)]
enum Named {
    Token(PresentedToken),
    Session(SessionId),
}

impl App {
    /// Ends one session or all of a user's. Doing it again changes nothing and is no error.
    pub async fn logout(
        &self,
        credential: SessionCredential<'_>,
        scope: LogoutScope,
        caller: &Caller,
    ) -> Result<(), Error> {
        let named = match credential {
            SessionCredential::RefreshToken(token) => Named::Token(self.refresh_tokens.parse(token)?),
            SessionCredential::AccessToken(token) => Named::Session(self.verify(token).await?.session_id),
        };
        let (caller, sinks, now, limits) =
            (caller.clone(), self.sinks(), self.now(), self.rules.family_limits);
        self.store
            .transaction("logout", move |tx| {
                Box::pin(async move {
                    let session = match named {
                        Named::Token(token) => tx.refresh_token_lock(token.handle).await?,
                        Named::Session(id) => tx.session_lock(id).await?,
                    };
                    // A session that the janitor took away had ended.
                    let Some(session) = session else { return Ok(()) };
                    let user_id = session.family.user_id;
                    let (sessions, reason) = match scope {
                        LogoutScope::This => (end_one(tx, &session, now).await?, EndReason::Logout),
                        LogoutScope::All => {
                            (end_all(tx, &session, named, limits, now).await?, EndReason::LogoutAll)
                        }
                    };
                    if sessions.is_empty() {
                        return Ok::<_, Error>(());
                    }
                    let caller = caller.in_session(session.family.id);
                    tx.audit_insert(record(scope, &sessions, user_id, &caller), now).await?;
                    let event = Event::SessionRevoked { user_id, sessions, reason };
                    Ok(tx.outbox_insert(new_event_id(now), &event, &sinks, now).await?)
                })
            })
            .await?;
        self.outbox_bell.ring();
        Ok(())
    }
}

async fn end_one(tx: &mut Tx, session: &FamilyWithUser, now: Timestamp) -> Result<Vec<SessionId>, Error> {
    let id = session.family.id;
    Ok(if tx.session_end(id, EndReason::Logout, now).await? { vec![id] } else { vec![] })
}

/// Ending everything needs more than an old token that was found somewhere: a live session, named
/// by its access token or by its current refresh token.
async fn end_all(
    tx: &mut Tx,
    session: &FamilyWithUser,
    named: Named,
    limits: FamilyLimits,
    now: Timestamp,
) -> Result<Vec<SessionId>, Error> {
    let family = &session.family;
    if family.ended == Some(EndReason::LogoutAll) {
        return Ok(vec![]); // this very request, sent again
    }
    let presented = match named {
        Named::Token(token) => token.generation,
        Named::Session(_) => family.generation,
    };
    match judge(family, session.user_epoch(), presented, limits, now) {
        Verdict::Rotate => {}
        Verdict::Ended => return Err(Error::SessionEnded),
        _ => return Err(Error::InvalidRefreshToken),
    }
    tx.user_advance_epoch(family.user_id, now).await?;
    Ok(tx.sessions_end_all(family.user_id, None, EndReason::LogoutAll, now).await?)
}

fn record(scope: LogoutScope, sessions: &[SessionId], user_id: UserId, caller: &Caller) -> AuditRecord {
    match scope {
        LogoutScope::This => AuditRecord::new(SecurityEvent::SessionRevoked, caller).user(user_id),
        LogoutScope::All => AuditRecord::new(SecurityEvent::SessionsRevoked, caller)
            .user(user_id)
            .detail(serde_json::json!({ "sessions": sessions })),
    }
}
