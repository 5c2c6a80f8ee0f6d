//! What is found at the address that tokens name: verifiers look there for the keys.

use serde_json::Value;

use super::{Fault, Finding, fetch::get};
use crate::config::Settings;
use crate::domain::Kid;

const ANSWERS: &str = "issuer.answers";
const KEYS: &str = "issuer.keys";

/// What there is.
#[derive(Debug)]
pub(super) enum Issuer {
    Silent(String),
    Answers(u16),
    Metadata { issuer: Option<String>, kids: Result<Vec<String>, String> },
}

pub(super) async fn fetch(settings: &Settings) -> Issuer {
    let metadata = match get(&format!("{}/.well-known/openid-configuration", settings.issuer)).await {
        Err(reason) => return Issuer::Silent(reason),
        Ok((200, body)) => serde_json::from_slice::<Value>(&body).unwrap_or_default(),
        Ok((status, _)) => return Issuer::Answers(status),
    };
    let text = |name: &str| metadata.get(name).and_then(Value::as_str).map(str::to_owned);
    let kids = match text("jwks_uri") {
        None => Err("the metadata names no jwks_uri".to_owned()),
        // Wherever else it leads is not for us to ask.
        Some(url) if !url.starts_with(&settings.issuer) => Err("jwks_uri leads elsewhere".to_owned()),
        Some(url) => match get(&url).await {
            Ok((200, body)) => Ok(kids(&body)),
            Ok((status, _)) => Err(format!("jwks_uri answers {status}")),
            Err(reason) => Err(reason),
        },
    };
    Issuer::Metadata { issuer: text("issuer"), kids }
}

impl Issuer {
    /// Holds it against the settings, and against the keys of the database where they are known.
    pub(super) fn judge(self, settings: &Settings, published: Option<&[Kid]>) -> Vec<Finding> {
        let ours = &settings.issuer;
        let kids = match self {
            Self::Silent(reason) => {
                let meaning = format!("{ours} cannot be reached from here: {reason}");
                let advice = "nothing while no server runs, or where this machine may not get there";
                return vec![Finding::note(ANSWERS, meaning, advice)];
            }
            Self::Answers(status) => {
                let meaning = format!(
                    "{ours}/.well-known/openid-configuration answers {status}: verifiers find no keys"
                );
                let advice = "look at what is in front of the servers, or at issuer";
                return vec![Finding::warning(ANSWERS, meaning, advice)];
            }
            Self::Metadata { issuer, kids } if issuer.as_ref() == Some(ours) => kids,
            Self::Metadata { issuer, .. } => {
                let theirs = issuer.unwrap_or_else(|| "nothing".to_owned());
                let meaning =
                    format!("who answers at {ours} calls itself {theirs:?}: verifiers refuse its tokens");
                let advice = "give all servers the same issuer, letter by letter, and let it lead to them";
                return vec![Finding::problem(ANSWERS, Fault::Configuration, meaning, advice)];
            }
        };
        let mut found = vec![Finding::ok(ANSWERS, format!("{ours} answers, and calls itself so"))];
        match (kids, published) {
            (Err(reason), _) => {
                let advice = "look at what is in front of the servers: the keys are to be had there";
                found.push(Finding::warning(KEYS, format!("the keys cannot be fetched: {reason}"), advice));
            }
            (Ok(kids), Some(published)) if !published.is_empty() => found.push(same(&kids, published)),
            (Ok(_), _) => {}
        }
        found
    }
}

fn same(theirs: &[String], ours: &[Kid]) -> Finding {
    let missing: Vec<&str> =
        ours.iter().map(Kid::as_str).filter(|kid| !theirs.iter().any(|their| their == kid)).collect();
    if missing.is_empty() {
        return Finding::ok(KEYS, "the keys of this database are those that verifiers find");
    }
    Finding::problem(
        KEYS,
        Fault::Configuration,
        format!("verifiers do not find these keys of this database: {}", missing.join(", ")),
        "another installation answers there: give each an issuer of its own, or look at database_url",
    )
}

fn kids(jwks: &[u8]) -> Vec<String> {
    let jwks: Value = serde_json::from_slice(jwks).unwrap_or_default();
    let keys = jwks.get("keys").and_then(Value::as_array).into_iter().flatten();
    keys.filter_map(|key| Some(key.get("kid")?.as_str()?.to_owned())).collect()
}
