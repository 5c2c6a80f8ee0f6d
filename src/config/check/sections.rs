//! The sections of the TOML file, in its order.

use std::time::Duration;

use email_address::EmailAddress;

use super::tls;
use super::values::{boolean, number, path, positive, whole_seconds, word};
use super::webhook;
use crate::config::{
    AdminSettings, Argon2Settings, CorsSettings, DatabaseSettings, DatabaseUrl, EventsSettings, KeySettings,
    LimitSettings, LockSettings, PasswordSettings, Pooler, RetentionSettings, Secret, SigningAlgorithm,
    SignupSettings, TokenSettings, TokenTyp,
    placeholder::is_placeholder,
    problem::Mistake,
    reader::{Checked, Reader},
    units, urls,
};

pub(super) fn password(reader: &mut Reader<'_>) -> Checked<PasswordSettings> {
    // NIST SP 800-63B-4 allows no fewer than 8; past 4096 a password is a way to keep the hash pool busy.
    let min_length = reader.required("password.min_length", number(8..=4096));
    let max_length = reader.required("password.max_length", number(8..=4096));
    let (min_length, max_length) = (min_length?, max_length?);
    if min_length > max_length {
        return reader.refuse(
            "password.min_length",
            format!("{min_length} is more than password.max_length, {max_length}"),
            "raise the one or lower the other",
        );
    }
    Ok(PasswordSettings { min_length, max_length })
}

pub(super) fn argon2(reader: &mut Reader<'_>, cores: usize) -> Checked<Argon2Settings> {
    const GIB_4: u32 = 4 * 1024 * 1024;
    let memory_kib = reader.required("argon2.memory_kib", number(8..=GIB_4));
    let iterations = reader.required("argon2.iterations", number(1..=64));
    let parallelism = reader.required("argon2.parallelism", number(1..=64));
    let threads = reader.optional("argon2.threads", number(1..=1024));
    let queue = reader.required("argon2.queue", number(1..=65_536));
    let queue_timeout = reader.required("argon2.queue_timeout", positive);

    if let (Ok(memory), Ok(lanes)) = (memory_kib, parallelism)
        && memory < 8 * lanes
    {
        // RFC 9106, section 3.1.
        return reader.refuse(
            "argon2.memory_kib",
            format!("{memory} is too little for argon2.parallelism, {lanes}"),
            format!("write at least {}, eight for each lane", 8 * lanes),
        );
    }
    if let (Ok(memory), Ok(rounds)) = (memory_kib, iterations)
        && !strong_argon2(memory, rounds)
    {
        reader.warn(format!(
            "argon2 with {memory} KiB and {rounds} iterations is weaker than OWASP advises; only tests want that"
        ));
    }
    Ok(Argon2Settings {
        memory_kib: memory_kib?,
        iterations: iterations?,
        parallelism: parallelism?,
        threads: threads?.unwrap_or(cores.clamp(1, 1024)),
        queue: queue?,
        queue_timeout: queue_timeout?,
    })
}

/// Tells whether a hash costs at least as much as one of the equally strong pairs of the OWASP
/// Password Storage Cheat Sheet.
#[must_use]
pub fn strong_argon2(memory_kib: u32, iterations: u32) -> bool {
    [(47_104, 1), (19_456, 2), (12_288, 3), (9_216, 4), (7_168, 5)]
        .iter()
        .any(|(memory, rounds)| memory_kib >= *memory && iterations >= *rounds)
}

pub(super) fn token(reader: &mut Reader<'_>) -> Checked<TokenSettings> {
    const ACCESS: &str = "token.access_ttl";
    const IDLE: &str = "token.refresh_idle_ttl";
    let algorithm = reader
        .required("token.algorithm", |text| word(text, SigningAlgorithm::ALL, SigningAlgorithm::as_str));
    let typ = reader.required("token.typ", |text| word(text, TokenTyp::ALL, TokenTyp::as_str));
    let access_ttl = reader.required(ACCESS, |text| {
        at_most(
            whole_seconds(text)?,
            Duration::from_hours(24),
            "24h",
            "nothing takes an access token back before its end",
        )
    });
    let idle = reader.required(IDLE, whole_seconds);
    let absolute = reader.required("token.refresh_absolute_ttl", whole_seconds);
    let refresh_grace = reader.required("token.refresh_grace", |text| {
        at_most(
            units::duration(text)?,
            Duration::from_mins(1),
            "60s",
            "for so long a stolen token can be used again",
        )
    });
    let email_claim = reader.required("token.email_claim", boolean);

    if let (Ok(access), Ok(idle)) = (access_ttl, idle)
        && access >= idle
    {
        reader.note(
            ACCESS,
            format!("is not less than {IDLE}"),
            "make the access token the shorter one, such as 10m and 7d",
        );
    }
    if let (Ok(idle), Ok(absolute)) = (idle, absolute)
        && idle > absolute
    {
        reader.note(
            IDLE,
            "is more than token.refresh_absolute_ttl",
            "lower it, or raise token.refresh_absolute_ttl",
        );
    }
    Ok(TokenSettings {
        algorithm: algorithm?,
        typ: typ?,
        access_ttl: access_ttl?,
        refresh_idle_ttl: idle?,
        refresh_absolute_ttl: absolute?,
        refresh_grace: refresh_grace?,
        email_claim: email_claim?,
    })
}

