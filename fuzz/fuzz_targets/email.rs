//! An address that is accepted has one canonical spelling, to which all others lead.
#![no_main]

use keyward::domain::Email;
use libfuzzer_sys::fuzz_target;
use unicode_normalization::UnicodeNormalization as _;

fuzz_target!(|text: &str| {
    let Ok(email) = Email::parse(text) else { return };
    let same = |spelling: &str| {
        let other = Email::parse(spelling).unwrap_or_else(|error| panic!("{spelling:?} {error}"));
        assert_eq!(other.canonical(), email.canonical(), "{spelling:?}");
    };
    same(email.canonical());
    same(email.display());
    same(&format!(" {text}\n"));
    same(&text.to_ascii_uppercase());
    same(&text.to_ascii_lowercase());
    let decomposed: String = text.trim().nfd().collect();
    if decomposed.len() <= 2 * 254 {
        same(&decomposed);
    }

    let canonical = email.canonical();
    assert!(canonical.len() <= 254 && email.local_part().len() <= 64);
    assert_eq!(canonical, format!("{}@{}", email.local_part(), email.domain()));
    assert!(email.domain().is_ascii() && !canonical.contains(char::is_control));
    assert!(!email.display().contains(char::is_control), "it is printed and mailed");
});
