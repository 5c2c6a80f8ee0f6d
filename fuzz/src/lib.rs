//! What several targets need.

use keyward::crypto::{Keyring, MasterKey};
use zeroize::Zeroizing;

/// The keys of a master key of ones, with an older one of twos.
#[must_use]
pub fn keyring() -> Keyring {
    let key = |byte| MasterKey::new(&Zeroizing::new([byte; 32]));
    Keyring::new(key(1), vec![key(2)])
}

/// Takes the next `N` bytes off the input, with zeros where it ends.
pub fn take<const N: usize>(input: &mut &[u8]) -> [u8; N] {
    let mut taken = [0; N];
    let (now, later) = input.split_at(N.min(input.len()));
    taken[..now.len()].copy_from_slice(now);
    *input = later;
    taken
}

/// Changes an ASCII text as the input says, three bytes an edit: where, with what, and how.
#[must_use]
pub fn edited(text: &str, edits: &[u8]) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for [place, with, how] in edits.as_chunks().0 {
        let (place, with) = (usize::from(*place) % (bytes.len() + 1), with & 0x7f);
        match how % 4 {
            0 => bytes.insert(place, with),
            1 => bytes.truncate(place),
            2 if place < bytes.len() => drop(bytes.remove(place)),
            _ if place < bytes.len() => bytes[place] = with,
            _ => bytes.push(with),
        }
    }
    String::from_utf8(bytes).expect("ASCII stays ASCII")
}
