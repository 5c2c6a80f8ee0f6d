//! TLS in both directions: the public listener's, and that to the database and Redis.

use std::path::Path;

use super::values::{boolean, path};
use crate::config::{
    AUTHORITIES_FIX, RedisTarget, Secret, Settings, TlsFiles, TlsSettings, check_authorities,
    reader::{Checked, Noted, Reader},
    urls::{self, PostgresTls},
};

pub(super) fn section(reader: &mut Reader<'_>) -> Checked<TlsSettings> {
    let cert = reader.optional("tls.cert", path);
    let key = reader.optional("tls.key", path);
    let require_https = reader.required("tls.require_https", boolean);
    let files = match (cert?, key?) {
        (Some(cert), Some(key)) => Some(TlsFiles { cert, key }),
        (None, None) => None,
        (Some(_), None) => {
            return reader.refuse("tls.cert", "is given without tls.key", "give both, or neither");
        }
        (None, Some(_)) => {
            return reader.refuse("tls.key", "is given without tls.cert", "give both, or neither");
        }
    };
    if let Some(files) = files.as_ref().filter(|_| reader.for_a_server()) {
        let pair = files.read().and_then(|pem| pem.parse());
        if let Err(flaws) = pair {
            for (setting, mistake) in flaws.0 {
                reader.note(setting, mistake.message, mistake.fix);
            }
            return Err(Noted);
        }
    }
    Ok(TlsSettings { files, require_https: require_https? })
}

/// Holds the section against what else is set.
pub(super) fn fits(reader: &mut Reader<'_>, settings: &Settings) {
    let TlsSettings { files, require_https } = &settings.tls;
    if *require_https && files.is_none() && settings.trusted_proxies.is_empty() {
        reader.note(
            "tls.require_https",
            "would refuse everything: nobody is trusted to say what came over https",
            "write your gateway's addresses into trusted_proxies, or serve TLS here with tls.cert and tls.key",
        );
    }
    let https_only = *require_https || files.is_some();
    if https_only && settings.issuer.starts_with("http:") {
        reader.warn(format!(
            "issuer {} is http, and only https is answered: verifiers would not find the keys",
            settings.issuer
        ));
    }
}

/// Warns of a way to PostgreSQL that is less safe than it looks, and looks at its file of authorities.
pub(super) fn postgres(reader: &mut Reader<'_>, setting: &'static str, url: &Secret) {
    let Some(tls) = PostgresTls::of(url.expose()) else { return };
    if tls.falls_back() {
        reader.warn(format!(
            "{setting} has sslmode=prefer: whoever is on the path can have it all in plain text"
        ));
    }
    if let Some(path) = tls.authorities {
        authorities(reader, setting, "sslrootcert", &path);
    }
}

pub(super) fn redis(reader: &mut Reader<'_>) -> Checked<Option<RedisTarget>> {
    let target = reader.secret("redis_url", urls::redis)?;
    if let Some(path) = target.as_ref().and_then(|target| target.ca.as_deref()) {
        authorities(reader, "redis_url", "ca", path);
    }
    Ok(target)
}

fn authorities(reader: &mut Reader<'_>, setting: &'static str, option: &str, path: &Path) {
    if reader.for_a_server()
        && let Err(wrong) = check_authorities(path)
    {
        reader.note(setting, format!("{option} {wrong}"), AUTHORITIES_FIX);
    }
}
