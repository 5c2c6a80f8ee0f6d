//! The normal forms of a text are one password, and a policy accepts no password that it should not.
#![no_main]

use keyward::domain::{Email, Password, PasswordPolicy};
use libfuzzer_sys::fuzz_target;
use unicode_normalization::UnicodeNormalization as _;

fuzz_target!(|text: &str| {
    let policy =
        PasswordPolicy { min_length: 15, max_length: 64, service_host: "login.example.com".to_owned() };
    let owner = Email::parse("marianne.dubois@wonderland.example").ok();
    let accepted = policy.accept(text, owner.as_ref());
    let Ok(password) = Password::parse(text) else {
        assert!(accepted.is_err() && text.nfc().count() > 4_096);
        return;
    };
    let normal = std::str::from_utf8(password.as_bytes()).expect("a text");
    assert_eq!(normal, text.nfc().collect::<String>());
    for spelling in [text.nfc().collect::<String>(), text.nfd().collect()] {
        assert_eq!(Password::parse(&spelling).unwrap().as_bytes(), password.as_bytes());
        assert_eq!(policy.accept(&spelling, owner.as_ref()).is_ok(), accepted.is_ok());
    }
    if let Ok(accepted) = accepted {
        assert_eq!(accepted.as_password().as_bytes(), password.as_bytes());
        assert!((15..=64).contains(&normal.chars().count()));
        assert_eq!(format!("{accepted:?}"), "NewPassword(Password([redacted]))");
    }
});
