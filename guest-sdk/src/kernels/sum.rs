//! From many numbers one.

use super::{CHUNK, SEGMENT};
use crate::{Element, Real};

/// The sum of `numbers`, in the type in which it keeps its digits.
pub fn sum<T: Element>(numbers: &[T]) -> T::Wide {
    numbers.chunks(SEGMENT).fold(T::Wide::ZERO, |total, segment| total.plus(sum_segment(segment)))
}

#[inline]
fn sum_segment<T: Element>(segment: &[T]) -> T::Wide {
    let (chunks, rest) = segment.as_chunks::<CHUNK>();
    let mut lanes = [T::ZERO; CHUNK];
    for chunk in chunks {
        for i in 0..CHUNK {
            lanes[i] = lanes[i].plus(chunk[i]);
        }
    }
    let tail = rest.iter().fold(T::Wide::ZERO, |total, number| total.plus(number.widen()));
    reduce(lanes).widen().plus(tail)
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
