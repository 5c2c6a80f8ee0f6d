use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny};

use crate::{Jwk, VerifyError};

/// Longest token that is looked at, in bytes. Anything longer is refused before any work.
pub const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// Longest decoded header in bytes; Keyward's take about 90.
pub(crate) const MAX_HEADER_BYTES: usize = 300;

/// Longest decoded signature in bytes: that of an RSA key of 8192 bits, and what the decoder wants for rounding.
const MAX_SIGNATURE_BYTES: usize = 1024 + 2;

/// The three parts of a compact JWS, still in base64url (RFC 7515 §7.1).
#[derive(Debug)]
pub(crate) struct Compact<'a> {
    signing_input: &'a str,
    header: &'a str,
    payload: &'a str,
    signature: &'a str,
}

/// What a Keyward header says: these members and no other, each once, as strings without escapes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Header<'a> {
    pub(crate) alg: &'a str,
    pub(crate) typ: &'a str,
    pub(crate) kid: &'a str,
    #[serde(default, deserialize_with = "presence")]
    crit: bool,
}

impl<'a> Compact<'a> {
    pub(crate) fn split(token: &'a str) -> Result<Self, VerifyError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(VerifyError::TooLong);
        }
        let (signing_input, signature) = token.rsplit_once('.').ok_or(VerifyError::Malformed)?;
        let (header, payload) = signing_input
            .split_once('.')
            .filter(|(_, payload)| !payload.contains('.'))
            .ok_or(VerifyError::Malformed)?;
        Ok(Self { signing_input, header, payload, signature })
    }

    /// Decodes the header into `buffer`, from which its strings are then borrowed.
    pub(crate) fn header<'b>(
        &self,
        buffer: &'b mut [u8; MAX_HEADER_BYTES],
    ) -> Result<Header<'b>, VerifyError> {
        if self.header.len() > MAX_HEADER_BYTES / 3 * 4 {
            return Err(VerifyError::Header);
        }
        let decoded = decode_into(buffer, self.header)?;
        let text = json_object(decoded).ok_or(VerifyError::Header)?;
        let header: Header<'b> = serde_json::from_str(text).map_err(|_| VerifyError::Header)?;
        if header.crit {
            return Err(VerifyError::Critical);
        }
        Ok(header)
    }

    pub(crate) fn check_signature(&self, key: &Jwk) -> Result<(), VerifyError> {
        let mut buffer = [0; MAX_SIGNATURE_BYTES];
        let signature = decode_into(&mut buffer, self.signature)?;
        if key.signed(self.signing_input.as_bytes(), signature) {
            Ok(())
        } else {
            Err(VerifyError::Signature)
        }
    }

    pub(crate) fn payload(&self) -> Result<Vec<u8>, VerifyError> {
        URL_SAFE_NO_PAD.decode(self.payload).map_err(|_| VerifyError::Malformed)
    }
}

/// Reads decoded bytes as the text of a JSON object.
///
/// The brace is checked here because serde reads a struct from a JSON array as well.
pub(crate) fn json_object(decoded: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(decoded).ok()?;
    text.starts_with('{').then_some(text)
}

/// Decodes base64url without padding, white space or stray trailing bits (RFC 7515 §2, RFC 4648 §3.5).
fn decode_into<'b>(buffer: &'b mut [u8], text: &str) -> Result<&'b [u8], VerifyError> {
    let length = URL_SAFE_NO_PAD.decode_slice(text, buffer).map_err(|_| VerifyError::Malformed)?;
    buffer.get(..length).ok_or(VerifyError::Malformed)
}

fn presence<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(deserializer).map(|IgnoredAny| true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(json: &str) -> Result<(String, String), VerifyError> {
        let token = format!("{}.e30.AA", URL_SAFE_NO_PAD.encode(json));
        let mut buffer = [0; MAX_HEADER_BYTES];
        let header = Compact::split(&token)?.header(&mut buffer)?;
        Ok((header.alg.to_owned(), header.kid.to_owned()))
    }

    #[test]
    fn a_header_is_exactly_three_strings_in_any_order() {
        let ours = Ok(("ES256".to_owned(), "k".to_owned()));
        assert_eq!(header(r#"{"alg":"ES256","typ":"at+jwt","kid":"k"}"#), ours);
        assert_eq!(header(r#"{ "kid": "k", "typ": "at+jwt", "alg": "ES256" }"#), ours);
    }

    #[test]
    fn a_header_longer_than_the_limit_is_refused() {
        let with_kid = |length| {
            let kid = "k".repeat(length);
            header(&format!(r#"{{"alg":"ES256","typ":"at+jwt","kid":"{kid}"}}"#))
        };
        let frame = r#"{"alg":"ES256","typ":"at+jwt","kid":""}"#.len();
        assert!(with_kid(MAX_HEADER_BYTES - frame).is_ok());
        assert_eq!(with_kid(MAX_HEADER_BYTES - frame + 1), Err(VerifyError::Header));
    }

    #[test]
    fn only_text_that_starts_an_object_is_one() {
        assert_eq!(json_object(b"{}"), Some("{}"));
        for other in [&b""[..], b"[]", b" {}", b"\xef\xbb\xbf{}", b"{\"\xff\":1}"] {
            assert_eq!(json_object(other), None, "{other:?}");
        }
    }
}
