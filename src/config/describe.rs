//! What `keyward config show` prints: every setting, its value without secrets, and where that came from.

use std::fmt;

use super::{
    DatabaseUrl, Settings,
    keys::{KEYS, Key, Kind},
    layers::{Layered, Value},
    problem::Origin,
    secret::REDACTED,
    sinks, urls,
};

/// One setting as it may be shown.
#[derive(Debug, Clone)]
pub struct Described {
    pub key: &'static str,
    pub shown: String,
    pub origin: Origin,
}

/// Every setting, in the order of [`KEYS`].
#[derive(Debug, Clone)]
pub struct Description(pub Vec<Described>);

/// One aligned line a setting.
impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |text: fn(&Described) -> &str| {
            self.0.iter().map(|one| text(one).chars().count()).max().unwrap_or_default()
        };
        let (key, shown) = (width(|one| one.key), width(|one| &one.shown).min(48));
        for one in &self.0 {
            writeln!(f, "{:key$}  {:shown$}  {}", one.key, one.shown, one.origin)?;
        }
        Ok(())
    }
}

pub(super) fn describe(layered: &Layered, settings: &Settings) -> Description {
    let described = KEYS.iter().map(|key| {
        let entry = layered.values.get(key.name);
        let written = entry.map(|entry| written(key, &entry.value)).unwrap_or_default();
        Described {
            key: key.name,
            shown: if written.is_empty() { implied(key, settings) } else { written },
            origin: entry.map_or(Origin::Default, |entry| entry.origin.clone()),
        }
    });
    Description(described.collect())
}

fn written(key: &Key, value: &Value) -> String {
    match key.kind {
        Kind::Plain => value.joined().trim().to_owned(),
        Kind::List => value.items().join(", "),
        Kind::Secret => REDACTED.to_owned(),
        Kind::SecretUrl => urls::redact(value.joined().trim()),
        Kind::SecretUrlList => {
            let members = sinks::members(&value.items());
            members.iter().map(|member| sinks::redact(member)).collect::<Vec<_>>().join(", ")
        }
        Kind::SecretList => vec![REDACTED; value.items().len()].join(", "),
    }
}

/// What a setting is when nobody wrote it.
fn implied(key: &Key, settings: &Settings) -> String {
    match (key.name, &settings.database_url) {
        ("audience", _) => settings.audience.clone(),
        ("database_url", DatabaseUrl::Sqlite { path }) => format!("sqlite://{}", path.display()),
        ("master_key", DatabaseUrl::Sqlite { .. }) => {
            format!("in {}", settings.data_dir.join("master.key").display())
        }
        ("argon2.threads", _) => settings.argon2.threads.to_string(),
        ("database.max_connections", _) => settings.database.max_connections.to_string(),
        _ => "none".to_owned(),
    }
}
