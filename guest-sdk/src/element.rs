//! What the numbers in tiles and buffers can do: [`Element`] for all of them, [`Real`] without complex numbers,
//! [`Float`] for what "at least `f32`" gives.

use std::{
    fmt::Debug,
    ops::{Add, Div, Mul, Neg, Sub},
};

use crate::{
    Complex, Dtype, Numbers,
    bindings::Values,
    cast,
    kernels::{
        frames,
        logs::{log_f32, log_f64},
        sum,
        vector::Double,
    },
};

/// A number of a tile or buffer. Implemented for all thirteen dtypes, and for nothing else.
pub trait Element: sealed::Sealed + Copy + Default + PartialEq + Debug + Send + Sync + 'static {
    /// The type in which a long sum of these keeps its digits: `f64` for `f32`, and the like. Integers wrap around
    /// at their own width, as in numpy, so theirs is themselves.
    type Wide: Element<Wide = Self::Wide>;

    /// The same type at run time.
    const DTYPE: Dtype;

    /// What adding leaves as it is.
    const ZERO: Self;

    /// Sum. Integers wrap around; for [`Bool`] it is the logical or.
    #[must_use]
    fn plus(self, other: Self) -> Self;

    /// Product. Integers wrap around; for [`Bool`] it is the logical and.
    #[must_use]
    fn times(self, other: Self) -> Self;

    /// The same number in the wide type.
    fn widen(self) -> Self::Wide;

    /// Back from the wide type, rounded.
    fn narrow(wide: Self::Wide) -> Self;

    /// The nearest number of this type. Integers saturate, and have 0 for NaN; true is whatever is not 0.
    fn from_f64(number: f64) -> Self;

    /// Like [`Element::from_f64`]; real types take the real part.
    fn from_complex(number: Complex<f64>) -> Self;

    /// As a complex number. Of 64-bit integers, digits after the 53rd bit are lost.
    fn to_complex(self) -> Complex<f64>;

    /// The slice in `numbers`, if they are of this type.
    #[doc(hidden)]
    fn of(numbers: Numbers<'_>) -> Option<&[Self]>;

    /// The inverse of [`Element::of`].
    #[doc(hidden)]
    fn numbers(slice: &[Self]) -> Numbers<'_>;

    /// The numbers of `values` for writing, if they are of this type.
    #[doc(hidden)]
    fn of_mut(values: &mut Values) -> Option<&mut [Self]>;

    /// Like [`Element::of_mut`]; complex numbers made of this type count as twice as many of it.
    #[doc(hidden)]
    fn parts_of_mut(values: &mut Values) -> Option<&mut [Self]> {
        Self::of_mut(values)
    }

    /// A copy of `numbers` in the form that the contract has for arrays.
    #[doc(hidden)]
    fn values(numbers: &[Self]) -> Values;

    /// The sum of some.
    #[doc(hidden)]
    fn segment_sum(segment: &[Self]) -> Self::Wide {
        sum::sum_segment(segment)
    }

    /// Adds the sum of frames.
    #[doc(hidden)]
    fn plus_all<const N: usize, const LEN: usize>(acc: &mut [Self; LEN], frames: &[&[Self; LEN]; N]) {
        frames::add_all(acc, frames);
    }
}

/// A number on the real axis: every [`Element`] but the complex ones.
pub trait Real: Element {
    /// As `f64`. Of 64-bit integers, digits after the 53rd bit are lost.
    fn to_f64(self) -> f64;

    /// The smaller one; NaN wins.
    #[must_use]
    fn lesser(self, other: Self) -> Self;

    /// The larger one; NaN wins.
    #[must_use]
    fn greater(self, other: Self) -> Self;

    /// Leaves the extremes of what is there and of frames.
    #[doc(hidden)]
    fn select<const N: usize, const LEN: usize>(
        min: &mut [Self; LEN],
        max: &mut [Self; LEN],
        frames: &[&[Self; LEN]; N],
    ) {
        frames::select(min, max, frames);
    }
}

