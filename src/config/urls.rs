//! URLs: what each setting takes, and how one is shown without its secrets.

mod postgres_tls;

use std::{fmt::Write as _, net::IpAddr, path::PathBuf};

use url::{Host, Url};

use super::{
    problem::Mistake,
    secret::{REDACTED, Secret},
};
pub(super) use postgres_tls::PostgresTls;

/// Where the rows are.
#[derive(Debug, Clone)]
pub enum DatabaseUrl {
    Sqlite { path: PathBuf },
    Postgres { url: Secret },
}

pub(super) fn database(text: &str) -> Result<DatabaseUrl, Mistake> {
    const SQLITE: &str = "write sqlite://path/to/keyward.db, or sqlite:///var/lib/keyward/keyward.db";
    let text = text.trim();
    if text.starts_with("sqlite::memory:") {
        return Err(Mistake::new(
            "keeps the database in memory, where no second connection would see it",
            "name a file in a temporary directory: sqlite:///tmp/keyward.db",
        ));
    }
    match text.split_once("://") {
        Some(("sqlite", path)) if path.is_empty() || path.contains(['?', '#']) || path == ":memory:" => {
            Err(Mistake::new("names no SQLite file", SQLITE))
        }
        Some(("sqlite", path)) => Ok(DatabaseUrl::Sqlite { path: path.into() }),
        Some(("postgres" | "postgresql", _)) => {
            with_host(text, "postgres://user:password@host/database")?;
            let text = match PostgresTls::of(text) {
                Some(tls) => tls.spelt_out(text)?,
                None => text.to_owned(),
            };
            Ok(DatabaseUrl::Postgres { url: Secret::from(text) })
        }
        _ => Err(Mistake::new(
            unsupported(text),
            "write sqlite://path/to/keyward.db or postgres://user:password@host/database",
        )),
    }
}

pub(super) fn postgres(text: &str) -> Result<Secret, Mistake> {
    match database(text) {
        Ok(DatabaseUrl::Postgres { url }) => Ok(url),
        Ok(DatabaseUrl::Sqlite { .. }) => {
            Err(Mistake::new("is not a PostgreSQL URL", "write postgres://user:password@host/database"))
        }
        Err(mistake) => Err(mistake),
    }
}

/// A Redis.
#[derive(Debug, Clone)]
pub struct RedisTarget {
    /// `redis://` or, with TLS, `rediss://`.
    pub url: Secret,
    /// PEM file of the authorities to trust, instead of those of the system.
    pub ca: Option<PathBuf>,
}

pub(super) fn redis(text: &str) -> Result<RedisTarget, Mistake> {
    const EXAMPLE: &str = "redis://host:6379 or rediss://user:password@host:6379";
    let text = text.trim();
    let Some(("redis" | "rediss", rest)) = text.split_once("://") else {
        return Err(Mistake::new(unsupported(text), format!("write {EXAMPLE}")));
    };
    // The client takes #insecure for "do not check the certificate".
    if rest.contains('#') {
        return Err(Mistake::new("holds a #", format!("write {EXAMPLE}; in a password, %23 for it")));
    }
    let mut url = with_host(text, EXAMPLE)?;
    let database = url.path().trim_matches('/');
    if !database.is_empty() && database.parse::<u16>().is_err() {
        return Err(Mistake::new("names a database that is no number", "write redis://host:6379/0"));
    }
    let (ca, others): (Vec<_>, Vec<_>) = url.query_pairs().into_owned().partition(|(name, _)| name == "ca");
    let ca = ca.into_iter().next_back().map(|(_, path)| PathBuf::from(path));
    if ca.is_none() {
        return Ok(RedisTarget { url: Secret::from(text), ca });
    }
    if url.scheme() != "rediss" {
        return Err(Mistake::new(
            "has the option ca, and no TLS that it would be for",
            "begin the URL with rediss://, or take it out",
        ));
    }
    url.set_query(None);
    if !others.is_empty() {
        url.query_pairs_mut().extend_pairs(others);
    }
    Ok(RedisTarget { url: Secret::from(url.to_string()), ca })
}

/// Reads the issuer, which verifiers compare byte by byte: one spelling only.
pub(super) fn issuer(text: &str) -> Result<String, Mistake> {
    const FIX: &str = "write the address that clients use: https://auth.example.com";
    let url = Url::parse(text).map_err(|error| Mistake::new(format!("is not a URL: {error}"), FIX))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(Mistake::new("is neither https:// nor http://", FIX));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Mistake::new("holds a user name or a password", FIX));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(Mistake::new("has a query or a fragment", FIX));
    }
    if let Some(bare) = text.strip_suffix('/') {
        let bare = bare.trim_end_matches('/');
        return Err(Mistake::new("ends with a slash", format!("write {bare}")));
    }
    let canonical = url.as_str().trim_end_matches('/');
    if canonical != text {
        return Err(Mistake::new("is not in its normal form", format!("write {canonical}")));
    }
    Ok(text.to_owned())
}

