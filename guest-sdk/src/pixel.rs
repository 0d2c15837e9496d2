//! Numbers of tiles that a kernel takes as they are stored, and computes with as other ones.

use crate::{Element, Real};

/// A number of a tile for a kernel that computes with `A`: an `A` itself, or a count of a detector (a whole number of 8 or 16
/// bits), which becomes one within the kernel. That saves the way through memory as a number that is two or four times as large.
///
/// [`each_pixel!`](crate::each_pixel) runs an expression on numbers of these types, and
/// [`Meta::counts_or`](crate::Meta::counts_or) asks for them.
pub trait Pixel<A: Element>: Element {
    /// In which up to 64 of them are added up; that of counts is exact.
    #[doc(hidden)]
    type Sum: Copy;

    /// The sum of none.
    #[doc(hidden)]
    const NO_SUM: Self::Sum;

    /// A sum with one more.
    #[doc(hidden)]
    #[must_use]
    fn added(self, sum: Self::Sum) -> Self::Sum;

    /// The sum, rounded.
    #[doc(hidden)]
    #[must_use]
    fn total(sum: Self::Sum) -> A;

    /// The sum with all digits that it has.
    #[doc(hidden)]
    #[must_use]
    fn wide_total(sum: Self::Sum) -> A::Wide;

    /// The number itself.
    #[must_use]
    fn value(self) -> A;
}

impl<A: Element> Pixel<A> for A {
    type Sum = A;
    const NO_SUM: A = A::ZERO;

    fn added(self, sum: A) -> A {
        sum.plus(self)
    }

    fn total(sum: A) -> A {
        sum
    }

    fn wide_total(sum: A) -> A::Wide {
        sum.widen()
    }

    fn value(self) -> A {
        self
    }
}

/// A count of a detector: a whole number of 8 or 16 bits, with which kernels add exactly.
pub trait Count: Real + Into<i32> + Pixel<f32> + Pixel<f64> {
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
    ($($count:ty)*; $sum:ty; $part:ty) => { $(
        impl Pixel<$part> for $count {
            type Sum = $sum;
            const NO_SUM: $sum = 0;

            fn added(self, sum: $sum) -> $sum {
                sum + <$sum>::from(self)
            }

            #[expect(
                clippy::allow_attributes,
                reason = "one of the two widths needs what follows"
            )]
            #[allow(clippy::cast_precision_loss, clippy::cast_lossless, reason = "rounding is what is meant")]
            fn total(sum: $sum) -> $part {
                sum as $part
            }

            fn wide_total(sum: $sum) -> f64 {
                sum.into()
            }

            fn value(self) -> $part {
                self.into()
            }
        }
    )* };
}
counts!(u8 i8; i16; f32);
counts!(u8 i8; i16; f64);
counts!(u16 i16; i32; f32);
counts!(u16 i16; i32; f64);

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
        let sum = [u16::MAX; 2048].iter().fold(0, |sum, pixel| Pixel::<f32>::added(*pixel, sum));
        assert_eq!(<u16 as Pixel<f32>>::wide_total(sum).to_bits(), (2048.0_f64 * 65535.0).to_bits());
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
