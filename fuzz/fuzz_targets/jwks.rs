//! Key sets of an issuer: what is read can be published again and is the same, without a private part.
#![no_main]

use keyward_verify::{Jwks, KeySet};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|json: &[u8]| {
    let set = KeySet::from_jwks(json);
    let Ok(jwks) = serde_json::from_slice::<Jwks>(json) else {
        assert!(set.is_err());
        return;
    };
    let published = serde_json::to_vec(&jwks).expect("public keys are JSON");
    let again: Jwks = serde_json::from_slice(&published).expect("what was published is read");
    assert_eq!(again.keys, jwks.keys);
    if let Ok(set) = set {
        let kids: Vec<_> = set.kids().collect();
        assert_eq!(kids.len(), jwks.keys.len());
        let published = KeySet::from_jwks(&published).expect("what was published is read");
        assert_eq!(published.kids().collect::<Vec<_>>(), kids);
    }
    for key in &jwks.keys {
        assert!(!key.kid().is_empty() && key.thumbprint().len() == 43);
    }
});
