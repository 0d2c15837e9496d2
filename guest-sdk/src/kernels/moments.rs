//! What the mean of each pixel over the frames and its spread are made of: a sum, and a sum of squares.
//!
//! These kernels only add, each pixel for itself and in the order of frames. So tiles may be cut anywhere, and give the same
//! to the last bit; [`spreads`] and [`spreads_of_counts`] then make squared distances from the mean of the sums.

use super::{
    passes::{Pass, kept, take_all, unrolled},
    vector::{Counting, Double as _, Half, Lane, Narrow, WideSums, centred, dot, minus, shifted, times, unsigned},
};
use crate::{Count, Part};

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
pub fn add_distances<T: Part>(origin: &[f64], sum: &mut [f64], squares: &mut [f64], pixels: &[T]) {
    let len = origin.len().min(sum.len()).min(squares.len());
    take_all(pixels, len, &mut Distances { origin, sum, squares });
}

/// For each pixel the sum of the squared distances from their mean, of `n` numbers with this sum, and this sum of squares; or of
/// as many distances from one origin. All slices have one length, or are cut to the shortest.
pub fn spreads(n: u64, sums: &[f64], squares: &[f64], out: &mut [f64]) {
    if n == 0 {
        return out.fill(0.0);
    }
    let n = as_f64(n);
    for_turns(sums, squares, out, |sum, squares| {
        let spread = squares - sum * (sum / n);
        // Less than nothing is what rounding makes of nothing.
        if spread < 0.0 { 0.0 } else { spread }
    });
}

/// As [`spreads`], of whole numbers whose sums are exact, and then rounded but twice.
pub fn spreads_of_counts(n: u64, sums: &[i64], squares: &[u64], out: &mut [f64]) {
    /// Of so many counts sums of squares have no more than 51 bits, and nothing is rounded before the last two steps.
    const FEW: u64 = 1 << 19;
    match n {
        0 => out.fill(0.0),
        1..=FEW => {
            let n = as_f64(n);
            for_turns(sums, squares, out, |sum, squares| {
                let (sum, squares) = (small_as_f64(sum), small_as_f64(squares.cast_signed()));
                let origin = (sum / n).round_ties_even();
                let distance = sum - origin * n;
                (squares - origin * (sum + distance)) - distance * distance / n
            });
        }
        _ => for_turns(sums, squares, out, |sum, squares| spread_of_counts(n, sum, squares)),
    }
}

#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "rounding is what is meant")]
fn spread_of_counts(n: u64, sum: i64, squares: u64) -> f64 {
    // Around the whole number next to the mean the sum is at most `n / 2`. So its square over `n`, which is what the mean
    // is away from there, is at most half of the sum of squares: no digits cancel out.
    let origin = (sum as f64 / as_f64(n)).round_ties_even() as i64;
    let distance = sum - origin * n.cast_signed();
    let squares = squares.wrapping_sub_signed(origin.wrapping_mul(sum + distance));
    squares as f64 - (distance * distance) as f64 / as_f64(n)
}

/// A number of up to 51 bits and a sign. Unlike `as`, it can be done with vectors.
#[inline]
fn small_as_f64(number: i64) -> f64 {
    /// 2^52 + 2^51. Between 2^52 and 2^53 the bits of an `f64` count whole numbers.
    const MIDDLE: f64 = 6_755_399_441_055_744.0;
    f64::from_bits(MIDDLE.to_bits().wrapping_add_signed(number)) - MIDDLE
}

/// Puts what `of` makes of each two numbers into `out`.
#[inline]
fn for_turns<A: Copy, B: Copy>(first: &[A], second: &[B], out: &mut [f64], of: impl Fn(A, B) -> f64) {
    const LEN: usize = 32;
    let len = first.len().min(second.len()).min(out.len());
    let (firsts, first_rest) = first[..len].as_chunks::<LEN>();
    let (seconds, second_rest) = second[..len].as_chunks::<LEN>();
    let (outs, out_rest) = out[..len].as_chunks_mut::<LEN>();
    for ((first, second), out) in firsts.iter().zip(seconds).zip(outs) {
        for i in 0..LEN {
            out[i] = of(first[i], second[i]);
        }
    }
    for ((first, second), out) in first_rest.iter().zip(second_rest).zip(out_rest) {
        *out = of(*first, *second);
    }
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
    fn take<const N: usize, const LEN: usize>(&mut self, at: usize, _: usize, frames: [&[P; LEN]; N]) {
        add_squares_of(kept(self.sum, at), kept(self.squares, at), frames);
    }
}

