use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;

use super::problem::{Code, Problem};
use crate::app::{App, Principal};

/// The text of an access token, not yet checked; `None` without an `Authorization` header.
///
/// Only the header counts (RFC 6750 §2.1): never the query, where proxies would log it.
pub(super) struct Bearer(pub Option<String>);

impl<S: Sync> FromRequestParts<S> for Bearer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let mut values = parts.headers.get_all(header::AUTHORIZATION).iter();
        let Some(value) = values.next() else { return Ok(Self(None)) };
        let invalid = || Problem::new(Code::InvalidToken);
        if values.next().is_some() {
            return Err(invalid().detail("there is more than one Authorization header"));
        }
        let (scheme, token) =
            value.to_str().ok().and_then(|text| text.split_once(' ')).ok_or_else(invalid)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(invalid().detail("the Authorization header is not a Bearer token"));
        }
        Ok(Self(Some(token.trim_start_matches(' ').to_owned())))
    }
}

/// A caller with a live session, checked against the database.
pub(super) struct SignedIn(pub Principal);

impl FromRequestParts<Arc<App>> for SignedIn {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let Bearer(token) = Bearer::from_request_parts(parts, app).await?;
        let token = token.ok_or(Problem::new(Code::MissingToken))?;
        Ok(Self(app.authenticate(&token).await?))
    }
}
