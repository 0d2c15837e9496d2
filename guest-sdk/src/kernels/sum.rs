//! From many numbers one.

use super::{CHUNK, FETCHED, SEGMENT, fetch, passes::unrolled, vector::Lane};
use crate::{Count, Element, Pixel, Real};

/// The sum of `numbers`, in the type in which it keeps its digits.
pub fn sum<T: Element>(numbers: &[T]) -> T::Wide {
    sum_as::<T, T>(numbers)
}

/// As [`sum`]; that of counts is what it is of the same numbers as `A`, and exact up to 2048 of them.
pub fn sum_as<A: Element, P: Pixel<A>>(numbers: &[P]) -> A::Wide {
    let mut total = A::Wide::ZERO;
    for block in numbers.chunks(FETCHED / size_of::<P>()) {
        fetch(block);
        total = block.chunks(SEGMENT).fold(total, |total, segment| total.plus(P::sum_segment(segment)));
    }
    total
}

/// Numbers in a turn.
const TURN: usize = 256;

/// The sum of up to [`SEGMENT`] numbers.
pub(crate) fn sum_segment<T: Element>(segment: &[T]) -> T::Wide {
    add_up(segment, [T::ZERO; CHUNK])
}

/// With what `lanes` have already.
#[inline]
fn add_up<T: Element>(segment: &[T], mut lanes: [T; CHUNK]) -> T::Wide {
    let (chunks, rest) = segment.as_chunks::<CHUNK>();
    add_lanes(&mut lanes, chunks);
    let total = lanes.iter().fold(T::Wide::ZERO, |total, lane| total.plus(lane.widen()));
    rest.iter().fold(total, |total, number| total.plus(number.widen()))
}

/// As a call: seen together with what becomes of the lanes, the compiler makes vectors of half the size.
#[inline(never)]
fn add_lanes<T: Element>(lanes: &mut [T; CHUNK], chunks: &[[T; CHUNK]]) {
    let mut sums = *lanes;
    for chunk in chunks {
        for i in 0..CHUNK {
            sums[i] = sums[i].plus(chunk[i]);
        }
    }
    *lanes = sums;
}

/// As [`sum_segment`], to the same bits.
pub(crate) fn sum_floats(segment: &[f32]) -> f64 {
    let (turns, rest) = segment.as_chunks();
    let mut lanes = [0.0; CHUNK];
    for turn in turns {
        add_floats(&mut lanes, turn);
    }
    add_up(rest, lanes)
}

/// Lane by lane, so that only one sum is under way in the order of the code.
#[inline(never)]
fn add_floats(lanes: &mut [f32; CHUNK], turn: &[f32; TURN]) {
    unrolled!(at, f32::LANES, CHUNK, {
        let mut sum = f32::load(&lanes[at..]);
        unrolled!(row, CHUNK, TURN, {
            sum = f32::summed(sum, f32::load(&turn[row + at..]));
        });
        f32::store(sum, &mut lanes[at..]);
    });
}

/// As [`sum_segment`], exact.
pub(crate) fn sum_counts<P: Count>(segment: &[P]) -> f64 {
    let (turns, rest) = segment.as_chunks();
    let mut lanes = [0; i32::LANES];
    for turn in turns {
        add_counts(&mut lanes, turn);
    }
    let rest: i32 = rest.iter().map(|&pixel| pixel.into()).sum();
    let n_less = i32::try_from(TURN * turns.len()).expect("a segment is short");
    f64::from(lanes.iter().sum::<i32>() + n_less * P::MIDDLE + rest)
}

#[inline(never)]
fn add_counts<P: Count>(lanes: &mut [i32; i32::LANES], turn: &[P; TURN]) {
    i32::add_to(lanes, P::sums_of(turn));
}

/// Adds up lanes in pairs.
#[inline]
pub(super) fn reduce<T: Element, const N: usize>(mut lanes: [T; N]) -> T {
    let mut width = N / 2;
    while width > 0 {
        for i in 0..width {
            lanes[i] = lanes[i].plus(lanes[i + width]);
        }
        width /= 2;
    }
    lanes[0]
}

/// The smallest of `numbers`, or NaN if there is one; none of none.
pub fn smallest<T: Real>(numbers: &[T]) -> Option<T> {
    select(numbers, T::lesser)
}

