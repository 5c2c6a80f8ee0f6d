//! The certificate of the public listener.

use std::os::unix::fs::PermissionsExt as _;

use super::{Fault, Finding};
use crate::config::{ServerCertificate, Settings, TlsFiles};
use crate::domain::Timestamp;

/// Who renews by themselves does it long before.
const WARN_DAYS: i64 = 14;
const DAY: i64 = 24 * 60 * 60;

pub(super) fn look(settings: &Settings, now: Timestamp) -> Vec<Finding> {
    let Some(files) = &settings.tls.files else { return Vec::new() };
    let mut found = key_mode(files);
    // Files that cannot be served are among the mistakes of the settings.
    if let Ok(certificate) = files.read().and_then(|pem| pem.parse()) {
        found.push(validity(&certificate, now.unix_seconds()));
        found.push(name(&certificate, &settings.issuer));
    }
    found
}

fn validity(certificate: &ServerCertificate, now: i64) -> Finding {
    const CODE: &str = "tls.validity";
    let seconds = |time: u64| i64::try_from(time).unwrap_or(i64::MAX);
    let (not_before, not_after) = (seconds(certificate.not_before), seconds(certificate.not_after));
    let at = |seconds: i64| Timestamp::from_micros(seconds.saturating_mul(1_000_000));
    let days = (not_after - now) / DAY;
    if now > not_after {
        let meaning =
            format!("the certificate in tls.cert has expired at {}: clients refuse it", at(not_after));
        return Finding::problem(
            CODE,
            Fault::Configuration,
            meaning,
            "renew it; a running server takes it as it changes",
        );
    }
    if now < not_before {
        let meaning =
            format!("the certificate in tls.cert is not valid before {}: clients refuse it", at(not_before));
        let advice = "look at the clock of this machine, or put the certificate in place later";
        return Finding::problem(CODE, Fault::Configuration, meaning, advice);
    }
    if days < WARN_DAYS {
        let meaning = format!("the certificate in tls.cert expires at {}, in {days} days", at(not_after));
        return Finding::warning(
            CODE,
            meaning,
            "renew it now, and find out why nothing has done so by itself",
        );
    }
    Finding::ok(CODE, format!("the certificate in tls.cert is valid for {days} more days"))
}

fn name(certificate: &ServerCertificate, issuer: &str) -> Finding {
    const CODE: &str = "tls.name";
    let url = url::Url::parse(issuer).ok();
    let host = url.as_ref().and_then(url::Url::host_str).unwrap_or_default();
    if certificate.is_for(host) {
        return Finding::ok(CODE, format!("the certificate in tls.cert is for {host}"));
    }
    Finding::problem(
        CODE,
        Fault::Configuration,
        format!(
            "the certificate in tls.cert is not for {host}, which is the host of the issuer: clients refuse it"
        ),
        "get a certificate for that name, or write the name that it is for into issuer",
    )
}

fn key_mode(files: &TlsFiles) -> Vec<Finding> {
    let Ok(file) = std::fs::metadata(&files.key) else { return Vec::new() };
    let for_others = file.permissions().mode() & 0o007;
    if for_others == 0 {
        return Vec::new();
    }
    let key = files.key.display();
    let meaning = format!("every user of this machine can read {key}, the private key of TLS");
    vec![Finding::warning(
        "tls.key_mode",
        meaning,
        format!("chmod 600 {key}, and get another if others may have read it"),
    )]
}
