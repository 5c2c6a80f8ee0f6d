use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::caller;
use super::problem::{Code, Problem};
use super::request_log::{note_client, note_principal, note_user};
use crate::app::{self, App, Principal, ServiceClient};

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
        let (scheme, token) = value.to_str().ok().and_then(|text| text.split_once(' ')).unwrap_or_default();
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(invalid().detail("the Authorization header is not `Bearer` and a token"));
        }
        Ok(Self(Some(token.trim_start_matches(' ').to_owned())))
    }
}

/// A service that has proved who it is by HTTP Basic (RFC 6749 §2.3.1).
pub(super) struct Service(pub ServiceClient);

impl FromRequestParts<Arc<App>> for Service {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let value = parts.headers.get(header::AUTHORIZATION);
        let presented = value.and_then(|value| basic(value.to_str().ok()?));
        let (name, secret) = presented.ok_or(Problem::new(Code::InvalidClient))?;
        let caller = caller::caller(&parts.extensions, &parts.headers);
        let client = app.client_authenticate(&name, &secret, &caller).await?;
        note_client(client.id());
        Ok(Self(client))
    }
}

/// Reads the user and the password of RFC 7617. Neither of ours has a character to be escaped.
pub(super) fn basic(value: &str) -> Option<(String, String)> {
    let (scheme, encoded) = value.split_once(' ')?;
    let decoded = BASE64_STANDARD.decode(encoded.trim()).ok()?;
    let (id, secret) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
    scheme.eq_ignore_ascii_case("basic").then(|| (id.to_owned(), secret.to_owned()))
}

/// A caller with a live session, checked against the database.
pub(super) struct SignedIn(pub Principal);

impl FromRequestParts<Arc<App>> for SignedIn {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let Bearer(token) = Bearer::from_request_parts(parts, app).await?;
        let token = token.ok_or(Problem::new(Code::MissingToken))?;
        let principal = app.authenticate(&token).await?;
        note_principal(&principal);
        Ok(Self(principal))
    }
}

/// A caller who may do what admins do, checked against the database.
pub(super) struct Admin(pub app::Admin);

impl FromRequestParts<Arc<App>> for Admin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let Bearer(token) = Bearer::from_request_parts(parts, app).await?;
        let token = token.ok_or(Problem::new(Code::MissingToken))?;
        let caller = caller::caller(&parts.extensions, &parts.headers);
        let admin = app.authenticate_admin(&token, caller).await?;
        if let Some((user, session)) = admin.asks_as() {
            note_user(user, Some(session));
        }
        Ok(Self(admin))
    }
}
