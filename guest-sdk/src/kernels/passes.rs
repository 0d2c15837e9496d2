//! The way of kernels that make one frame of many: through a tile, in pieces that stay in the cache.

use std::ops::Range;

/// Pixels whose numbers, two of 64 bits for each, stay in the second cache while all frames of a tile go by.
pub(super) const BLOCK: usize = 1 << 14;

/// Pixels in a turn.
const TURN: usize = 64;

/// Runs `$body` for each vector of a turn: with `$at` from 0 on, in steps of `$step`, below `$len`, which is [`TURN`], or else
/// too short for a vector. A loop would hold the engine's check, and all addresses.
macro_rules! unrolled {
    ($at:ident, $step:expr, $len:expr, $body:block) => {
        unrolled!(@ $at, $step, $len, $body, 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15
            16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31)
    };
    (@ $at:ident, $step:expr, $len:expr, $body:block, $($i:literal)*) => { $(
        if ($i + 1) * $step <= $len {
            let $at = $i * $step;
            $body
        }
    )* };
}
pub(super) use unrolled;

/// What is done with some pixels of several frames at once, so that the numbers kept for them are read and written once.
pub(super) trait Pass<P> {
    /// `frames` are the pixels from `at` on, of frame `first` of the tile and those that follow.
    fn take<const N: usize, const LEN: usize>(&mut self, at: usize, first: usize, frames: [&[P; LEN]; N]);
}

/// The numbers that are kept for pixels from `at` on.
///
/// # Panics
///
/// Where there are none.
#[inline]
pub(super) fn kept<T, const LEN: usize>(numbers: &mut [T], at: usize) -> &mut [T; LEN] {
    numbers[at..].first_chunk_mut().expect("numbers are kept for all pixels")
}

/// Takes all of `pixels`, of shape `(n_frames, len)`, up to eight frames at once; of each pixel in the order of frames.
#[inline(always)]
#[expect(clippy::inline_always, reason = "in a profile, the time is to be that of the kernel")]
pub(super) fn take_all<P>(pixels: &[P], len: usize, pass: &mut impl Pass<P>) {
    let Some(n_frames) = pixels.len().checked_div(len) else { return };
    for start in (0..len).step_by(BLOCK) {
        let block = start..len.min(start + BLOCK);
        let mut first = 0;
        while first < n_frames {
            let frames = &pixels[first * len..];
            first += match n_frames - first {
                8.. => take_some::<P, 8>(frames, len, &block, first, pass),
                4.. => take_some::<P, 4>(frames, len, &block, first, pass),
                2.. => take_some::<P, 2>(frames, len, &block, first, pass),
                _ => take_some::<P, 1>(frames, len, &block, first, pass),
            };
        }
    }
}

/// Takes `N` frames, and says how many these were.
#[inline]
fn take_some<P, const N: usize>(
    frames: &[P],
    len: usize,
    block: &Range<usize>,
    first: usize,
    pass: &mut impl Pass<P>,
) -> usize {
    let frames: [_; N] = std::array::from_fn(|n| frames[n * len..][..len][block.clone()].as_chunks::<TURN>());
    let n_turns = block.len() / TURN;
    for turn in 0..n_turns {
        pass.take::<N, TURN>(block.start + TURN * turn, first, std::array::from_fn(|n| &frames[n].0[turn]));
    }
    for i in 0..block.len() % TURN {
        let pixels = std::array::from_fn(|n| std::array::from_ref(&frames[n].1[i]));
        pass.take::<N, 1>(block.start + TURN * n_turns + i, first, pixels);
    }
    N
}
