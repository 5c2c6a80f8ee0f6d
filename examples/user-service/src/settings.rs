use std::net::SocketAddr;
use std::path::PathBuf;

use keyward_verify::{Keyward, RemoteKeys, RemoteOptions, SourceError, Verifier};
use thiserror::Error;

use crate::events::Source;

const EVENTS_URL: &str = if cfg!(feature = "kafka") {
    "amqp://user:password@host/vhost?exchange=&queue= or kafka://host:9092/topic?group="
} else {
    "amqp://user:password@host/vhost?exchange=&queue= (this build knows no Kafka)"
};

/// What the environment says; the README lists the names.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) listen: SocketAddr,
    pub(crate) database: PathBuf,
    /// Where events come from; `None` when profiles are made by their users alone.
    pub(crate) events: Option<Source>,
    issuer: String,
    audience: String,
    jwks_url: Option<String>,
    plain_http: bool,
}

#[derive(Debug, PartialEq, Eq, Error)]
pub(crate) enum SettingsError {
    #[error("{0} is missing")]
    Missing(&'static str),
    #[error("{name} is not {wanted}")]
    Wrong { name: &'static str, wanted: &'static str },
}

impl Settings {
    pub(crate) fn from_env(variable: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let issuer = variable("KEYWARD_ISSUER").ok_or(SettingsError::Missing("KEYWARD_ISSUER"))?;
        let listen = variable("LISTEN").unwrap_or_else(|| "127.0.0.1:7310".to_owned());
        let plain_http = match variable("KEYWARD_ALLOW_PLAIN_HTTP").as_deref() {
            None | Some("false") => false,
            Some("true") => true,
            Some(_) => {
                return Err(SettingsError::Wrong {
                    name: "KEYWARD_ALLOW_PLAIN_HTTP",
                    wanted: "true or false",
                });
            }
        };
        let events = events_url(&variable)?.map(|url| Source::parse(url.trim_end())).transpose();
        Ok(Self {
            events: events.map_err(|_| SettingsError::Wrong { name: "EVENTS_URL", wanted: EVENTS_URL })?,
            listen: listen
                .parse()
                .map_err(|_| SettingsError::Wrong { name: "LISTEN", wanted: "an address with a port" })?,
            database: variable("DATABASE_PATH").unwrap_or_else(|| "profiles.db".to_owned()).into(),
            audience: variable("KEYWARD_AUDIENCE").unwrap_or_else(|| issuer.clone()),
            jwks_url: variable("KEYWARD_JWKS_URL"),
            plain_http,
            issuer,
        })
    }

    pub(crate) fn keyward(&self) -> Result<Keyward, SourceError> {
        let mut options = RemoteOptions::default();
        if self.plain_http {
            options = options.allow_plain_http();
        }
        let keys = match &self.jwks_url {
            // Inside a cluster the issuer often has another address than its name.
            Some(url) => RemoteKeys::at_url(url, options)?,
            None => RemoteKeys::of_issuer(&self.issuer, options)?,
        };
        Ok(Keyward::with(Verifier::new(&self.issuer, &self.audience), keys))
    }
}

/// Holds a password, so it may stand in a file, which is how containers are given secrets.
fn events_url(variable: impl Fn(&str) -> Option<String>) -> Result<Option<String>, SettingsError> {
    const FILE: &str = "EVENTS_URL_FILE";
    let wrong = |wanted| SettingsError::Wrong { name: FILE, wanted };
    match (variable("EVENTS_URL"), variable(FILE)) {
        (Some(_), Some(_)) => Err(wrong("to be set beside EVENTS_URL")),
        (None, Some(path)) => {
            std::fs::read_to_string(path).map(Some).map_err(|_| wrong("a file that can be read"))
        }
        (url, None) => Ok(url),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        let find =
            |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        Settings::from_env(find)
    }

    #[test]
    fn the_issuer_is_all_that_must_be_said() {
        let settings = of(&[("KEYWARD_ISSUER", "http://127.0.0.1:7300")]).unwrap();
        assert_eq!(settings.audience, "http://127.0.0.1:7300");
        assert_eq!(settings.listen.port(), 7310);
        assert!(settings.events.is_none());
        settings.keyward().unwrap();
        assert_eq!(of(&[]).unwrap_err(), SettingsError::Missing("KEYWARD_ISSUER"));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (name, value) in
            [("LISTEN", "7310"), ("EVENTS_URL", "redis://h"), ("KEYWARD_ALLOW_PLAIN_HTTP", "yes")]
        {
            let refused = of(&[("KEYWARD_ISSUER", "http://127.0.0.1:7300"), (name, value)]);
            assert!(matches!(refused, Err(SettingsError::Wrong { name: wrong, .. }) if wrong == name));
        }
    }

    #[test]
    fn the_url_of_events_may_stand_in_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events_url");
        std::fs::write(&path, "amqp://user:hush@broker:5672/%2f\n").unwrap();
        let issuer = ("KEYWARD_ISSUER", "http://127.0.0.1:7300");
        let file = ("EVENTS_URL_FILE", path.to_str().unwrap());
        assert!(matches!(of(&[issuer, file]).unwrap().events, Some(Source::RabbitMq(_))));
        let both = of(&[issuer, file, ("EVENTS_URL", "amqp://broker")]).unwrap_err();
        assert_eq!(both.to_string(), "EVENTS_URL_FILE is not to be set beside EVENTS_URL");
        let missing = of(&[issuer, ("EVENTS_URL_FILE", "/nonexistent/events_url")]).unwrap_err();
        assert_eq!(missing.to_string(), "EVENTS_URL_FILE is not a file that can be read");
    }

    #[test]
    fn plain_http_to_another_machine_has_to_be_asked_for() {
        let issuer = ("KEYWARD_ISSUER", "http://keyward:7300");
        assert!(of(&[issuer]).unwrap().keyward().is_err());
        assert!(of(&[issuer, ("KEYWARD_ALLOW_PLAIN_HTTP", "true")]).unwrap().keyward().is_ok());
    }
}