/// `f32`, `f64` or a complex number of them.
pub trait Float:
    Element + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> + Div<Output = Self> + Neg<Output = Self>
{
    /// Type of the real and the imaginary part; of a real number, the type itself.
    type Part: Part;

    /// The complex number of the same precision.
    type Complex: Float<Part = Self::Part, Complex = Self::Complex>;

    /// Numbers as their parts: real and imaginary ones in turn, or just themselves.
    fn parts(numbers: &[Self]) -> &[Self::Part];

    /// Like [`Float::parts`], for writing.
    fn parts_mut(numbers: &mut [Self]) -> &mut [Self::Part];

    /// The inverse of [`Float::parts`].
    fn from_parts(parts: &[Self::Part]) -> &[Self];
}

/// `f32` or `f64`: what complex numbers are made of.
#[expect(private_bounds, reason = "vectors are no part of the interface")]
pub trait Part: Float<Part = Self> + Real + Double {
    /// The natural logarithm of a number from 1 on.
    #[doc(hidden)]
    #[must_use]
    fn log(self) -> Self;
}

#[expect(clippy::inline_always, reason = "as a call per pixel it is four times slower")]
impl Part for f32 {
    #[inline(always)]
    fn log(self) -> Self {
        log_f32(self)
    }
}

#[expect(clippy::inline_always, reason = "as above")]
impl Part for f64 {
    #[inline(always)]
    fn log(self) -> Self {
        log_f64(self)
    }
}

/// A truth value in one byte.
#[repr(transparent)]
#[derive(Debug, Clone, Copy, Default)]
pub struct Bool(u8);

impl Bool {
    /// 0.
    pub const FALSE: Self = Self(0);
    /// 1.
    pub const TRUE: Self = Self(1);

    /// As Rust's own type.
    pub fn get(self) -> bool {
        self.0 != 0
    }
}

impl From<bool> for Bool {
    fn from(truth: bool) -> Self {
        Self(u8::from(truth))
    }
}

impl PartialEq for Bool {
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get()
    }
}

#[expect(unnameable_types, reason = "nobody else is to implement `Element`")]
mod sealed {
    //! Keeps [`Element`](super::Element) to types without padding, on which `cast::bytes` relies.

    /// Implemented for the thirteen dtypes only.
    pub trait Sealed {}

    macro_rules! seal {
        ($($type:ty)*) => { $(impl Sealed for $type {})* };
    }
    seal!(u8 u16 u32 u64 i8 i16 i32 i64 f32 f64);
    impl Sealed for super::Bool {}
    impl Sealed for super::Complex<f32> {}
    impl Sealed for super::Complex<f64> {}
}

/// The part of [`Element`] that is the same for all types whose arrays are plain `Vec<Self>`.
macro_rules! plain_array {
    ($variant:ident) => {
        fn of(numbers: Numbers<'_>) -> Option<&[Self]> {
            if let Numbers::$variant(slice) = numbers { Some(slice) } else { None }
        }

        fn numbers(slice: &[Self]) -> Numbers<'_> {
            Numbers::$variant(slice)
        }

        fn of_mut(values: &mut Values) -> Option<&mut [Self]> {
            if let Values::$variant(numbers) = values { Some(numbers) } else { None }
        }

        fn values(numbers: &[Self]) -> Values {
            Values::$variant(numbers.to_vec())
        }
    };
}

