//! Whose request it is, and whether it came over https: what the connection shows, or what trusted proxies say about it.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::{ConnectInfo, Request};
use axum::http::{HeaderMap, HeaderName, header};
use ipnet::IpNet;
use metrics::Counter;

use super::forwarded::{self, Element, Hop};
use crate::config::{ProxyHeader, Settings};
use crate::telemetry::FORWARDED_IGNORED;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The address of the client, as [`surround`](super::request::surround) found it out.
#[derive(Debug, Clone, Copy)]
pub(super) struct ClientAddress(pub IpAddr);

/// The proxies that are believed, and which of their headers.
#[derive(Debug)]
pub(super) struct Proxies {
    trusted: Vec<IpNet>,
    header: ProxyHeader,
    /// Whether the log says that a proxy is perhaps not configured.
    told: AtomicBool,
    ignored: Counter,
}

impl Proxies {
    pub(super) fn new(settings: &Settings) -> Self {
        let (trusted, header) = (settings.trusted_proxies.clone(), settings.proxy_header);
        Self { trusted, header, told: AtomicBool::new(false), ignored: FORWARDED_IGNORED.counter(&[]) }
    }

    pub(super) fn client_of(&self, request: &Request) -> Option<IpAddr> {
        Some(self.client(peer_of(request)?, request.headers()))
    }

    /// Whether the client spoke https, to us or to the first of our proxies. `ours` is what the connection here is; it
    /// counts where no proxy says anything.
    pub(super) fn received_over_https(&self, request: &Request, ours: bool) -> bool {
        let forwarded = peer_of(request).filter(|peer| self.trusts(*peer)).map(|_| request.headers());
        forwarded.and_then(|headers| self.https(headers)).unwrap_or(ours)
    }

    fn https(&self, headers: &HeaderMap) -> Option<bool> {
        let older = match self.header {
            ProxyHeader::Auto => {
                headers.contains_key(&X_FORWARDED_PROTO) || headers.contains_key(&X_FORWARDED_FOR)
            }
            ProxyHeader::XForwardedFor => true,
            ProxyHeader::Forwarded => false,
        };
        if older {
            let lines = headers.get_all(&X_FORWARDED_PROTO).iter();
            return lines.map(forwarded::x_forwarded_proto).reduce(|all, one| all && one);
        }
        let mut said = None;
        for Element { hop, https } in elements(headers) {
            said = Some(https);
            // As with addresses: this entry was written by the proxy that the client came to.
            if !matches!(hop, Hop::Address(address) if self.trusts(address)) {
                break;
            }
        }
        said
    }

    /// Follows the hops backwards from the connection, each named by the one after it, as long as they are
    /// trusted. Whoever is named by somebody who is not, or in a way that cannot be read, is not believed in:
    /// then it is the last one who was.
    fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        if !self.trusts(peer) {
            self.tell_of_ignored(peer, headers);
            return peer;
        }
        let mut client = peer;
        for hop in self.hops(headers) {
            let Hop::Address(address) = hop else { return client };
            client = address;
            if !self.trusts(client) {
                return client;
            }
        }
        client
    }

    /// Latest hop first. Of two headers one counts: what was not written by the proxy was written by anybody.
    fn hops(&self, headers: &HeaderMap) -> Vec<Hop> {
        let older = match self.header {
            // Nearly every proxy writes the older one, and passes the other on as it came.
            ProxyHeader::Auto => headers.contains_key(&X_FORWARDED_FOR),
            ProxyHeader::XForwardedFor => true,
            ProxyHeader::Forwarded => false,
        };
        if older {
            let lines = headers.get_all(&X_FORWARDED_FOR).iter().rev();
            lines.flat_map(forwarded::x_forwarded_for).collect()
        } else {
            elements(headers).map(|element| element.hop).collect()
        }
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|network| network.contains(&address))
    }

    /// A neighbour that forwards is probably a proxy that nobody configured: all its clients would share one limit.
    fn tell_of_ignored(&self, peer: IpAddr, headers: &HeaderMap) {
        let forwards = headers.contains_key(&X_FORWARDED_FOR) || headers.contains_key(header::FORWARDED);
        if !forwards || !near(peer) {
            return;
        }
        self.ignored.increment(1);
        if !self.told.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                %peer,
                "a forwarding header is ignored, since trusted_proxies does not hold its sender: if that is a proxy \
                 of yours, add it"
            );
        }
    }
}

