//! What the mean of each pixel over the frames and its spread are made of: a sum, and a sum of squares.
//!
//! These kernels only add, each pixel for itself and in the order of frames. So tiles may be cut anywhere, and give the same
//! to the last bit; [`spread`] and [`spread_of_counts`] then make squared distances from the mean of the sums.

use std::ops::Range;

use super::passes::{Pass, take_all};
use crate::{Count, Real};

/// Pixels in a turn.
const PIXELS: usize = 32;

/// Pixels that are taken through all frames together.
const LANES: usize = 8;

/// Adds to `sum` and `squares` the pixels of every frame of a tile, and their squares, exactly: `pixels` has shape
/// `(n_frames, sum.len())`. There is room for 2^32 frames.
pub fn add_squares<P: Count>(sum: &mut [i64], squares: &mut [u64], pixels: &[P]) {
    let len = sum.len().min(squares.len());
    take_all(pixels, len, &mut Squares { sum, squares });
}

/// Adds to `sum` and `squares` the distances of pixels from `origin`, and their squares, for every frame of a tile: `pixels`
/// has shape `(n_frames, sum.len())`.
///
/// Take one of the frames as `origin`. Its distance from the mean is part of the spread, so that for `n` frames at most `n`
/// times the rounding error comes in; around zero, a small spread of big numbers would have no digit left.
pub fn add_distances<T: Real>(origin: &[f64], sum: &mut [f64], squares: &mut [f64], pixels: &[T]) {
    let len = origin.len().min(sum.len()).min(squares.len());
    take_all(pixels, len, &mut Distances { origin, sum, squares });
}

/// The sum of the squared distances from their mean, of `n` numbers with this sum, and this sum of squares; or of as many
/// distances from one origin.
#[inline]
pub fn spread(n: u64, sum: f64, squares: f64) -> f64 {
    let spread = squares - sum * (sum / as_f64(n));
    // Less than nothing is what rounding makes of nothing.
    if spread < 0.0 || n == 0 { 0.0 } else { spread }
}

/// As [`spread`], of whole numbers whose sums are exact, and then rounded but twice.
#[inline]
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "rounding is what is meant, and the mean of counts is a small number"
)]
pub fn spread_of_counts(n: u64, sum: i64, squares: u64) -> f64 {
    if n == 0 {
        return 0.0;
    }
    // Around the whole number next to the mean the sum is at most `n / 2`. So its square over `n`, which is what the mean
    // is away from there, is at most half of the sum of squares: no digits cancel out.
    let origin = (sum as f64 / as_f64(n)).round_ties_even() as i64;
    let distance = sum - origin * n.cast_signed();
    let squares = squares.wrapping_sub_signed(origin.wrapping_mul(sum + distance));
    squares as f64 - (distance * distance) as f64 / as_f64(n)
}

#[expect(clippy::cast_precision_loss, reason = "no scan has 2^53 frames")]
fn as_f64(n: u64) -> f64 {
    n as f64
}

struct Squares<'a> {
    sum: &'a mut [i64],
    squares: &'a mut [u64],
}

impl<P: Count> Pass<P> for Squares<'_> {
    #[inline]
    fn take<const N: usize>(&mut self, block: Range<usize>, _: usize, frames: [&[P]; N]) {
        let (sums, sum_rest) = self.sum[block.clone()].as_chunks_mut::<PIXELS>();
        let (squares, squares_rest) = self.squares[block].as_chunks_mut::<PIXELS>();
        let chunks = frames.map(|frame| &frame.as_chunks::<PIXELS>().0[..sums.len()]);
        let rest = PIXELS * sums.len();
        for (at, (sum, squares)) in sums.iter_mut().zip(squares).enumerate() {
            let (sum, squares) = (sum.as_chunks_mut::<LANES>().0, squares.as_chunks_mut::<LANES>().0);
            for i in 0..PIXELS / LANES {
                let pixels = chunks.map(|frame| &frame[at].as_chunks::<LANES>().0[i]);
                add_squares_of(&mut sum[i], &mut squares[i], pixels);
            }
        }
        for (at, (sum, square)) in (rest..).zip(sum_rest.iter_mut().zip(squares_rest)) {
            let pixels = frames.map(|frame| std::array::from_ref(&frame[at]));
            add_squares_of(std::array::from_mut(sum), std::array::from_mut(square), pixels);
        }
    }
}

