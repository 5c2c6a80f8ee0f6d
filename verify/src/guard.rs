//! Guards axum routes: an extractor that brings the claims, and a layer that asks for a role.

mod denied;
mod layer;

use axum::extract::{FromRef, FromRequestParts, OptionalFromRequestParts};
use axum::http::{HeaderMap, header, request::Parts};

pub use denied::Denied;
pub use layer::{Guard, Guarded};

use crate::{Claims, Keyward, VerifyError};

/// Brings the claims of a caller whose token is good; refuses every other request ([`Denied`]).
///
/// The state of the router must hold a [`Keyward`]. An `Option<Caller>` lets callers without a token through, but not
/// those with a bad one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller(pub Claims);

/// Left in the request by whoever verified the token first. It counts only for the same [`Keyward`]: another one trusts
/// another issuer, or is another audience.
#[derive(Debug, Clone)]
struct Verified {
    by: Keyward,
    claims: Claims,
}

impl Caller {
    /// Refuses a caller without this role, for a decision that only the handler can make.
    pub fn require_role(&self, role: &str) -> Result<(), Denied> {
        if self.0.has_role(role) { Ok(()) } else { Err(Denied::MissingRole) }
    }
}

impl Keyward {
    /// Makes a layer that lets only callers with this role through: 401 without a good token, 403 without the role.
    ///
    /// Use it with [`route_layer`](axum::Router::route_layer), so that a route that does not exist stays 404.
    #[must_use]
    pub fn require_role(&self, role: impl Into<String>) -> Guard {
        Guard::new(self.clone(), Some(role.into()))
    }

    /// Makes a layer that lets every caller with a good token through.
    #[must_use]
    pub fn require_token(&self) -> Guard {
        Guard::new(self.clone(), None)
    }
}

impl<S> FromRequestParts<S> for Caller
where
    Keyward: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Denied;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Denied> {
        let keyward = Keyward::from_ref(state);
        match identify(&keyward, parts).await? {
            Some(claims) => Ok(Self(claims)),
            None => Err(Denied::MissingToken),
        }
    }
}

impl<S> OptionalFromRequestParts<S> for Caller
where
    Keyward: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Denied;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Option<Self>, Denied> {
        Ok(identify(&Keyward::from_ref(state), parts).await?.map(Self))
    }
}

/// Verifies the token of a request, once; none when there is no token.
async fn identify(keyward: &Keyward, parts: &mut Parts) -> Result<Option<Claims>, Denied> {
    if let Some(verified) = parts.extensions.get::<Verified>().filter(|verified| verified.by.is(keyward)) {
        return Ok(Some(verified.claims.clone()));
    }
    let Some(token) = bearer(&parts.headers)? else { return Ok(None) };
    let claims = keyward.verify(token).await.map_err(Denied::from)?;
    parts.extensions.insert(Verified { by: keyward.clone(), claims: claims.clone() });
    Ok(Some(claims))
}

/// Only the header counts (RFC 6750 §2.1): never the query, where proxies would log it.
fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Denied> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let malformed = || Denied::InvalidToken(VerifyError::Malformed);
    if values.next().is_some() {
        return Err(malformed());
    }
    let value = value.to_str().map_err(|_| malformed())?;
    match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => {
            Ok(Some(token.trim_start_matches(' ')))
        }
        // Credentials of another scheme are not ours to judge: the caller has sent no token.
        _ => Ok(None),
    }
}
