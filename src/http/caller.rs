use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, header};

use super::client_address::ClientAddress;
use super::request::RequestId;
use crate::domain::Caller;

/// Who is at the other end, for sessions and the audit log.
pub(super) struct From(pub Caller);

impl<S: Sync> FromRequestParts<S> for From {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(caller(&parts.extensions, &parts.headers)))
    }
}

pub(super) fn caller(extensions: &Extensions, headers: &HeaderMap) -> Caller {
    let ip = extensions.get::<ClientAddress>().map(|address| address.0);
    let user_agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    let request_id = extensions.get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default();
    Caller::new(ip, user_agent, request_id)
}
