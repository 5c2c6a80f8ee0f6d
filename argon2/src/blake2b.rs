//! The hash functions around the filling: H (`BLAKE2b` with an output of up to 64 bytes) and H' (of
//! any length).

use argon2::Error;
use blake2::Blake2bVarCore;
use blake2::digest::Output;
use blake2::digest::block_api::{UpdateCore, VariableOutputCore};
use blake2::digest::block_buffer::LazyBuffer;
use zeroize::Zeroizing;

const SHORT_MAX: usize = 64;

pub(crate) fn short<'a>(parts: impl IntoIterator<Item = &'a [u8]>, out: &mut [u8]) -> Result<(), Error> {
    let mut state = Blake2bVarCore::new(out.len()).map_err(|_| Error::OutputTooLong)?;
    let mut buffer = LazyBuffer::default();
    for part in parts {
        buffer.digest_blocks(part, |blocks| state.update_blocks(blocks));
    }
    let mut whole = Output::<Blake2bVarCore>::default();
    state.finalize_variable_core(&mut buffer, &mut whole);
    for (byte, hashed) in out.iter_mut().zip(whole) {
        *byte = hashed;
    }
    Ok(())
}

/// H' of RFC 9106, section 3.3.
pub(crate) fn long(parts: &[&[u8]], out: &mut [u8]) -> Result<(), Error> {
    let length = u32::try_from(out.len()).map_err(|_| Error::OutputTooLong)?.to_le_bytes();
    let parts = [&length[..]].into_iter().chain(parts.iter().copied());
    if out.len() <= SHORT_MAX {
        return short(parts, out);
    }
    let mut link = Zeroizing::new([0; SHORT_MAX]);
    short(parts, link.as_mut_slice())?;
    let mut rest = out;
    while rest.len() > SHORT_MAX {
        let (half, after) = rest.split_at_mut(SHORT_MAX / 2);
        for (byte, hashed) in half.iter_mut().zip(link.iter()) {
            *byte = *hashed;
        }
        rest = after;
        if rest.len() > SHORT_MAX {
            let before = link.clone();
            short([before.as_slice()], link.as_mut_slice())?;
        }
    }
    short([link.as_slice()], rest)
}
