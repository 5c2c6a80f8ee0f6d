//! From layered texts to meant settings: each value by itself, then values against each other.

mod sections;
mod telemetry;
mod tls;
mod values;
mod webhook;

use std::{net::SocketAddr, path::PathBuf};

use ipnet::IpNet;

use super::{
    DatabaseUrl, LogFormat, MasterKey, MasterKeys, Problems, ProxyHeader, Settings, Sink,
    layers::Layered,
    problem::{Mistake, Origin},
    reader::{Checked, Noted, Reader},
    sinks, urls,
};
pub use sections::strong_argon2;
use values::{address, boolean, key_prefix, level, network, number, path, word};

/// Checks everything before it gives up on anything.
pub(super) fn settings(
    layered: &Layered,
    cores: usize,
    fresh_key: &dyn Fn() -> [u8; 32],
) -> Result<Settings, Problems> {
    let mut reader = Reader::new(layered);
    let settings = assemble(&mut reader, cores, fresh_key);
    match settings {
        Ok(mut settings) if reader.problems.is_empty() => {
            settings.warnings = reader.warnings;
            Ok(settings)
        }
        _ => Err(Problems(reader.problems)),
    }
}

/// All reads come first and every `?` after them, or a mistake would hide those behind it.
fn assemble(reader: &mut Reader<'_>, cores: usize, fresh_key: &dyn Fn() -> [u8; 32]) -> Checked<Settings> {
    let (listen, management_listen) = listeners(reader);
    let issuer = issuer(reader, listen);
    let audience = reader.optional("audience", |text| Ok(text.to_owned()));
    let data_dir = reader.required("data_dir", path);
    let database_url = database_url(reader, data_dir.as_ref());
    let redis_url = tls::redis(reader);
    let redis_key_prefix = reader.required("redis_key_prefix", key_prefix);
    let events_url = events_url(reader);
    let master_key = master_key(reader, database_url.as_ref().ok(), fresh_key);
    let trusted_proxies = trusted_proxies(reader);
    let proxy_header =
        reader.required("proxy_header", |text| word(text, ProxyHeader::ALL, ProxyHeader::as_str));
    let log_format = reader.required("log_format", |text| word(text, LogFormat::ALL, LogFormat::as_str));
    let log_level = reader.required("log_level", level);
    let log_emails = reader.required("log_emails", boolean);
    let docs = reader.required("docs", boolean);
    let max_sessions_per_user = reader.required("max_sessions_per_user", number(1..=10_000));
    let password = sections::password(reader);
    let argon2 = sections::argon2(reader, cores);
    let token = sections::token(reader);
    let keys = sections::keys(reader);
    let limits = sections::limits(reader);
    let lock = sections::lock(reader);
    let database = sections::database(reader, database_url.as_ref().ok(), cores);
    let allowed = sections::cors(reader);
    let signup = sections::signup(reader);
    let retention = sections::retention(reader);
    let tls = tls::section(reader);
    let admin = sections::admin(reader, password.as_ref().ok());
    let events = sections::events(reader);
    let telemetry = telemetry::section(reader);
    if let (Ok(sinks), Ok(events)) = (&events_url, &events) {
        webhook::signed(reader, sinks, events, fresh_key);
    }

    let issuer = issuer?;
    let settings = Settings {
        listen: listen?,
        management_listen: management_listen?,
        audience: audience?.unwrap_or_else(|| issuer.clone()),
        issuer,
        data_dir: data_dir?,
        database_url: database_url?,
        redis_url: redis_url?,
        redis_key_prefix: redis_key_prefix?,
        events_url: events_url?,
        master_key: master_key?,
        trusted_proxies: trusted_proxies?,
        proxy_header: proxy_header?,
        log_format: log_format?,
        log_level: log_level?,
        log_emails: log_emails?,
        docs: docs?,
        max_sessions_per_user: max_sessions_per_user?,
        password: password?,
        argon2: argon2?,
        token: token?,
        keys: keys?,
        limits: limits?,
        lock: lock?,
        database: database?,
        cors: allowed?,
        signup: signup?,
        retention: retention?,
        tls: tls?,
        admin: admin?,
        events: events?,
        telemetry: telemetry?,
        warnings: Vec::new(),
    };
    tls::fits(reader, &settings);
    Ok(settings)
}