fn peer_of(request: &Request) -> Option<IpAddr> {
    Some(request.extensions().get::<ConnectInfo<SocketAddr>>()?.0.ip().to_canonical())
}

/// Latest hop first.
fn elements(headers: &HeaderMap) -> impl Iterator<Item = Element> {
    headers.get_all(header::FORWARDED).iter().rev().flat_map(forwarded::forwarded)
}

/// Whether an address is on this machine or a private network.
fn near(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_loopback() || address.is_private(),
        IpAddr::V6(address) => address.is_loopback() || address.is_unique_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(header: ProxyHeader) -> Proxies {
        let trusted = ["10.0.0.0/8", "fd00::/8"].map(|network| network.parse().unwrap()).to_vec();
        Proxies { trusted, header, told: AtomicBool::default(), ignored: FORWARDED_IGNORED.counter(&[]) }
    }

    fn headers(lines: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
        }
        headers
    }

    fn client(header: ProxyHeader, peer: &str, lines: &[(&str, &str)]) -> String {
        proxies(header).client(peer.parse().unwrap(), &headers(lines)).to_string()
    }

    fn behind_proxy(lines: &[(&str, &str)]) -> String {
        client(ProxyHeader::Auto, "10.0.0.1", lines)
    }

    #[test]
    fn only_trusted_peers_are_believed() {
        for header in [ProxyHeader::Auto, ProxyHeader::XForwardedFor, ProxyHeader::Forwarded] {
            for name in ["x-forwarded-for", "forwarded", "x-real-ip", "x-client-ip", "true-client-ip"] {
                let lines = [(name, "192.0.2.1"), (name, "for=192.0.2.1")];
                assert_eq!(client(header, "203.0.113.9", &lines), "203.0.113.9");
            }
        }
        assert_eq!(behind_proxy(&[("x-real-ip", "192.0.2.1")]), "10.0.0.1");
        assert_eq!(behind_proxy(&[]), "10.0.0.1");
    }

    #[test]
    fn the_client_is_the_last_hop_that_is_not_trusted() {
        let xff = "x-forwarded-for";
        assert_eq!(behind_proxy(&[(xff, "192.0.2.1")]), "192.0.2.1");
        assert_eq!(behind_proxy(&[(xff, "198.51.100.6, 192.0.2.1")]), "192.0.2.1");
        assert_eq!(behind_proxy(&[(xff, "198.51.100.6, 192.0.2.1, 10.9.9.9, fd00::1")]), "192.0.2.1");
        assert_eq!(behind_proxy(&[(xff, "198.51.100.6"), (xff, "192.0.2.1, 10.9.9.9")]), "192.0.2.1");
        assert_eq!(behind_proxy(&[(xff, "10.1.1.1, 10.9.9.9")]), "10.1.1.1", "all of them are ours");
        assert_eq!(client(ProxyHeader::Auto, "fd00::5", &[(xff, "2001:db8::1")]), "2001:db8::1");
        let forwarded = "for=198.51.100.6;proto=http, For=\"[2001:db8::7]:4711\";by=10.0.0.1, for=10.2.2.2";
        assert_eq!(behind_proxy(&[("forwarded", forwarded)]), "2001:db8::7");
    }

    #[test]
    fn what_cannot_be_read_ends_at_the_last_hop_that_could_be() {
        let xff = "x-forwarded-for";
        for bad in ["", "unknown", "_hidden", "example.com", "192.0.2.1:port", "192.0.2.300", "fe80::1%eth0"]
        {
            assert_eq!(behind_proxy(&[(xff, bad)]), "10.0.0.1", "{bad}");
            assert_eq!(behind_proxy(&[(xff, &format!("192.0.2.1, {bad}"))]), "10.0.0.1", "{bad}");
            assert_eq!(behind_proxy(&[(xff, &format!("{bad}, 192.0.2.1, 10.9.9.9"))]), "192.0.2.1", "{bad}");
            let forwarded = format!("for=192.0.2.1, for=\"{bad}\", for=10.9.9.9");
            assert_eq!(behind_proxy(&[("forwarded", &forwarded)]), "10.9.9.9", "{bad}");
        }
    }

    #[test]
    fn https_is_what_trusted_proxies_received() {
        let https = |header, peer: &str, lines: &[(&str, &str)], ours| {
            let mut request = Request::new(axum::body::Body::empty());
            *request.headers_mut() = headers(lines);
            request.extensions_mut().insert(ConnectInfo(SocketAddr::new(peer.parse().unwrap(), 1)));
            proxies(header).received_over_https(&request, ours)
        };
        let (xff, xfp, forwarded) = ("x-forwarded-for", "x-forwarded-proto", "forwarded");
        let said = [(xfp, "https"), (forwarded, "for=192.0.2.1;proto=https")];
        for header in [ProxyHeader::Auto, ProxyHeader::XForwardedFor, ProxyHeader::Forwarded] {
            assert!(!https(header, "203.0.113.9", &said, false), "anybody can say so");
            assert!(https(header, "203.0.113.9", &[(xfp, "http")], true), "nobody asked");
            assert!(https(header, "10.0.0.1", &said, false));
            assert!(https(header, "10.0.0.1", &[], true) && !https(header, "10.0.0.1", &[], false));
        }
        let auto = |lines: &[(&str, &str)]| https(ProxyHeader::Auto, "10.0.0.1", lines, true);
        assert!(!auto(&[(xfp, "http")]), "plain to the gateway, and TLS from there");
        assert!(!auto(&[(xfp, "https"), (xfp, "http")]) && !auto(&[(xfp, "https, http")]));
        assert!(
            auto(&[(xff, "192.0.2.1"), (forwarded, "for=192.0.2.1;proto=http")]),
            "of two headers one counts"
        );
        // The client came by https to the first proxy; what is between proxies is their own affair.
        assert!(auto(&[(forwarded, "for=192.0.2.1;proto=https, for=10.9.9.9;proto=http")]));
        assert!(!auto(&[(forwarded, "for=192.0.2.1;proto=http, for=10.9.9.9;proto=https")]));
        assert!(!auto(&[(forwarded, "for=198.51.100.6;proto=https, for=192.0.2.1;proto=http")]));
        assert!(!auto(&[(forwarded, "for=192.0.2.1;proto=https;x=\"")]));
        let only = |header, lines: &[(&str, &str)]| https(header, "10.0.0.1", lines, false);
        assert!(!only(ProxyHeader::Forwarded, &said[..1]) && !only(ProxyHeader::XForwardedFor, &said[1..]));
    }

    #[test]
    fn of_two_headers_one_counts() {
        let both = [("x-forwarded-for", "192.0.2.1"), ("forwarded", "for=192.0.2.2")];
        assert_eq!(client(ProxyHeader::Auto, "10.0.0.1", &both), "192.0.2.1");
        assert_eq!(client(ProxyHeader::XForwardedFor, "10.0.0.1", &both), "192.0.2.1");
        assert_eq!(client(ProxyHeader::Forwarded, "10.0.0.1", &both), "192.0.2.2");
        assert_eq!(client(ProxyHeader::XForwardedFor, "10.0.0.1", &both[1..]), "10.0.0.1");
        assert_eq!(client(ProxyHeader::Forwarded, "10.0.0.1", &both[..1]), "10.0.0.1");
    }
}