#[inline(never)]
fn add_squares_of<P: Count, const N: usize, const LEN: usize>(
    sum: &mut [i64; LEN],
    squares: &mut [u64; LEN],
    frames: [&[P; LEN]; N],
) {
    unrolled!(at, P::LANES, LEN, {
        P::add_squares(&mut sum[at..], &mut squares[at..], &frames, at);
    });
    for i in LEN - LEN % P::LANES..LEN {
        for frame in frames {
            let pixel = i64::from(frame[i].into());
            sum[i] += pixel;
            squares[i] += (pixel * pixel).cast_unsigned();
        }
    }
}

/// Counts as they are squared and added up in vectors.
pub(crate) trait Squared: Counting {
    /// Adds the vector from `at` on of each frame, and its squares.
    fn add_squares<const N: usize, const LEN: usize>(
        sum: &mut [i64],
        squares: &mut [u64],
        frames: &[&[Self; LEN]; N],
        at: usize,
    );
}

/// Sums of few counts of 8 bits have 16, and sums of their squares 32.
macro_rules! bytes_squared {
    ($($byte:ident)*) => { $(
        impl Squared for $byte {
            #[inline(always)]
            fn add_squares<const N: usize, const LEN: usize>(
                sum: &mut [i64],
                squares: &mut [u64],
                frames: &[&[Self; LEN]; N],
                at: usize,
            ) {
                let mut sums = [i16::splat(0); 2];
                let mut square_sums = [i32::splat(0); 4];
                unrolled!(n, 1, N, {
                    if n % 2 == 0 {
                        let first = Self::load(&frames[n][at..]);
                        let second = if n + 1 < N { Self::load(&frames[n + 1][at..]) } else { Self::splat(0) };
                        let pairs = Self::zip(first, second);
                        for half in 0..2 {
                            sums[half] = i16::summed(sums[half], Self::pairs(pairs[half]));
                            let [low, high] = Self::widen(pairs[half]);
                            square_sums[2 * half] = i32::summed(square_sums[2 * half], dot(low, low));
                            square_sums[2 * half + 1] = i32::summed(square_sums[2 * half + 1], dot(high, high));
                        }
                    }
                });
                for half in 0..2 {
                    let [low, high] = i16::widen(sums[half]);
                    let of = |i: usize| u32::widen(unsigned(square_sums[2 * half + i]));
                    add(&mut sum[8 * half..], &mut squares[8 * half..], i32::widen(low), of(0));
                    add(&mut sum[8 * half + 4..], &mut squares[8 * half + 4..], i32::widen(high), of(1));
                }
            }
        }
    )* };
}
bytes_squared!(u8 i8);

/// Squares of two counts of 16 bits fit in 32, and only their sum has to be made wider. What is squared is `middle` less.
macro_rules! words_squared {
    ($($word:ident $middle:literal $centred:path;)*) => { $(
        impl Squared for $word {
            #[inline(always)]
            #[expect(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "frames are few")]
            fn add_squares<const N: usize, const LEN: usize>(
                sum: &mut [i64],
                squares: &mut [u64],
                frames: &[&[Self; LEN]; N],
                at: usize,
            ) {
                let mut sums = [i32::splat($middle * N as i32); 2];
                let mut square_sums = [WideSums::none(); 2];
                unrolled!(n, 1, N, {
                    if n % 2 == 0 {
                        let first = $centred(Self::load(&frames[n][at..]));
                        let second =
                            if n + 1 < N { $centred(Self::load(&frames[n + 1][at..])) } else { i16::splat(0) };
                        let pairs = i16::zip(first, second);
                        for half in 0..2 {
                            sums[half] = i32::summed(sums[half], dot(pairs[half], i16::splat(1)));
                            square_sums[half].add(dot(pairs[half], pairs[half]));
                        }
                    }
                });
                for half in 0..2 {
                    let sums = i32::widen(sums[half]);
                    let mut square_sums = square_sums[half].sums();
                    if $middle != 0 {
                        // With `x = d + m`, the sum of `x^2` is that of `d^2` and `2 m x - m^2`.
                        let less = u64::splat((N as u64 * $middle * $middle).wrapping_neg());
                        for i in 0..2 {
                            square_sums[i] = u64::summed(u64::summed(square_sums[i], less), shifted(sums[i]));
                        }
                    }
                    add(&mut sum[4 * half..], &mut squares[4 * half..], sums, square_sums);
                }
            }
        }
    )* };
}
words_squared! {
    u16 32768 centred;
    i16 0 std::convert::identity;
}