/// Distances from [`Count::MIDDLE`] have 16 bits with a sign, so that the squares of two of them fit in 32 bits, and only their
/// sum has to be made wider.
#[inline]
#[expect(clippy::cast_sign_loss, clippy::cast_possible_wrap, reason = "squares have no sign, and frames are few")]
fn add_squares_of<P: Count, const N: usize, const LEN: usize>(
    sum: &mut [i64; LEN],
    squares: &mut [u64; LEN],
    frames: [&[P; LEN]; N],
) {
    let (mut distances, mut distance_squares) = ([0_i32; LEN], [0_u64; LEN]);
    let (pairs, last) = frames.as_chunks::<2>();
    for [first, second] in pairs {
        for i in 0..LEN {
            let (first, second) = (first[i].into() - P::MIDDLE, second[i].into() - P::MIDDLE);
            distances[i] += first + second;
            distance_squares[i] += u64::from((first * first) as u32 + (second * second) as u32);
        }
    }
    for pixels in last {
        for i in 0..LEN {
            let distance = pixels[i].into() - P::MIDDLE;
            distances[i] += distance;
            distance_squares[i] += u64::from((distance * distance) as u32);
        }
    }
    let (n_frames, middle) = (N as i64, i64::from(P::MIDDLE));
    for i in 0..LEN {
        let distance = i64::from(distances[i]);
        let beyond = 2 * middle * distance + n_frames * middle * middle;
        sum[i] += distance + n_frames * middle;
        squares[i] = squares[i].wrapping_add(distance_squares[i]).wrapping_add_signed(beyond);
    }
}

struct Distances<'a> {
    origin: &'a [f64],
    sum: &'a mut [f64],
    squares: &'a mut [f64],
}

impl<T: Real> Pass<T> for Distances<'_> {
    #[inline]
    fn take<const N: usize>(&mut self, block: Range<usize>, _: usize, frames: [&[T]; N]) {
        let (origins, origin_rest) = self.origin[block.clone()].as_chunks::<PIXELS>();
        let (sums, sum_rest) = self.sum[block.clone()].as_chunks_mut::<PIXELS>();
        let (squares, squares_rest) = self.squares[block].as_chunks_mut::<PIXELS>();
        let chunks = frames.map(|frame| &frame.as_chunks::<PIXELS>().0[..sums.len()]);
        let rest = PIXELS * sums.len();
        for (at, ((origin, sum), squares)) in origins.iter().zip(sums).zip(squares).enumerate() {
            let origin = origin.as_chunks::<LANES>().0;
            let (sum, squares) = (sum.as_chunks_mut::<LANES>().0, squares.as_chunks_mut::<LANES>().0);
            for i in 0..PIXELS / LANES {
                let pixels = chunks.map(|frame| &frame[at].as_chunks::<LANES>().0[i]);
                add_distances_of(&origin[i], &mut sum[i], &mut squares[i], pixels);
            }
        }
        for (at, ((origin, sum), square)) in (rest..).zip(origin_rest.iter().zip(sum_rest).zip(squares_rest)) {
            let pixels = frames.map(|frame| std::array::from_ref(&frame[at]));
            let (sum, square) = (std::array::from_mut(sum), std::array::from_mut(square));
            add_distances_of(std::array::from_ref(origin), sum, square, pixels);
        }
    }
}

#[inline]
fn add_distances_of<T: Real, const N: usize, const LEN: usize>(
    origin: &[f64; LEN],
    sum: &mut [f64; LEN],
    squares: &mut [f64; LEN],
    frames: [&[T; LEN]; N],
) {
    for pixels in frames {
        for i in 0..LEN {
            let distance = pixels[i].to_f64() - origin[i];
            sum[i] += distance;
            squares[i] += distance * distance;
        }
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, clippy::cast_precision_loss, reason = "these numbers are small, and exact")]
mod tests {
    use super::*;
    use crate::kernels::samples::numbers;

    fn naive(pixels: &[f64], len: usize, i: usize) -> (f64, f64) {
        let column: Vec<f64> = pixels.chunks_exact(len).map(|frame| frame[i]).collect();
        let sum: f64 = column.iter().sum();
        let mean = sum / column.len() as f64;
        (sum, column.iter().map(|pixel| (pixel - mean).powi(2)).sum())
    }

    /// Sum and spread of each pixel, from tiles of so many frames.
    fn moments<T: Real>(pixels: &[T], len: usize, depths: &[usize]) -> Vec<(f64, f64)> {
        let origin: Vec<f64> = pixels[..len].iter().map(|pixel| pixel.to_f64()).collect();
        let (mut sum, mut squares) = (vec![0.0; len], vec![0.0; len]);
        let mut rest = pixels;
        for depth in depths {
            let (tile, others) = rest.split_at(depth * len);
            add_distances(&origin, &mut sum, &mut squares, tile);
            rest = others;
        }
        assert!(rest.is_empty());
        let n = pixels.len() / len;
        (0..len).map(|i| (sum[i] + n as f64 * origin[i], spread(n as u64, sum[i], squares[i]))).collect()
    }

