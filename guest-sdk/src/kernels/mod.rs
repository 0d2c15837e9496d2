//! Loops over pixels that the compiler turns into vector instructions. Use them, or copy their shape.
//!
//! The host can stop a plugin that runs away. For that it puts a check into every turn of every loop, which costs
//! nothing where a turn has much to do, and up to seven times the run time where it adds one number. What is more, no vector
//! stays in its register over the check: what a loop carries from turn to turn goes through memory. So a turn of these loops is
//! long, it carries little, and it is unrolled completely. Where arrays of fixed size suffice for that, a turn has 32 pixels;
//! kernels that are used most are written in vectors, have turns of 64 pixels of eight frames or of 256 numbers, and each turn is
//! a call, in which nothing else needs a register.
//!
//! Long sums of `f32` keep their digits: they are gathered in several lanes and carried over into `f64` every
//! 2048 numbers.

mod convert;
mod dot;
pub(crate) mod frames;
pub(crate) mod kept;
pub(crate) mod logs;
pub(crate) mod moments;
mod passes;
mod sparse;
pub(crate) mod sum;
pub(crate) mod vector;

pub use convert::convert;
pub use dot::{Stack, add_dots, add_masked_dots, dot};
pub use frames::{add_frames, add_frames_as, extremes, extremes_of_counts, maximum, minimum};
pub use kept::Moments;
pub use logs::LogSums;
pub use moments::{add_distances, add_squares, spreads, spreads_of_counts};
pub use sparse::{SparseRows, add_sparse_dots};
pub use sum::{largest, smallest, sum, sum_as};

use crate::{Element, cast};
use passes::unrolled;
use vector::Lane;

/// Pixels in a turn of a loop.
const CHUNK: usize = 32;

/// Numbers that are added up before the sum goes over to the wide type.
const SEGMENT: usize = 2048;

/// Bytes that [`fetch`] is called for at a time: well within the first cache.
const FETCHED: usize = 16 << 10;

/// Has numbers brought from memory into the first cache at full speed. A kernel that computes with them as they come keeps
/// fewer reads in flight than the memory can serve.
#[inline]
fn fetch<T: Element>(numbers: &[T]) {
    const LINE: usize = 64;
    let mut seen = u8::splat(0);
    for lines in cast::bytes(numbers).as_chunks::<{ 32 * LINE }>().0 {
        unrolled!(line, LINE, 32 * LINE, {
            seen = u8::summed(seen, u8::load(&lines[line..]));
        });
    }
    std::hint::black_box(seen);
}

#[cfg(test)]
pub(crate) mod samples {
    //! Numbers for tests: small, of both signs, without a pattern.

    use crate::Element;

    /// `len` numbers between -1 and 1, times `scale`.
    pub(crate) fn numbers<T: Element>(len: usize, scale: f64) -> Vec<T> {
        let mut state = 12345_u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f64::from(state >> 8) / f64::from(1_u32 << 23) - 1.0
        };
        (0..len).map(|_| T::from_f64(next() * scale)).collect()
    }
}
