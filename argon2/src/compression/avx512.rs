//! The whole block stays in 16 registers of 8 words, two a row. Several go through each step
//! together, so that the CPU always finds work that waits for nothing.

use std::arch::x86_64::{
    __m512i, _mm_cvtsi128_si64, _mm512_add_epi64, _mm512_castpd_si512, _mm512_castsi512_pd,
    _mm512_castsi512_si128, _mm512_loadu_si512, _mm512_mul_epu32, _mm512_permutex_epi64, _mm512_ror_epi64,
    _mm512_setzero_si512, _mm512_shuffle_i64x2, _mm512_shuffle_pd, _mm512_storeu_si512, _mm512_xor_si512,
};

use crate::Words;

#[target_feature(enable = "avx512f")]
pub(super) fn compress(
    previous: &Words,
    reference: &Words,
    current: &mut Words,
    onto: bool,
    known: impl FnOnce(u64),
) {
    let inputs = || previous.as_chunks().0.iter().zip(reference.as_chunks().0);
    let mut block = [_mm512_setzero_si512(); 16];
    for (register, (previous, reference)) in block.iter_mut().zip(inputs()) {
        *register = _mm512_xor_si512(load(previous), load(reference));
    }
    for rows in block.as_chunks_mut().0 {
        permute_rows(rows);
    }
    let [a0, e0, a1, e1, b0, f0, b1, f1, c0, g0, c1, g1, d0, h0, d1, h1] = &mut block;
    permute_columns([a0, a1], [b0, b1], [c0, c1], [d0, d1]);
    let mixed = _mm_cvtsi128_si64(_mm512_castsi512_si128(*a0)).cast_unsigned();
    known(previous[0] ^ reference[0] ^ mixed ^ if onto { current[0] } else { 0 });
    permute_columns([e0, e1], [f0, f1], [g0, g1], [h0, h1]);

    for ((current, mixed), (previous, reference)) in
        current.as_chunks_mut().0.iter_mut().zip(block).zip(inputs())
    {
        let old = if onto { load(current) } else { _mm512_setzero_si512() };
        let input = _mm512_xor_si512(load(previous), load(reference));
        store(current, _mm512_xor_si512(_mm512_xor_si512(mixed, input), old));
    }
}

/// P on each of four rows.
#[inline]
#[target_feature(enable = "avx512f")]
fn permute_rows(rows: &mut [__m512i; 8]) {
    const LEFT: i32 = 0b00_11_10_01;
    const HALF: i32 = 0b01_00_11_10;
    const RIGHT: i32 = 0b10_01_00_11;
    let [w0, x0, y0, z0, w1, x1, y1, z1] = rows;
    // Halves of registers are rows of the 4 × 4 words that P works on.
    let (mut a, mut b) = ([low(*w0, *y0), low(*w1, *y1)], [high(*w0, *y0), high(*w1, *y1)]);
    let (mut c, mut d) = ([low(*x0, *z0), low(*x1, *z1)], [high(*x0, *z0), high(*x1, *z1)]);
    mix(&mut a, &mut b, &mut c, &mut d);
    rotate::<LEFT>(&mut b);
    rotate::<HALF>(&mut c);
    rotate::<RIGHT>(&mut d);
    mix(&mut a, &mut b, &mut c, &mut d);
    rotate::<RIGHT>(&mut b);
    rotate::<HALF>(&mut c);
    rotate::<LEFT>(&mut d);
    let ([a0, a1], [b0, b1], [c0, c1], [d0, d1]) = (a, b, c, d);
    *rows = [
        low(a0, b0),
        low(c0, d0),
        high(a0, b0),
        high(c0, d0),
        low(a1, b1),
        low(c1, d1),
        high(a1, b1),
        high(c1, d1),
    ];
}

/// P on each of four columns, which are two words wide: a register holds those of one row.
#[inline]
#[target_feature(enable = "avx512f")]
fn permute_columns(a: [&mut __m512i; 2], b: [&mut __m512i; 2], c: [&mut __m512i; 2], d: [&mut __m512i; 2]) {
    let ([a0, a1], [b0, b1], [c0, c1], [d0, d1]) = (a, b, c, d);
    let (mut a, mut b, mut c, mut d) = ([*a0, *a1], [*b0, *b1], [*c0, *c1], [*d0, *d1]);
    mix(&mut a, &mut b, &mut c, &mut d);
    b = [across(b[0], b[1]), across(b[1], b[0])];
    c = [c[1], c[0]];
    d = [across(d[1], d[0]), across(d[0], d[1])];
    mix(&mut a, &mut b, &mut c, &mut d);
    [*a0, *a1] = a;
    [*b0, *b1] = [across(b[1], b[0]), across(b[0], b[1])];
    [*c1, *c0] = c;
    [*d0, *d1] = [across(d[0], d[1]), across(d[1], d[0])];
}

#[inline]
#[target_feature(enable = "avx512f")]
fn mix(a: &mut [__m512i; 2], b: &mut [__m512i; 2], c: &mut [__m512i; 2], d: &mut [__m512i; 2]) {
    add_product(a, b);
    turn::<32>(d, a);
    add_product(c, d);
    turn::<24>(b, c);
    add_product(a, b);
    turn::<16>(d, a);
    add_product(c, d);
    turn::<63>(b, c);
}

/// x + y + 2·low(x)·low(y).
#[inline]
#[target_feature(enable = "avx512f")]
fn add_product(x: &mut [__m512i; 2], y: &[__m512i; 2]) {
    for (x, y) in x.iter_mut().zip(y) {
        let product = _mm512_mul_epu32(*x, *y);
        *x = _mm512_add_epi64(_mm512_add_epi64(*x, *y), _mm512_add_epi64(product, product));
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn turn<const BITS: i32>(x: &mut [__m512i; 2], y: &[__m512i; 2]) {
    for (x, y) in x.iter_mut().zip(y) {
        *x = _mm512_ror_epi64::<BITS>(_mm512_xor_si512(*x, *y));
    }
}

/// Moves the four words of each half.
#[inline]
#[target_feature(enable = "avx512f")]
fn rotate<const ORDER: i32>(registers: &mut [__m512i; 2]) {
    for register in registers {
        *register = _mm512_permutex_epi64::<ORDER>(*register);
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn low(x: __m512i, y: __m512i) -> __m512i {
    _mm512_shuffle_i64x2::<0b01_00_01_00>(x, y)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn high(x: __m512i, y: __m512i) -> __m512i {
    _mm512_shuffle_i64x2::<0b11_10_11_10>(x, y)
}

/// Of each pair of words, the second of `x` and the first of `y`.
#[inline]
#[target_feature(enable = "avx512f")]
fn across(x: __m512i, y: __m512i) -> __m512i {
    let (x, y) = (_mm512_castsi512_pd(x), _mm512_castsi512_pd(y));
    _mm512_castpd_si512(_mm512_shuffle_pd::<0b0101_0101>(x, y))
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load(words: &[u64; 8]) -> __m512i {
    #[expect(unsafe_code, reason = "the instruction takes a raw pointer")]
    // SAFETY: the reference is to 64 readable bytes, and the instruction needs no alignment.
    unsafe {
        _mm512_loadu_si512(std::ptr::from_ref(words).cast())
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store(words: &mut [u64; 8], register: __m512i) {
    #[expect(unsafe_code, reason = "the instruction takes a raw pointer")]
    // SAFETY: the reference is to 64 writable bytes, and the instruction needs no alignment.
    unsafe {
        _mm512_storeu_si512(std::ptr::from_mut(words).cast(), register);
    }
}
