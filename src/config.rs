//! Settings: flag over environment over `.env` over TOML file over `config.default.toml`.
//!
//! [`Sources`] collects what was written; [`load`] turns it into [`Settings`] with real types, or into every
//! [`Problem`] at once. Nothing below `Sources::from_process` touches the process, so each rule has a plain test.

mod authorities;
mod certificate;
mod check;
mod describe;
mod file;
mod keys;
mod layers;
mod placeholder;
mod problem;
mod reader;
mod secret;
mod settings;
mod sinks;
mod sources;
mod units;
mod urls;

pub use authorities::{AUTHORITIES_FIX, check_authorities};
pub use certificate::{CertificateFlaws, CertificatePem, ServerCertificate};
pub use check::strong_argon2;
pub use describe::{Described, Description};
pub use keys::{KEYS, Key, Kind};
pub use layers::DEFAULTS;
pub use problem::{Origin, Problem, Problems};
pub use secret::{MasterKey, MasterKeys, Secret};
pub use settings::{
    AdminSettings, Argon2Settings, CorsSettings, DatabaseSettings, EventsSettings, KeySettings,
    LimitSettings, LockSettings, LogFormat, PasswordSettings, Pooler, ProxyHeader, RetentionSettings,
    Settings, SigningAlgorithm, SignupSettings, TelemetrySettings, TlsFiles, TlsSettings, TokenSettings,
    TokenTyp,
};
pub use sinks::{
    AmqpTarget, KafkaLogin, KafkaTarget, NatsLogin, NatsTarget, SaslMechanism, Sink, SinkTarget, Tls,
    WebhookSecret, WebhookTarget,
};
pub use sources::Sources;
pub use units::{Rate, parse_duration};
pub use urls::{DatabaseUrl, RedisTarget};

/// Reads and checks all settings.
///
/// `cores` sizes the hash pool and the connection pool where nothing else is said. `fresh_key` is asked only for the
/// key that the message about a missing master key offers.
///
/// # Errors
/// Every mistake of every source; none of them is lost because of another.
pub fn load(
    sources: &Sources,
    cores: usize,
    fresh_key: impl Fn() -> [u8; 32],
) -> Result<(Settings, Description), Problems> {
    let layered = layers::merge(sources);
    let settings = check::settings(&layered, cores, &fresh_key)?;
    let description = describe::describe(&layered, &settings);
    Ok((settings, description))
}

#[cfg(test)]
mod tests;
