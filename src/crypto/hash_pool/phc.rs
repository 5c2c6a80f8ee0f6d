//! Argon2id hashes as PHC strings (<https://github.com/P-H-C/phc-string-format>).

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use subtle::ConstantTimeEq;

use super::{HashError, HashSettings, Verified};
use crate::random;

const SALT_LEN: usize = 16;
const OUTPUT_LEN: usize = 32;

pub(super) fn params(settings: HashSettings) -> Result<Params, HashError> {
    Params::new(settings.memory_kib, settings.iterations, settings.parallelism, Some(OUTPUT_LEN))
        .map_err(HashError::Argon2)
}

pub(super) fn hash(params: &Params, password: &[u8], memory: &mut Vec<Block>) -> Result<String, HashError> {
    let salt = random::bytes::<SALT_LEN>();
    let mut out = [0; OUTPUT_LEN];
    fill(Algorithm::Argon2id, Version::V0x13, params, (password, &salt), &mut out, memory)?;
    phc(params, &salt, &out)
}

/// Makes the hash of no password that anybody knows: to draw one at random costs a start nothing.
pub(super) fn decoy(params: &Params) -> Result<String, HashError> {
    phc(params, &random::bytes(), &random::bytes())
}

fn phc(params: &Params, salt: &[u8; SALT_LEN], out: &[u8; OUTPUT_LEN]) -> Result<String, HashError> {
    let phc = PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(params).map_err(|_| HashError::Stored("parameters"))?,
        salt: Some(Salt::new(salt).map_err(|_| HashError::Stored("salt"))?),
        hash: Some(Output::new(out).map_err(|_| HashError::Stored("output"))?),
    };
    Ok(phc.to_string())
}

pub(super) fn verify(
    settings: HashSettings,
    stored: &str,
    password: &[u8],
    memory: &mut Vec<Block>,
) -> Result<Verified, HashError> {
    let phc = PasswordHash::new(stored).map_err(|_| HashError::Stored("not a PHC string"))?;
    let algorithm = Algorithm::new(phc.algorithm.as_str()).map_err(|_| HashError::Stored("algorithm"))?;
    let version = phc.version.and_then(|v| Version::try_from(v).ok()).ok_or(HashError::Stored("version"))?;
    let params = Params::try_from(&phc).map_err(|_| HashError::Stored("parameters"))?;
    let (Some(salt), Some(expected)) = (phc.salt, phc.hash) else {
        return Err(HashError::Stored("salt or output is missing"));
    };
    if exceeds_ceiling(settings, &params) {
        return Err(HashError::Stored("parameters above the ceiling"));
    }
    let mut out = vec![0; expected.len()];
    fill(algorithm, version, &params, (password, salt.as_ref()), &mut out, memory)
        .map_err(|_| HashError::Stored("salt or output length"))?;
    if let Some(rest) = work_left(settings, &params) {
        let mut unused = [0; OUTPUT_LEN];
        fill(Algorithm::Argon2id, Version::V0x13, &rest, (password, salt.as_ref()), &mut unused, memory)
            .map_err(|_| HashError::Stored("salt length"))?;
    }
    if !bool::from(out.ct_eq(expected.as_bytes())) {
        return Ok(Verified::Wrong);
    }
    let weak = algorithm != Algorithm::Argon2id
        || version != Version::V0x13
        || params.m_cost() < settings.memory_kib
        || params.t_cost() < settings.iterations
        || expected.len() < OUTPUT_LEN;
    Ok(Verified::Right { weak })
}

/// What a weaker hash than the settings ask for leaves to be done, so that its account cannot be
/// told from one that does not exist. Time goes with memory and passes.
fn work_left(settings: HashSettings, done: &Params) -> Option<Params> {
    let work = |memory_kib: u32, passes: u32| u64::from(memory_kib) * u64::from(passes);
    let whole = work(settings.memory_kib, settings.iterations);
    let left = whole.checked_sub(work(done.m_cost(), done.t_cost()))? / u64::from(settings.iterations);
    // Too little for the lanes is none at all.
    Params::new(u32::try_from(left).ok()?, settings.iterations, settings.parallelism, Some(OUTPUT_LEN)).ok()
}