pub(super) fn keys(reader: &mut Reader<'_>) -> Checked<KeySettings> {
    const PUBLISH: &str = "keys.publish_before";
    /// A fetch, and clocks that differ.
    const PICK_UP: Duration = Duration::from_secs(10);
    let rotate_every = reader.required("keys.rotate_every", whole_seconds);
    let publish_before = reader.required(PUBLISH, whole_seconds);
    let jwks_max_age = reader.required("keys.jwks_max_age", whole_seconds);
    if let (Ok(rotate), Ok(publish)) = (rotate_every, publish_before)
        && publish >= rotate
    {
        reader.note(
            PUBLISH,
            "is not less than keys.rotate_every",
            "lower it: a key is public for this long before its turn",
        );
    }
    if let (Ok(publish), Ok(age)) = (publish_before, jwks_max_age) {
        if publish < age {
            reader.note(
                PUBLISH,
                "is less than keys.jwks_max_age",
                "raise it, or caches would meet tokens of a key that they do not have",
            );
        } else if publish < age + PICK_UP {
            reader.warn(
                "keys.publish_before leaves caches less than 10 s beyond keys.jwks_max_age to pick a new key up",
            );
        }
    }
    Ok(KeySettings {
        rotate_every: rotate_every?,
        publish_before: publish_before?,
        jwks_max_age: jwks_max_age?,
    })
}

pub(super) fn limits(reader: &mut Reader<'_>) -> Checked<LimitSettings> {
    let enabled = reader.required("limits.enabled", boolean);
    let login_per_ip = reader.required("limits.login_per_ip", units::rate);
    let login_per_account_ip = reader.required("limits.login_per_account_ip", units::rate);
    let signup_per_ip = reader.required("limits.signup_per_ip", units::rate);
    let refresh_per_session = reader.required("limits.refresh_per_session", units::rate);
    let introspect_per_client = reader.required("limits.introspect_per_client", units::rate);
    let per_ip = reader.required("limits.per_ip", units::rate);
    if matches!(enabled, Ok(false)) {
        reader.warn("limits.enabled is false: passwords can be tried as fast as they hash");
    }
    Ok(LimitSettings {
        enabled: enabled?,
        login_per_ip: login_per_ip?,
        login_per_account_ip: login_per_account_ip?,
        signup_per_ip: signup_per_ip?,
        refresh_per_session: refresh_per_session?,
        introspect_per_client: introspect_per_client?,
        per_ip: per_ip?,
    })
}

pub(super) fn lock(reader: &mut Reader<'_>) -> Checked<LockSettings> {
    // NIST SP 800-63B-4, section 3.2.2, allows at most 100 failures in a row.
    let failures = reader.required("lock.failures", number(1..=100));
    let window = reader.required("lock.window", positive);
    let first = reader.required("lock.first_duration", positive);
    let most = reader.required("lock.max_duration", positive);
    let hard_stop = reader.required("lock.hard_stop", boolean);
    if let (Ok(first), Ok(most)) = (first, most)
        && first > most
    {
        return reader.refuse(
            "lock.first_duration",
            "is more than lock.max_duration",
            "lower it, or raise lock.max_duration",
        );
    }
    Ok(LockSettings {
        failures: failures?,
        window: window?,
        first_duration: first?,
        max_duration: most?,
        hard_stop: hard_stop?,
    })
}

