//! Numbers of tiles that a kernel takes as they are stored, and computes with as other ones.

use crate::{
    Element, Real,
    kernels::{frames::add_all_counts, moments::Squared, sum::sum_counts},
};

/// A number of a tile for a kernel that computes with `A`: an `A` itself, or a count of a detector (a whole number of 8 or 16
/// bits), which becomes one within the kernel. That saves the way through memory as a number that is two or four times as large.
///
/// [`each_pixel!`](crate::each_pixel) runs an expression on numbers of these types, and
/// [`Meta::counts_or`](crate::Meta::counts_or) asks for them.
pub trait Pixel<A: Element>: Element {
    /// The number itself.
    #[must_use]
    fn value(self) -> A;

    /// The sum of up to 2048 of them; that of counts is exact.
    #[doc(hidden)]
    #[must_use]
    fn sum_segment(segment: &[Self]) -> A::Wide;

    /// Adds the sum of frames.
    #[doc(hidden)]
    fn add_all<const N: usize, const LEN: usize>(acc: &mut [A; LEN], frames: &[&[Self; LEN]; N]);
}

impl<A: Element> Pixel<A> for A {
    fn value(self) -> A {
        self
    }

    fn sum_segment(segment: &[A]) -> A::Wide {
        A::segment_sum(segment)
    }

    fn add_all<const N: usize, const LEN: usize>(acc: &mut [A; LEN], frames: &[&[A; LEN]; N]) {
        A::plus_all(acc, frames);
    }
}

/// A count of a detector: a whole number of 8 or 16 bits, with which kernels add exactly.
#[expect(private_bounds, reason = "vectors are no part of the interface")]
pub trait Count: Real + Into<i32> + Pixel<f32> + Pixel<f64> + Squared {
    /// Half of the largest one for numbers of 16 bits without a sign, else 0: differences from it have 16 bits and a sign.
    #[doc(hidden)]
    const MIDDLE: i32;
}

impl Count for u8 {
    const MIDDLE: i32 = 0;
}

impl Count for i8 {
    const MIDDLE: i32 = 0;
}

impl Count for u16 {
    const MIDDLE: i32 = 1 << 15;
}

impl Count for i16 {
    const MIDDLE: i32 = 0;
}

macro_rules! counts {
    ($($count:ty)*; $part:ty) => { $(
        impl Pixel<$part> for $count {
            fn value(self) -> $part {
                self.into()
            }

            fn sum_segment(segment: &[Self]) -> f64 {
                sum_counts(segment)
            }

            fn add_all<const N: usize, const LEN: usize>(acc: &mut [$part; LEN], frames: &[&[Self; LEN]; N]) {
                add_all_counts(acc, frames);
            }
        }
    )* };
}
counts!(u8 i8 u16 i16; f32);
counts!(u8 i8 u16 i16; f64);

/// Like [`each_dtype!`](crate::each_dtype) for numbers that are [`Pixel`]s of `f32` or of `f64`:
/// `each_pixel!(numbers, f32, |slice| expression)`. Gives a [`Result`](crate::Result): an error for all others.
#[macro_export]
macro_rules! each_pixel {
    ($numbers:expr, f32, |$slice:ident| $body:expr) => {
        $crate::each_pixel!(@ $numbers, F32, |$slice| $body)
    };
    ($numbers:expr, f64, |$slice:ident| $body:expr) => {
        $crate::each_pixel!(@ $numbers, F64, |$slice| $body)
    };
    (@ $numbers:expr, $own:ident, |$slice:ident| $body:expr) => {
        match $numbers {
            $crate::Numbers::U8($slice) => Ok($body),
            $crate::Numbers::I8($slice) => Ok($body),
            $crate::Numbers::U16($slice) => Ok($body),
            $crate::Numbers::I16($slice) => Ok($body),
            $crate::Numbers::$own($slice) => Ok($body),
            other => Err($crate::Error::new(format!(
                "expected {} or counts of 8 or 16 bits, given {}",
                $crate::Dtype::$own,
                other.dtype()
            ))),
        }
    };
}

/// Like [`each_dtype!`](crate::each_dtype) for [`Count`]s. Gives a [`Result`](crate::Result): an error for all others.
#[macro_export]
macro_rules! each_count {
    ($numbers:expr, |$slice:ident| $body:expr) => {
        match $numbers {
            $crate::Numbers::U8($slice) => Ok($body),
            $crate::Numbers::I8($slice) => Ok($body),
            $crate::Numbers::U16($slice) => Ok($body),
            $crate::Numbers::I16($slice) => Ok($body),
            other => Err($crate::Error::new(format!("expected counts of 8 or 16 bits, given {}", other.dtype()))),
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Numbers, Result};

    #[test]
    fn sums_of_counts_are_exact() {
        let sum = <u16 as Pixel<f32>>::sum_segment(&[u16::MAX; 2048]);
        assert_eq!(sum.to_bits(), (2048.0_f64 * 65535.0).to_bits());
        assert_eq!(<i16 as Pixel<f64>>::value(-3).to_bits(), (-3.0_f64).to_bits());
    }

    #[test]
    fn what_is_no_pixel_is_refused() {
        let len = |numbers: Numbers<'_>| -> Result<usize> { each_pixel!(numbers, f32, |pixels| pixels.len()) };
        assert_eq!((len(Numbers::U16(&[1, 2])), len(Numbers::F32(&[1.0]))), (Ok(2), Ok(1)));
        let error = len(Numbers::F64(&[1.0])).unwrap_err();
        assert_eq!(error.message(), "expected float32 or counts of 8 or 16 bits, given float64");
    }
}
