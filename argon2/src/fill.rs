//! The order in which blocks are filled, and which earlier one goes into each (RFC 9106, 3.2 and
//! 3.4). A lane is cut into four slices; in the first two of the first pass the choice depends on
//! nothing secret, after that on the block before.

use argon2::{Algorithm, Block, Error, Params};

use crate::compression::{Compression, prefetch, words, words_mut};
use crate::{Words, blake2b};

const SLICES: usize = 4;
const WORDS: usize = Block::SIZE / 8;

pub(crate) fn lane_length(params: &Params) -> usize {
    params.block_count() / lanes(params)
}

fn lanes(params: &Params) -> usize {
    usize::try_from(params.p_cost()).unwrap_or(1)
}

pub(crate) fn fill(
    compression: Compression,
    params: &Params,
    seed: &[u8; 64],
    memory: &mut [Block],
) -> Result<(), Error> {
    first_blocks(params, seed, memory)?;
    let lane_length = lane_length(params);
    for pass in 0..params.t_cost() {
        for slice in 0..SLICES {
            for lane in 0..lanes(params) {
                let segment = Segment {
                    compression,
                    pass,
                    slice,
                    lane,
                    lanes: lanes(params),
                    lane_length,
                    length: lane_length / SLICES,
                };
                segment.fill(params, memory)?;
            }
        }
    }
    Ok(())
}

/// The first two blocks of each lane come from the seed.
fn first_blocks(params: &Params, seed: &[u8; 64], memory: &mut [Block]) -> Result<(), Error> {
    let mut bytes = zeroize::Zeroizing::new([0; Block::SIZE]);
    for (lane, blocks) in (0_u32..).zip(memory.chunks_exact_mut(lane_length(params))) {
        for (column, block) in (0_u32..2).zip(blocks) {
            let parts = [&seed[..], &column.to_le_bytes(), &lane.to_le_bytes()];
            blake2b::long(&parts, bytes.as_mut_slice())?;
            for (word, bytes) in block.as_mut().iter_mut().zip(bytes.as_chunks().0) {
                *word = u64::from_le_bytes(*bytes);
            }
        }
    }
    Ok(())
}

/// The part of a lane in a slice.
struct Segment {
    compression: Compression,
    pass: u32,
    slice: usize,
    lane: usize,
    lanes: usize,
    lane_length: usize,
    length: usize,
}

impl Segment {
    fn fill(&self, params: &Params, memory: &mut [Block]) -> Result<(), Error> {
        let begin = if self.pass == 0 && self.slice == 0 { 2 } else { 0 };
        let start = self.lane * self.lane_length;
        let first = start + self.slice * self.length + begin;
        let mut previous = if first == start { start + self.lane_length - 1 } else { first - 1 };

        let independent = self.pass == 0 && self.slice < SLICES / 2;
        let mut numbers = independent.then(|| Numbers::new(self, params));
        let number = match &mut numbers {
            Some(numbers) => numbers.at(begin),
            None => memory.get(previous).and_then(|block| block.as_ref().first().copied()),
        };
        let mut reference = self.reference(begin, number.ok_or(Error::MemoryTooLittle)?);

        // Raw, since the block to fetch is chosen while others are borrowed; it is never read here.
        let base = memory.as_ptr();
        for (current, block) in (first..).zip(begin..self.length) {
            let mut next = 0;
            if let Some(number) = numbers.as_mut().and_then(|numbers| numbers.at(block + 1)) {
                next = self.reference(block + 1, number);
                prefetch(base.wrapping_add(next));
            }
            let [previous_block, reference_block, current_block] = memory
                .get_disjoint_mut([previous, reference, current])
                .map_err(|_| Error::MemoryTooLittle)?;
            self.compression.run(
                words(previous_block)?,
                words(reference_block)?,
                words_mut(current_block)?,
                self.pass > 0,
                |first_word| {
                    if !independent {
                        next = self.reference(block + 1, first_word);
                        prefetch(base.wrapping_add(next));
                    }
                },
            );
            reference = next;
            previous = current;
        }
        Ok(())
    }

    /// Which block goes into the `block`th of this segment, by a pseudo-random number.
    #[inline]
    fn reference(&self, block: usize, number: u64) -> usize {
        let (low, high) = (number & u64::from(u32::MAX), number >> 32);
        let first = self.pass == 0 && self.slice == 0;
        let lane = match self.lanes {
            lanes if lanes == 1 || first => self.lane,
            lanes => usize::try_from(high).unwrap_or_default() % lanes,
        };
        let finished = if self.pass == 0 { self.slice * self.length } else { self.lane_length - self.length };
        // The block before is used anyway; of other lanes, what they filled in finished slices.
        let candidates =
            if lane == self.lane { finished + block - 1 } else { finished - usize::from(block == 0) };
        let back = (candidates as u64 * ((low * low) >> 32)) >> 32;
        let oldest =
            if self.pass == 0 || self.slice == SLICES - 1 { 0 } else { (self.slice + 1) * self.length };
        let column = oldest + candidates - 1 - usize::try_from(back).unwrap_or_default();
        let column = if column >= self.lane_length { column - self.lane_length } else { column };
        lane * self.lane_length + column
    }
}

/// Pseudo-random numbers that depend on the position only: a counter, compressed twice.
struct Numbers {
    compression: Compression,
    input: Words,
    drawn: Words,
    length: usize,
}

impl Numbers {
    fn new(segment: &Segment, params: &Params) -> Self {
        let mut input = [0; WORDS];
        let head = [
            u64::from(segment.pass),
            segment.lane as u64,
            segment.slice as u64,
            params.block_count() as u64,
            u64::from(params.t_cost()),
            Algorithm::Argon2id as u64,
        ];
        for (word, value) in input.iter_mut().zip(head) {
            *word = value;
        }
        let mut numbers =
            Self { compression: segment.compression, input, drawn: [0; WORDS], length: segment.length };
        numbers.advance();
        numbers
    }

    /// The number for a block of the segment; to be asked for each in its order.
    fn at(&mut self, block: usize) -> Option<u64> {
        if block > 0 && block.is_multiple_of(WORDS) && block < self.length {
            self.advance();
        }
        self.drawn.get(block % WORDS).copied()
    }

    fn advance(&mut self) {
        let [_, _, _, _, _, _, counter, ..] = &mut self.input;
        *counter += 1;
        let (zero, mut once) = ([0; WORDS], [0; WORDS]);
        self.compression.run(&zero, &self.input, &mut once, false, |_| ());
        self.compression.run(&zero, &once, &mut self.drawn, false, |_| ());
    }
}