/// The largest of `numbers`, or NaN if there is one; none of none.
pub fn largest<T: Real>(numbers: &[T]) -> Option<T> {
    select(numbers, T::greater)
}

#[inline]
fn select<T: Real>(numbers: &[T], of_two: impl Fn(T, T) -> T + Copy) -> Option<T> {
    let (chunks, rest) = numbers.as_chunks::<CHUNK>();
    let mut lanes = [*numbers.first()?; CHUNK];
    for chunk in chunks {
        for i in 0..CHUNK {
            lanes[i] = of_two(lanes[i], chunk[i]);
        }
    }
    lanes.iter().chain(rest).copied().reduce(of_two)
}

/// The smallest and the largest of `numbers`, or NaN for both if there is one; none of none.
///
/// What a loop carries from turn to turn goes through memory. So little is carried, and a turn has much to do.
#[inline(always)]
pub(super) fn smallest_and_largest<T: Real>(numbers: &[T]) -> Option<[T; 2]> {
    const LANES: usize = 16;
    let first = *numbers.first()?;
    let (chunks, rest) = numbers.as_chunks::<{ 8 * LANES }>();
    let (mut low, mut high) = ([first; LANES], [first; LANES]);
    for chunk in chunks {
        let (rows, _) = chunk.as_chunks::<LANES>();
        for i in 0..LANES {
            low[i] = rows.iter().fold(low[i], |low, row| low.lesser(row[i]));
            high[i] = rows.iter().fold(high[i], |high, row| high.greater(row[i]));
        }
    }
    let least = low.iter().chain(rest).copied().reduce(T::lesser)?;
    let most = high.iter().chain(rest).copied().reduce(T::greater)?;
    Some([least, most])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Complex, kernels::samples};

    #[test]
    fn integers_are_exact_and_wrap() {
        for len in [0, 1, 31, 32, 2047, 2049, 5000] {
            let numbers: Vec<u16> = samples::numbers(len, 65_535.0);
            assert_eq!(sum(&numbers), numbers.iter().fold(0_u16, |sum, &one| sum.wrapping_add(one)), "{len} numbers");
        }
    }

    #[test]
    #[expect(clippy::float_cmp, reason = "sums of counts are exact")]
    fn sums_of_counts_do_not_wrap() {
        for len in [0, 1, 31, 32, 63, 2047, 2049, 5000] {
            let bytes: Vec<u8> = samples::numbers(len, 255.0);
            let words: Vec<u16> = samples::numbers(len, 65_535.0);
            let signed: Vec<i8> = samples::numbers(len, 127.0);
            assert_eq!(sum_as::<f32, _>(&bytes), bytes.iter().copied().map(f64::from).sum::<f64>(), "{len}");
            assert_eq!(sum_as::<f32, _>(&words), words.iter().copied().map(f64::from).sum::<f64>(), "{len}");
            assert_eq!(sum_as::<f64, _>(&signed), signed.iter().copied().map(f64::from).sum::<f64>(), "{len}");
            assert_eq!(sum(&bytes), bytes.iter().fold(0, |sum: u8, &one| sum.wrapping_add(one)), "{len}");
        }
    }

    #[test]
    fn long_sums_of_f32_keep_their_digits() {
        let numbers = vec![0.1_f32; 1 << 20];
        let exact = f64::from(0.1_f32) * f64::from(1 << 20);
        assert!((sum(&numbers) - exact).abs() < 1e-6 * exact);
    }

    #[test]
    fn the_smallest_may_be_anywhere() {
        for at in [0, 5, 31, 32, 95, 99] {
            let mut numbers = [1.0_f32; 100];
            numbers[at] = -1.0;
            assert_eq!((smallest(&numbers), largest(&numbers)), (Some(-1.0), Some(1.0)));
            numbers[at] = f32::NAN;
            assert!(smallest(&numbers).is_some_and(f32::is_nan), "NaN at {at}");
        }
        assert_eq!(smallest::<u8>(&[]), None);
    }

    #[test]
    fn complex_numbers_add_by_parts() {
        let numbers = vec![Complex::new(1.0_f32, -2.0); 77];
        assert_eq!(sum(&numbers), Complex::new(77.0_f64, -154.0));
    }
}
