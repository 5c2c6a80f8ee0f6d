//! Whatever stands in a line of a forwarding header, what the proxy appended is read as appended, or
//! the line says nothing.
#![no_main]

use std::net::IpAddr;

use keyward::http::fuzzing::{forwarded, x_forwarded_for, x_forwarded_proto};
use libfuzzer_sys::fuzz_target;

const PROXY_SAW: [u8; 4] = [192, 0, 2, 1];

fuzz_target!(|line: &[u8]| {
    if let Some(hops) = x_forwarded_for(line) {
        assert!(!hops.is_empty());
        for address in hops.into_iter().flatten() {
            assert_eq!(address, address.to_canonical(), "IPv4 has one form");
            assert_eq!(x_forwarded_for(address.to_string().as_bytes()), Some(vec![Some(address)]));
        }
    }
    if let Some(elements) = forwarded(line) {
        assert!(!elements.is_empty());
        for (address, https) in elements {
            assert_eq!(address, address.map(|address| address.to_canonical()), "IPv4 has one form");
            assert_eq!(forwarded(&element(address, https)), Some(vec![(address, https)]));
        }
    }
    let saw = IpAddr::from(PROXY_SAW);
    if let Some(hops) = x_forwarded_for(&[line, b", 192.0.2.1"].concat()) {
        assert_eq!(hops.first(), Some(&Some(saw)));
    }
    if let Some(elements) = forwarded(&[line, b", for=192.0.2.1;proto=http"].concat()) {
        let (address, https) = elements[0];
        assert!(!https && [Some(saw), None].contains(&address), "{elements:?}");
        assert!(address.is_some() || elements.len() == 1, "good as a whole or not at all");
    }
    assert_ne!(x_forwarded_proto(&[line, b", http"].concat()), Some(true));
});

/// An element that says just this.
fn element(address: Option<IpAddr>, https: bool) -> Vec<u8> {
    let node = match address {
        Some(IpAddr::V4(address)) => address.to_string(),
        Some(IpAddr::V6(address)) => format!("\"[{address}]\""),
        None => "unknown".to_owned(),
    };
    format!("for={node};proto={}", if https { "https" } else { "http" }).into()
}
