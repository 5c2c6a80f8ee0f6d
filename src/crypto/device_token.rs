//! `kwd_` + base64url(version ‖ key id ‖ device ‖ expiry ‖ HMAC-SHA256), OWASP's "device cookie".
//!
//! 1 + 4 + 16 + 4 + 32 = 57 bytes are 76 characters with no bits to spare: one spelling each. Whose
//! device it is stands only in the MAC, with the epoch of the user's sessions: what ends all of them
//! makes the user's devices strangers again. The token opens nothing; it only says that whoever has
//! it knew the password once, so that strangers cannot lock its holder out.

use std::fmt;
use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use super::Keyring;
use crate::domain::{DeviceId, Epoch, KeyId, Timestamp, UserId};

const PREFIX: &str = "kwd_";
const VERSION: u8 = 1;
const BODY_LEN: usize = 1 + 4 + 16 + 4;
const MAC_LEN: usize = 32;
const TEXT_LEN: usize = PREFIX.len() + (BODY_LEN + MAC_LEN) / 3 * 4;
const TTL: Duration = Duration::from_secs(180 * 24 * 60 * 60);

/// A device token as its holder gets it; wiped from memory when dropped.
pub struct DeviceToken(Zeroizing<String>);

impl DeviceToken {
    /// Hands the token out: for the body of an answer, and nowhere else.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for DeviceToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeviceToken([redacted])")
    }
}

/// A device token of the right form, whose MAC nobody has checked yet: that takes the user.
#[derive(Debug, Clone)]
pub struct PresentedDevice {
    device: DeviceId,
    body: [u8; BODY_LEN],
    tag: [u8; MAC_LEN],
}

impl PresentedDevice {
    /// Reads a token; `None` for anything else, which is no device then and no mistake either.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let encoded = text.strip_prefix(PREFIX).filter(|_| text.len() == TEXT_LEN)?;
        let token = BASE64_URL_SAFE_NO_PAD.decode(encoded).ok()?;
        let (body, tag) = token.split_first_chunk()?;
        let (_, device) = body.split_first_chunk::<5>()?;
        Some(Self { device: DeviceId(*device.first_chunk()?), body: *body, tag: tag.try_into().ok()? })
    }

    /// Returns the device that it claims to be.
    #[must_use]
    pub const fn device(&self) -> DeviceId {
        self.device
    }

    fn key_id(&self) -> Option<KeyId> {
        let (version, rest) = self.body.split_first()?;
        (*version == VERSION).then_some(KeyId(u32::from_be_bytes(*rest.first_chunk()?)))
    }

    fn expired(&self, now: Timestamp) -> bool {
        self.body.last_chunk().is_none_or(|expiry| minutes(now) >= i64::from(u32::from_be_bytes(*expiry)))
    }
}

/// Makes and checks device tokens.
#[derive(Debug)]
pub struct DeviceTokens {
    current: KeyId,
    keys: Vec<(KeyId, hmac::Key)>,
}

impl DeviceTokens {
    #[must_use]
    pub fn new(keyring: &Keyring) -> Self {
        Self {
            current: keyring.current().id(),
            keys: keyring.iter().map(|key| (key.id(), key.device_token_mac())).collect(),
        }
    }

    /// Makes the token of a user's device, good for 180 days; `None` without a key, which cannot be.
    #[must_use]
    pub fn mint(&self, device: DeviceId, user: UserId, epoch: Epoch, now: Timestamp) -> Option<DeviceToken> {
        let expiry = u32::try_from(minutes(now + TTL)).unwrap_or(u32::MAX);
        let mut token = Zeroizing::new(Vec::with_capacity(BODY_LEN + MAC_LEN));
        token.push(VERSION);
        token.extend_from_slice(&self.current.0.to_be_bytes());
        token.extend_from_slice(&device.0);
        token.extend_from_slice(&expiry.to_be_bytes());
        let tag = hmac::sign(self.key(self.current)?, &authenticated(user, epoch, &token));
        token.extend_from_slice(tag.as_ref());
        let mut text = Zeroizing::new(String::with_capacity(TEXT_LEN));
        text.push_str(PREFIX);
        BASE64_URL_SAFE_NO_PAD.encode_string(token.as_slice(), &mut text);
        Some(DeviceToken(text))
    }

    /// Tells whether a token was given to this user in this epoch and has not expired.
    #[must_use]
    pub fn known(&self, presented: &PresentedDevice, user: UserId, epoch: Epoch, now: Timestamp) -> bool {
        let right = presented.key_id().and_then(|id| self.key(id)).is_some_and(|key| {
            hmac::verify(key, &authenticated(user, epoch, &presented.body), &presented.tag).is_ok()
        });
        right && !presented.expired(now)
    }

