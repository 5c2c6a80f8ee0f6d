//! Cursors of listings: base64url(version ‖ expiry ‖ last id ‖ HMAC-SHA256).
//!
//! 1 + 8 + 16 + 32 = 57 bytes are 76 characters with no bits to spare: one spelling each. The MAC
//! is over the listing as well, filters included, so a cursor is good nowhere else.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use uuid::Uuid;

use super::Keyring;
use crate::domain::Timestamp;

const VERSION: u8 = 1;
const BODY_LEN: usize = 1 + 8 + 16;

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a cursor of this listing, or it has expired")]
pub struct InvalidCursor;

/// Makes and checks cursors.
#[derive(Debug)]
pub struct Cursors {
    current: hmac::Key,
    older: Vec<hmac::Key>,
}

impl Cursors {
    #[must_use]
    pub fn new(keyring: &Keyring) -> Self {
        let current = keyring.current().cursor_mac();
        Self { current, older: keyring.iter().skip(1).map(super::MasterKey::cursor_mac).collect() }
    }

    /// Makes a cursor of a listing that goes on after `last`.
    #[must_use]
    pub fn mint(&self, listing: &str, last: Uuid, expires_at: Timestamp) -> String {
        let mut cursor = vec![VERSION];
        cursor.extend_from_slice(&expires_at.micros().to_be_bytes());
        cursor.extend_from_slice(last.as_bytes());
        let tag = hmac::sign(&self.current, &authenticated(listing, &cursor));
        cursor.extend_from_slice(tag.as_ref());
        BASE64_URL_SAFE_NO_PAD.encode(cursor)
    }

    /// Returns the id after which this listing goes on.
    pub fn parse(&self, listing: &str, cursor: &str, now: Timestamp) -> Result<Uuid, InvalidCursor> {
        let cursor = BASE64_URL_SAFE_NO_PAD.decode(cursor).map_err(|_| InvalidCursor)?;
        let (body, tag) = cursor.split_at_checked(BODY_LEN).ok_or(InvalidCursor)?;
        let authenticated = authenticated(listing, body);
        let mut keys = std::iter::once(&self.current).chain(&self.older);
        if !keys.any(|key| hmac::verify(key, &authenticated, tag).is_ok()) {
            return Err(InvalidCursor);
        }
        let (version, rest) = body.split_first().ok_or(InvalidCursor)?;
        let (expires_at, last) = rest.split_first_chunk().ok_or(InvalidCursor)?;
        let expires_at = Timestamp::from_micros(i64::from_be_bytes(*expires_at));
        if *version != VERSION || now >= expires_at {
            return Err(InvalidCursor);
        }
        Uuid::from_slice(last).map_err(|_| InvalidCursor)
    }
}

/// The body has one length, so body and listing cannot run into each other.
fn authenticated(listing: &str, body: &[u8]) -> Vec<u8> {
    [body, listing.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::MasterKey;
    use zeroize::Zeroizing;

    fn master(byte: u8) -> MasterKey {
        MasterKey::new(&Zeroizing::new([byte; 32]))
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn a_cursor_is_good_for_its_listing_and_its_time() {
        let cursors = Cursors::new(&Keyring::new(master(1), vec![]));
        let id = Uuid::from_bytes([7; 16]);
        let cursor = cursors.mint("users a", id, at(100));
        assert_eq!(cursors.parse("users a", &cursor, at(99)), Ok(id));
        assert_eq!(cursors.parse("users a", &cursor, at(100)), Err(InvalidCursor));
        assert_eq!(cursors.parse("users b", &cursor, at(99)), Err(InvalidCursor));
        let rotated = Cursors::new(&Keyring::new(master(2), vec![master(1)]));
        assert_eq!(rotated.parse("users a", &cursor, at(99)), Ok(id));
        let other = Cursors::new(&Keyring::new(master(2), vec![]));
        assert_eq!(other.parse("users a", &cursor, at(99)), Err(InvalidCursor));
    }

    #[test]
    fn whatever_is_changed_is_refused() {
        let cursors = Cursors::new(&Keyring::new(master(1), vec![]));
        let cursor = cursors.mint("users", Uuid::from_bytes([7; 16]), at(100));
        for place in 0..cursor.len() {
            for with in ['A', 'z', '=', '+'] {
                let mut changed: Vec<char> = cursor.chars().collect();
                if changed[place] == with {
                    continue;
                }
                changed[place] = with;
                let changed: String = changed.into_iter().collect();
                assert_eq!(cursors.parse("users", &changed, at(1)), Err(InvalidCursor), "{changed}");
            }
        }
        for text in ["", "AA", &cursor[1..], &format!("{cursor}A"), &format!("{cursor}AAAA")] {
            assert_eq!(cursors.parse("users", text, at(1)), Err(InvalidCursor), "{text}");
        }
    }
}
