use serde_json::json;

use super::measures::RefreshOutcome;
use super::{App, Error, TokenPair, new_event_id};
use crate::domain::{
    AuditRecord, Caller, EndReason, Event, Family, PresentedToken, SecurityEvent, Verdict, judge,
};
use crate::store::{FamilyWithUser, Rotation, Tx};

/// What came of judging a token under the lock of its family.
enum Outcome {
    Rotated(Box<FamilyWithUser>),
    /// The one before the current, in time: the same successor again.
    Repeated(Box<FamilyWithUser>),
    Reused,
    Ahead,
    Ended,
}

impl App {
    /// Exchanges a refresh token for its successor.
    pub async fn refresh(&self, refresh_token: &str, caller: &Caller) -> Result<TokenPair, Error> {
        let outcome = self.refresh_present(refresh_token, caller).await;
        self.measures.refreshes.increment(match &outcome {
            Ok(Outcome::Rotated(_)) => RefreshOutcome::Rotated,
            Ok(Outcome::Repeated(_)) => RefreshOutcome::Grace,
            Ok(Outcome::Reused) => RefreshOutcome::Reused,
            Ok(Outcome::Ahead) => RefreshOutcome::Ahead,
            Ok(Outcome::Ended) => RefreshOutcome::Ended,
            Err(Error::InvalidRefreshToken) => RefreshOutcome::Forged,
            Err(Error::TooManyAttempts { .. }) => RefreshOutcome::Limited,
            Err(_) => RefreshOutcome::Failed,
        });
        match outcome? {
            Outcome::Rotated(session) | Outcome::Repeated(session) => self.token_pair(&session),
            Outcome::Reused => Err(Error::RefreshTokenReused),
            Outcome::Ahead | Outcome::Ended => Err(Error::SessionEnded),
        }
    }

    async fn refresh_present(&self, refresh_token: &str, caller: &Caller) -> Result<Outcome, Error> {
        let presented = self.refresh_tokens.parse(refresh_token)?;
        self.refresh_limit(presented.handle).await?;
        let how = Rotation {
            limits: self.rules.family_limits,
            mac_key: self.refresh_tokens.current_key(),
            now: self.now(),
        };
        match self.batches.rotations.call(presented).await? {
            Some(session) => Ok(Outcome::Rotated(Box::new(session))),
            None => self.refresh_judge(presented, how, caller).await,
        }
    }

    /// Judges a token that is not simply the current one of a live family, with the row held.
    async fn refresh_judge(
        &self,
        presented: PresentedToken,
        how: Rotation,
        caller: &Caller,
    ) -> Result<Outcome, Error> {
        let (caller, sinks) = (caller.clone(), self.sinks());
        let outcome = self
            .store
            .transaction("refresh_judge", move |tx| {
                Box::pin(async move {
                    let Some(mut session) = tx.refresh_token_lock(presented.handle).await? else {
                        return Ok::<_, Error>(Outcome::Ended);
                    };
                    let epoch = session.user_epoch();
                    let family = &mut session.family;
                    Ok(match judge(family, epoch, presented.generation, how.limits, how.now) {
                        Verdict::Rotate => {
                            // Somebody held the row a moment ago; now it is ours.
                            tx.refresh_token_advance(family.id, how).await?;
                            advance(family, how);
                            Outcome::Rotated(Box::new(session))
                        }
                        Verdict::RepeatSuccessor => Outcome::Repeated(Box::new(session)),
                        Verdict::Reuse => {
                            family_end(tx, family, EndReason::Reuse, presented, &caller, &sinks, how).await?;
                            Outcome::Reused
                        }
                        Verdict::Ahead => {
                            family_end(tx, family, EndReason::Ahead, presented, &caller, &sinks, how).await?;
                            Outcome::Ahead
                        }
                        Verdict::Ended => Outcome::Ended,
                    })
                })
            })
            .await?;
        self.outbox_bell.ring();
        Ok(outcome)
    }
}

fn advance(family: &mut Family, how: Rotation) {
    family.generation = family.generation.next();
    family.rotated_at = how.now;
    family.mac_key = how.mac_key;
}

/// Ends a family for what was presented: row, audit record and event.
async fn family_end(
    tx: &mut Tx,
    family: &Family,
    reason: EndReason,
    presented: PresentedToken,
    caller: &Caller,
    sinks: &[String],
    how: Rotation,
) -> Result<(), Error> {
    let (user_id, session_id, now) = (family.user_id, family.id, how.now);
    tx.session_end(session_id, reason, now).await?;
    let security_event = match reason {
        EndReason::Ahead => SecurityEvent::RefreshTokenAhead,
        _ => SecurityEvent::RefreshTokenReused,
    };
    let detail =
        json!({ "presented_generation": presented.generation.0, "current_generation": family.generation.0 });
    let audit = AuditRecord::new(security_event, caller).user(user_id).session(session_id).detail(detail);
    tx.audit_insert(audit, now).await?;
    let event = match reason {
        EndReason::Reuse => Event::RefreshTokenReused { user_id, session_id },
        reason => Event::SessionRevoked { user_id, sessions: vec![session_id], reason },
    };
    Ok(tx.outbox_insert(new_event_id(now), &event, sinks, now).await?)
}
