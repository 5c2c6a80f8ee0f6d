use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use aws_lc_rs::{hkdf, hmac};
use zeroize::Zeroizing;

use crate::domain::KeyId;

const NONCE_LEN: usize = 12;

/// 32 secret bytes from which every other symmetric key is derived (HKDF-SHA256, RFC 5869), each
/// with a label of its own.
pub struct MasterKey {
    id: KeyId,
    derived: hkdf::Prk,
}

impl MasterKey {
    #[must_use]
    pub fn new(bytes: &Zeroizing<[u8; 32]>) -> Self {
        let derived = hkdf::Salt::new(hkdf::HKDF_SHA256, b"keyward master key v1").extract(bytes.as_ref());
        let mut id = [0; 4];
        expand(&derived, b"key id", &mut id);
        Self { id: KeyId(u32::from_be_bytes(id)), derived }
    }

    #[must_use]
    pub const fn id(&self) -> KeyId {
        self.id
    }

    /// Returns bytes that prove possession of this key and tell nothing about it; kept in the
    /// database, so that a replica with another key finds out before it does harm.
    #[must_use]
    pub fn check_value(&self) -> [u8; 16] {
        let mut out = [0; 16];
        expand(&self.derived, b"check value", &mut out);
        out
    }

    /// Derives the key that authenticates refresh tokens.
    #[must_use]
    pub fn refresh_token_mac(&self) -> hmac::Key {
        self.mac(b"refresh token mac")
    }

    /// Derives the key that authenticates device tokens.
    #[must_use]
    pub fn device_token_mac(&self) -> hmac::Key {
        self.mac(b"device token mac")
    }

    /// Derives the key that turns an identifier into a value which tells nothing without it.
    #[must_use]
    pub fn identifier_mac(&self) -> hmac::Key {
        self.mac(b"identifier mac")
    }

    /// Derives the key that authenticates the cursors of listings.
    #[must_use]
    pub fn cursor_mac(&self) -> hmac::Key {
        self.mac(b"cursor mac")
    }

    fn mac(&self, label: &[u8]) -> hmac::Key {
        let mut key = Zeroizing::new([0; 32]);
        expand(&self.derived, label, key.as_mut());
        hmac::Key::new(hmac::HMAC_SHA256, key.as_ref())
    }

    fn seal_key(&self) -> Result<RandomizedNonceKey, SealError> {
        let mut key = Zeroizing::new([0; 32]);
        expand(&self.derived, b"seal", key.as_mut());
        RandomizedNonceKey::new(&AES_256_GCM, key.as_ref()).map_err(|_| SealError::Sealing)
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKey({})", self.id)
    }
}

/// Fills `out` with a derivation for `label`; lengths here are constants far below HKDF's limit.
fn expand(prk: &hkdf::Prk, label: &[u8], out: &mut [u8]) {
    struct Length(usize);
    impl hkdf::KeyType for Length {
        fn len(&self) -> usize {
            self.0
        }
    }
    #[expect(clippy::expect_used, reason = "HKDF fails only past 255 blocks; callers ask for one")]
    prk.expand(&[label], Length(out.len())).and_then(|okm| okm.fill(out)).expect("one block of HKDF output");
}

#[derive(Debug, thiserror::Error)]
pub enum SealError {
    #[error("no master key with id {0} is configured")]
    UnknownKey(KeyId),
    #[error("sealed bytes do not open: they were changed, or belong to another row")]
    Broken,
    #[error("sealing did not work")]
    Sealing,
}

/// The master keys that are accepted; the first one makes everything new.
#[derive(Debug)]
pub struct Keyring {
    current: MasterKey,
    older: Vec<MasterKey>,
}

impl Keyring {
    #[must_use]
    pub fn new(current: MasterKey, older: Vec<MasterKey>) -> Self {
        Self { current, older }
    }

    #[must_use]
    pub const fn current(&self) -> &MasterKey {
        &self.current
    }

    pub fn iter(&self) -> impl Iterator<Item = &MasterKey> {
        std::iter::once(&self.current).chain(&self.older)
    }

    #[must_use]
    pub fn find(&self, id: KeyId) -> Option<&MasterKey> {
        self.iter().find(|key| key.id == id)
    }

    /// Encrypts with the current key (AES-256-GCM, random nonce in front); `context` must be given
    /// again to open, which ties the bytes to their row.
    pub fn seal(&self, context: &str, plain: &[u8]) -> Result<(KeyId, Vec<u8>), SealError> {
        let mut sealed = plain.to_vec();
        let nonce = self
            .current
            .seal_key()?
            .seal_in_place_append_tag(Aad::from(context), &mut sealed)
            .map_err(|_| SealError::Sealing)?;
        let mut out = nonce.as_ref().to_vec();
        out.append(&mut sealed);
        Ok((self.current.id, out))
    }

    pub fn open(&self, context: &str, id: KeyId, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let key = self.find(id).ok_or(SealError::UnknownKey(id))?.seal_key()?;
        let (nonce, body) = sealed.split_at_checked(NONCE_LEN).ok_or(SealError::Broken)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealError::Broken)?;
        let mut body = Zeroizing::new(body.to_vec());
        let plain = key.open_in_place(nonce, Aad::from(context), &mut body).map_err(|_| SealError::Broken)?;
        Ok(Zeroizing::new(plain.to_vec()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn master(byte: u8) -> MasterKey {
        MasterKey::new(&Zeroizing::new([byte; 32]))
    }

    #[test]
    fn derivations_differ_by_key() {
        assert_ne!(master(1).id(), master(2).id());
        assert_ne!(master(1).check_value(), master(2).check_value());
        assert_eq!(master(1).check_value(), master(1).check_value());
    }

    #[test]
    fn sealed_bytes_open_only_in_their_place() {
        let old = Keyring::new(master(1), vec![]);
        let (id, sealed) = old.seal("signing_keys/a", b"private").unwrap();
        let both = Keyring::new(master(2), vec![master(1)]);
        assert_eq!(both.open("signing_keys/a", id, &sealed).unwrap().as_slice(), b"private");
        assert!(matches!(both.open("signing_keys/b", id, &sealed), Err(SealError::Broken)));
        assert!(matches!(both.open("signing_keys/a", id, &sealed[..5]), Err(SealError::Broken)));
        let mut flipped = sealed.clone();
        flipped[20] ^= 1;
        assert!(matches!(both.open("signing_keys/a", id, &flipped), Err(SealError::Broken)));
        let other = Keyring::new(master(3), vec![]);
        assert!(matches!(other.open("signing_keys/a", id, &sealed), Err(SealError::UnknownKey(_))));
    }

    #[test]
    fn debug_shows_ids_only() {
        assert_eq!(format!("{:?}", master(1)), format!("MasterKey({})", master(1).id()));
    }
}
