use std::{collections::BTreeSet, path::PathBuf, time::Duration};

use super::*;

mod rules;

const KEY: &str = "q83Nn0sXo2yq7wYxJp0lVt8m4k6Z1cE5bTtH+uR/9Ag=";
const OTHER_KEY: &str = "GJ9sT2nQv5RkYb0WcXe7LmA4uPz8HdF1oI3gKjN6VtE=";

fn env(pairs: &[(&str, &str)]) -> Sources {
    let env = pairs.iter().map(|(name, value)| ((*name).into(), (*value).into()));
    Sources { env: env.collect(), ..Sources::default() }
}

fn try_load(sources: &Sources) -> Result<(Settings, Description), Problems> {
    load(sources, 2, || [0x5a; 32])
}

fn settings(pairs: &[(&str, &str)]) -> Settings {
    try_load(&env(pairs)).unwrap().0
}

fn told(pairs: &[(&str, &str)]) -> String {
    try_load(&env(pairs)).unwrap_err().to_string()
}

/// Asserts that one problem comes of it, about this key, and that it says this.
fn refused(pairs: &[(&str, &str)], key: &str, says: &str) {
    let Problems(problems) = try_load(&env(pairs)).expect_err(key);
    assert_eq!(problems.len(), 1, "{problems:#?}");
    assert_eq!(problems[0].key, key);
    let shown = problems[0].to_string();
    assert!(shown.contains(says), "{says}: {shown}");
}

#[test]
fn defaults_are_those_of_the_design() {
    let settings = settings(&[]);
    assert_eq!(settings.listen.to_string(), "127.0.0.1:7300");
    assert_eq!(settings.management_listen.to_string(), "127.0.0.1:7301");
    assert_eq!(settings.audience, "http://127.0.0.1:7300");
    let DatabaseUrl::Sqlite { path } = &settings.database_url else { panic!() };
    assert_eq!(path, &PathBuf::from("./data/keyward.db"));
    assert!(matches!(settings.events_url.as_slice(), [Sink { target: SinkTarget::Log, .. }]));
    assert!(settings.master_key.is_none() && settings.redis_url.is_none() && settings.admin.is_none());
    assert_eq!((settings.password.min_length, settings.password.max_length), (15, 256));
    let argon2 = &settings.argon2;
    assert_eq!((argon2.memory_kib, argon2.iterations, argon2.parallelism), (19_456, 2, 1));
    assert_eq!((argon2.threads, argon2.queue, argon2.queue_timeout.as_secs()), (2, 64, 2));
    let token = &settings.token;
    assert_eq!((token.algorithm, token.typ), (SigningAlgorithm::Es256, TokenTyp::AtJwt));
    assert_eq!((token.access_ttl, token.refresh_grace), (Duration::from_mins(10), Duration::from_secs(30)));
    assert_eq!(settings.limits.signup_per_ip, Rate { count: 20, per: Duration::from_hours(1) });
    assert_eq!((settings.lock.failures, settings.lock.hard_stop), (10, false));
    assert_eq!((settings.database.max_connections, settings.database.pooler), (8, Pooler::None));
    assert_eq!(settings.events.require_route, ["auth.user_created"]);
    assert_eq!(settings.log_level, tracing::Level::INFO);
    assert_eq!(settings.warnings, Vec::<String>::new());
}

#[test]
fn the_reference_file_holds_every_key_in_order_and_nothing_else() {
    let mut section = String::new();
    let mut found = Vec::new();
    let mut optional = BTreeSet::new();
    for line in DEFAULTS.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            section = format!("{name}.");
            continue;
        }
        let bare = line.strip_prefix("# ").unwrap_or(line);
        let Some((name, _)) = bare.split_once(" = ") else {
            continue;
        };
        if name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_') {
            found.push(format!("{section}{name}"));
            if bare != line {
                optional.insert(format!("{section}{name}"));
            }
        }
    }
    assert_eq!(found, KEYS.iter().map(|key| key.name).collect::<Vec<_>>());
    // What is not commented out is read by the merge, which knows no key that is not in the table.
    let layered = layers::merge(&Sources::default());
    assert_eq!(layered.problems, []);
    assert_eq!(layered.values.len() + optional.len(), KEYS.len());
    assert!(DEFAULTS.lines().count() < 250);
}

#[test]
fn every_key_is_read_and_checked() {
    // Any text is a fine audience, path or password.
    let free = ["audience", "data_dir", "tls.cert", "tls.key", "admin.password", "events.webhook_ca"];
    for key in KEYS.iter().filter(|key| !free.contains(&key.name)) {
        refused(&[(&key.env_name(), "?")], key.name, "");
    }
}

#[test]
fn every_mistake_is_told_at_once() {
    let mut sources = env(&[
        ("KEYWARD_TOKEN_ACCESS_TTL", "soon"),
        ("KEYWARD_ADMIN_PASSWORD", "changeme"),
        ("KEYWARD_NOPE", "1"),
    ]);
    sources.file = Some((
        "keyward.toml".into(),
        "docs = \"yes\"\n[lock]\nfailures = 0\n[cors]\norigins = [\"*\", \"x\"]".into(),
    ));
    sources.flags.push(("listen".into(), "localhost".into()));
    let Problems(problems) = try_load(&sources).unwrap_err();
    let keys: Vec<_> = problems.iter().map(|problem| problem.key.as_str()).collect();
    assert_eq!(
        keys,
        [
            "KEYWARD_NOPE",
            "listen",
            "docs",
            "token.access_ttl",
            "lock.failures",
            "cors.origins",
            "cors.origins",
            "admin.password"
        ]
    );
}

