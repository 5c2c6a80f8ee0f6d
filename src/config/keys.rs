//! The one table of settings: names, secrecy, shape. Environment names, unknown-key checks, `config show` and the
//! test of `config.default.toml` all come from it.

/// What a setting holds, as far as layering and showing it are concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One value that may be shown.
    Plain,
    /// Several values: an array in TOML, comma separated elsewhere.
    List,
    /// Never shown.
    Secret,
    /// A URL that may hold a password: shown without it.
    SecretUrl,
    /// Several such URLs.
    SecretUrlList,
    /// Several secrets.
    SecretList,
}

/// One setting.
#[derive(Debug)]
pub struct Key {
    /// Dotted name, as in TOML and `--set`: `token.access_ttl`.
    pub name: &'static str,
    pub kind: Kind,
    /// Environment name of other makers that is taken when no `KEYWARD_` name is set.
    pub fallback: Option<&'static str>,
}

/// Every setting, in the order of `config.default.toml`.
pub const KEYS: &[Key] = &[
    Key::plain("listen").or("PORT"),
    Key::plain("management_listen"),
    Key::plain("issuer"),
    Key::plain("audience"),
    Key::plain("data_dir"),
    Key::new("database_url", Kind::SecretUrl).or("DATABASE_URL"),
    Key::new("redis_url", Kind::SecretUrl).or("REDIS_URL"),
    Key::plain("redis_key_prefix"),
    Key::new("events_url", Kind::SecretUrlList),
    Key::new("master_key", Kind::SecretList),
    Key::new("trusted_proxies", Kind::List),
    Key::plain("proxy_header"),
    Key::plain("log_format"),
    Key::plain("log_level"),
    Key::plain("log_emails"),
    Key::plain("docs"),
    Key::plain("max_sessions_per_user"),
    Key::plain("password.min_length"),
    Key::plain("password.max_length"),
    Key::plain("argon2.memory_kib"),
    Key::plain("argon2.iterations"),
    Key::plain("argon2.parallelism"),
    Key::plain("argon2.threads"),
    Key::plain("argon2.queue"),
    Key::plain("argon2.queue_timeout"),
    Key::plain("token.algorithm"),
    Key::plain("token.typ"),
    Key::plain("token.access_ttl"),
    Key::plain("token.refresh_idle_ttl"),
    Key::plain("token.refresh_absolute_ttl"),
    Key::plain("token.refresh_grace"),
    Key::plain("token.email_claim"),
    Key::plain("keys.rotate_every"),
    Key::plain("keys.publish_before"),
    Key::plain("keys.jwks_max_age"),
    Key::plain("limits.enabled"),
    Key::plain("limits.login_per_ip"),
    Key::plain("limits.login_per_account_ip"),
    Key::plain("limits.signup_per_ip"),
    Key::plain("limits.refresh_per_session"),
    Key::plain("limits.introspect_per_client"),
    Key::plain("limits.per_ip"),
    Key::plain("lock.failures"),
    Key::plain("lock.window"),
    Key::plain("lock.first_duration"),
    Key::plain("lock.max_duration"),
    Key::plain("lock.hard_stop"),
    Key::plain("database.max_connections"),
    Key::plain("database.pooler"),
    Key::new("database.direct_url", Kind::SecretUrl),
    Key::new("cors.origins", Kind::List),
    Key::plain("signup.enabled"),
    Key::plain("retention.audit"),
    Key::plain("retention.outbox"),
    Key::plain("tls.cert"),
    Key::plain("tls.key"),
    Key::plain("tls.require_https"),
    Key::plain("admin.email"),
    Key::new("admin.password", Kind::Secret),
    Key::new("events.require_route", Kind::List),
    Key::new("events.webhook_secrets", Kind::SecretList),
    Key::plain("events.webhook_ca"),
    Key::new("telemetry.otlp_endpoint", Kind::SecretUrl).or("OTEL_EXPORTER_OTLP_ENDPOINT"),
    Key::new("telemetry.otlp_headers", Kind::SecretList).or("OTEL_EXPORTER_OTLP_HEADERS"),
    Key::plain("telemetry.sampling_ratio"),
];

impl Key {
    const fn plain(name: &'static str) -> Self {
        Self::new(name, Kind::Plain)
    }

    const fn new(name: &'static str, kind: Kind) -> Self {
        Self { name, kind, fallback: None }
    }

    const fn or(self, variable: &'static str) -> Self {
        Self { fallback: Some(variable), ..self }
    }

    /// `token.access_ttl` → `KEYWARD_TOKEN_ACCESS_TTL`.
    #[must_use]
    pub fn env_name(&self) -> String {
        format!("{PREFIX}{}", self.name.replace('.', "_").to_uppercase())
    }

    #[must_use]
    pub fn secret(&self) -> bool {
        matches!(self.kind, Kind::Secret | Kind::SecretUrl | Kind::SecretUrlList | Kind::SecretList)
    }

    #[must_use]
    pub fn list(&self) -> bool {
        matches!(self.kind, Kind::List | Kind::SecretUrlList | Kind::SecretList)
    }
}

