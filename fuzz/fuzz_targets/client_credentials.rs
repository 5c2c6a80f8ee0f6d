//! HTTP Basic of service clients: one spelling of a pair, and names that are shown as they were read.
#![no_main]

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use keyward::domain::ClientId;
use keyward::http::fuzzing::basic;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(id) = text.parse::<ClientId>() {
        assert_eq!(id.to_string(), text);
        assert!(text.len() <= 64 && !text.contains(':'));
        let header = format!("Basic {}", BASE64_STANDARD.encode(format!("{id}:a:b")));
        assert_eq!(basic(&header), Some((text.to_owned(), "a:b".to_owned())));
    }
    if let Some((id, secret)) = basic(text) {
        let (scheme, encoded) = text.split_once(' ').expect("a scheme");
        assert!(scheme.eq_ignore_ascii_case("basic"));
        assert_eq!(BASE64_STANDARD.encode(format!("{id}:{secret}")), encoded.trim());
        assert!(!id.contains(':'));
    }
});
