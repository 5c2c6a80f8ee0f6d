//! Values against each other, floors and ceilings.

use std::time::Duration;

use super::{DatabaseUrl, KEY, OTHER_KEY, env, refused, settings, told, try_load};

#[test]
fn token_lifetimes_fit_together() {
    let ttl = "KEYWARD_TOKEN_ACCESS_TTL";
    let idle = "KEYWARD_TOKEN_REFRESH_IDLE_TTL";
    refused(&[(ttl, "25h")], "token.access_ttl", "at most 24h");
    refused(&[(ttl, "500ms")], "token.access_ttl", "whole number of seconds");
    refused(&[(ttl, "1500ms")], "token.access_ttl", "write 2s");
    refused(&[(ttl, "0s")], "token.access_ttl", "no time at all");
    refused(&[(ttl, "0s")], "token.access_ttl", "write at least 1s");
    refused(&[(ttl, "1h"), (idle, "1h")], "token.access_ttl", "not less than token.refresh_idle_ttl");
    refused(&[(idle, "31d")], "token.refresh_idle_ttl", "more than token.refresh_absolute_ttl");
    refused(&[("KEYWARD_TOKEN_REFRESH_GRACE", "61s")], "token.refresh_grace", "at most 60s");
    refused(&[("KEYWARD_TOKEN_ALGORITHM", "HS256")], "token.algorithm", "ES256, EdDSA, RS256");
    assert_eq!(settings(&[("KEYWARD_TOKEN_REFRESH_GRACE", "0s")]).token.refresh_grace, Duration::ZERO);
}

#[test]
fn keys_are_public_long_enough_before_they_sign() {
    refused(
        &[("KEYWARD_KEYS_ROTATE_EVERY", "24h")],
        "keys.publish_before",
        "not less than keys.rotate_every",
    );
    refused(&[("KEYWARD_KEYS_PUBLISH_BEFORE", "1m")], "keys.publish_before", "less than keys.jwks_max_age");
}

#[test]
fn passwords_and_hashes_have_floors_and_ceilings() {
    refused(&[("KEYWARD_PASSWORD_MIN_LENGTH", "7")], "password.min_length", "from 8 to 4096");
    refused(&[("KEYWARD_PASSWORD_MAX_LENGTH", "5000")], "password.max_length", "from 8 to 4096");
    refused(
        &[("KEYWARD_PASSWORD_MIN_LENGTH", "300")],
        "password.min_length",
        "more than password.max_length",
    );
    refused(&[("KEYWARD_ARGON2_PARALLELISM", "65")], "argon2.parallelism", "from 1 to 64");
    refused(&[("KEYWARD_ARGON2_THREADS", "0")], "argon2.threads", "from 1 to 1024");
    let weak = [("KEYWARD_ARGON2_MEMORY_KIB", "31"), ("KEYWARD_ARGON2_PARALLELISM", "4")];
    refused(&weak, "argon2.memory_kib", "at least 32");
    let weak = settings(&[("KEYWARD_ARGON2_MEMORY_KIB", "8"), ("KEYWARD_ARGON2_ITERATIONS", "1")]);
    assert!(weak.warnings[0].contains("weaker than OWASP"));
}

#[test]
fn the_first_admin_is_whole_and_not_made_of_placeholders() {
    let (email, password) = ("KEYWARD_ADMIN_EMAIL", "KEYWARD_ADMIN_PASSWORD");
    let good = (password, " correct horse battery staple");
    refused(&[(email, "a@example.com")], "admin.email", "without admin.password");
    refused(&[good], "admin.password", "without admin.email");
    refused(&[(email, "nobody"), good], "admin.email", "not an e-mail address");
    refused(&[(email, "a@example.com"), (password, "changeme")], "admin.password", "placeholder");
    refused(&[(email, "a@example.com"), (password, "please-change-me")], "admin.password", "placeholder");
    refused(&[(email, "a@example.com"), (password, "k7#pQz")], "admin.password", "15 to 256");
    let admin = settings(&[(email, "a@example.com"), good]).admin.unwrap();
    assert_eq!(admin.password.expose(), good.1, "spaces are part of a password");
}

