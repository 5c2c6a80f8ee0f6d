//! Who can reach this server, and what stands in front of it.

use std::net::IpAddr;

use url::{Host, Url};

use super::Finding;
use crate::config::{DatabaseUrl, Settings};

pub(super) fn look(settings: &Settings) -> Vec<Finding> {
    issuer(settings).into_iter().chain([proxies(settings)]).collect()
}

/// A plain issuer elsewhere is one of the doubts of the settings, and not told twice.
fn issuer(settings: &Settings) -> Option<Finding> {
    const CODE: &str = "issuer.scheme";
    let issuer = &settings.issuer;
    if issuer.starts_with("https:") {
        return Some(Finding::ok(CODE, format!("tokens name {issuer}, which is https")));
    }
    if !this_machine(issuer) {
        return None;
    }
    let others = others_come(settings);
    Some(match others {
        None => Finding::note(
            CODE,
            format!("tokens name {issuer}, which only this machine reaches: enough to try it out"),
            "before others use it, set issuer to the https address that they will use",
        ),
        Some(why) => Finding::warning(
            CODE,
            format!("tokens name {issuer}, which only this machine reaches, although {why}"),
            "set issuer (KEYWARD_ISSUER) to the https address that clients use, before the first token is issued",
        ),
    })
}

fn proxies(settings: &Settings) -> Finding {
    const CODE: &str = "proxies.trust";
    let (trusted, tls) = (&settings.trusted_proxies, &settings.tls);
    if !trusted.is_empty() {
        let networks: Vec<String> = trusted.iter().map(ToString::to_string).collect();
        let meaning = format!("{} are believed who the client is", networks.join(", "));
        return Finding::ok(CODE, meaning);
    }
    let gateway = settings.issuer.starts_with("https:") && tls.files.is_none();
    if gateway {
        return Finding::warning(
            CODE,
            "the issuer is https and this server speaks plain http, so a proxy ends TLS before it; trusted_proxies is \
             empty, so all of its clients share one rate limit and one address in the audit log",
            "write the addresses of that proxy into trusted_proxies",
        );
    }
    Finding::ok(CODE, "no proxy is trusted: the client is whoever connects")
}

/// Why others than this machine are to reach this server, if they are.
fn others_come(settings: &Settings) -> Option<String> {
    if !settings.listen.ip().is_loopback() {
        return Some(format!("this server listens for others on {}", settings.listen));
    }
    match settings.database_url {
        DatabaseUrl::Postgres { .. } => Some("it is set up for replicas on PostgreSQL".to_owned()),
        DatabaseUrl::Sqlite { .. } => None,
    }
}

fn this_machine(url: &str) -> bool {
    match Url::parse(url).ok().as_ref().and_then(Url::host) {
        Some(Host::Ipv4(address)) => IpAddr::from(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::from(address).is_loopback(),
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_several_names() {
        for here in ["http://127.0.0.1:7300", "http://[::1]", "http://localhost:1", "http://auth.localhost"] {
            assert!(this_machine(here), "{here}");
        }
        for elsewhere in
            ["http://auth.example.com", "http://10.0.0.1", "http://localhost.example.com", "no url"]
        {
            assert!(!this_machine(elsewhere), "{elsewhere}");
        }
    }
}
