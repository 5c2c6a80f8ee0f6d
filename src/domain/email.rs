use std::fmt;

use email_address::EmailAddress;
use unicode_normalization::UnicodeNormalization;

/// RFC 5321 §4.5.3.1.1, octets.
const LOCAL_MAX: usize = 64;
/// RFC 5321 §4.5.3.1.3 less the angle brackets, octets.
const ADDRESS_MAX: usize = 254;

/// An e-mail address in two forms: as its owner wrote it, and the canonical one that decides
/// whether two addresses are the same.
///
/// Canonical is trimmed, NFC, lower case, with the domain in IDNA ASCII (UTS #46). Dots and `+tags`
/// are left alone: what they mean is the mail provider's business.
#[derive(Debug, Clone)]
pub struct Email {
    display: String,
    canonical: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EmailError {
    #[error("is not an e-mail address")]
    Syntax,
    #[error("is longer than an e-mail address can be")]
    TooLong,
    #[error("has a character that could be mistaken for another one")]
    Confusable,
}

impl Email {
    pub fn parse(text: &str) -> Result<Self, EmailError> {
        let trimmed = text.trim();
        if trimmed.len() > 2 * ADDRESS_MAX {
            return Err(EmailError::TooLong);
        }
        let display: String = trimmed.nfc().collect();
        let (local, domain) = trimmed.rsplit_once('@').ok_or(EmailError::Syntax)?;
        let canonical = format!("{}@{}", canonical_local(local)?, canonical_domain(domain)?);
        if canonical.len() > ADDRESS_MAX {
            return Err(EmailError::TooLong);
        }
        Ok(Self { display, canonical })
    }

    /// Rebuilds an address from the two forms that a database keeps.
    #[must_use]
    pub fn from_stored(display: String, canonical: String) -> Self {
        Self { display, canonical }
    }

    /// Returns the form that identifies: unique among users.
    #[must_use]
    pub fn canonical(&self) -> &str {
        &self.canonical
    }

    /// Returns the form that its owner wrote, for showing and for mail.
    #[must_use]
    pub fn display(&self) -> &str {
        &self.display
    }

    /// Returns what stands before the `@`, in canonical form.
    #[must_use]
    pub fn local_part(&self) -> &str {
        self.canonical.rsplit_once('@').map_or("", |(local, _)| local)
    }

    /// Returns the canonical domain.
    #[must_use]
    pub fn domain(&self) -> &str {
        self.canonical.rsplit_once('@').map_or("", |(_, domain)| domain)
    }
}

/// Two addresses are the same when their canonical forms are.
impl PartialEq for Email {
    fn eq(&self, other: &Self) -> bool {
        self.canonical == other.canonical
    }
}

impl Eq for Email {}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.display)
    }
}

fn canonical_local(local: &str) -> Result<String, EmailError> {
    if local.chars().any(confusable) {
        return Err(EmailError::Confusable);
    }
    let canonical: String = local.nfc().collect::<String>().to_lowercase().nfc().collect();
    if canonical.len() > LOCAL_MAX {
        return Err(EmailError::TooLong);
    }
    // A quoted local part (RFC 5321 §4.1.2) can hold spaces and line breaks; no provider gives them out.
    if canonical.starts_with('"') || !EmailAddress::is_valid_local_part(&canonical) {
        return Err(EmailError::Syntax);
    }
    Ok(canonical)
}

fn canonical_domain(domain: &str) -> Result<String, EmailError> {
    let ascii = idna::domain_to_ascii_strict(domain).map_err(|_| EmailError::Syntax)?;
    let labels = ascii.split('.').count();
    let numeric_end = ascii.rsplit('.').next().is_none_or(|last| last.bytes().all(|b| b.is_ascii_digit()));
    if ascii.ends_with('.') || numeric_end || (labels < 2 && ascii != "localhost") {
        return Err(EmailError::Syntax);
    }
    Ok(ascii)
}

/// Refuses what cannot be seen, and what lower case or compatibility folding would turn into ASCII
/// (`K` the Kelvin sign, `ﬁ` the ligature, full-width letters): two spellings must never meet in
/// one account by a rule that the mail provider does not share.
fn confusable(c: char) -> bool {
    let folds_to_ascii =
        || !c.is_ascii() && c.nfkc().flat_map(char::to_lowercase).any(|folded| folded.is_ascii());
    c.is_control() || invisible(c) || folds_to_ascii()
}

fn invisible(c: char) -> bool {
    (c.is_whitespace() && c != ' ')
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff0}'..='\u{ffff}' | '\u{e000}'..='\u{f8ff}' | '\u{e0000}'..='\u{10ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(text: &str) -> String {
        Email::parse(text).unwrap().canonical().to_owned()
    }

    #[test]
    fn spellings_of_one_address_meet() {
        for text in ["Alice@Example.com", " alice@example.COM ", "ALICE@EXAMPLE.COM\n"] {
            assert_eq!(canonical(text), "alice@example.com");
        }
        assert_eq!(canonical("jose\u{301}@x.org"), canonical("JOSÉ@x.org"));
        assert_eq!(canonical("a@bücher.example"), "a@xn--bcher-kva.example");
        assert_eq!(canonical("a@xn--bcher-kva.example"), canonical("a@BÜCHER.example"));
    }

    #[test]
    fn display_is_kept() {
        assert_eq!(Email::parse("  Alice@Example.com ").unwrap().display(), "Alice@Example.com");
    }

    #[test]
    fn dots_and_tags_are_left_alone() {
        assert_ne!(canonical("a.b+c@x.org"), canonical("ab@x.org"));
    }

    #[test]
    fn look_alikes_stay_apart() {
        assert_ne!(canonical("аlice@x.org"), canonical("alice@x.org"), "Cyrillic");
        for sly in [
            "mi\u{212a}e@x.org",
            "\u{fb01}n@x.org",
            "\u{ff41}@x.org",
            "a\u{200b}@x.org",
            "\u{130}@x.org",
            "ſ@x.org",
        ] {
            assert_eq!(Email::parse(sly).unwrap_err(), EmailError::Confusable, "{sly:?}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for bad in [
            "",
            "a",
            "@",
            "a@",
            "@x.org",
            "a b@x.org",
            "a@x",
            "a@x.org.",
            "a@@x.org",
            "a@b@x.org",
            "a@[127.0.0.1]",
            "a@127.0.0.1",
            "\"a b\"@x.org",
            ".a@x.org",
            "a..b@x.org",
            "a@-x.org",
            "a@x_y.org",
            "a@x.org\r\nBcc: b@x.org",
            "a<b>@x.org",
            "Alice <a@x.org>",
        ] {
            assert!(Email::parse(bad).is_err(), "{bad:?}");
        }
        assert!(Email::parse("a\0b@x.org").is_err());
        assert!(Email::parse("a\r\n@x.org").is_err());
        assert_eq!(Email::parse(&format!("{}@x.org", "a".repeat(65))).unwrap_err(), EmailError::TooLong);
        let domain = format!("{}.org", vec!["a".repeat(60); 4].join("."));
        assert!(Email::parse(&format!("{}@{domain}", "a".repeat(64))).is_err());
    }

    proptest::proptest! {
        #[test]
        fn parsing_never_panics_and_is_idempotent(text in "\\PC{0,40}@?\\PC{0,40}") {
            if let Ok(email) = Email::parse(&text) {
                proptest::prop_assert_eq!(&canonical(email.canonical()), email.canonical());
                proptest::prop_assert_eq!(canonical(email.display()), email.canonical());
            }
        }
    }
}