pub(super) const PREFIX: &str = "KEYWARD_";

/// A key as somebody named it: itself, or the file that holds it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Named {
    pub(super) key: &'static Key,
    pub(super) twin: bool,
}

/// Finds `token.access_ttl`, or `master_key_file` as the twin of `master_key`.
pub(super) fn by_name(name: &str) -> Option<Named> {
    lookup(name, "_file", |key| Some(key.name.to_owned()))
}

/// Finds the key of `KEYWARD_…`.
pub(super) fn by_env(name: &str) -> Option<Named> {
    lookup(name, "_FILE", |key| Some(key.env_name()))
}

/// Finds the key that a platform's own variable, such as `PORT`, stands in for.
pub(super) fn by_fallback(name: &str) -> Option<Named> {
    lookup(name, "_FILE", |key| key.fallback.map(str::to_owned))
}

fn lookup(name: &str, suffix: &str, spell: impl Fn(&Key) -> Option<String>) -> Option<Named> {
    let find = |wanted: &str| KEYS.iter().find(|key| spell(key).as_deref() == Some(wanted));
    if let Some(key) = find(name) {
        return Some(Named { key, twin: false });
    }
    let key = find(name.strip_suffix(suffix)?)?;
    key.secret().then_some(Named { key, twin: true })
}

/// The sections of the TOML file.
pub(super) fn sections() -> impl Iterator<Item = &'static str> {
    KEYS.iter().filter_map(|key| key.name.split_once('.').map(|(section, _)| section))
}

/// The dotted key nearest to a mistyped one.
pub(super) fn nearest_name(wrong: &str) -> Option<String> {
    let last = |name: &str| name.rsplit('.').next().map(str::to_owned);
    // `access_ttl` outside its section is too far from `token.access_ttl` by letters, and yet what was meant.
    let misplaced = KEYS.iter().find(|key| last(key.name) == last(wrong));
    misplaced
        .map(|key| key.name.to_owned())
        .or_else(|| nearest(wrong, KEYS.iter().flat_map(|key| spellings(key.name, key, "_file"))))
}

/// The `KEYWARD_` name nearest to a mistyped one.
pub(super) fn nearest_env(wrong: &str) -> Option<String> {
    let bare = |name: &str| name.strip_prefix(PREFIX).unwrap_or(name).to_owned();
    // `KEYWARD_ISSUER_FILE`: only secrets may stand in a file.
    if let Some(named) = wrong.strip_suffix("_FILE").and_then(by_env) {
        return Some(named.key.env_name());
    }
    // Without the prefix, which would make all names look alike.
    let candidates = KEYS.iter().flat_map(|key| spellings(&bare(&key.env_name()), key, "_FILE"));
    nearest(&bare(wrong), candidates).map(|name| format!("{PREFIX}{name}"))
}

pub(super) fn nearest_section(wrong: &str) -> Option<String> {
    nearest(wrong, sections().map(str::to_owned))
}

fn spellings(name: &str, key: &Key, suffix: &str) -> Vec<String> {
    let mut names = vec![name.to_owned()];
    if key.secret() {
        names.push(format!("{name}{suffix}"));
    }
    names
}

fn nearest(wrong: &str, candidates: impl Iterator<Item = String>) -> Option<String> {
    const ALIKE: f64 = 0.6;
    candidates
        .map(|name| (strsim::normalized_damerau_levenshtein(wrong, &name), name))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn no_two_keys_share_a_name_in_any_spelling() {
        let mut seen = BTreeSet::new();
        for key in KEYS {
            for name in spellings(&key.env_name(), key, "_FILE") {
                assert!(seen.insert(name), "{} is taken", key.name);
            }
        }
    }

    #[test]
    fn only_secrets_have_twins() {
        assert!(by_env("KEYWARD_MASTER_KEY_FILE").is_some_and(|named| named.twin));
        assert!(by_name("admin.password_file").is_some_and(|named| named.twin));
        assert!(by_fallback("DATABASE_URL_FILE").is_some_and(|named| named.twin));
        assert!(by_env("KEYWARD_ISSUER_FILE").is_none());
        assert!(by_fallback("PORT_FILE").is_none());
    }

    #[test]
    fn suggests_what_was_probably_meant() {
        let env = |wrong| nearest_env(wrong).unwrap_or_default();
        assert_eq!(env("KEYWARD_TOKEN_ACESS_TTL"), "KEYWARD_TOKEN_ACCESS_TTL");
        assert_eq!(env("KEYWARD_ACCESS_TTL"), "KEYWARD_TOKEN_ACCESS_TTL");
        assert_eq!(env("KEYWARD_MASTERKEY_FILE"), "KEYWARD_MASTER_KEY_FILE");
        assert_eq!(env("KEYWARD_ISSUER_FILE"), "KEYWARD_ISSUER");
        assert_eq!(env("KEYWARD_XYZZY"), "");
        assert_eq!(nearest_name("database.url").as_deref(), Some("database_url"));
        assert_eq!(nearest_name("min_length").as_deref(), Some("password.min_length"));
        assert_eq!(nearest_section("tokens").as_deref(), Some("token"));
    }
}
