//! The way of kernels that make one frame of many: through a tile, in pieces that stay in the cache.

use std::ops::Range;

/// Pixels whose numbers, two of 64 bits for each, stay in the second cache while all frames of a tile go by.
const BLOCK: usize = 1 << 14;

/// What is done with some pixels of several frames at once, so that the numbers kept for them are read and written once.
pub(super) trait Pass<P> {
    /// `block` are the pixels, and `frames` these of frame `first` of the tile and those that follow.
    fn take<const N: usize>(&mut self, block: Range<usize>, first: usize, frames: [&[P]; N]);
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
    pass.take(block.clone(), first, std::array::from_fn::<_, N, _>(|i| &frames[i * len..][..len][block.clone()]));
    N
}
