use crate::Words;

#[expect(clippy::indexing_slicing, reason = "rows are 16 words long, columns end there")]
pub(super) fn compress(
    previous: &Words,
    reference: &Words,
    current: &mut Words,
    onto: bool,
    known: impl FnOnce(u64),
) {
    let mut mixed = [0; 128];
    for (mixed, (previous, reference)) in mixed.iter_mut().zip(previous.iter().zip(reference)) {
        *mixed = previous ^ reference;
    }
    for row in mixed.as_chunks_mut().0 {
        permute(row);
    }
    // A column is two words wide.
    for column in (0..16).step_by(2) {
        let mut words = [0; 16];
        let rows = mixed.as_chunks::<16>().0;
        for (pair, row) in words.as_chunks_mut::<2>().0.iter_mut().zip(rows) {
            *pair = [row[column], row[column + 1]];
        }
        permute(&mut words);
        let rows = mixed.as_chunks_mut::<16>().0;
        for (pair, row) in words.as_chunks::<2>().0.iter().zip(rows) {
            [row[column], row[column + 1]] = *pair;
        }
    }
    known(previous[0] ^ reference[0] ^ mixed[0] ^ if onto { current[0] } else { 0 });
    let inputs = previous.iter().zip(reference).zip(mixed);
    for (current, ((previous, reference), mixed)) in current.iter_mut().zip(inputs) {
        let old = if onto { *current } else { 0 };
        *current = old ^ previous ^ reference ^ mixed;
    }
}

/// P of RFC 9106, section 3.6.
#[inline]
fn permute(v: &mut [u64; 16]) {
    let [v0, v1, v2, v3, v4, v5, v6, v7, v8, v9, v10, v11, v12, v13, v14, v15] = v;
    mix(v0, v4, v8, v12);
    mix(v1, v5, v9, v13);
    mix(v2, v6, v10, v14);
    mix(v3, v7, v11, v15);
    mix(v0, v5, v10, v15);
    mix(v1, v6, v11, v12);
    mix(v2, v7, v8, v13);
    mix(v3, v4, v9, v14);
}

#[inline]
fn mix(a: &mut u64, b: &mut u64, c: &mut u64, d: &mut u64) {
    *a = add_product(*a, *b);
    *d = (*d ^ *a).rotate_right(32);
    *c = add_product(*c, *d);
    *b = (*b ^ *c).rotate_right(24);
    *a = add_product(*a, *b);
    *d = (*d ^ *a).rotate_right(16);
    *c = add_product(*c, *d);
    *b = (*b ^ *c).rotate_right(63);
}

/// x + y + 2·low(x)·low(y), the sum of `BLAKE2b` made harder to compute in hardware.
#[inline]
fn add_product(x: u64, y: u64) -> u64 {
    let low = |word: u64| word & u64::from(u32::MAX);
    x.wrapping_add(y).wrapping_add((low(x) * low(y)).wrapping_mul(2))
}