/// Someone who can write one row must not be able to make a login cost gigabytes: four times the
/// settings, and never below what other libraries use as defaults, is the most that is worked on.
fn exceeds_ceiling(settings: HashSettings, params: &Params) -> bool {
    params.m_cost() > settings.memory_kib.saturating_mul(4).max(65_536)
        || params.t_cost() > settings.iterations.saturating_mul(4).max(10)
        || params.p_cost() > settings.parallelism.saturating_mul(4).max(4)
}

fn fill(
    algorithm: Algorithm,
    version: Version,
    params: &Params,
    (password, salt): (&[u8], &[u8]),
    out: &mut [u8],
    memory: &mut Vec<Block>,
) -> Result<(), HashError> {
    if memory.len() < params.block_count() {
        memory.resize(params.block_count(), Block::default());
    }
    #[cfg(feature = "simd-argon2")]
    if algorithm == Algorithm::Argon2id && version == Version::V0x13 {
        return keyward_argon2::hash_into(params, password, salt, out, memory).map_err(HashError::Argon2);
    }
    Argon2::new(algorithm, version, params.clone())
        .hash_password_into_with_memory(password, salt, out, memory.as_mut_slice())
        .map_err(HashError::Argon2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use argon2::{PasswordHasher as _, PasswordVerifier as _};
    use std::time::Duration;

    const CHEAP: HashSettings = HashSettings {
        memory_kib: 64,
        iterations: 2,
        parallelism: 1,
        threads: 1,
        queue: 1,
        queue_timeout: Duration::ZERO,
    };

    /// Whoever computes: what one stored, the other takes, and a string is the same to the byte.
    #[test]
    fn strings_are_those_of_the_argon2_crate() {
        let (mut memory, password) = (Vec::new(), "a quiet lake".as_bytes());
        for (memory_kib, passes, lanes) in [(64, 2, 1), (67, 1, 2), (1_030, 3, 4)] {
            let params = Params::new(memory_kib, passes, lanes, Some(OUTPUT_LEN)).unwrap();
            let plain = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());

            let ours = hash(&params, password, &mut memory).unwrap();
            let parsed = PasswordHash::new(&ours).unwrap();
            plain.verify_password(password, &parsed).unwrap();
            let salt = parsed.salt.unwrap();
            let theirs = plain.hash_password_with_salt(password, &salt).unwrap().to_string();
            assert_eq!(ours, theirs);
            assert!(matches!(verify(CHEAP, &theirs, password, &mut memory), Ok(Verified::Right { .. })));
            assert_eq!(verify(CHEAP, &theirs, b"another", &mut memory).unwrap(), Verified::Wrong);
        }
    }

    #[test]
    fn other_kinds_and_versions_are_verified_and_weak() {
        for (algorithm, version) in [
            (Algorithm::Argon2i, Version::V0x13),
            (Algorithm::Argon2d, Version::V0x13),
            (Algorithm::Argon2id, Version::V0x10),
        ] {
            let stored = Argon2::new(algorithm, version, params(CHEAP).unwrap())
                .hash_password_with_salt(b"right", &[7; SALT_LEN])
                .unwrap()
                .to_string();
            let check = |password| verify(CHEAP, &stored, password, &mut Vec::new()).unwrap();
            assert_eq!(check(b"right"), Verified::Right { weak: true }, "{stored}");
            assert_eq!(check(b"wrong"), Verified::Wrong, "{stored}");
        }
    }

    /// P10: a weaker hash, at whatever settings, leaves as much work as makes it a whole one.
    #[test]
    fn a_weaker_hash_is_topped_up_to_the_work_of_the_settings() {
        let settings = HashSettings { memory_kib: 19_456, ..CHEAP };
        let weak = |memory_kib, passes| Params::new(memory_kib, passes, 1, None).unwrap();
        for (memory_kib, passes) in [(64, 1), (9_216, 4), (12_288, 3), (4_096, 9), (19_456, 1)] {
            let left = work_left(settings, &weak(memory_kib, passes)).map_or(0, |p| p.m_cost() * p.t_cost());
            let whole = memory_kib * passes + left;
            assert!((38_900..=38_912).contains(&whole), "{memory_kib} KiB, {passes} passes: {whole}");
        }
        assert!(work_left(settings, &weak(19_456, 2)).is_none());
        assert!(work_left(settings, &weak(65_536, 3)).is_none(), "stronger ones cost what they cost");
    }
}
