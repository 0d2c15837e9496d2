//! The way of kernels that make one frame of many: through a tile, in pieces that stay in the cache.

use std::ops::Range;

/// Pixels whose numbers, two of 64 bits for each, stay in the second cache while all frames of a tile go by.
const BLOCK: usize = 1 << 14;

/// What is done with some pixels of several frames at once, so that the numbers kept for them are read and written once.
pub(super) trait Pass<P> {
    /// `block` are the pixels, and `frames` these of some frames.
    fn take<const N: usize>(&mut self, block: Range<usize>, frames: [&[P]; N]);
}

/// Takes all of `pixels`, of shape `(n_frames, len)`: eight frames in a pass, then four, two and one; of each pixel in
/// the order of frames.
#[inline]
pub(super) fn take_all<P>(pixels: &[P], len: usize, pass: &mut impl Pass<P>) {
    if len == 0 {
        return;
    }
    for start in (0..len).step_by(BLOCK) {
        let block = start..len.min(start + BLOCK);
        let mut eights = pixels.chunks_exact(8 * len);
        for eight in &mut eights {
            pass.take::<8>(block.clone(), within(eight, len, &block));
        }
        let mut fours = eights.remainder().chunks_exact(4 * len);
        for four in &mut fours {
            pass.take::<4>(block.clone(), within(four, len, &block));
        }
        let mut pairs = fours.remainder().chunks_exact(2 * len);
        for pair in &mut pairs {
            pass.take::<2>(block.clone(), within(pair, len, &block));
        }
        for frame in pairs.remainder().chunks_exact(len) {
            pass.take(block.clone(), [&frame[block.clone()]]);
        }
    }
}

/// The pixels of `block` in each of `N` frames.
fn within<'a, P, const N: usize>(frames: &'a [P], len: usize, block: &Range<usize>) -> [&'a [P]; N] {
    std::array::from_fn(|i| &frames[i * len..][..len][block.clone()])
}