/// Adds those of four pixels to what is kept.
#[inline(always)]
#[expect(clippy::inline_always, reason = "eight instructions")]
fn add(
    sum: &mut [i64],
    squares: &mut [u64],
    sums: [<i64 as Lane>::Vector; 2],
    square_sums: [<u64 as Lane>::Vector; 2],
) {
    for i in 0..2 {
        i64::add_to(&mut sum[2 * i..], sums[i]);
        u64::add_to(&mut squares[2 * i..], square_sums[i]);
    }
}

struct Distances<'a> {
    origin: &'a [f64],
    sum: &'a mut [f64],
    squares: &'a mut [f64],
}

impl<T: Part> Pass<T> for Distances<'_> {
    fn take<const N: usize, const LEN: usize>(&mut self, at: usize, _: usize, frames: [&[T; LEN]; N]) {
        add_distances_of(&self.origin[at..], kept(self.sum, at), kept(self.squares, at), frames);
    }
}

#[inline(never)]
fn add_distances_of<T: Part, const N: usize, const LEN: usize>(
    origin: &[f64],
    sum: &mut [f64; LEN],
    squares: &mut [f64; LEN],
    frames: [&[T; LEN]; N],
) {
    let origin = &origin[..LEN];
    unrolled!(at, 4, LEN, {
        let origin = f64::load_doubles(&origin[at..]);
        let mut sums = f64::load_doubles(&sum[at..]);
        let mut square_sums = f64::load_doubles(&squares[at..]);
        unrolled!(n, 1, N, {
            let pixels = T::load_doubles(&frames[n][at..]);
            for i in 0..2 {
                let distance = minus(pixels[i], origin[i]);
                sums[i] = f64::summed(sums[i], distance);
                square_sums[i] = f64::summed(square_sums[i], times(distance, distance));
            }
        });
        for i in 0..2 {
            f64::store(sums[i], &mut sum[at + 2 * i..]);
            f64::store(square_sums[i], &mut squares[at + 2 * i..]);
        }
    });
    for i in LEN - LEN % 4..LEN {
        for frame in frames {
            let distance = frame[i].to_f64() - origin[i];
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
    fn moments<T: Part>(pixels: &[T], len: usize, depths: &[usize]) -> Vec<(f64, f64)> {
        let origin: Vec<f64> = pixels[..len].iter().map(|pixel| pixel.to_f64()).collect();
        let (mut sum, mut squares) = (vec![0.0; len], vec![0.0; len]);
        let mut rest = pixels;
        for depth in depths {
            let (tile, others) = rest.split_at(depth * len);
            add_distances(&origin, &mut sum, &mut squares, tile);
            rest = others;
        }
        assert!(rest.is_empty());
        let (n, mut spread) = (pixels.len() / len, vec![-1.0; len]);
        spreads(n as u64, &sum, &squares, &mut spread);
        (0..len).map(|i| (sum[i] + n as f64 * origin[i], spread[i])).collect()
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
        let mut spread = [0.0];
        spreads(2, &sum, &squares, &mut spread);
        assert!(spread[0].is_nan());
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
                for found in all_spreads(n, sum, squares) {
                    assert!((found - expected).abs() <= 2e-16 * expected, "{found} is not {expected}");
                }
            }
        }
        assert_eq!(all_spreads(2, 65_535, 65_535 * 65_535), [65_535.0 * 65_535.0 / 2.0; 40]);
        assert_eq!(all_spreads(0, 0, 0), [0.0; 40]);
        let mut none = [7.0];
        spreads(0, &[0.0], &[0.0], &mut none);
        assert_eq!(none, [0.0]);
    }

    /// The same for so many pixels.
    fn all_spreads(n: u64, sum: i64, squares: u64) -> [f64; 40] {
        let mut out = [-1.0; 40];
        spreads_of_counts(n, &[sum; 40], &[squares; 40], &mut out);
        out
    }

    #[test]
    fn few_counts_have_the_spread_that_whole_numbers_give() {
        for n in [1_u64, 2, 3, 1000, (1 << 19) - 1, 1 << 19] {
            for pair in [[0_i64, 65_535], [65_535, 65_535], [-32_768, 32_767], [-32_768, -32_768], [7, 8]] {
                for n_first in [0, 1, n / 3, n] {
                    let numbers = [n_first.cast_signed(), (n - n_first).cast_signed()];
                    let sum: i64 = (0..2).map(|i| numbers[i] * pair[i]).sum();
                    let squares: i64 = (0..2).map(|i| numbers[i] * pair[i] * pair[i]).sum();
                    let expected = spread_of_counts(n, sum, squares.unsigned_abs());
                    let found = all_spreads(n, sum, squares.unsigned_abs());
                    assert_eq!(found.map(f64::to_bits), [expected.to_bits(); 40], "{n_first} of {n}, {pair:?}");
                }
            }
        }
    }
}