#[test]
fn pairs_come_whole_and_ranges_in_order() {
    refused(&[("KEYWARD_TLS_CERT", "c.pem")], "tls.cert", "without tls.key");
    refused(&[("KEYWARD_TLS_KEY", "k.pem")], "tls.key", "without tls.cert");
    assert!(settings(&[("KEYWARD_TLS_CERT", "c.pem"), ("KEYWARD_TLS_KEY", "k.pem")]).tls.files.is_some());
    refused(&[("KEYWARD_LOCK_FIRST_DURATION", "1h")], "lock.first_duration", "more than lock.max_duration");
    refused(&[("KEYWARD_LOCK_FAILURES", "101")], "lock.failures", "from 1 to 100");
    refused(&[("KEYWARD_MANAGEMENT_LISTEN", "0.0.0.0:7300")], "management_listen", "collides with listen");
    refused(&[("KEYWARD_DATABASE_DIRECT_URL", "postgres://db/a")], "database.direct_url", "is SQLite");
    refused(&[("KEYWARD_DATABASE_POOLER", "transaction")], "database.pooler", "is SQLite");
    let alone = [
        ("KEYWARD_DATABASE_URL", "postgres://u@127.0.0.1/a"),
        ("KEYWARD_MASTER_KEY", KEY),
        ("KEYWARD_DATABASE_MAX_CONNECTIONS", "1"),
    ];
    refused(&alone, "database.max_connections", "2");
}

#[test]
fn the_port_of_a_platform_listens_on_every_address() {
    assert_eq!(settings(&[("PORT", "8080")]).listen.to_string(), "0.0.0.0:8080");
    refused(&[("PORT", "http")], "listen", "\"http\" is not a port");
}

#[test]
fn what_is_allowed_and_probably_not_meant_is_a_warning() {
    let warned = |pairs: &[(&str, &str)], says: &str| {
        let warnings = settings(pairs).warnings;
        assert!(warnings.len() == 1 && warnings[0].contains(says), "{says}: {warnings:?}");
    };
    warned(&[("KEYWARD_ISSUER", "http://auth.example.com")], "plain http");
    let secret = format!("whsec_{OTHER_KEY}");
    let signed = ("KEYWARD_EVENTS_WEBHOOK_SECRETS", secret.as_str());
    warned(&[("KEYWARD_EVENTS_URL", "http://hooks.example.com/x"), signed], "plain http");
    warned(&[("KEYWARD_LIMITS_ENABLED", "false")], "limits.enabled");
    warned(&[("PORT", "8080")], "KEYWARD_ISSUER");
    warned(&[("KEYWARD_KEYS_PUBLISH_BEFORE", "5m")], "keys.publish_before");
}

#[test]
fn a_list_of_proxies_that_trusts_everyone_is_a_mistake() {
    for everyone in ["0.0.0.0/0", "::/0", "10.0.0.0/8,0.0.0.0/1,128.0.0.0/1", "::ffff:0.0.0.0/96"] {
        refused(&[("KEYWARD_TRUSTED_PROXIES", everyone)], "trusted_proxies", "every address");
    }
    let mapped = settings(&[("KEYWARD_TRUSTED_PROXIES", "::ffff:10.0.0.0/104")]).trusted_proxies;
    assert_eq!(mapped.iter().map(ToString::to_string).collect::<Vec<_>>(), ["10.0.0.0/8"]);
    refused(&[("KEYWARD_PROXY_HEADER", "x-real-ip")], "proxy_header", "x-forwarded-for, forwarded");
}

#[test]
fn keys_in_redis_choose_no_slot() {
    assert_eq!(settings(&[]).redis_key_prefix, "keyward:");
    for prefix in ["", "a b", "{a}", "keyward*"] {
        refused(&[("KEYWARD_REDIS_KEY_PREFIX", prefix)], "redis_key_prefix", "");
    }
}

