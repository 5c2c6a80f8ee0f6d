use std::fmt;

use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use super::{Email, blocklist};

/// No setting can raise the maximum past this many code points, so a longer password cannot be
/// anyone's; it is refused before any work is spent on it.
const CEILING: usize = 4_096;
/// What must be left of a password when the words that everyone could know are taken out.
const OWN_LETTERS_MIN: usize = 8;
/// Shorter words (a local part like `jo`) would be found in too many good passwords.
const CONTEXT_WORD_MIN: usize = 4;
const SERVICE_NAME: &str = "keyward";

/// A password in NFC (NIST SP 800-63B-4 §3.1.1.2), wiped from memory when dropped.
///
/// Otherwise exactly what was typed: case, spaces, NUL and every byte count.
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

impl Password {
    /// Takes any text up to 4,096 code points.
    pub fn parse(text: &str) -> Result<Self, PasswordFlaw> {
        let normal = Zeroizing::new(text.nfc().take(CEILING + 1).collect::<String>());
        if normal.chars().count() > CEILING {
            return Err(PasswordFlaw::TooLong { max: CEILING });
        }
        Ok(Self(normal))
    }

    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password([redacted])")
    }
}

/// A password that a policy has accepted.
#[derive(Debug, Clone)]
pub struct NewPassword(Password);

impl NewPassword {
    #[must_use]
    pub fn as_password(&self) -> &Password {
        &self.0
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordFlaw {
    #[error("must have at least {min} characters")]
    TooShort { min: usize },
    #[error("must have at most {max} characters")]
    TooLong { max: usize },
    #[error("is among the passwords that attackers try first")]
    Common,
    #[error("is little more than the e-mail address or the name of this service")]
    Guessable,
}

/// What a new password must be: a length in code points, and not easily guessed. There are no
/// composition rules (NIST SP 800-63B-4 §3.1.1.2).
#[derive(Debug, Clone)]
pub struct PasswordPolicy {
    pub min_length: usize,
    pub max_length: usize,
    /// What everyone knows of this service: the host of its issuer. Its name is known anyway.
    pub service_host: String,
}

impl PasswordPolicy {
    pub fn accept(&self, text: &str, owner: Option<&Email>) -> Result<NewPassword, PasswordFlaw> {
        let password = Password::parse(text)?;
        let length = password.0.chars().count();
        if length > self.max_length {
            return Err(PasswordFlaw::TooLong { max: self.max_length });
        }
        if length < self.min_length {
            return Err(PasswordFlaw::TooShort { min: self.min_length });
        }
        if blocklist::holds(&password.0) {
            return Err(PasswordFlaw::Common);
        }
        let lower = Zeroizing::new(password.0.to_lowercase());
        for text in [Zeroizing::new(blocklist::plain(&lower)), lower] {
            let own = self.without_context_words(&text, owner);
            let letters = own.chars().filter(|c| c.is_alphanumeric()).count();
            if own.len() == text.len() {
                continue;
            }
            if letters < OWN_LETTERS_MIN.min(self.min_length) {
                return Err(PasswordFlaw::Guessable);
            }
            if blocklist::holds(&own) {
                return Err(PasswordFlaw::Common);
            }
        }
        Ok(NewPassword(password))
    }

    /// Takes the parts of the owner's address and the service's names out of a text in lower case.
    fn without_context_words(&self, text: &str, owner: Option<&Email>) -> Zeroizing<String> {
        let mut words = vec![SERVICE_NAME, &self.service_host];
        words.extend(self.service_host.split('.'));
        if let Some(email) = owner {
            words.extend([email.canonical(), email.local_part(), email.domain()]);
            words.extend(email.domain().split('.'));
            words.extend(email.local_part().split(['.', '_', '-', '+']));
        }
        words.retain(|word| word.chars().count() >= CONTEXT_WORD_MIN);
        words.sort_by_key(|word| std::cmp::Reverse(word.len()));
        let mut left = Zeroizing::new(text.to_owned());
        for word in words {
            left = Zeroizing::new(left.replace(word, ""));
        }
        left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> PasswordPolicy {
        PasswordPolicy { min_length: 15, max_length: 64, service_host: "login.rabbithole.example".to_owned() }
    }

    fn flaw(text: &str) -> Option<PasswordFlaw> {
        let owner = Email::parse("marianne.dubois@wonderland.example").unwrap();
        policy().accept(text, Some(&owner)).err()
    }

    #[test]
    fn length_counts_code_points_after_nfc() {
        let composed = "é".repeat(3) + " Wald und Wie";
        assert_eq!(composed.chars().count(), 16);
        assert_eq!(flaw(&composed), None);
        let decomposed = "e\u{301}e\u{301}e\u{301} Wald Wie";
        assert!(decomposed.chars().count() >= 15);
        assert_eq!(flaw(decomposed), Some(PasswordFlaw::TooShort { min: 15 }));
        assert_eq!(flaw(&"x y".repeat(30)), Some(PasswordFlaw::TooLong { max: 64 }));
        assert!(matches!(Password::parse(&"é".repeat(5_000)), Err(PasswordFlaw::TooLong { .. })));
    }

    #[test]
    fn both_normal_forms_are_one_password() {
        let (nfc, nfd) = (Password::parse("café").unwrap(), Password::parse("cafe\u{301}").unwrap());
        assert_eq!(nfc.as_bytes(), nfd.as_bytes());
        assert_ne!(Password::parse("a ").unwrap().as_bytes(), Password::parse("a").unwrap().as_bytes());
        assert_ne!(Password::parse("a\0b").unwrap().as_bytes(), Password::parse("a\0c").unwrap().as_bytes());
    }

    #[test]
    fn what_everyone_could_know_is_refused() {
        for known in [
            "marianne.dubois",
            "Marianne.Dubois2026",
            "wonderland-dubois",
            "keywardkeyward1",
            "Keyward-Marianne!",
            "marianne.dubois@wonderland.example",
            "keyward-password123",
            "login.rabbithole.example",
            "Rabbithole-2026-login",
            "k3yward-M4r1ann3!!",
        ] {
            assert!(flaw(known).is_some(), "{known}");
        }
        for good in ["keyward and a quiet lake", "rabbithole with seven doors", "1ate 0ne n1ght 1n m4y"] {
            assert_eq!(flaw(good), None, "{good}");
        }
        assert_eq!(flaw("password1234567"), Some(PasswordFlaw::Common));
    }

    #[test]
    fn debug_shows_nothing() {
        assert!(!format!("{:?}", Password::parse("hunter2").unwrap()).contains("hunter2"));
    }
}
