//! The same bytes as the `argon2` crate makes, with every compression function that this CPU has.
#![expect(clippy::unwrap_used, reason = "what goes wrong here fails the test")]

use argon2::{Algorithm, Argon2, AssociatedData, Block, Error, Params, ParamsBuilder, Version};
use keyward_argon2::{Compression, hash_into, hash_into_with};

/// Chance that is the same in every run (`SplitMix64`).
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn up_to(&mut self, most: u32) -> u32 {
        u32::try_from(self.next() % (u64::from(most) + 1)).unwrap()
    }

    fn bytes(&mut self, most: u32) -> Vec<u8> {
        (0..self.up_to(most)).map(|_| self.next().to_le_bytes()[0]).collect()
    }
}

struct Case {
    params: Params,
    password: Vec<u8>,
    salt: Vec<u8>,
    out: usize,
}

impl Case {
    fn draw(draw: &mut Draw, spare_kib: u32, passes: u32) -> Self {
        let lanes = 1 + draw.up_to(3);
        let mut builder = ParamsBuilder::new();
        builder.p_cost(lanes).m_cost(8 * lanes + draw.up_to(spare_kib)).t_cost(1 + draw.up_to(passes - 1));
        if draw.up_to(7) == 0 {
            builder.data(AssociatedData::new(&draw.bytes(32)).unwrap());
        }
        let params = builder.build().unwrap();
        let salt = [&b"at least"[..], &draw.bytes(24)].concat();
        Self { params, password: draw.bytes(200), salt, out: 4 + draw.up_to(160) as usize }
    }

    fn assert_equal(&self, memory: &mut Vec<Block>) {
        let blocks = self.params.block_count();
        if memory.len() < blocks {
            memory.resize(blocks, Block::default());
        }
        let (mut expected, mut out) = (vec![0; self.out], vec![0; self.out]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, self.params.clone())
            .hash_password_into_with_memory(&self.password, &self.salt, &mut expected, memory.as_mut_slice())
            .unwrap();
        for compression in Compression::available() {
            // What an earlier hash left in the memory must not matter.
            hash_into_with(compression, &self.params, &self.password, &self.salt, &mut out, memory).unwrap();
            assert_eq!(out, expected, "{} {:?}", compression.name(), self.params);
        }
    }
}

#[test]
fn any_parameters_and_inputs() {
    let prove = std::env::var_os("KEYWARD_PROVE").is_some();
    let count = if cfg!(miri) {
        3
    } else if prove {
        1_000_000
    } else {
        2_000
    };
    let (mut draw, mut memory) = (Draw(13), Vec::new());
    for _ in 0..count {
        Case::draw(&mut draw, 24, 3).assert_equal(&mut memory);
    }
}

#[test]
#[cfg_attr(miri, ignore = "too much to interpret")]
fn segments_longer_than_a_block_of_numbers() {
    let (mut draw, mut memory) = (Draw(17), Vec::new());
    for _ in 0..40 {
        Case::draw(&mut draw, 4_096, 3).assert_equal(&mut memory);
    }
    let params = Params::new(19_456, 2, 1, Some(32)).unwrap();
    Case { params, password: b"a quiet lake at dawn".into(), salt: vec![7; 16], out: 32 }
        .assert_equal(&mut memory);
}

#[test]
fn lengths_are_judged_as_by_the_argon2_crate() {
    let params = Params::new(8, 1, 1, Some(32)).unwrap();
    let mut memory = vec![Block::default(); 8];
    let mut hash = |salt: &[u8], out: usize| hash_into(&params, b"", salt, &mut vec![0; out], &mut memory);
    assert_eq!(hash(b"8 bytes!", 32), Ok(()));
    assert_eq!(hash(b"7 bytes", 32), Err(Error::SaltTooShort));
    assert_eq!(hash(b"8 bytes!", 31), Err(Error::OutputTooShort));
    assert_eq!(hash(b"8 bytes!", 33), Err(Error::OutputTooLong));
    assert_eq!(
        hash_into(&params, b"", b"8 bytes!", &mut [0; 32], &mut memory[1..]),
        Err(Error::MemoryTooLittle)
    );
}

#[test]
fn every_cpu_has_one_and_the_fastest_is_first() {
    let all: Vec<_> = Compression::available().collect();
    assert_eq!(all.first(), Some(&Compression::fastest()));
    assert_eq!(all.last().map(|last| last.name()), Some("portable"));
}
