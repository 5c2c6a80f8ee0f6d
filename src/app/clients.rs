//! Service clients: other services that may ask whether a token is active.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::json;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::{Admin, App, Error};
use crate::domain::{AuditRecord, Caller, ClientId, SecurityEvent};
use crate::random;
use crate::store::ClientRow;

const SECRET_PREFIX: &str = "kwc_";

/// A service that has proved who it is: what introspection asks for.
#[derive(Debug)]
pub struct ServiceClient(pub(super) ClientId);

impl ServiceClient {
    #[must_use]
    pub const fn id(&self) -> &ClientId {
        &self.0
    }
}

impl App {
    /// Makes a client and returns its secret, which is shown this once.
    pub async fn client_create(&self, admin: &Admin, id: ClientId) -> Result<Zeroizing<String>, Error> {
        let secret = BASE64_URL_SAFE_NO_PAD.encode(random::bytes::<32>());
        let secret = Zeroizing::new(format!("{SECRET_PREFIX}{secret}"));
        let secret_sha256 = sha256(&secret);
        let now = self.now();
        let audit = AuditRecord::new(SecurityEvent::ClientCreated, admin.caller())
            .detail(json!({ "client_id": id.to_string() }));
        self.store
            .transaction("client_create", move |tx| {
                Box::pin(async move {
                    if !tx.client_insert(id, secret_sha256, now).await? {
                        return Err(Error::ClientExists);
                    }
                    Ok(tx.audit_insert(audit, now).await?)
                })
            })
            .await?;
        Ok(secret)
    }

    pub async fn clients_list(&self, _: &Admin) -> Result<Vec<ClientRow>, Error> {
        self.store.read("clients_list", |tx| Box::pin(async move { Ok(tx.clients_list().await?) })).await
    }

    pub async fn client_revoke(&self, admin: &Admin, id: ClientId) -> Result<(), Error> {
        let now = self.now();
        let audit = AuditRecord::new(SecurityEvent::ClientRevoked, admin.caller())
            .detail(json!({ "client_id": id.to_string() }));
        self.store
            .transaction("client_revoke", move |tx| {
                Box::pin(async move {
                    if !tx.client_revoke(id, now).await? {
                        return Err(Error::NotFound);
                    }
                    Ok(tx.audit_insert(audit, now).await?)
                })
            })
            .await
    }

    /// Checks a client's secret. The comparison takes the same time for a client that does not exist.
    pub async fn client_authenticate(
        &self,
        name: &str,
        secret: &str,
        caller: &Caller,
    ) -> Result<ServiceClient, Error> {
        let Ok(id) = name.parse::<ClientId>() else { return Err(self.client_deny(None, caller)) };
        let presented = sha256(secret);
        let wanted = id.clone();
        let found = self
            .store
            .read("client_by_id", move |tx| {
                Box::pin(async move { Ok::<_, Error>(tx.client_by_id(wanted).await?) })
            })
            .await?;
        let known = found.is_some();
        let live = found.filter(|client| client.revoked_at.is_none());
        let expected = live.as_ref().map_or_else(|| vec![0; presented.len()], |c| c.secret_sha256.clone());
        if bool::from(expected.ct_eq(&presented)) && live.is_some() {
            Ok(ServiceClient(id))
        } else {
            Err(self.client_deny(Some(id).filter(|_| known), caller))
        }
    }

    /// A name that is nobody's may be a secret that was put in the wrong place: it is not recorded.
    fn client_deny(&self, known: Option<ClientId>, caller: &Caller) -> Error {
        let subject = known.map(|id| id.to_string());
        self.refusals.count(SecurityEvent::ClientDenied, subject.as_deref(), None, caller, self.now());
        Error::InvalidClient
    }
}

fn sha256(secret: &str) -> Vec<u8> {
    digest(&SHA256, secret.as_bytes()).as_ref().to_vec()
}
