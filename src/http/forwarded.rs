//! The two headers in which proxies say whom they speak for. Each line is read by itself, latest hop
//! first, since a proxy may add a line of its own below what a stranger sent.

use std::net::{IpAddr, SocketAddr};

use axum::http::HeaderValue;

/// What a proxy says about who came to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hop {
    Address(IpAddr),
    /// Hidden, unknown, or nonsense.
    Unreadable,
}

/// One entry of `Forwarded`: who came to the proxy that wrote it, and whether over https.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Element {
    pub(super) hop: Hop,
    pub(super) https: bool,
}

/// Reads a line of `X-Forwarded-For`, each entry by itself: bytes that are no text must not hide what the proxy
/// appended to them.
pub(super) fn x_forwarded_for(line: &HeaderValue) -> Vec<Hop> {
    let entries = line.as_bytes().rsplit(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    entries.map(|entry| std::str::from_utf8(entry).map_or(Hop::Unreadable, node)).collect()
}

/// Reads a line of `Forwarded` (RFC 7239 §4). It is good as a whole or not at all: a quotation mark that a
/// stranger left open would swallow what the proxy appended.
pub(super) fn forwarded(line: &HeaderValue) -> Vec<Element> {
    let elements = line.to_str().ok().and_then(elements);
    let nonsense = || vec![Element { hop: Hop::Unreadable, https: false }];
    elements.map_or_else(nonsense, |elements| elements.into_iter().rev().collect())
}

/// Reads a line of `X-Forwarded-Proto`, which is https when every entry says so: whoever wrote which.
pub(super) fn x_forwarded_proto(line: &HeaderValue) -> bool {
    let https = |entry: &str| entry.trim().eq_ignore_ascii_case("https");
    line.to_str().is_ok_and(|line| line.split(',').all(https))
}

fn elements(line: &str) -> Option<Vec<Element>> {
    let mut elements = Vec::new();
    let mut rest = line;
    loop {
        let (element, after) = element(rest)?;
        elements.push(element);
        match after.strip_prefix(',') {
            Some(next) => rest = next,
            None => return after.is_empty().then_some(elements),
        }
    }
}

/// Reads `for=192.0.2.43;proto=http`, up to the next comma.
fn element(text: &str) -> Option<(Element, &str)> {
    let (mut hop, mut https) = (None, None);
    let mut rest = text.trim_start_matches([' ', '\t']);
    loop {
        let (name, after) = token(rest)?;
        let (value, after) = value(after.strip_prefix('=')?)?;
        let twice = (name.eq_ignore_ascii_case("for") && hop.replace(node(&value)).is_some())
            || (name.eq_ignore_ascii_case("proto")
                && https.replace(value.eq_ignore_ascii_case("https")).is_some());
        if twice {
            return None;
        }
        rest = after.trim_start_matches([' ', '\t']);
        let Some(next) = rest.strip_prefix(';') else {
            let (hop, https) = (hop.unwrap_or(Hop::Unreadable), https.unwrap_or(false));
            return Some((Element { hop, https }, rest));
        };
        rest = next.trim_start_matches([' ', '\t']);
    }
}

/// A token, or a quoted string with its escapes taken out (RFC 9110 §5.6).
fn value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        return token(text).map(|(token, rest)| (token.to_owned(), rest));
    };
    let mut value = String::new();
    let mut chars = quoted.chars();
    loop {
        match chars.next()? {
            '"' => return Some((value, chars.as_str())),
            '\\' => value.push(chars.next()?),
            c => value.push(c),
        }
    }
}

fn token(text: &str) -> Option<(&str, &str)> {
    let ends = |c: char| !(c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c));
    let (token, rest) = text.split_at(text.find(ends).unwrap_or(text.len()));
    (!token.is_empty()).then_some((token, rest))
}