    fn key(&self, id: KeyId) -> Option<&hmac::Key> {
        self.keys.iter().find(|(known, _)| *known == id).map(|(_, key)| key)
    }
}

/// Minutes since 1970: four bytes of them last until the year 10136.
fn minutes(at: Timestamp) -> i64 {
    at.unix_seconds().div_euclid(60)
}

/// Everything here has one length, so nothing can run into its neighbour.
fn authenticated(user: UserId, epoch: Epoch, body: &[u8]) -> Vec<u8> {
    [user.uuid().as_bytes().as_slice(), &epoch.0.to_be_bytes(), body].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::{MasterKey, RefreshTokens};
    use crate::domain::{Generation, Handle};
    use proptest::prelude::*;
    use uuid::Uuid;

    const DEVICE: DeviceId = DeviceId([9; 16]);
    const USER: UserId = UserId::new(Uuid::from_bytes([3; 16]));
    const OTHER: UserId = UserId::new(Uuid::from_bytes([4; 16]));
    const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

    fn keyring(bytes: &[u8]) -> Keyring {
        let mut keys = bytes.iter().map(|b| MasterKey::new(&Zeroizing::new([*b; 32])));
        let current = keys.next().unwrap();
        Keyring::new(current, keys.collect())
    }

    fn devices(bytes: &[u8]) -> DeviceTokens {
        DeviceTokens::new(&keyring(bytes))
    }

    fn minted() -> String {
        devices(&[1]).mint(DEVICE, USER, Epoch(5), NOW).unwrap().expose().to_owned()
    }

    fn known(devices: &DeviceTokens, text: &str, user: UserId, epoch: i64, now: Timestamp) -> bool {
        PresentedDevice::parse(text).is_some_and(|device| devices.known(&device, user, Epoch(epoch), now))
    }

    #[test]
    fn a_token_is_its_users_in_its_epoch_and_its_time() {
        let (devices, text) = (devices(&[1]), minted());
        assert_eq!(text.len(), TEXT_LEN);
        assert_eq!(PresentedDevice::parse(&text).unwrap().device(), DEVICE);
        assert!(known(&devices, &text, USER, 5, NOW));
        assert!(!known(&devices, &text, OTHER, 5, NOW));
        assert!(!known(&devices, &text, USER, 6, NOW));
        assert!(known(&devices, &text, USER, 5, NOW + TTL - Duration::from_secs(60)));
        assert!(!known(&devices, &text, USER, 5, NOW + TTL));
    }

    #[test]
    fn older_keys_are_accepted_and_foreign_ones_not() {
        assert!(known(&devices(&[2, 1]), &minted(), USER, 5, NOW));
        assert!(!known(&devices(&[2]), &minted(), USER, 5, NOW));
    }

    #[test]
    fn every_changed_byte_is_refused() {
        let (devices, text) = (devices(&[1]), minted());
        for at in 0..text.len() {
            for with in b"Az09-_=+/ \n." {
                let mut bytes = text.clone().into_bytes();
                if bytes[at] != *with {
                    bytes[at] = *with;
                    assert!(!known(&devices, std::str::from_utf8(&bytes).unwrap(), USER, 5, NOW));
                }
            }
            assert!(PresentedDevice::parse(&text[..at]).is_none());
        }
        for more in ["=", "A", "\n", " "] {
            assert!(PresentedDevice::parse(&(text.clone() + more)).is_none());
        }
    }

    /// T3: not even with the other's prefix.
    #[test]
    fn neither_kind_of_token_is_one_of_the_other() {
        let refresh = RefreshTokens::new(&keyring(&[1]), 0);
        let device = minted();
        assert!(refresh.parse(&device).is_err());
        assert!(refresh.parse(&device.replace("kwd_", "kwr_")).is_err());
        let token = refresh.mint(refresh.current_key(), Handle(DEVICE.0), Generation(u32::MAX)).unwrap();
        assert!(PresentedDevice::parse(token.expose()).is_none());
        assert!(!known(&devices(&[1]), &token.expose().replace("kwr_", "kwd_"), USER, 0, NOW));
    }

    proptest! {
        #[test]
        fn junk_never_panics(text in "(kwd_)?\\PC{0,120}") {
            prop_assert!(PresentedDevice::parse(&text).is_none());
        }
    }
}
