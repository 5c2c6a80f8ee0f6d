use std::sync::Arc;

use thiserror::Error;

use crate::{Claims, FetchError, RemoteKeys, RemoteOptions, SourceError, Verifier, VerifyError};

/// Verifies the tokens of one Keyward for one audience: a [`Verifier`], the keys it needs, and the clock.
///
/// Cheap to clone; keep one for the life of the service.
#[derive(Debug, Clone)]
pub struct Keyward {
    verifier: Arc<Verifier>,
    keys: RemoteKeys,
}

/// Says why a token was not accepted.
#[derive(Debug, Clone, Error)]
pub enum CheckError {
    /// The token is not good: 401.
    #[error(transparent)]
    Refused(#[from] VerifyError),
    /// There is no key set to verify with, so nothing is known about the token: 503.
    #[error("no key set to verify with: {0}")]
    Unavailable(Arc<FetchError>),
}

impl Keyward {
    /// Trusts an issuer, and finds its keys by its URL. Nothing is fetched yet: see [`RemoteKeys::current`].
    ///
    /// The audience is this service, as the issuer is configured to name it; by default it names itself.
    pub fn new(issuer: &str, audience: &str) -> Result<Self, SourceError> {
        let keys = RemoteKeys::of_issuer(issuer, RemoteOptions::default())?;
        Ok(Self::with(Verifier::new(issuer, audience), keys))
    }

    /// Puts together a verifier and keys that are set up otherwise.
    #[must_use]
    pub fn with(verifier: Verifier, keys: RemoteKeys) -> Self {
        Self { verifier: Arc::new(verifier), keys }
    }

    /// Returns the keys, for example to fetch them before the first request.
    #[must_use]
    pub fn keys(&self) -> &RemoteKeys {
        &self.keys
    }

    /// Verifies a compact token now, and returns its claims.
    ///
    /// A `kid` that is not in the key set makes it look for a newer set, at most once in a while.
    pub async fn verify(&self, token: &str) -> Result<Claims, CheckError> {
        let keys = self.keys.current().await.map_err(CheckError::Unavailable)?;
        match self.verifier.verify(token, &keys, self.now()) {
            Err(unknown @ VerifyError::UnknownKey { .. }) => match self.keys.newer_than(&keys).await {
                Some(newer) => Ok(self.verifier.verify(token, &newer, self.now())?),
                None => Err(unknown.into()),
            },
            result => Ok(result?),
        }
    }

    fn now(&self) -> i64 {
        self.keys.now().as_secs().try_into().unwrap_or(i64::MAX)
    }

    #[cfg(feature = "axum")]
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.verifier, &other.verifier)
    }
}