macro_rules! integer {
    ($($type:ident $variant:ident $dtype:ident,)*) => { $(
        #[allow(
            clippy::allow_attributes,
            clippy::cast_possible_truncation,
            clippy::cast_precision_loss,
            clippy::cast_sign_loss,
            clippy::cast_lossless,
            reason = "one macro for all widths; `from_f64` saturates and `to_f64` rounds, as they say"
        )]
        const _: () = {
            impl Element for $type {
                type Wide = Self;
                const DTYPE: Dtype = Dtype::$dtype;
                const ZERO: Self = 0;

                fn plus(self, other: Self) -> Self {
                    self.wrapping_add(other)
                }

                fn times(self, other: Self) -> Self {
                    self.wrapping_mul(other)
                }

                fn widen(self) -> Self {
                    self
                }

                fn narrow(wide: Self) -> Self {
                    wide
                }

                fn from_f64(number: f64) -> Self {
                    number as Self
                }

                fn from_complex(number: Complex<f64>) -> Self {
                    number.re as Self
                }

                fn to_complex(self) -> Complex<f64> {
                    Complex::new(self as f64, 0.0)
                }

                plain_array!($variant);
            }

            impl Real for $type {
                fn to_f64(self) -> f64 {
                    self as f64
                }

                fn lesser(self, other: Self) -> Self {
                    self.min(other)
                }

                fn greater(self, other: Self) -> Self {
                    self.max(other)
                }
            }
        };
    )* };
}

integer! {
    u8 U8 U8,
    u16 U16 U16,
    u32 U32 U32,
    u64 U64 U64,
    i8 I8 I8,
    i16 I16 I16,
    i32 I32 I32,
    i64 I64 I64,
}

macro_rules! float {
    ($($type:ident $variant:ident $complex:ident $sum:ident,)*) => { $(
        #[allow(
            clippy::allow_attributes,
            clippy::cast_possible_truncation,
            clippy::cast_lossless,
            reason = "one macro for both widths; narrowing rounds, as it says"
        )]
        const _: () = {
            impl Element for $type {
                type Wide = f64;
                const DTYPE: Dtype = Dtype::$variant;
                const ZERO: Self = 0.0;

                fn plus(self, other: Self) -> Self {
                    self + other
                }

                fn times(self, other: Self) -> Self {
                    self * other
                }

                fn widen(self) -> f64 {
                    self as f64
                }

                fn narrow(wide: f64) -> Self {
                    wide as Self
                }

                fn from_f64(number: f64) -> Self {
                    number as Self
                }

                fn from_complex(number: Complex<f64>) -> Self {
                    number.re as Self
                }

                fn to_complex(self) -> Complex<f64> {
                    Complex::new(self as f64, 0.0)
                }

                fn segment_sum(segment: &[Self]) -> f64 {
                    sum::$sum(segment)
                }

                fn plus_all<const N: usize, const LEN: usize>(acc: &mut [Self; LEN], frames: &[&[Self; LEN]; N]) {
                    frames::add_all_vectors(acc, frames);
                }

                fn parts_of_mut(values: &mut Values) -> Option<&mut [Self]> {
                    match values {
                        Values::$variant(parts) | Values::$complex(parts) => Some(parts),
                        _ => None,
                    }
                }

                plain_array!($variant);
            }

            impl Real for $type {
                fn to_f64(self) -> f64 {
                    self as f64
                }

                fn lesser(self, other: Self) -> Self {
                    if other < self || other.is_nan() { other } else { self }
                }

                fn greater(self, other: Self) -> Self {
                    if other > self || other.is_nan() { other } else { self }
                }

                fn select<const N: usize, const LEN: usize>(
                    min: &mut [Self; LEN],
                    max: &mut [Self; LEN],
                    frames: &[&[Self; LEN]; N],
                ) {
                    frames::select_floats(min, max, frames);
                }
            }

            impl Float for $type {
                type Part = Self;
                type Complex = Complex<Self>;

                fn parts(numbers: &[Self]) -> &[Self] {
                    numbers
                }

                fn parts_mut(numbers: &mut [Self]) -> &mut [Self] {
                    numbers
                }

                fn from_parts(parts: &[Self]) -> &[Self] {
                    parts
                }
            }

            impl Element for Complex<$type> {
                type Wide = Complex<f64>;
                const DTYPE: Dtype = Dtype::$complex;
                const ZERO: Self = Self { re: 0.0, im: 0.0 };

                fn plus(self, other: Self) -> Self {
                    self + other
                }

                fn times(self, other: Self) -> Self {
                    self * other
                }

                fn widen(self) -> Complex<f64> {
                    Complex::new(self.re as f64, self.im as f64)
                }

                fn narrow(wide: Complex<f64>) -> Self {
                    Self::new(wide.re as $type, wide.im as $type)
                }

                fn from_f64(number: f64) -> Self {
                    Self::new(number as $type, 0.0)
                }

                fn from_complex(number: Complex<f64>) -> Self {
                    Self::narrow(number)
                }

                fn to_complex(self) -> Complex<f64> {
                    self.widen()
                }

                fn of(numbers: Numbers<'_>) -> Option<&[Self]> {
                    if let Numbers::$complex(slice) = numbers { Some(slice) } else { None }
                }

                fn numbers(slice: &[Self]) -> Numbers<'_> {
                    Numbers::$complex(slice)
                }

                fn of_mut(values: &mut Values) -> Option<&mut [Self]> {
                    if let Values::$complex(parts) = values { Some(cast::complex_mut(parts)) } else { None }
                }

                fn values(numbers: &[Self]) -> Values {
                    Values::$complex(cast::parts(numbers).to_vec())
                }
            }

            impl Float for Complex<$type> {
                type Part = $type;
                type Complex = Self;

                fn parts(numbers: &[Self]) -> &[$type] {
                    cast::parts(numbers)
                }

                fn parts_mut(numbers: &mut [Self]) -> &mut [$type] {
                    cast::parts_mut(numbers)
                }

                fn from_parts(parts: &[$type]) -> &[Self] {
                    cast::complex(parts)
                }
            }
        };
    )* };
}