#[test]
fn a_webhook_is_signed() {
    let (url, secrets) = ("KEYWARD_EVENTS_URL", "KEYWARD_EVENTS_WEBHOOK_SECRETS");
    let shown = told(&[(url, "https://hooks.example.com/T0/hush")]);
    let fresh = crate::config::WebhookSecret::new(&[0x5a; 32]).to_text();
    assert!(shown.contains(&format!("KEYWARD_EVENTS_WEBHOOK_SECRETS={} keyward serve", *fresh)), "{shown}");
    assert!(shown.contains("no secret") && shown.contains("receiver") && !shown.contains("hush"), "{shown}");

    let (one, other) = (format!("whsec_{KEY}"), format!("whsec_{OTHER_KEY}"));
    let both = settings(&[(url, "https://h/x#a,https://h/y#b"), (secrets, &format!("{one}, {other}"))]);
    assert_eq!(both.events_url.len(), 2);
    let texts: Vec<_> =
        both.events.webhook_secrets.iter().map(|secret| secret.to_text().to_string()).collect();
    assert_eq!(texts, [one.clone(), other]);
    refused(&[(secrets, &format!("{one},{one}"))], "events.webhook_secrets", "same secret twice");
    refused(&[(secrets, "whsec_changeme")], "events.webhook_secrets", "placeholder");
    refused(&[(secrets, ",")], "events.webhook_secrets", "holds no secret");
    refused(&[(url, "https://h"), (secrets, "")], "events.webhook_secrets", "is empty");

    let mut sources = env(&[(url, "https://h"), ("KEYWARD_EVENTS_WEBHOOK_SECRETS_FILE", "/run/secret")]);
    sources.read = |_| Ok(format!("whsec_{KEY}\n"));
    assert_eq!(try_load(&sources).unwrap().0.events.webhook_secrets.len(), 1);
}

#[test]
fn require_https_needs_somebody_who_says_what_is() {
    let (require, proxies) = ("KEYWARD_TLS_REQUIRE_HTTPS", "KEYWARD_TRUSTED_PROXIES");
    refused(&[(require, "true")], "tls.require_https", "trusted_proxies");
    assert!(settings(&[(require, "true"), (proxies, "10.0.0.0/8")]).tls.require_https);
    let files = [("KEYWARD_TLS_CERT", "/no/such.crt"), ("KEYWARD_TLS_KEY", "/no/such.key")];
    let served = settings(&[files[0], files[1], (require, "true")]);
    assert!(served.tls.files.is_some());
    assert!(served.warnings.iter().any(|warning| warning.contains("is http")), "{:?}", served.warnings);
    // Only a server has to have them.
    let mut sources = env(&files);
    sources.for_a_server = true;
    let shown = try_load(&sources).unwrap_err().to_string();
    assert!(
        shown.contains("/no/such.crt cannot be read") && shown.contains("/no/such.key cannot"),
        "{shown}"
    );
}

#[test]
fn tls_to_postgresql_is_checked_unless_somebody_says_otherwise() {
    let url_of = |text: &str| {
        let settings = settings(&[("KEYWARD_DATABASE_URL", text), ("KEYWARD_MASTER_KEY", KEY)]);
        let DatabaseUrl::Postgres { url } = &settings.database_url else { panic!("{text}") };
        (url.expose().to_owned(), settings.warnings)
    };
    let (url, warnings) = url_of("postgres://u@db/a");
    assert_eq!((url.as_str(), warnings.len()), ("postgres://u@db/a?sslmode=verify-full", 0));
    let (url, warnings) = url_of("postgres://u@db/a?sslmode=prefer");
    assert_eq!(url, "postgres://u@db/a?sslmode=prefer");
    assert!(warnings[0].contains("database_url has sslmode=prefer"), "{warnings:?}");
    let direct = settings(&[
        ("KEYWARD_DATABASE_URL", "postgres://u@127.0.0.1/a"),
        ("KEYWARD_DATABASE_DIRECT_URL", "postgres://u@db/a"),
        ("KEYWARD_MASTER_KEY", KEY),
    ]);
    assert_eq!(direct.database.direct_url.unwrap().expose(), "postgres://u@db/a?sslmode=verify-full");
    let allow = [("KEYWARD_DATABASE_URL", "postgres://u@db/a?sslmode=allow"), ("KEYWARD_MASTER_KEY", KEY)];
    refused(&allow, "database_url", "sslmode");
}
