use std::collections::BTreeMap;

use crate::members::SetMembers;
use crate::{Jwk, JwkError, Jwks};

/// Holds the keys that may have signed a token, parsed once and found by `kid`.
///
/// It is built whole from one JWKS and then only read, so a service that fetches anew swaps one set for the next.
#[derive(Debug, Clone, Default)]
pub struct KeySet {
    keys: BTreeMap<String, Jwk>,
}

impl KeySet {
    /// Reads a JWKS document (RFC 7517 §5).
    ///
    /// Keys of unknown kinds and keys for encryption are skipped. A key that is broken, weak or private, or two keys
    /// with one `kid`, refuse the whole set: better to keep the last good one than to guess.
    pub fn from_jwks(json: &[u8]) -> Result<Self, JwkError> {
        let members: SetMembers = serde_json::from_slice(json)?;
        Self::collect(Jwks::try_from(members)?.keys)
    }

    /// Takes keys that are at hand, for example the server's own. Two keys with one `kid` are an error.
    pub fn from_keys(keys: &[Jwk]) -> Result<Self, JwkError> {
        Self::collect(keys.to_vec())
    }

    fn collect(keys: Vec<Jwk>) -> Result<Self, JwkError> {
        let mut set = Self::default();
        for key in keys {
            if let Some(earlier) = set.keys.insert(key.kid().to_owned(), key) {
                return Err(JwkError::DuplicateKid(earlier.kid().to_owned()));
            }
        }
        Ok(set)
    }

    /// Tells whether there is no key, so that every token is refused.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Iterates over the names of the keys, in order.
    pub fn kids(&self) -> impl Iterator<Item = &str> {
        self.keys.keys().map(String::as_str)
    }

    pub(crate) fn find(&self, kid: &str) -> Option<&Jwk> {
        self.keys.get(kid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_can_be_shared_between_threads() {
        fn shared<T: Send + Sync + 'static>(_: &T) {}
        shared(&KeySet::default());
    }
}
