//! Argon2id (RFC 9106, version 0x13) as the `argon2` crate computes it, faster: the compression
//! function, which is nearly all of the work, is written for AVX2 and AVX-512 and picked at run
//! time. Lanes are filled one after the other, on the caller's thread, in the caller's memory;
//! nothing is allocated.
//!
//! ```
//! use argon2::{Block, Params};
//!
//! let params = Params::new(64, 2, 1, None)?;
//! let mut memory = vec![Block::default(); params.block_count()]; // kept for the next hash
//! let mut out = [0; 32];
//! keyward_argon2::hash_into(&params, b"a quiet lake", b"a random salt", &mut out, &mut memory)?;
//! # Ok::<(), argon2::Error>(())
//! ```

mod blake2b;
mod compression;
mod fill;

use argon2::{Algorithm, Block, Error, Params, Version};
use zeroize::Zeroizing;

pub use compression::Compression;

type Words = [u64; Block::SIZE / 8];

const SALT_MIN: usize = 8;

/// Hashes with the fastest compression function that this CPU has.
///
/// The memory holds what depends on the password afterwards; to erase it is the caller's choice.
pub fn hash_into(
    params: &Params,
    password: &[u8],
    salt: &[u8],
    out: &mut [u8],
    memory: &mut [Block],
) -> Result<(), Error> {
    hash_into_with(Compression::fastest(), params, password, salt, out, memory)
}

/// Hashes with one compression function, to compare them.
pub fn hash_into_with(
    compression: Compression,
    params: &Params,
    password: &[u8],
    salt: &[u8],
    out: &mut [u8],
    memory: &mut [Block],
) -> Result<(), Error> {
    if out.len() < params.output_len().unwrap_or(Params::MIN_OUTPUT_LEN) {
        return Err(Error::OutputTooShort);
    }
    if out.len() > params.output_len().unwrap_or(Params::MAX_OUTPUT_LEN) {
        return Err(Error::OutputTooLong);
    }
    if salt.len() < SALT_MIN {
        return Err(Error::SaltTooShort);
    }
    let memory = memory.get_mut(..params.block_count()).ok_or(Error::MemoryTooLittle)?;
    let seed = seed(params, [password, salt, &[]], out.len())?;
    fill::fill(compression, params, &seed, memory)?;
    finish(params, memory, out)
}

/// H0 of RFC 9106, section 3.2. Keyward has no secret; the vectors of the RFC have one.
fn seed(
    params: &Params,
    [password, salt, secret]: [&[u8]; 3],
    out_len: usize,
) -> Result<Zeroizing<[u8; 64]>, Error> {
    let mut seed = Zeroizing::new([0; 64]);
    let parts = [
        &params.p_cost().to_le_bytes()[..],
        &length(out_len).ok_or(Error::OutputTooLong)?,
        &params.m_cost().to_le_bytes(),
        &params.t_cost().to_le_bytes(),
        &u32::from(Version::V0x13).to_le_bytes(),
        &(Algorithm::Argon2id as u32).to_le_bytes(),
        &length(password.len()).ok_or(Error::PwdTooLong)?,
        password,
        &length(salt.len()).ok_or(Error::SaltTooLong)?,
        salt,
        &length(secret.len()).ok_or(Error::SecretTooLong)?,
        secret,
        &length(params.data().len()).ok_or(Error::AdTooLong)?,
        params.data(),
    ];
    blake2b::short(parts, seed.as_mut_slice())?;
    Ok(seed)
}

fn length(length: usize) -> Option<[u8; 4]> {
    u32::try_from(length).ok().map(u32::to_le_bytes)
}

/// The tag: H' of the last blocks of all lanes.
fn finish(params: &Params, memory: &[Block], out: &mut [u8]) -> Result<(), Error> {
    let mut bytes = Zeroizing::new([0; Block::SIZE]);
    for lane in memory.chunks_exact(fill::lane_length(params)) {
        let words = lane.last().ok_or(Error::MemoryTooLittle)?.as_ref();
        for (bytes, word) in bytes.as_chunks_mut().0.iter_mut().zip(words) {
            *bytes = (u64::from_le_bytes(*bytes) ^ word).to_le_bytes();
        }
    }
    blake2b::long(&[bytes.as_slice()], out)
}

#[cfg(test)]
mod tests {
    use argon2::{AssociatedData, ParamsBuilder};

    use super::*;

    const H0: &str = "2889de487eb42ae500c0007ed9252f1069eadec40d5765b485de6dc2437a67b8\
                      546a2f0acc1a0882db8fcf74714b472e94df421a5da1112ffa11434370a1e997";
    const TAG: &str = "0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659";

    fn hex(bytes: &[u8]) -> String {
        use std::fmt::Write as _;
        bytes.iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }

    #[test]
    fn rfc_9106_section_5_3() {
        let mut builder = ParamsBuilder::new();
        builder.m_cost(32).t_cost(3).p_cost(4).data(AssociatedData::new(&[4; 12]).unwrap());
        let params = builder.build().unwrap();
        let seed = seed(&params, [&[1; 32], &[2; 16], &[3; 8]], 32).unwrap();
        assert_eq!(hex(seed.as_slice()), H0);
        for compression in Compression::available() {
            let (mut memory, mut tag) = (vec![Block::default(); 32], [0; 32]);
            fill::fill(compression, &params, &seed, &mut memory).unwrap();
            finish(&params, &memory, &mut tag).unwrap();
            assert_eq!(hex(&tag), TAG, "{}", compression.name());
        }
    }
}
