//! What a token is worth now, for services that cannot wait for it to expire (RFC 7662).

use std::sync::Arc;

use super::{App, Error, LogoutScope, ServiceClient, SessionCredential};
use crate::domain::{Caller, SessionId, Timestamp, User, Verdict, judge};
use crate::store::FamilyWithUser;

/// A token that would be accepted at this moment.
#[derive(Debug)]
pub struct ActiveToken {
    pub kind: TokenKind,
    /// As the database has the user now, whatever the token says.
    pub user: User,
    pub session_id: SessionId,
    pub expires_at: i64,
    pub issued_at: i64,
    /// Of an access token.
    pub id: Option<Arc<str>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    Access,
    Refresh,
}

impl App {
    /// Tells a service what a token is worth; `None` for anything that is not active, for whatever reason.
    pub async fn introspect(
        &self,
        client: &ServiceClient,
        token: &str,
    ) -> Result<Option<ActiveToken>, Error> {
        self.introspect_limit(&client.0).await?;
        let found = match self.refresh_tokens.parse(token) {
            Ok(_) => self.introspect_refresh(token).await,
            Err(_) => self.introspect_access(token).await,
        };
        match found {
            Ok(active) => Ok(Some(active)),
            Err(Error::InvalidToken(_) | Error::InvalidRefreshToken | Error::SessionEnded) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn introspect_access(&self, token: &str) -> Result<ActiveToken, Error> {
        let token = self.verify(token).await?;
        let session = self.session_live(token.session_id).await?;
        Ok(ActiveToken {
            kind: TokenKind::Access,
            session_id: session.session.id,
            user: session.user,
            expires_at: token.expires_at,
            issued_at: token.issued_at,
            id: Some(token.id),
        })
    }

    /// Looking does not count as use: an old token is not active here, and ends nothing.
    async fn introspect_refresh(&self, token: &str) -> Result<ActiveToken, Error> {
        let presented = self.refresh_tokens.parse(token)?;
        let found = self
            .store
            .read("refresh_token_find", move |tx| {
                Box::pin(async move { Ok::<_, Error>(tx.refresh_token_find(presented.handle).await?) })
            })
            .await?;
        let Some(found) = found else { return Err(Error::SessionEnded) };
        let (epoch, limits) = (found.user_epoch(), self.rules.family_limits);
        match judge(&found.family, epoch, presented.generation, limits, self.now()) {
            Verdict::Rotate => Ok(self.active_refresh(found)),
            _ => Err(Error::SessionEnded),
        }
    }

    fn active_refresh(&self, FamilyWithUser { family, user }: FamilyWithUser) -> ActiveToken {
        let expires_at: Timestamp = family.expires_at.min(family.rotated_at + self.rules.family_limits.idle);
        ActiveToken {
            kind: TokenKind::Refresh,
            session_id: family.id,
            user,
            expires_at: expires_at.unix_seconds(),
            issued_at: family.rotated_at.unix_seconds(),
            id: None,
        }
    }

    /// Ends the session of a token of either kind (RFC 7009). What is no token of ours is no error.
    pub async fn revoke(&self, token: &str, caller: &Caller) -> Result<(), Error> {
        let credential = match self.refresh_tokens.parse(token) {
            Ok(_) => SessionCredential::RefreshToken(token),
            Err(_) => SessionCredential::AccessToken(token),
        };
        match self.logout(credential, LogoutScope::This, caller).await {
            Err(Error::InvalidToken(_) | Error::InvalidRefreshToken) => Ok(()),
            done => done,
        }
    }
}
