use std::time::Duration;

use crate::crypto::{ForgedToken, HashError, InvalidCursor, SigningError};
use crate::domain::Timestamp;
use crate::store::StoreError;

/// Why a use case was refused, by what the caller can do about it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the e-mail address is taken")]
    EmailTaken,
    #[error("sign-up is closed")]
    SignupDisabled,
    /// Unknown address, wrong password and disabled user alike.
    #[error("the e-mail address or the password is wrong")]
    InvalidCredentials,
    #[error("the access token is not valid: {0}")]
    InvalidToken(String),
    #[error("the refresh token is not valid")]
    InvalidRefreshToken,
    #[error("the refresh token was used before")]
    RefreshTokenReused,
    #[error("the role `admin` is needed")]
    InsufficientRole,
    /// Nobody would be left who can do what admins do.
    #[error("this is the last active admin")]
    LastAdmin,
    #[error(transparent)]
    InvalidCursor(#[from] InvalidCursor),
    #[error("the client's name or secret is wrong")]
    InvalidClient,
    #[error("a client of this name exists, or did")]
    ClientExists,
    #[error("there is no such thing")]
    NotFound,
    /// The pending key has not been public for long enough to sign.
    #[error("the pending signing key may sign from {ready_at}")]
    KeyTooFresh { ready_at: Timestamp },
    #[error("the session has ended")]
    SessionEnded,
    /// Too many wrong passwords, or as many as might be wrong are being looked at. The same for an
    /// address that is nobody's, and for the right password.
    #[error("too many wrong passwords")]
    AccountLocked { retry_after: Duration },
    #[error("too many attempts")]
    TooManyAttempts { retry_after: Duration },
    /// More work than the machine can do now.
    #[error("too much is waiting")]
    Overloaded { retry_after: Duration },
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A defect of ours, or a database that was tampered with.
    #[error("{0}")]
    Internal(String),
}

impl From<HashError> for Error {
    fn from(error: HashError) -> Self {
        match error {
            HashError::Overloaded => Self::Overloaded { retry_after: Duration::from_secs(1) },
            HashError::Stored(_) | HashError::Argon2(_) => Self::Internal(error.to_string()),
        }
    }
}

impl From<SigningError> for Error {
    fn from(error: SigningError) -> Self {
        Self::Internal(error.to_string())
    }
}

impl From<ForgedToken> for Error {
    fn from(_: ForgedToken) -> Self {
        Self::InvalidRefreshToken
    }
}

/// Why a replica does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Somebody must change a setting, a file or a key: trying again does not help.
    #[error("{0}")]
    Configuration(String),
    /// A dependency is away: trying again may help.
    #[error("{0}")]
    Unavailable(String),
    #[error("{0}")]
    Internal(String),
}

impl From<StoreError> for StartError {
    fn from(error: StoreError) -> Self {
        match error {
            _ if error.forbidden() => Self::Configuration(format!(
                "{error}\n  fix: run this, or `keyward migrate` before it, with database.direct_url of the role that owns \
                 the tables, or grant what is missing: `keyward migrate grants`"
            )),
            StoreError::Defect(_) => Self::Configuration(error.to_string()),
            _ if error.transient() => Self::Unavailable(error.to_string()),
            _ => Self::Internal(error.to_string()),
        }
    }
}

impl From<Error> for StartError {
    fn from(error: Error) -> Self {
        match error {
            Error::Store(error) => error.into(),
            error => Self::Internal(error.to_string()),
        }
    }
}
