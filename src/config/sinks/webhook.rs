use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use zeroize::Zeroizing;

use crate::config::placeholder::{is_made_up, is_placeholder};
use crate::config::problem::Mistake;
use crate::config::secret::{REDACTED, Secret, decode};
use crate::config::urls;

const PREFIX: &str = "whsec_";
/// In the test vector of Standard Webhooks, for everybody to read.
const PUBLISHED: &str = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A receiver of signed POSTs.
#[derive(Debug, Clone)]
pub struct WebhookTarget {
    /// `https://` or `http://`; whoever knows its path or query may be able to post there too.
    pub url: Secret,
}

/// Signs webhooks, as Standard Webhooks 1.0 has it: `whsec_` and 24 to 64 bytes in base64.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookSecret(Zeroizing<Vec<u8>>);

impl WebhookSecret {
    pub(in crate::config) fn new(bytes: &[u8]) -> Self {
        Self(Zeroizing::new(bytes.to_vec()))
    }

    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The form in which `KEYWARD_EVENTS_WEBHOOK_SECRETS` and the receiver hold it.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("{PREFIX}{}", STANDARD.encode(self.0.as_slice())))
    }

    pub(in crate::config) fn parse(text: &str) -> Result<Self, Mistake> {
        const FIX: &str = "write whsec_ and 24 to 64 random bytes in base64, as `echo whsec_$(openssl rand -base64 32)` \
                           prints them";
        let bare = text.strip_prefix(PREFIX);
        if is_placeholder(bare.unwrap_or(text)) {
            return Err(Mistake::new("is a placeholder, not a secret", FIX));
        }
        let bare = bare.ok_or_else(|| Mistake::new("does not begin with whsec_", FIX))?;
        let bytes = decode(bare).ok_or_else(|| Mistake::new("is not base64 behind whsec_", FIX))?;
        if !(24..=64).contains(&bytes.len()) {
            return Err(Mistake::new(format!("holds {} bytes, a secret has 24 to 64", bytes.len()), FIX));
        }
        if is_made_up(&bytes) {
            return Err(Mistake::new("is not random, somebody made it up", FIX));
        }
        if bare == PUBLISHED {
            return Err(Mistake::new("is the example of a specification, which everybody can read", FIX));
        }
        Ok(Self(bytes))
    }
}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

pub(super) fn target(text: &str) -> Result<WebhookTarget, Mistake> {
    let url = urls::with_host(text, "https://hooks.example.com/keyward")?;
    Ok(WebhookTarget { url: Secret::from(url.to_string()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_random_bytes_behind_its_prefix() {
        let secret = WebhookSecret::parse("whsec_q83Nn0sXo2yq7wYxJp0lVt8m4k6Z1cE5").unwrap();
        assert_eq!(secret.expose().len(), 24);
        assert_eq!(*secret.to_text(), "whsec_q83Nn0sXo2yq7wYxJp0lVt8m4k6Z1cE5");
        assert_eq!(format!("{secret:?}"), "[redacted]");
        let encode = |bytes: &[u8]| format!("whsec_{}", STANDARD.encode(bytes));
        let drawn: Vec<u8> =
            (0..65_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 11).to_le_bytes()[1]).collect();
        for length in [24, 32, 64] {
            assert!(WebhookSecret::parse(&encode(&drawn[..length])).is_ok(), "{length}");
        }
        for (text, why) in [
            ("whsec_changeme".to_owned(), "placeholder"),
            ("whsec_your-secret-here".to_owned(), "placeholder"),
            ("changeme".to_owned(), "placeholder"),
            ("q83Nn0sXo2yq7wYxJp0lVt8m4k6Z1cE5".to_owned(), "whsec_"),
            ("whsec_not base64!".to_owned(), "not base64"),
            (encode(&drawn[..23]), "23 bytes"),
            (encode(&drawn), "65 bytes"),
            (encode(&[7; 24]), "made it up"),
            (encode(b"this is a very old secret of ours"), "made it up"),
            ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned(), "example"),
        ] {
            let mistake = WebhookSecret::parse(&text).unwrap_err();
            assert!(mistake.message.contains(why), "{text}: {mistake:?}");
            assert!(!format!("{mistake:?}").contains(&text));
        }
    }

    #[test]
    fn a_receiver_keeps_its_path_and_query() {
        assert_eq!(target("https://h/a?token=b").unwrap().url.expose(), "https://h/a?token=b");
        assert!(target("https://").is_err());
    }
}
