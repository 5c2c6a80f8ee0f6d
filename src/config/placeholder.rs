//! Secrets that nobody chose: examples copied, patterns typed.

use std::collections::BTreeSet;

/// A text, a repeated pattern, a count: each has less than one chance in 10^13 to be drawn at random as 32 bytes, in 10^9 as 24.
pub(super) fn is_made_up(bytes: &[u8]) -> bool {
    let few = bytes.iter().collect::<BTreeSet<_>>().len() < bytes.len() / 2;
    let text = bytes.iter().all(|byte| matches!(byte, b' '..=b'~'));
    let steps: BTreeSet<u8> =
        bytes.iter().zip(bytes.iter().skip(1)).map(|(a, b)| b.wrapping_sub(*a)).collect();
    few || text || steps.len() == 1
}

/// Whether nothing is left of a text without the words that examples are made of.
pub(super) fn is_placeholder(text: &str) -> bool {
    // Longer words first, so that none leaves a rest of another behind.
    const WORDS: &[&str] = &[
        "administrator",
        "placeholder",
        "passphrase",
        "masterkey",
        "changeit",
        "changeme",
        "password",
        "passwort",
        "default",
        "example",
        "keyward",
        "letmein",
        "replace",
        "welcome",
        "qwerty",
        "change",
        "insert",
        "master",
        "please",
        "secret",
        "admin",
        "dummy",
        "here",
        "pass",
        "root",
        "test",
        "this",
        "todo",
        "user",
        "with",
        "your",
        "key",
        "one",
        "the",
        "xxx",
        "me",
        "my",
        "a",
    ];
    let letters: String = text.to_lowercase().chars().filter(|c| c.is_alphabetic()).collect();
    let digits: Vec<u32> = text.chars().filter_map(|c| c.to_digit(10)).collect();
    let mut rest = letters.clone();
    for word in WORDS {
        rest = rest.replace(word, "");
    }
    let repeated = text.chars().collect::<BTreeSet<_>>().len() <= 2;
    // A word among many digits in no order may be a real password.
    let words = rest.is_empty() && (letters.chars().count() > digits.len() || is_count(&digits));
    repeated || words
}

/// `123456789`, `1234567890`, `987654321`.
fn is_count(digits: &[u32]) -> bool {
    let step = |by: u32| digits.iter().zip(digits.iter().skip(1)).all(|(a, b)| (a + by) % 10 == *b);
    !digits.is_empty() && (step(1) || step(9))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_known_in_every_dress() {
        for text in [
            "changeme",
            "Change-Me!",
            "password",
            "Password123456",
            "admin",
            "admin1234567890",
            "<your admin password here>",
            "changemechangeme",
            "xxxxxxxxxxxxxxxx",
            "1234567890123456",
            "................",
        ] {
            assert!(is_placeholder(text), "{text}");
        }
        for text in [
            "correct horse battery staple",
            "7f3a-99b1-c0de-4421",
            "a-password-that-nobody-uses",
            "!@#$%^&*()_+-=[]",
            "8364-92me-8372-6481",
        ] {
            assert!(!is_placeholder(text), "{text}");
        }
    }
}