/// Reads an origin as browsers send it: scheme, host, port if it is not the usual one.
pub(super) fn origin(text: &str) -> Result<String, Mistake> {
    const FIX: &str = "write scheme and host, nothing more: https://app.example.com";
    if text.contains('*') {
        return Err(Mistake::new("holds a *, which would let every site in", FIX));
    }
    let url = Url::parse(text).map_err(|error| Mistake::new(format!("is not a URL: {error}"), FIX))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(Mistake::new("is neither https:// nor http://", FIX));
    }
    let origin = url.origin().ascii_serialization();
    if origin != text {
        return Err(Mistake::new("is not an origin as browsers send it", format!("write {origin}")));
    }
    Ok(origin)
}

/// Whether a URL leaves this machine without TLS.
pub(super) fn is_plain_and_remote(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| url.scheme() == "http" && !is_local(&url))
}

/// Whether the host of a URL is this machine, by name or address.
pub(super) fn is_local(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => IpAddr::from(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::from(address).is_loopback(),
        // Of schemes that the URL standard does not know, numbers stay a name.
        Some(Host::Domain(name)) => {
            name == "localhost"
                || name.ends_with(".localhost")
                || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
        }
        None => true,
    }
}

/// Shows a URL without what could be secret in it: password, query values, the path of a webhook.
///
/// Works on what is no proper URL too, and hides too much rather than too little.
pub(super) fn redact(text: &str) -> String {
    /// Options that hold nothing secret.
    const OPEN: &[&str] = &["ca", "exchange", "sasl", "sslmode", "sslrootcert", "stream", "subject", "tls"];
    let Some((scheme, rest)) = text.split_once("://") else {
        return if text == "log:" { text } else { REDACTED }.to_owned();
    };
    // Up to the last @, for a password in which somebody left a /, ? or @ as it is.
    let (user, rest) = match rest.rsplit_once('@') {
        Some((user, rest)) => (Some(user), rest),
        None => (None, rest),
    };
    let mut shown = format!("{scheme}://");
    if let Some(user) = user {
        // A user alone may be a token, as in nats://TOKEN@host.
        match user.split_once(':') {
            Some((name, _)) => shown = shown + name + ":" + REDACTED + "@",
            None => shown = shown + REDACTED + "@",
        }
    }
    let (rest, query) = rest.split_once(['?', '#']).unwrap_or((rest, ""));
    match rest.split_once('/') {
        Some((host, path)) if scheme.starts_with("http") && !path.is_empty() => {
            let _ = write!(shown, "{host}/{REDACTED}");
        }
        _ => shown.push_str(rest),
    }
    for (index, pair) in query.split('&').filter(|pair| !pair.is_empty()).enumerate() {
        shown.push(if index == 0 { '?' } else { '&' });
        match pair.split_once('=') {
            Some((name, value)) if OPEN.contains(&name) => shown = shown + name + "=" + value,
            Some((name, _)) => shown = shown + name + "=" + REDACTED,
            None => shown.push_str(REDACTED),
        }
    }
    shown
}

pub(super) fn with_host(text: &str, example: &str) -> Result<Url, Mistake> {
    let fix = || format!("write {example}; in a password, percent-encode what is not a letter or a digit");
    let url = Url::parse(text).map_err(|error| Mistake::new(format!("is not a URL: {error}"), fix()))?;
    // A Unix socket directory stands in the query of a PostgreSQL URL.
    let socket = url.query_pairs().any(|(name, _)| name == "host");
    if url.host_str().is_none_or(str::is_empty) && !socket {
        return Err(Mistake::new("names no host", fix()));
    }
    Ok(url)
}

