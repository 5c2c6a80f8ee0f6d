//! The settings as the rest of the program sees them: checked, and in the types that are meant.
//!
//! Field names are key names, so that a search for one finds the other.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use super::{DatabaseUrl, MasterKeys, Rate, RedisTarget, Secret, Sink, WebhookSecret};

#[derive(Debug, Clone)]
pub struct Settings {
    pub listen: SocketAddr,
    pub management_listen: SocketAddr,
    /// Absolute URL without a slash at its end.
    pub issuer: String,
    pub audience: String,
    pub data_dir: PathBuf,
    pub database_url: DatabaseUrl,
    pub redis_url: Option<RedisTarget>,
    pub redis_key_prefix: String,
    /// At least one.
    pub events_url: Vec<Sink>,
    /// `None` only with SQLite: then `data_dir/master.key` holds it.
    pub master_key: Option<MasterKeys>,
    pub trusted_proxies: Vec<IpNet>,
    pub proxy_header: ProxyHeader,
    pub log_format: LogFormat,
    pub log_level: tracing::Level,
    pub log_emails: bool,
    pub docs: bool,
    pub max_sessions_per_user: u32,
    pub password: PasswordSettings,
    pub argon2: Argon2Settings,
    pub token: TokenSettings,
    pub keys: KeySettings,
    pub limits: LimitSettings,
    pub lock: LockSettings,
    pub database: DatabaseSettings,
    pub cors: CorsSettings,
    pub signup: SignupSettings,
    pub retention: RetentionSettings,
    pub tls: TlsSettings,
    /// The first admin, made once if there is none.
    pub admin: Option<AdminSettings>,
    pub events: EventsSettings,
    pub telemetry: TelemetrySettings,
    /// What is allowed and yet probably not meant; log each at the start.
    pub warnings: Vec<String>,
}

impl Settings {
    /// Where a probe on this machine reaches the management listener: one on every address, on the loopback one.
    #[must_use]
    pub fn probe_address(&self) -> SocketAddr {
        let mut address = self.management_listen;
        if address.ip().is_unspecified() {
            address.set_ip(match address.ip() {
                IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
            });
        }
        address
    }
}

/// Lengths in code points.
#[derive(Debug, Clone)]
pub struct PasswordSettings {
    pub min_length: usize,
    pub max_length: usize,
}

#[derive(Debug, Clone)]
pub struct Argon2Settings {
    pub memory_kib: u32,
    pub iterations: u32,
    pub parallelism: u32,
    pub threads: usize,
    pub queue: usize,
    pub queue_timeout: Duration,
}

#[derive(Debug, Clone)]
pub struct TokenSettings {
    pub algorithm: SigningAlgorithm,
    pub typ: TokenTyp,
    pub access_ttl: Duration,
    pub refresh_idle_ttl: Duration,
    pub refresh_absolute_ttl: Duration,
    pub refresh_grace: Duration,
    pub email_claim: bool,
}

#[derive(Debug, Clone)]
pub struct KeySettings {
    pub rotate_every: Duration,
    pub publish_before: Duration,
    pub jwks_max_age: Duration,
}

#[derive(Debug, Clone)]
pub struct LimitSettings {
    pub enabled: bool,
    pub login_per_ip: Rate,
    pub login_per_account_ip: Rate,
    pub signup_per_ip: Rate,
    pub refresh_per_session: Rate,
    pub introspect_per_client: Rate,
    pub per_ip: Rate,
}

#[derive(Debug, Clone)]
pub struct LockSettings {
    pub failures: u32,
    pub window: Duration,
    pub first_duration: Duration,
    pub max_duration: Duration,
    pub hard_stop: bool,
}

#[derive(Debug, Clone)]
pub struct DatabaseSettings {
    pub max_connections: u32,
    pub pooler: Pooler,
    pub direct_url: Option<Secret>,
}

#[derive(Debug, Clone)]
pub struct CorsSettings {
    /// Exactly as browsers send them in `Origin`.
    pub origins: Vec<String>,
}

#[derive(Debug, Clone)]
pub struct SignupSettings {
    pub enabled: bool,
}

#[derive(Debug, Clone)]
pub struct RetentionSettings {
    pub audit: Duration,
    pub outbox: Duration,
}

#[derive(Debug, Clone)]
pub struct TlsSettings {
    /// `None`: plain HTTP, as behind a gateway.
    pub files: Option<TlsFiles>,
    pub require_https: bool,
}

/// PEM files.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    pub cert: PathBuf,
    pub key: PathBuf,
}

#[derive(Debug, Clone)]
pub struct AdminSettings {
    pub email: String,
    pub password: Secret,
}

#[derive(Debug, Clone)]
pub struct EventsSettings {
    /// Types of events that stay pending until a queue takes them.
    pub require_route: Vec<String>,
    /// Each signs every webhook; at least one where there is a webhook.
    pub webhook_secrets: Vec<WebhookSecret>,
    /// PEM file of an authority that vouches for receivers, besides those of the system.
    pub webhook_ca: Option<PathBuf>,
}

#[derive(Debug, Clone)]
pub struct TelemetrySettings {
    /// Where spans are posted to, path and all; `None`: there are none.
    pub otlp_endpoint: Option<Secret>,
    /// Names of headers, and what they hold.
    pub otlp_headers: Vec<(String, Secret)>,
    /// 0 to 1.
    pub sampling_ratio: f64,
}

/// Defines an enum and the words that stand for it in a setting.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $($variant),+ }

        impl $name {
            pub(super) const ALL: &[Self] = &[$(Self::$variant),+];

            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }
    };
}

words!(
    /// Which header of a trusted proxy names the client.
    ProxyHeader { Auto = "auto", XForwardedFor = "x-forwarded-for", Forwarded = "forwarded" }
);
words!(
    /// How log lines look.
    LogFormat { Auto = "auto", Json = "json", Text = "text" }
);
words!(
    /// The algorithm of new signing keys, as in JWS `alg`.
    SigningAlgorithm { Es256 = "ES256", EdDsa = "EdDSA", Rs256 = "RS256" }
);
words!(
    /// The `typ` header of access tokens (RFC 9068, section 2.1).
    TokenTyp { AtJwt = "at+jwt", Jwt = "JWT" }
);
words!(
    /// What stands between here and PostgreSQL.
    Pooler { None = "none", Transaction = "transaction" }
);