#[test]
fn no_secret_is_ever_told() {
    let secrets: Vec<_> = KEYS.iter().filter(|key| key.secret()).map(Key::env_name).collect();
    let pairs: Vec<_> = secrets.iter().map(|name| (name.as_str(), "hush-hush")).collect();
    let shown = told(&pairs);
    for name in &secrets {
        assert!(shown.contains(name.as_str()) || name == "KEYWARD_ADMIN_PASSWORD", "{name}: {shown}");
    }
    assert!(!shown.contains("hush"), "{shown}");
}

#[test]
fn postgresql_without_a_master_key_is_offered_a_fresh_one() {
    let shown = told(&[("DATABASE_URL", "postgres://u:hush@db/auth")]);
    assert!(
        shown.contains("no master key") && shown.contains("secret store") && !shown.contains("hush"),
        "{shown}"
    );
    let fresh = MasterKey::new([0x5a; 32]).to_base64();
    assert!(shown.contains(&format!("KEYWARD_MASTER_KEY={} keyward serve", *fresh)), "{shown}");
    let never = load(&env(&[]), 2, || panic!("no key is drawn in vain"));
    assert!(never.is_ok());
}

#[test]
fn a_master_key_lost_with_its_file_is_not_called_missing() {
    let mut sources = env(&[("DATABASE_URL", "postgres://db/auth"), ("KEYWARD_MASTER_KEY_FILE", "/no/such")]);
    assert_eq!(try_load(&sources).unwrap_err().0.len(), 1);
    sources.env.remove("KEYWARD_MASTER_KEY_FILE");
    sources.file = Some(("k.toml".into(), "master_key = oops".into()));
    assert_eq!(try_load(&sources).unwrap_err().0.len(), 1);
}

#[test]
fn master_keys_are_a_list_without_doubles() {
    let both = format!("{KEY}, {OTHER_KEY}");
    let settings = settings(&[("DATABASE_URL", "postgres://db/auth"), ("KEYWARD_MASTER_KEY", &both)]);
    let keys = settings.master_key.unwrap();
    assert_eq!(*keys.current().to_base64(), KEY);
    assert_eq!(keys.iter().count(), 2);
    let url_safe = KEY.replace('+', "-").replace('/', "_");
    refused(&[("KEYWARD_MASTER_KEY", &format!("{KEY},{url_safe}"))], "master_key", "same key twice");
    refused(&[("KEYWARD_MASTER_KEY", "")], "master_key", "is empty");
    refused(&[("KEYWARD_MASTER_KEY", ",")], "master_key", "holds no key");
    refused(&[("KEYWARD_MASTER_KEY", &format!("{KEY},changeme"))], "master_key", "placeholder");
}

#[test]
fn lists_are_comma_separated_and_may_be_emptied() {
    let settings = settings(&[
        ("KEYWARD_TRUSTED_PROXIES", "10.0.0.0/8, 192.168.1.7,fd00::/8"),
        ("KEYWARD_CORS_ORIGINS", "https://a.example,http://localhost:5173"),
        ("KEYWARD_EVENTS_REQUIRE_ROUTE", ""),
    ]);
    let proxies: Vec<_> = settings.trusted_proxies.iter().map(ToString::to_string).collect();
    assert_eq!(proxies, ["10.0.0.0/8", "192.168.1.7/32", "fd00::/8"]);
    assert_eq!(settings.cors.origins.len(), 2);
    assert!(settings.events.require_route.is_empty());
}

#[test]
fn an_empty_text_unsets_what_is_optional_and_nothing_else() {
    let mut sources = env(&[("KEYWARD_AUDIENCE", "")]);
    sources.file = Some(("k.toml".into(), "audience = \"https://api.example\"".into()));
    assert_eq!(try_load(&sources).unwrap().0.audience, "http://127.0.0.1:7300");
    refused(&[("KEYWARD_ISSUER", "")], "issuer", "is empty");
    refused(&[("DATABASE_URL", "")], "database_url", "is empty");
}

#[test]
fn the_description_shows_every_key_and_no_secret() {
    let mut sources = env(&[
        ("DATABASE_URL", "postgres://keyward:hush@db/auth"),
        ("KEYWARD_MASTER_KEY", KEY),
        ("KEYWARD_ADMIN_EMAIL", "a@example.com"),
        ("KEYWARD_ADMIN_PASSWORD", "hush hush hush hush"),
        ("KEYWARD_CORS_ORIGINS", "https://a.example,https://b.example"),
    ]);
    sources.file = Some(("keyward.toml".into(), "[token]\naccess_ttl = \"5m\"".into()));
    let (settings, description) = try_load(&sources).unwrap();
    let line = |key: &str| {
        let one = description.0.iter().find(|one| one.key == key).unwrap();
        format!("{} | {}", one.shown, one.origin)
    };
    assert_eq!(description.0.len(), KEYS.len());
    assert_eq!(line("database_url"), "postgres://keyward:[redacted]@db/auth | environment DATABASE_URL");
    assert_eq!(line("master_key"), "[redacted] | environment KEYWARD_MASTER_KEY");
    assert_eq!(line("admin.password"), "[redacted] | environment KEYWARD_ADMIN_PASSWORD");
    assert_eq!(line("token.access_ttl"), "5m | keyward.toml line 2");
    assert_eq!(
        line("cors.origins"),
        "https://a.example, https://b.example | environment KEYWARD_CORS_ORIGINS"
    );
    assert_eq!(line("audience"), "http://127.0.0.1:7300 | default");
    assert_eq!(line("argon2.threads"), "2 | default");
    assert_eq!(line("redis_url"), "none | default");
    for shown in [description.to_string(), format!("{description:?}"), format!("{settings:?}")] {
        assert!(!shown.contains("hush") && !shown.contains(KEY), "{shown}");
    }
}
