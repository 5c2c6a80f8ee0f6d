//! G of RFC 9106, section 3.5: two blocks of 1 KiB make a third. Each implementation computes the
//! same; which of them run is found out from the CPU.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod portable;

use argon2::{Block, Error};

use crate::Words;

/// An implementation that this CPU has the instructions for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compression(Kind);

/// Private, so that [`Compression::available`] alone makes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Compression {
    /// Those that run here, the fastest first.
    pub fn available() -> impl Iterator<Item = Self> {
        let kinds = [
            #[cfg(target_arch = "x86_64")]
            std::arch::is_x86_feature_detected!("avx512f").then_some(Kind::Avx512),
            #[cfg(target_arch = "x86_64")]
            std::arch::is_x86_feature_detected!("avx2").then_some(Kind::Avx2),
            Some(Kind::Portable),
        ];
        kinds.into_iter().flatten().map(Self)
    }

    #[must_use]
    pub fn fastest() -> Self {
        Self::available().next().unwrap_or(Self(Kind::Portable))
    }

    #[must_use]
    pub fn name(self) -> &'static str {
        match self.0 {
            Kind::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => "AVX2",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => "AVX-512",
        }
    }

    /// Puts the compressed blocks into `current`, on top of what is there with `onto` set. `known`
    /// is told its first word as soon as that is final, which is before the others are.
    #[inline]
    pub(crate) fn run(
        self,
        previous: &Words,
        reference: &Words,
        current: &mut Words,
        onto: bool,
        known: impl FnOnce(u64),
    ) {
        match self.0 {
            Kind::Portable => portable::compress(previous, reference, current, onto, known),
            #[cfg(target_arch = "x86_64")]
            #[expect(unsafe_code, reason = "instructions that not every CPU has")]
            // SAFETY: a `Kind::Avx2` exists only where `available` found AVX2.
            Kind::Avx2 => unsafe { avx2::compress(previous, reference, current, onto, known) },
            #[cfg(target_arch = "x86_64")]
            #[expect(unsafe_code, reason = "instructions that not every CPU has")]
            // SAFETY: a `Kind::Avx512` exists only where `available` found AVX-512F.
            Kind::Avx512 => unsafe { avx512::compress(previous, reference, current, onto, known) },
        }
    }
}

pub(crate) fn words(block: &Block) -> Result<&Words, Error> {
    block.as_ref().try_into().map_err(|_| Error::MemoryTooLittle)
}

pub(crate) fn words_mut(block: &mut Block) -> Result<&mut Words, Error> {
    block.as_mut().try_into().map_err(|_| Error::MemoryTooLittle)
}

/// Asks for a block to be brought near, since it will be read next. Only a hint, wherever it points.
#[inline]
pub(crate) fn prefetch(block: *const Block) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    for line in 0..Block::SIZE / 64 {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        let line = block.cast::<i8>().wrapping_add(64 * line);
        #[expect(unsafe_code, reason = "the hint takes a raw pointer")]
        // SAFETY: a prefetch neither reads for the program nor faults, whatever the address.
        unsafe {
            _mm_prefetch::<_MM_HINT_T0>(line);
        }
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = block;
}
