//! JWKs as they come in: every member optional, nothing believed yet.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{Algorithm, Jwk, JwkError, Jwks};

/// Private members of every kind of key (RFC 7518 §6.2.2, §6.3.2, §6.4.1) and of the newer `AKP` kind.
const PRIVATE: [&str; 10] = ["d", "k", "p", "q", "dp", "dq", "qi", "oth", "priv", "seed"];

/// The flattened rest serves two ends: it shows private members by name, and it makes serde refuse a JSON array here.
#[derive(Deserialize)]
pub(crate) struct KeyMembers {
    kty: String,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
    kid: Option<String>,
    r#use: Option<String>,
    alg: Option<String>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Deserialize)]
pub(crate) struct SetMembers {
    keys: Vec<KeyMembers>,
    #[serde(flatten)]
    _rest: Map<String, Value>,
}

impl TryFrom<SetMembers> for Jwks {
    type Error = JwkError;

    /// Keeps the keys that can have signed a Keyward token. Others are skipped (RFC 7517 §5), broken ones are errors.
    fn try_from(set: SetMembers) -> Result<Self, JwkError> {
        let read = set.keys.into_iter().map(Jwk::try_from);
        let keys = read.filter(|key| !matches!(key, Err(JwkError::Unsupported))).collect::<Result<_, _>>()?;
        Ok(Self { keys })
    }
}

impl TryFrom<KeyMembers> for Jwk {
    type Error = JwkError;

    fn try_from(members: KeyMembers) -> Result<Self, JwkError> {
        if let Some(name) = PRIVATE.into_iter().find(|name| members.rest.contains_key(*name)) {
            return Err(JwkError::Private(name));
        }
        if members.r#use.is_some_and(|usage| usage != "sig") {
            return Err(JwkError::Unsupported);
        }
        let algorithm = match (members.kty.as_str(), members.crv.as_deref()) {
            ("EC", Some("P-256")) => Algorithm::Es256,
            ("OKP", Some("Ed25519")) => Algorithm::EdDsa,
            ("RSA", _) => Algorithm::Rs256,
            _ => return Err(JwkError::Unsupported),
        };
        if let Some(named) = members.alg
            && named.parse::<Algorithm>()? != algorithm
        {
            return Err(JwkError::Algorithm);
        }
        let kid = members.kid.filter(|kid| !kid.is_empty()).ok_or(JwkError::Missing("kid"))?;
        let key = match algorithm {
            Algorithm::Es256 => {
                let [x, y] = [fixed("x", members.x)?, fixed("y", members.y)?];
                Self::es256(&[&[4][..], &x, &y].concat())
            }
            Algorithm::EdDsa => Self::ed25519(&fixed("x", members.x)?),
            Algorithm::Rs256 => Self::rs256(&decoded("n", members.n)?, &decoded("e", members.e)?),
        }?;
        Ok(key.with_kid(kid))
    }
}

fn decoded(name: &'static str, member: Option<String>) -> Result<Vec<u8>, JwkError> {
    let text = member.ok_or(JwkError::Missing(name))?;
    URL_SAFE_NO_PAD.decode(text).map_err(|_| JwkError::Encoding(name))
}

fn fixed(name: &'static str, member: Option<String>) -> Result<[u8; 32], JwkError> {
    let bytes = decoded(name, member)?;
    bytes.try_into().map_err(|_| JwkError::Encoding(name))
}