float! {
    f32 F32 C64 sum_floats,
    f64 F64 C128 sum_segment,
}

impl Element for Bool {
    type Wide = Self;
    const DTYPE: Dtype = Dtype::Bool;
    const ZERO: Self = Self::FALSE;

    fn plus(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    fn times(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    fn widen(self) -> Self {
        self
    }

    fn narrow(wide: Self) -> Self {
        wide
    }

    fn from_f64(number: f64) -> Self {
        // Minus infinity stands for the smallest value.
        Self::from(number != 0.0 && number != f64::NEG_INFINITY)
    }

    fn from_complex(number: Complex<f64>) -> Self {
        Self::from(number != Complex::ZERO)
    }

    fn to_complex(self) -> Complex<f64> {
        Complex::new(self.to_f64(), 0.0)
    }

    fn of(numbers: Numbers<'_>) -> Option<&[Self]> {
        if let Numbers::Bool(slice) = numbers { Some(slice) } else { None }
    }

    fn numbers(slice: &[Self]) -> Numbers<'_> {
        Numbers::Bool(slice)
    }

    fn of_mut(values: &mut Values) -> Option<&mut [Self]> {
        if let Values::Bool(bytes) = values { Some(cast::bools_mut(bytes)) } else { None }
    }

    fn values(numbers: &[Self]) -> Values {
        Values::Bool(cast::bytes(numbers).to_vec())
    }
}

impl Real for Bool {
    fn to_f64(self) -> f64 {
        f64::from(u8::from(self.get()))
    }

    fn lesser(self, other: Self) -> Self {
        self.times(other)
    }

    fn greater(self, other: Self) -> Self {
        self.plus(other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_wrap_and_saturate() {
        assert_eq!(250_u8.plus(10), 4);
        assert_eq!(i16::from_f64(f64::INFINITY), i16::MAX);
        assert_eq!(u64::from_f64(f64::NEG_INFINITY), 0);
        assert_eq!(i32::from_f64(f64::NAN), 0);
    }

    #[test]
    fn nan_wins_from_both_sides() {
        assert!(1.0_f32.lesser(f32::NAN).is_nan() && f32::NAN.lesser(1.0).is_nan());
        assert!(1.0_f64.greater(f64::NAN).is_nan() && f64::NAN.greater(1.0).is_nan());
        assert_eq!((2.0_f32.lesser(1.0), 2.0_f32.greater(1.0)), (1.0, 2.0));
    }

    #[test]
    fn infinity_is_the_largest_truth() {
        assert!(Bool::from_f64(f64::INFINITY).get());
        assert!(!Bool::from_f64(f64::NEG_INFINITY).get());
    }
}
