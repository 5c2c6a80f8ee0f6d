//! `kwr_` + base64url(version ‖ key id ‖ handle ‖ generation ‖ HMAC-SHA256).
//!
//! 1 + 4 + 16 + 4 + 32 = 57 bytes are 76 characters with no bits to spare, so every token has
//! exactly one spelling. Nothing of it is stored but the handle and the generation: whoever reads
//! the database cannot make a token, and Keyward can make the current one again.

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use super::Keyring;
use crate::domain::{Generation, Handle, KeyId, PresentedToken};

const PREFIX: &str = "kwr_";
const VERSION: u8 = 1;
const BODY_LEN: usize = 1 + 4 + 16 + 4;
const MAC_LEN: usize = 32;
const TEXT_LEN: usize = PREFIX.len() + (BODY_LEN + MAC_LEN) / 3 * 4;

/// A refresh token as its holder gets it; wiped from memory when dropped.
pub struct RefreshToken(Zeroizing<String>);

impl RefreshToken {
    /// Hands the token out: for the body of an answer, and nowhere else.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RefreshToken([redacted])")
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a refresh token of this service")]
pub struct ForgedToken;

/// Makes and checks refresh tokens without touching the database.
#[derive(Debug)]
pub struct RefreshTokens {
    current: KeyId,
    keys: Vec<(KeyId, hmac::Key)>,
    /// Part of every MAC: moving it ends every token there is, as after a restored backup.
    installation_epoch: AtomicI64,
}

impl RefreshTokens {
    #[must_use]
    pub fn new(keyring: &Keyring, installation_epoch: i64) -> Self {
        Self {
            current: keyring.current().id(),
            keys: keyring.iter().map(|key| (key.id(), key.refresh_token_mac())).collect(),
            installation_epoch: AtomicI64::new(installation_epoch),
        }
    }

    /// Follows the number that the database has; another process may have moved it. It only rises: who
    /// read it a moment ago must not take it back.
    pub fn follow_epoch(&self, installation_epoch: i64) {
        self.installation_epoch.fetch_max(installation_epoch, Ordering::Relaxed);
    }

    /// Returns the key under which new tokens are made.
    #[must_use]
    pub const fn current_key(&self) -> KeyId {
        self.current
    }

    /// Makes the token of a family's generation; the same arguments give the same bytes.
    pub fn mint(
        &self,
        key: KeyId,
        handle: Handle,
        generation: Generation,
    ) -> Result<RefreshToken, ForgedToken> {
        let mac_key = self.key(key)?;
        let mut token = Zeroizing::new(Vec::with_capacity(BODY_LEN + MAC_LEN));
        token.push(VERSION);
        token.extend_from_slice(&key.0.to_be_bytes());
        token.extend_from_slice(&handle.0);
        token.extend_from_slice(&generation.0.to_be_bytes());
        let tag = hmac::sign(mac_key, &self.authenticated(&token));
        token.extend_from_slice(tag.as_ref());
        let mut text = Zeroizing::new(String::with_capacity(TEXT_LEN));
        text.push_str(PREFIX);
        BASE64_URL_SAFE_NO_PAD.encode_string(token.as_slice(), &mut text);
        Ok(RefreshToken(text))
    }

    /// Checks a token's form and MAC; tells nothing yet about the family's state.
    pub fn parse(&self, text: &str) -> Result<PresentedToken, ForgedToken> {
        if text.len() != TEXT_LEN {
            return Err(ForgedToken);
        }
        let encoded = text.strip_prefix(PREFIX).ok_or(ForgedToken)?;
        let token = BASE64_URL_SAFE_NO_PAD.decode(encoded).map_err(|_| ForgedToken)?;
        let (body, tag) = token.split_at_checked(BODY_LEN).ok_or(ForgedToken)?;
        let (version, rest) = body.split_first().ok_or(ForgedToken)?;
        let (key_id, rest) = rest.split_first_chunk().ok_or(ForgedToken)?;
        let (handle, rest) = rest.split_first_chunk().ok_or(ForgedToken)?;
        let generation = rest.first_chunk().ok_or(ForgedToken)?;
        let mac_key = self.key(KeyId(u32::from_be_bytes(*key_id)))?;
        hmac::verify(mac_key, &self.authenticated(body), tag).map_err(|_| ForgedToken)?;
        if *version != VERSION {
            return Err(ForgedToken);
        }
        Ok(PresentedToken {
            handle: Handle(*handle),
            generation: Generation(u32::from_be_bytes(*generation)),
        })
    }

    fn key(&self, id: KeyId) -> Result<&hmac::Key, ForgedToken> {
        self.keys.iter().find(|(known, _)| *known == id).map(|(_, key)| key).ok_or(ForgedToken)
    }

    fn authenticated(&self, body: &[u8]) -> Vec<u8> {
        let epoch = self.installation_epoch.load(Ordering::Relaxed);
        [&epoch.to_be_bytes(), body].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::MasterKey;
    use proptest::prelude::*;

    fn tokens(bytes: &[u8], epoch: i64) -> RefreshTokens {
        let mut keys = bytes.iter().map(|b| MasterKey::new(&Zeroizing::new([*b; 32])));
        let current = keys.next().unwrap();
        RefreshTokens::new(&Keyring::new(current, keys.collect()), epoch)
    }

    const HANDLE: Handle = Handle([9; 16]);

    fn minted(tokens: &RefreshTokens) -> String {
        tokens.mint(tokens.current_key(), HANDLE, Generation(7)).unwrap().expose().to_owned()
    }

    #[test]
    fn what_was_minted_parses_and_is_the_same_again() {
        let tokens = tokens(&[1], 0);
        let text = minted(&tokens);
        assert_eq!(text.len(), TEXT_LEN);
        assert_eq!(tokens.parse(&text), Ok(PresentedToken { handle: HANDLE, generation: Generation(7) }));
        assert_eq!(text, minted(&tokens));
    }

    #[test]
    fn keys_and_the_installation_epoch_count() {
        let text = minted(&tokens(&[1], 0));
        assert!(tokens(&[2, 1], 0).parse(&text).is_ok(), "an older key is accepted");
        assert_eq!(tokens(&[2], 0).parse(&text), Err(ForgedToken));
        assert_eq!(tokens(&[1], 1).parse(&text), Err(ForgedToken));
    }

    #[test]
    fn every_changed_byte_is_refused() {
        let tokens = tokens(&[1], 0);
        let text = minted(&tokens);
        for at in 0..text.len() {
            for with in b"Az09-_=+/ \n." {
                let mut bytes = text.clone().into_bytes();
                if bytes[at] == *with {
                    continue;
                }
                bytes[at] = *with;
                assert_eq!(tokens.parse(std::str::from_utf8(&bytes).unwrap()), Err(ForgedToken));
            }
            assert_eq!(tokens.parse(&text[..at]), Err(ForgedToken));
        }
        for more in ["=", "A", "\n", " "] {
            assert_eq!(tokens.parse(&(text.clone() + more)), Err(ForgedToken));
        }
    }

    proptest! {
        #[test]
        fn junk_never_panics(text in "\\PC{0,120}") {
            prop_assert_eq!(tokens(&[1], 0).parse(&text), Err(ForgedToken));
        }
    }
}