fn listeners(reader: &mut Reader<'_>) -> (Checked<SocketAddr>, Checked<SocketAddr>) {
    let from_port = reader.origin("listen").variable() == Some("PORT");
    let listen = reader.required("listen", |text| {
        address(text).map_err(|mistake| match text.strip_prefix("0.0.0.0:") {
            Some(port) if from_port => {
                Mistake::new(format!("{port:?} is not a port"), "write a number from 0 to 65535")
            }
            _ => mistake,
        })
    });
    let management = reader.required("management_listen", address);
    if let (Ok(listen), Ok(management)) = (listen, management)
        && listen.port() == management.port()
        && listen.port() != 0
        && (listen.ip() == management.ip()
            || listen.ip().is_unspecified()
            || management.ip().is_unspecified())
    {
        reader.note(
            "management_listen",
            format!("{management} collides with listen, {listen}"),
            "give it a port of its own: health and metrics are not for the public",
        );
    }
    (listen, management)
}

fn issuer(reader: &mut Reader<'_>, listen: Checked<SocketAddr>) -> Checked<String> {
    let issuer = reader.required("issuer", urls::issuer)?;
    if urls::is_plain_and_remote(&issuer) {
        reader.warn(format!(
            "issuer {issuer} is plain http: whoever is on the path reads passwords and tokens"
        ));
    }
    if reader.origin("issuer") == Origin::Default
        && listen.is_ok_and(|listen| !issuer.ends_with(&listen.to_string()))
    {
        reader.warn(format!(
            "issuer is still {issuer}, where this server does not listen; set KEYWARD_ISSUER to the address that \
             clients use"
        ));
    }
    Ok(issuer)
}

fn database_url(reader: &mut Reader<'_>, data_dir: Result<&PathBuf, &Noted>) -> Checked<DatabaseUrl> {
    match reader.secret("database_url", urls::database)? {
        Some(url) => {
            if let DatabaseUrl::Postgres { url } = &url {
                tls::postgres(reader, "database_url", url);
            }
            Ok(url)
        }
        None => Ok(DatabaseUrl::Sqlite { path: data_dir.map_err(|noted| *noted)?.join("keyward.db") }),
    }
}

fn events_url(reader: &mut Reader<'_>) -> Checked<Vec<Sink>> {
    const KEY: &str = "events_url";
    let parts = reader.list(KEY, |part| Ok(part.to_owned()))?;
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let members = sinks::members(&parts);
    if members.is_empty() {
        return reader.refuse(KEY, "names no place for events", "write log: at least, or leave it out");
    }
    for member in &members {
        if urls::is_plain_and_remote(member) {
            reader.warn("events_url is plain http: whoever is on the path reads the events");
        }
    }
    let sinks = sinks::parse(&members.iter().map(AsRef::as_ref).collect::<Vec<_>>()).map_err(|mistakes| {
        for mistake in mistakes {
            reader.note(KEY, mistake.message, mistake.fix);
        }
        Noted
    })?;
    sinks.iter().filter_map(Sink::warning).for_each(|warning| reader.warn(warning));
    Ok(sinks)
}

fn master_key(
    reader: &mut Reader<'_>,
    database: Option<&DatabaseUrl>,
    fresh_key: &dyn Fn() -> [u8; 32],
) -> Checked<Option<MasterKeys>> {
    const KEY: &str = "master_key";
    // Through `secret` first: a variable that was not filled in must not pass for one that was not set.
    reader.secret(KEY, |_| Ok(()))?;
    let keys = reader.list(KEY, MasterKey::parse)?;
    if keys.iter().enumerate().any(|(at, key)| keys.iter().skip(at + 1).any(|other| other == key)) {
        return reader.refuse(KEY, "holds the same key twice", "keep one of the two");
    }
    let keys = MasterKeys::from_list(keys);
    if keys.is_some() {
        return Ok(keys);
    }
    if reader.given(KEY) {
        return reader.refuse(KEY, "holds no key", "write a key, or do not set it at all");
    }
    if matches!(database, Some(DatabaseUrl::Postgres { .. })) && reader.complete() {
        let fresh = MasterKey::new(fresh_key()).to_base64();
        return reader.refuse(
            KEY,
            "no master key: with PostgreSQL every replica needs the same one, so it is not made up here",
            format!(
                "this one is fresh, nobody else has it:\n\
                 \u{20}   KEYWARD_MASTER_KEY={} keyward serve\n\
                 keep it in a secret store: without it no signing key of this database can be opened",
                *fresh
            ),
        );
    }
    Ok(None)
}

fn trusted_proxies(reader: &mut Reader<'_>) -> Checked<Vec<IpNet>> {
    let networks = IpNet::aggregate(&reader.list("trusted_proxies", network)?);
    if networks.iter().any(|network| network.prefix_len() == 0) {
        return reader.refuse(
            "trusted_proxies",
            "holds every address: each client could choose the address that limits and audit see",
            "write the networks of your proxies and no others",
        );
    }
    Ok(networks)
}
