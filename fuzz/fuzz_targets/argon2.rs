//! Every compression function makes what the `argon2` crate makes, for any parameters and inputs.
#![no_main]

use argon2::{Algorithm, Argon2, Block, Params, Version};
use keyward_argon2::{Compression, hash_into_with};
use keyward_fuzz::take;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let mut input = input;
    let [lanes, passes, spare, more, out] = take(&mut input).map(u32::from);
    let (lanes, passes, out) = (1 + lanes % 5, 1 + passes % 3, vec![0; 4 + out as usize]);
    let memory_kib = 8 * lanes + spare + 256 * (more % 3);
    let (salt, password) = input.split_at(input.len().min(20));
    let params = Params::new(memory_kib, passes, lanes, None).unwrap();
    let mut memory = vec![Block::default(); params.block_count()];

    let mut expected = out.clone();
    let plain = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
    let answer = plain.hash_password_into_with_memory(password, salt, &mut expected, memory.as_mut_slice());
    for compression in Compression::available() {
        let mut out = out.clone();
        let ours = hash_into_with(compression, &params, password, salt, &mut out, &mut memory);
        assert_eq!(ours, answer);
        assert_eq!(out, expected, "{} {params:?}", compression.name());
    }
});