    #[test]
    fn distances_give_what_two_passes_give_however_tiles_are_cut() {
        let len = 27;
        // A small spread on a big number: the textbook formula would have no digit left.
        let pixels: Vec<f64> = numbers::<f64>(40 * len, 1.0).iter().map(|spread| 1e8 + spread).collect();
        let whole = moments(&pixels, len, &[40]);
        assert_eq!(moments(&pixels, len, &[7, 1, 32]), whole);
        for (i, (sum, spread)) in whole.into_iter().enumerate() {
            let (naive_sum, naive_spread) = naive(&pixels, len, i);
            assert!((sum - naive_sum).abs() < 1e-14 * naive_sum);
            assert!((spread - naive_spread).abs() < 1e-6 * naive_spread, "{spread} and {naive_spread}");
        }
    }

    #[test]
    fn the_outlier_may_come_first() {
        let pixels = [1e9_f32, 1.0, 2.0, 3.0];
        let (sum, spread) = moments(&pixels, 1, &[4])[0];
        let (naive_sum, naive_spread) = naive(&pixels.map(f64::from), 1, 0);
        assert!((sum - naive_sum).abs() < 1e-15 * naive_sum);
        assert!((spread - naive_spread).abs() < 1e-14 * naive_spread);
    }

    #[test]
    fn infinity_stays_a_sum_and_spoils_the_spread() {
        let (mut sum, mut squares) = ([0.0], [0.0]);
        add_distances(&[1.0], &mut sum, &mut squares, &[1.0, f64::INFINITY]);
        assert_eq!(sum[0], f64::INFINITY);
        assert!(spread(2, sum[0], squares[0]).is_nan());
    }

    #[test]
    fn squares_of_counts_are_exact_however_tiles_are_cut() {
        fn check<P: Count>(scale: f64, extremes: [P; 2]) {
            let len = 27;
            for n_frames in [1, 2, 4, 13, 24] {
                let mut pixels: Vec<P> = numbers(n_frames * len, scale);
                for (i, frame) in pixels.chunks_exact_mut(len).enumerate() {
                    (frame[0], frame[1], frame[26]) = (extremes[0], extremes[1], extremes[i % 2]);
                }
                for first in [0, n_frames / 3] {
                    let (mut sum, mut squares) = (vec![7; len], vec![9; len]);
                    add_squares(&mut sum, &mut squares, &pixels[..first * len]);
                    add_squares(&mut sum, &mut squares, &pixels[first * len..]);
                    for i in 0..len {
                        let column = || pixels.chunks_exact(len).map(|frame| i64::from(frame[i].into()));
                        assert_eq!(sum[i], 7 + column().sum::<i64>(), "pixel {i}, {n_frames} frames");
                        let expected = column().map(|pixel| (pixel * pixel).unsigned_abs()).sum::<u64>();
                        assert_eq!(squares[i], 9 + expected, "pixel {i}, {n_frames} frames");
                    }
                }
            }
        }
        check::<u8>(255.0, [0, u8::MAX]);
        check::<i8>(127.0, [i8::MIN, i8::MAX]);
        check::<u16>(65_535.0, [0, u16::MAX]);
        check::<i16>(32_767.0, [i16::MIN, i16::MAX]);
    }

    #[test]
    fn the_spread_of_counts_has_all_its_digits() {
        // One frame in a million differs by one: around zero, nine digits of the spread would be lost.
        for n in [1_000_000_u64, 3, 1] {
            for level in [65_000_i64, 0, -30_000] {
                let sum = level * n.cast_signed() + 1;
                let squares = (n - 1) * (level * level).unsigned_abs() + ((level + 1) * (level + 1)).unsigned_abs();
                let expected = (n - 1) as f64 / n as f64;
                let found = spread_of_counts(n, sum, squares);
                assert!((found - expected).abs() <= 2e-16 * expected, "{found} is not {expected}");
            }
        }
        assert_eq!(spread_of_counts(2, 65_535, 65_535 * 65_535), 65_535.0 * 65_535.0 / 2.0);
        assert_eq!((spread_of_counts(0, 0, 0), spread(0, 0.0, 0.0)), (0.0, 0.0));
    }
}