/// Reads an address with or without a port, IPv6 with or without brackets. Mapped IPv4 is IPv4.
fn node(text: &str) -> Hop {
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse::<std::net::Ipv6Addr>().ok();
    let address = (text.parse::<IpAddr>().ok())
        .or_else(|| text.parse().ok().map(|address: SocketAddr| address.ip()))
        .or_else(|| bracketed().map(IpAddr::from));
    address.map_or(Hop::Unreadable, |address| Hop::Address(address.to_canonical()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hops(line: &HeaderValue) -> Vec<Hop> {
        forwarded(line).into_iter().map(|element| element.hop).collect()
    }

    fn shown(hops: &[Hop]) -> String {
        let each = hops.iter().map(|hop| match hop {
            Hop::Address(address) => address.to_string(),
            Hop::Unreadable => "?".to_owned(),
        });
        each.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn addresses_come_in_several_dresses() {
        for (text, address) in [
            ("192.0.2.1", "192.0.2.1"),
            ("192.0.2.1:8080", "192.0.2.1"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:443", "2001:db8::1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("[::ffff:192.0.2.1]:1", "192.0.2.1"),
            ("[192.0.2.1]", "?"),
            ("192.0.2.01", "?"),
            ("192.0.2.1:99999", "?"),
            ("unknown", "?"),
            ("", "?"),
        ] {
            assert_eq!(shown(&[node(text)]), address, "{text}");
        }
    }

    /// Found by fuzzing: such a line was unreadable as a whole, so its sender counted as the proxy.
    #[test]
    fn bytes_that_are_no_text_hide_nothing_behind_them() {
        let line = HeaderValue::from_bytes(b"198.51.100.6, ::ff\xdeff:1, 192.0.2.1").unwrap();
        assert_eq!(shown(&x_forwarded_for(&line)), "192.0.2.1 ? 198.51.100.6");
    }

    #[test]
    fn forwarded_is_read_as_the_rfc_writes_it() {
        for (line, expected) in [
            ("for=192.0.2.60;proto=http;by=203.0.113.43", "192.0.2.60"),
            ("For=\"[2001:db8:cafe::17]:4711\"", "2001:db8:cafe::17"),
            ("for=192.0.2.43, for=198.51.100.17", "198.51.100.17 192.0.2.43"),
            ("for=192.0.2.43,for=\"_gazonk\"", "? 192.0.2.43"),
            ("proto=https, for=192.0.2.1", "192.0.2.1 ?"),
            ("for=192.0.2.1 ; host=\"a,b;c\\\"\" , for=192.0.2.2", "192.0.2.2 192.0.2.1"),
        ] {
            assert_eq!(shown(&hops(&line.parse().unwrap())), expected, "{line}");
        }
    }

    #[test]
    fn https_is_what_each_proxy_says_it_is() {
        for (line, https) in [
            ("for=192.0.2.60;proto=https", "y"),
            ("proto=\"HTTPS\";for=192.0.2.60", "y"),
            ("for=192.0.2.60", "n"),
            ("for=192.0.2.60;proto=http, for=10.0.0.1;proto=https", "yn"),
            ("for=192.0.2.60;proto=https;proto=https", "n"),
            ("for=192.0.2.60;proto=https;host=\"", "n"),
        ] {
            let line: HeaderValue = line.parse().unwrap();
            let said: String = forwarded(&line).iter().map(|one| if one.https { 'y' } else { 'n' }).collect();
            assert_eq!(said, https, "{line:?}");
        }
        for (line, https) in
            [("https", true), ("HTTPS, https", true), ("https, http", false), ("http", false), ("", false)]
        {
            assert_eq!(x_forwarded_proto(&line.parse().unwrap()), https, "{line}");
        }
    }

    #[test]
    fn a_line_that_a_stranger_broke_says_nothing() {
        for line in [
            // What the proxy appended is inside, or after, a quotation of the stranger's.
            "for=198.51.100.6;x=\", for=192.0.2.1",
            "for=198.51.100.6;x=\", for=\"[2001:db8::1]\"",
            "for=198.51.100.6;x=\"\\\", for=192.0.2.1",
            "for=192.0.2.1;for=198.51.100.6",
            "for=192.0.2.1 198.51.100.6",
            "for = 192.0.2.1",
            "for=",
            "",
            ",",
            "for=192.0.2.1,",
        ] {
            assert_eq!(shown(&hops(&line.parse().unwrap())), "?", "{line}");
        }
    }

    proptest! {
        #[test]
        fn no_line_makes_the_parsers_panic(line in "[ -~]{0,80}") {
            let line: HeaderValue = line.parse().unwrap();
            prop_assert!(!forwarded(&line).is_empty() && !x_forwarded_for(&line).is_empty());
        }

        #[test]
        fn whatever_a_stranger_sends_the_appended_hop_is_first(
            junk in prop::collection::vec((b' '..=255).prop_filter("DEL", |byte| *byte != 0x7f), 0..80),
        ) {
            let append = |hop: &[u8]| HeaderValue::from_bytes(&[&junk, hop].concat()).unwrap();
            let appended = append(b", 192.0.2.1");
            prop_assert_eq!(shown(&x_forwarded_for(&appended)[..1]), "192.0.2.1");
            let appended = append(b", for=192.0.2.1");
            let first = shown(&hops(&appended)[..1]);
            prop_assert!(first == "192.0.2.1" || first == "?");
        }
    }
}
