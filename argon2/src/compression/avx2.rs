//! The block in 32 registers of 4 words, four a row: twice as many as the CPU has, so two rows, and
//! two pairs of columns, go through P at a time.

use std::arch::x86_64::{
    __m256i, _mm256_add_epi64, _mm256_alignr_epi8, _mm256_extract_epi64, _mm256_loadu_si256,
    _mm256_mul_epu32, _mm256_or_si256, _mm256_permute4x64_epi64, _mm256_setr_epi64x, _mm256_setzero_si256,
    _mm256_shuffle_epi8, _mm256_shuffle_epi32, _mm256_srli_epi64, _mm256_storeu_si256, _mm256_xor_si256,
};

use crate::Words;

#[target_feature(enable = "avx2")]
pub(super) fn compress(
    previous: &Words,
    reference: &Words,
    current: &mut Words,
    onto: bool,
    known: impl FnOnce(u64),
) {
    let inputs = || previous.as_chunks().0.iter().zip(reference.as_chunks().0);
    let mut block = [_mm256_setzero_si256(); 32];
    for (register, (previous, reference)) in block.iter_mut().zip(inputs()) {
        *register = _mm256_xor_si256(load(previous), load(reference));
    }
    for rows in block.as_chunks_mut().0 {
        permute_rows(rows);
    }
    permute_columns::<0>(&mut block);
    let mixed = _mm256_extract_epi64::<0>(block[0]).cast_unsigned();
    known(previous[0] ^ reference[0] ^ mixed ^ if onto { current[0] } else { 0 });
    permute_columns::<1>(&mut block);
    permute_columns::<2>(&mut block);
    permute_columns::<3>(&mut block);

    for ((current, mixed), (previous, reference)) in
        current.as_chunks_mut().0.iter_mut().zip(block).zip(inputs())
    {
        let old = if onto { load(current) } else { _mm256_setzero_si256() };
        let input = _mm256_xor_si256(load(previous), load(reference));
        store(current, _mm256_xor_si256(_mm256_xor_si256(mixed, input), old));
    }
}

/// P on each of two rows.
#[inline]
#[target_feature(enable = "avx2")]
fn permute_rows(rows: &mut [__m256i; 8]) {
    const LEFT: i32 = 0b00_11_10_01;
    const HALF: i32 = 0b01_00_11_10;
    const RIGHT: i32 = 0b10_01_00_11;
    let [a0, b0, c0, d0, a1, b1, c1, d1] = *rows;
    let (mut a, mut b, mut c, mut d) = ([a0, a1], [b0, b1], [c0, c1], [d0, d1]);
    mix(&mut a, &mut b, &mut c, &mut d);
    rotate::<LEFT>(&mut b);
    rotate::<HALF>(&mut c);
    rotate::<RIGHT>(&mut d);
    mix(&mut a, &mut b, &mut c, &mut d);
    rotate::<RIGHT>(&mut b);
    rotate::<HALF>(&mut c);
    rotate::<LEFT>(&mut d);
    *rows = [a[0], b[0], c[0], d[0], a[1], b[1], c[1], d[1]];
}

/// P on two columns, which are two words wide: a register holds those of one row.
#[inline]
#[target_feature(enable = "avx2")]
#[expect(clippy::indexing_slicing, reason = "four registers a row, and as many pairs")]
fn permute_columns<const PAIR: usize>(block: &mut [__m256i; 32]) {
    let rows = block.as_chunks_mut::<4>().0;
    let mut column = [_mm256_setzero_si256(); 8];
    for (register, row) in column.iter_mut().zip(rows.iter()) {
        *register = row[PAIR];
    }
    let [a0, a1, b0, b1, c0, c1, d0, d1] = column;
    let (mut a, mut b, mut c, mut d) = ([a0, a1], [b0, b1], [c0, c1], [d0, d1]);
    mix(&mut a, &mut b, &mut c, &mut d);
    b = [across(b[0], b[1]), across(b[1], b[0])];
    c = [c[1], c[0]];
    d = [across(d[1], d[0]), across(d[0], d[1])];
    mix(&mut a, &mut b, &mut c, &mut d);
    b = [across(b[1], b[0]), across(b[0], b[1])];
    c = [c[1], c[0]];
    d = [across(d[0], d[1]), across(d[1], d[0])];
    let column = [a[0], a[1], b[0], b[1], c[0], c[1], d[0], d[1]];
    for (register, row) in column.into_iter().zip(rows) {
        row[PAIR] = register;
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn mix(a: &mut [__m256i; 2], b: &mut [__m256i; 2], c: &mut [__m256i; 2], d: &mut [__m256i; 2]) {
    // Which byte goes where: each word turned by whole bytes.
    let right_24 = halves(0x0201_0007_0605_0403, 0x0a09_080f_0e0d_0c0b);
    let right_16 = halves(0x0100_0706_0504_0302, 0x0908_0f0e_0d0c_0b0a);
    add_product(a, b);
    turn(d, a, |x| _mm256_shuffle_epi32::<0b10_11_00_01>(x));
    add_product(c, d);
    turn(b, c, |x| _mm256_shuffle_epi8(x, right_24));
    add_product(a, b);
    turn(d, a, |x| _mm256_shuffle_epi8(x, right_16));
    add_product(c, d);
    turn(b, c, |x| _mm256_or_si256(_mm256_srli_epi64::<63>(x), _mm256_add_epi64(x, x)));
}

#[inline]
#[target_feature(enable = "avx2")]
fn halves(first: i64, second: i64) -> __m256i {
    _mm256_setr_epi64x(first, second, first, second)
}

/// x + y + 2·low(x)·low(y).
#[inline]
#[target_feature(enable = "avx2")]
fn add_product(x: &mut [__m256i; 2], y: &[__m256i; 2]) {
    for (x, y) in x.iter_mut().zip(y) {
        let product = _mm256_mul_epu32(*x, *y);
        *x = _mm256_add_epi64(_mm256_add_epi64(*x, *y), _mm256_add_epi64(product, product));
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn turn(x: &mut [__m256i; 2], y: &[__m256i; 2], right: impl Fn(__m256i) -> __m256i) {
    for (x, y) in x.iter_mut().zip(y) {
        *x = right(_mm256_xor_si256(*x, *y));
    }
}

/// Moves the four words of each register.
#[inline]
#[target_feature(enable = "avx2")]
fn rotate<const ORDER: i32>(registers: &mut [__m256i; 2]) {
    for register in registers {
        *register = _mm256_permute4x64_epi64::<ORDER>(*register);
    }
}

/// Of each pair of words, the second of `x` and the first of `y`.
#[inline]
#[target_feature(enable = "avx2")]
fn across(x: __m256i, y: __m256i) -> __m256i {
    _mm256_alignr_epi8::<8>(y, x)
}

#[inline]
#[target_feature(enable = "avx2")]
fn load(words: &[u64; 4]) -> __m256i {
    #[expect(unsafe_code, reason = "the instruction takes a raw pointer")]
    // SAFETY: the reference is to 32 readable bytes, and the instruction needs no alignment.
    unsafe {
        _mm256_loadu_si256(std::ptr::from_ref(words).cast())
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn store(words: &mut [u64; 4], register: __m256i) {
    #[expect(unsafe_code, reason = "the instruction takes a raw pointer")]
    // SAFETY: the reference is to 32 writable bytes, and the instruction needs no alignment.
    unsafe {
        _mm256_storeu_si256(std::ptr::from_mut(words).cast(), register);
    }
}