pub(super) fn database(
    reader: &mut Reader<'_>,
    url: Option<&DatabaseUrl>,
    cores: usize,
) -> Checked<DatabaseSettings> {
    // On PostgreSQL one is kept for hearing of new events.
    let least = if matches!(url, Some(DatabaseUrl::Postgres { .. })) { 2 } else { 1 };
    let max_connections = reader.optional("database.max_connections", number(least..=10_000));
    let pooler = reader.required("database.pooler", |text| word(text, Pooler::ALL, Pooler::as_str));
    let direct_url = reader.secret("database.direct_url", urls::postgres);
    if let Ok(Some(url)) = &direct_url {
        tls::postgres(reader, "database.direct_url", url);
    }
    if matches!(url, Some(DatabaseUrl::Sqlite { .. })) {
        if matches!(direct_url, Ok(Some(_))) {
            reader.note(
                "database.direct_url",
                "is given, and the database is SQLite",
                "set database_url to PostgreSQL too, or take this out",
            );
        }
        if matches!(pooler, Ok(Pooler::Transaction)) {
            reader.note(
                "database.pooler",
                "is given, and the database is SQLite",
                "set database_url to PostgreSQL too, or take this out",
            );
        }
    }
    // Rotations travel in batches over few connections: more of them than this only queue inside PostgreSQL.
    let by_cores = u32::try_from(cores).unwrap_or(u32::MAX).saturating_mul(4).clamp(8, 64);
    Ok(DatabaseSettings {
        max_connections: max_connections?.unwrap_or(by_cores),
        pooler: pooler?,
        direct_url: direct_url?,
    })
}

pub(super) fn cors(reader: &mut Reader<'_>) -> Checked<CorsSettings> {
    let origins = reader.list("cors.origins", urls::origin)?;
    Ok(CorsSettings { origins })
}

pub(super) fn signup(reader: &mut Reader<'_>) -> Checked<SignupSettings> {
    let enabled = reader.required("signup.enabled", boolean)?;
    Ok(SignupSettings { enabled })
}

pub(super) fn retention(reader: &mut Reader<'_>) -> Checked<RetentionSettings> {
    let audit = reader.required("retention.audit", positive);
    let outbox = reader.required("retention.outbox", positive);
    Ok(RetentionSettings { audit: audit?, outbox: outbox? })
}

pub(super) fn admin(
    reader: &mut Reader<'_>,
    lengths: Option<&PasswordSettings>,
) -> Checked<Option<AdminSettings>> {
    let email = reader.optional("admin.email", |text| {
        if EmailAddress::is_valid(text) {
            Ok(text.to_owned())
        } else {
            Err(Mistake::new(format!("{text:?} is not an e-mail address"), "write one: you@example.com"))
        }
    });
    let password = reader.secret("admin.password", |text| admin_password(text, lengths));
    match (email?, password?) {
        (Some(email), Some(password)) => Ok(Some(AdminSettings { email, password })),
        (None, None) => Ok(None),
        (Some(_), None) => reader.refuse(
            "admin.email",
            "is given without admin.password",
            "give both, or neither and use `keyward users create --role admin`",
        ),
        (None, Some(_)) => {
            reader.refuse("admin.password", "is given without admin.email", "give both, or neither")
        }
    }
}

fn admin_password(text: &str, lengths: Option<&PasswordSettings>) -> Result<Secret, Mistake> {
    if is_placeholder(text) {
        return Err(Mistake::new(
            "is a placeholder, which anybody would try first",
            "write a password of your own",
        ));
    }
    if let Some(PasswordSettings { min_length, max_length }) = lengths {
        let fix = format!("write {min_length} to {max_length} characters");
        match text.chars().count() {
            length if length < *min_length => return Err(Mistake::new("is too short", fix)),
            length if length > *max_length => return Err(Mistake::new("is too long", fix)),
            _ => {}
        }
    }
    Ok(Secret::from(text))
}

pub(super) fn events(reader: &mut Reader<'_>) -> Checked<EventsSettings> {
    let webhook_secrets = webhook::secrets(reader);
    let webhook_ca = reader.optional("events.webhook_ca", path);
    let require_route = reader.list("events.require_route", |text| {
        let named = text.strip_prefix("auth.").is_some_and(|rest| {
            !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
        });
        if named {
            Ok(text.to_owned())
        } else {
            Err(Mistake::new(
                format!("{text:?} is not a type of event"),
                "write types such as auth.user_created",
            ))
        }
    });
    Ok(EventsSettings {
        require_route: require_route?,
        webhook_secrets: webhook_secrets?,
        webhook_ca: webhook_ca?,
    })
}

fn at_most(duration: Duration, most: Duration, shown: &str, why: &str) -> Result<Duration, Mistake> {
    if duration > most {
        return Err(Mistake::new(format!("is more than {shown}"), format!("write at most {shown}: {why}")));
    }
    Ok(duration)
}