/// Names the scheme, but only of what is surely a URL: anything else may be the secret itself.
pub(super) fn unsupported(text: &str) -> String {
    match text.trim().split_once("://") {
        Some((scheme, _))
            if scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte)) =>
        {
            format!("begins with {scheme}://, which is not supported")
        }
        _ => "is not a URL".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_a_file_or_postgresql() {
        for (text, file) in [("sqlite://data/k.db", "data/k.db"), ("sqlite:///var/k.db", "/var/k.db")] {
            let Ok(DatabaseUrl::Sqlite { path }) = database(text) else { panic!("{text}") };
            assert_eq!(path, PathBuf::from(file));
        }
        for text in
            ["postgres://u:p@h/d", "postgresql://h:6432/d?sslmode=require", "postgres:///d?host=/run/pg"]
        {
            assert!(matches!(database(text), Ok(DatabaseUrl::Postgres { .. })), "{text}");
        }
        for text in [
            "sqlite::memory:",
            "sqlite://:memory:",
            "sqlite://",
            "mysql://h/d",
            "hunter2",
            "postgres:///d",
            "postgres://u:p/w@h/d",
        ] {
            let mistake = database(text).unwrap_err();
            assert!(mistake.fix.contains("sqlite://") || mistake.fix.contains("postgres://"), "{text}");
            assert!(!format!("{mistake:?}").contains("hunter2"));
        }
        assert!(database("mysql://h/d").unwrap_err().message.contains("mysql://"));
    }

    #[test]
    fn redis_is_redis_or_rediss() {
        assert!(redis("rediss://h:6379/0").is_ok() && redis("redis://u:p@h").is_ok());
        let ours = redis("rediss://u:p@h:6379/0?ca=/etc/ca.pem&protocol=resp3").unwrap();
        assert_eq!(ours.ca, Some("/etc/ca.pem".into()));
        assert_eq!(ours.url.expose(), "rediss://u:p@h:6379/0?protocol=resp3");
        assert_eq!(redis("rediss://h?ca=/x.pem").unwrap().url.expose(), "rediss://h");
        for text in [
            "http://h",
            "redis://",
            "rediss://h/#insecure",
            "redis://h/main",
            "h:6379",
            "redis://h?ca=/etc/ca.pem",
        ] {
            assert!(redis(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_issuer_has_one_spelling() {
        for text in ["https://auth.example.com", "http://127.0.0.1:7300", "https://example.com/auth"] {
            assert_eq!(issuer(text).as_deref(), Ok(text));
        }
        for (text, fix) in [
            ("https://a.example/", "write https://a.example"),
            ("https://A.example", "write https://a.example"),
            ("https://a.example:443", "write https://a.example"),
            ("https://a.example?x=1", "https://auth"),
            ("https://a.example#x", "https://auth"),
            ("https://user:hush@a.example", "https://auth"),
            ("ftp://a.example", "https://auth"),
            ("auth.example.com", "https://auth"),
            ("/auth", "https://auth"),
        ] {
            let mistake = issuer(text).unwrap_err();
            assert!(mistake.fix.contains(fix), "{text}: {mistake:?}");
            assert!(!format!("{mistake:?}").contains("hush"));
        }
    }

    #[test]
    fn an_allowed_origin_is_what_browsers_send() {
        assert!(origin("https://app.example.com").is_ok() && origin("http://localhost:5173").is_ok());
        for text in [
            "*",
            "https://*.example.com",
            "https://app.example.com/",
            "app.example.com",
            "https://a/b",
            "null",
        ] {
            assert!(origin(text).is_err(), "{text}");
        }
    }

    #[test]
    fn plain_http_matters_off_this_machine_only() {
        assert!(is_plain_and_remote("http://auth.example.com") && is_plain_and_remote("http://10.0.0.1"));
        for text in
            ["http://localhost:1", "http://127.0.0.1", "http://[::1]:1", "http://a.localhost", "https://h"]
        {
            assert!(!is_plain_and_remote(text), "{text}");
        }
    }

    #[test]
    fn a_url_is_shown_without_its_secrets() {
        for (text, shown) in [
            (
                "postgres://keyward:hush@db:5432/auth?sslmode=require",
                "postgres://keyward:[redacted]@db:5432/auth?sslmode=require",
            ),
            ("postgres://db/auth?password=hush&x", "postgres://db/auth?password=[redacted]&[redacted]"),
            ("postgres://u:h/u?s@h@db/auth", "postgres://u:[redacted]@db/auth"),
            ("redis://:hush@cache:6379", "redis://:[redacted]@cache:6379"),
            ("nats://hush@a:4222", "nats://[redacted]@a:4222"),
            (
                "nats://u:hu,sh@a,b:1?stream=s&subject=x.y&x=hush",
                "nats://u:[redacted]@a,b:1?stream=s&subject=x.y&x=[redacted]",
            ),
            (
                "kafka://u:h%2Fush@b1:9092,b2/auth.events?tls=true&sasl=plain&ca=/ca.pem",
                "kafka://u:[redacted]@b1:9092,b2/auth.events?tls=true&sasl=plain&ca=/ca.pem",
            ),
            ("kafka://u:hu/sh@b1/t?tls=hu@sh", "kafka://u:[redacted]@sh"),
            ("https://hooks.example/T0/hush", "https://hooks.example/[redacted]"),
            ("sqlite://data/keyward.db", "sqlite://data/keyward.db"),
            ("log:", "log:"),
            ("hush", "[redacted]"),
        ] {
            assert_eq!(redact(text), shown);
        }
    }
}
