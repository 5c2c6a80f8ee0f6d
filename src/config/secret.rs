//! Values that are never printed and are wiped when dropped.

use std::fmt;

use base64::{
    Engine as _,
    alphabet::{STANDARD, URL_SAFE},
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose},
};
use zeroize::Zeroizing;

use super::{
    placeholder::{is_made_up, is_placeholder},
    problem::Mistake,
};

pub(super) const REDACTED: &str = "[redacted]";

/// A text that prints as `[redacted]`.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Hands out the text; the call site shows in a review.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

/// 32 bytes that seal signing keys and derive the MAC keys.
#[derive(Clone, PartialEq, Eq)]
pub struct MasterKey(Zeroizing<[u8; 32]>);

impl MasterKey {
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// The form in which `KEYWARD_MASTER_KEY` and `master.key` hold it.
    #[must_use]
    pub fn to_base64(&self) -> Zeroizing<String> {
        Zeroizing::new(general_purpose::STANDARD.encode(self.0.as_slice()))
    }

    /// Reads base64 in either alphabet, padded or not; refuses what no random generator would make.
    pub(super) fn parse(text: &str) -> Result<Self, Mistake> {
        const FIX: &str = "write 32 random bytes in base64, as `openssl rand -base64 32` prints them";
        if is_placeholder(text) {
            return Err(Mistake::new("is a placeholder, not a key", FIX));
        }
        if text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(Mistake::new("is hexadecimal, keys are base64", FIX));
        }
        let decoded = decode(text).ok_or_else(|| Mistake::new("is not base64", FIX))?;
        let bytes = Zeroizing::new(
            <[u8; 32]>::try_from(decoded.as_slice())
                .map_err(|_| Mistake::new(format!("holds {} bytes, a key has 32", decoded.len()), FIX))?,
        );
        if is_made_up(bytes.as_slice()) {
            return Err(Mistake::new("is not random, somebody made it up", FIX));
        }
        Ok(Self(bytes))
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

/// The master keys that are accepted; the first one is used for everything new.
#[derive(Debug, Clone)]
pub struct MasterKeys {
    current: MasterKey,
    older: Vec<MasterKey>,
}

impl MasterKeys {
    #[must_use]
    pub fn new(current: MasterKey, older: Vec<MasterKey>) -> Self {
        Self { current, older }
    }

    #[must_use]
    pub fn current(&self) -> &MasterKey {
        &self.current
    }

    /// All of them, the current one first.
    pub fn iter(&self) -> impl Iterator<Item = &MasterKey> {
        std::iter::once(&self.current).chain(&self.older)
    }

    /// Reads the content of `data_dir/master.key`: one or more keys, separated by commas or white space.
    ///
    /// The error says what is wrong with it and holds nothing of the key.
    pub fn parse(text: &str) -> Result<Self, String> {
        let keys = text
            .split(|c: char| c == ',' || c.is_whitespace())
            .filter(|key| !key.is_empty())
            .map(|key| MasterKey::parse(key).map_err(|mistake| mistake.message))
            .collect::<Result<Vec<_>, _>>()?;
        Self::from_list(keys).ok_or_else(|| "holds no key".to_owned())
    }

    pub(super) fn from_list(keys: Vec<MasterKey>) -> Option<Self> {
        let mut keys = keys.into_iter();
        Some(Self::new(keys.next()?, keys.collect()))
    }
}

/// Reads base64 in either alphabet, padded or not.
pub(super) fn decode(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let lenient = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    [STANDARD, URL_SAFE]
        .iter()
        .find_map(|alphabet| GeneralPurpose::new(alphabet, lenient).decode(text).ok())
        .map(Zeroizing::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 32 bytes in no order.
    const RANDOM: &str = "q83Nn0sXo2yq7wYxJp0lVt8m4k6Z1cE5bTtH+uR/9Ag=";

    #[test]
    fn a_secret_prints_as_redacted() {
        let secret = Secret::from("hunter2");
        assert_eq!(format!("{secret} {secret:?}"), "[redacted] [redacted]");
        assert_eq!(secret.expose(), "hunter2");
        let keys = MasterKeys::parse(RANDOM).unwrap();
        assert!(!format!("{keys:?}").contains(char::is_numeric));
    }

    #[test]
    fn a_master_key_is_read_in_each_form_of_base64() {
        let expected = MasterKey::parse(RANDOM).unwrap();
        let url_safe = RANDOM.replace('+', "-").replace('/', "_");
        for text in [RANDOM.trim_end_matches('='), &url_safe, url_safe.trim_end_matches('=')] {
            assert_eq!(MasterKey::parse(text), Ok(expected.clone()));
        }
        assert_eq!(*expected.to_base64(), RANDOM);
    }

    #[test]
    fn a_master_key_that_nobody_drew_is_refused() {
        let encode = |bytes: [u8; 32]| general_purpose::STANDARD.encode(bytes);
        let count: [u8; 32] = std::array::from_fn(|i| u8::try_from(i).unwrap());
        for (text, why) in [
            ("changeme".to_owned(), "placeholder"),
            ("REPLACE_WITH_YOUR_MASTER_KEY".to_owned(), "placeholder"),
            (general_purpose::STANDARD.encode("changeme"), "8 bytes"),
            (encode([0; 32]), "placeholder"),
            (encode([7; 32]), "made it up"),
            (encode(count), "made it up"),
            (encode(*b"this is my very own master key !"), "made it up"),
            ("0f".repeat(32), "placeholder"),
            ("0123456789abcdef".repeat(4), "hexadecimal"),
            ("not base64!".to_owned(), "not base64"),
        ] {
            let mistake = MasterKey::parse(&text).unwrap_err();
            assert!(mistake.message.contains(why), "{text}: {mistake:?}");
            assert!(!format!("{mistake:?}").contains(&text));
        }
    }
}
