//! Numbers whose dtype is known only at run time, and the macros that get from there to typed slices.

use crate::{Bool, Complex, Dtype, Element, Float, bindings::Values, cast};

/// A slice of numbers of one dtype. [`each_dtype!`](crate::each_dtype), [`each_real!`](crate::each_real) and
/// [`each_float!`](crate::each_float) run an expression on it, whichever dtype it is.
#[derive(Debug, Clone, Copy, PartialEq)]
#[expect(missing_docs, reason = "each variant is the dtype of its name")]
pub enum Numbers<'a> {
    Bool(&'a [Bool]),
    U8(&'a [u8]),
    U16(&'a [u16]),
    U32(&'a [u32]),
    U64(&'a [u64]),
    I8(&'a [i8]),
    I16(&'a [i16]),
    I32(&'a [i32]),
    I64(&'a [i64]),
    F32(&'a [f32]),
    F64(&'a [f64]),
    C64(&'a [Complex<f32>]),
    C128(&'a [Complex<f64>]),
}

/// Runs an expression on [`Numbers`] of any dtype: `each_dtype!(numbers, |slice| expression)`.
///
/// The expression is compiled once for each of the thirteen dtypes, with `slice` a `&[T]`.
///
/// ```
/// use lthost_guest_sdk::{Numbers, each_dtype};
///
/// let numbers = Numbers::U16(&[1, 2, 3]);
/// assert_eq!(each_dtype!(numbers, |slice| slice.len()), 3);
/// ```
#[macro_export]
macro_rules! each_dtype {
    ($numbers:expr, |$slice:ident| $body:expr) => {
        match $numbers {
            $crate::Numbers::Bool($slice) => $body,
            $crate::Numbers::U8($slice) => $body,
            $crate::Numbers::U16($slice) => $body,
            $crate::Numbers::U32($slice) => $body,
            $crate::Numbers::U64($slice) => $body,
            $crate::Numbers::I8($slice) => $body,
            $crate::Numbers::I16($slice) => $body,
            $crate::Numbers::I32($slice) => $body,
            $crate::Numbers::I64($slice) => $body,
            $crate::Numbers::F32($slice) => $body,
            $crate::Numbers::F64($slice) => $body,
            $crate::Numbers::C64($slice) => $body,
            $crate::Numbers::C128($slice) => $body,
        }
    };
}

/// Like [`each_dtype!`] for numbers that are not complex. Gives a [`Result`](crate::Result): an error if they are.
#[macro_export]
macro_rules! each_real {
    ($numbers:expr, |$slice:ident| $body:expr) => {
        match $numbers {
            $crate::Numbers::Bool($slice) => Ok($body),
            $crate::Numbers::U8($slice) => Ok($body),
            $crate::Numbers::U16($slice) => Ok($body),
            $crate::Numbers::U32($slice) => Ok($body),
            $crate::Numbers::U64($slice) => Ok($body),
            $crate::Numbers::I8($slice) => Ok($body),
            $crate::Numbers::I16($slice) => Ok($body),
            $crate::Numbers::I32($slice) => Ok($body),
            $crate::Numbers::I64($slice) => Ok($body),
            $crate::Numbers::F32($slice) => Ok($body),
            $crate::Numbers::F64($slice) => Ok($body),
            other => Err($crate::Error::new(format!("expected real numbers, given {}", other.dtype()))),
        }
    };
}

/// Like [`each_dtype!`] for `f32`, `f64` and complex numbers of them: what asking for "at least `f32`" gives. Gives a
/// [`Result`](crate::Result): an error for integers.
#[macro_export]
macro_rules! each_float {
    ($numbers:expr, |$slice:ident| $body:expr) => {
        match $numbers {
            $crate::Numbers::F32($slice) => Ok($body),
            $crate::Numbers::F64($slice) => Ok($body),
            $crate::Numbers::C64($slice) => Ok($body),
            $crate::Numbers::C128($slice) => Ok($body),
            other => Err($crate::Error::new(format!("expected floating point numbers, given {}", other.dtype()))),
        }
    };
}

impl<'a> Numbers<'a> {
    /// No numbers, of `dtype`: to run one of the macros for a dtype alone.
    pub fn none(dtype: Dtype) -> Self {
        match dtype {
            Dtype::Bool => Self::Bool(&[]),
            Dtype::U8 => Self::U8(&[]),
            Dtype::U16 => Self::U16(&[]),
            Dtype::U32 => Self::U32(&[]),
            Dtype::U64 => Self::U64(&[]),
            Dtype::I8 => Self::I8(&[]),
            Dtype::I16 => Self::I16(&[]),
            Dtype::I32 => Self::I32(&[]),
            Dtype::I64 => Self::I64(&[]),
            Dtype::F32 => Self::F32(&[]),
            Dtype::F64 => Self::F64(&[]),
            Dtype::C64 => Self::C64(&[]),
            Dtype::C128 => Self::C128(&[]),
        }
    }

    /// What they are.
    pub fn dtype(self) -> Dtype {
        fn of<T: Element>(_: &[T]) -> Dtype {
            T::DTYPE
        }
        each_dtype!(self, |slice| of(slice))
    }

    /// How many.
    pub fn len(self) -> usize {
        each_dtype!(self, |slice| slice.len())
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Complex numbers as their real and imaginary parts in turn, twice as many; all others as they are.
    #[must_use]
    pub fn parts(self) -> Self {
        match self {
            Self::C64(slice) => Self::F32(Float::parts(slice)),
            Self::C128(slice) => Self::F64(Float::parts(slice)),
            real => real,
        }
    }

    /// The slice itself, if it is of `T`.
    pub fn as_slice<T: Element>(self) -> Option<&'a [T]> {
        T::of(self)
    }

    /// A copy, converted to `T`. Exact wherever `T` can hold the number, but for 64-bit integers of more than 53 bits
    /// in another type.
    pub fn to_vec<T: Element>(self) -> Vec<T> {
        if let Some(slice) = self.as_slice::<T>() {
            return slice.to_vec();
        }
        each_dtype!(self, |slice| slice.iter().map(|number| T::from_complex(number.to_complex())).collect())
    }

    /// Little-endian bytes as numbers of `dtype`; none where they are not aligned for it, or no whole numbers.
    pub(crate) fn of_bytes(bytes: &'a [u8], dtype: Dtype) -> Option<Self> {
        fn of<'a, T: Element>(_: &[T], bytes: &'a [u8]) -> Option<Numbers<'a>> {
            cast::numbers::<T>(bytes).map(T::numbers)
        }
        each_dtype!(Numbers::none(dtype), |slice| of(slice, bytes))
    }

    pub(crate) fn of(values: &'a Values) -> Self {
        match values {
            Values::Bool(bytes) => Self::Bool(cast::bools(bytes)),
            Values::U8(slice) => Self::U8(slice),
            Values::U16(slice) => Self::U16(slice),
            Values::U32(slice) => Self::U32(slice),
            Values::U64(slice) => Self::U64(slice),
            Values::I8(slice) => Self::I8(slice),
            Values::I16(slice) => Self::I16(slice),
            Values::I32(slice) => Self::I32(slice),
            Values::I64(slice) => Self::I64(slice),
            Values::F32(slice) => Self::F32(slice),
            Values::F64(slice) => Self::F64(slice),
            Values::C64(parts) => Self::C64(cast::complex(parts)),
            Values::C128(parts) => Self::C128(cast::complex(parts)),
        }
    }
}

/// Empty values of a dtype.
pub(crate) fn no_values(dtype: Dtype) -> Values {
    each_dtype!(Numbers::none(dtype), |slice| Element::values(slice))
}

/// Makes `values` be `len` times `fill`, in the memory that they have.
pub(crate) fn refill(values: &mut Values, len: usize, fill: f64) {
    fn again<T: Element>(numbers: &mut Vec<T>, len: usize, fill: f64) {
        numbers.clear();
        numbers.resize(len, T::from_f64(fill));
    }
    fn pairs<T: Float<Part = T>>(parts: &mut Vec<T>, len: usize, fill: f64) {
        again(parts, len * 2, 0.0);
        parts.iter_mut().step_by(2).for_each(|re| *re = T::from_f64(fill));
    }
    match values {
        Values::Bool(bytes) => again(bytes, len, Bool::from_f64(fill).to_complex().re),
        Values::U8(numbers) => again(numbers, len, fill),
        Values::U16(numbers) => again(numbers, len, fill),
        Values::U32(numbers) => again(numbers, len, fill),
        Values::U64(numbers) => again(numbers, len, fill),
        Values::I8(numbers) => again(numbers, len, fill),
        Values::I16(numbers) => again(numbers, len, fill),
        Values::I32(numbers) => again(numbers, len, fill),
        Values::I64(numbers) => again(numbers, len, fill),
        Values::F32(numbers) => again(numbers, len, fill),
        Values::F64(numbers) => again(numbers, len, fill),
        Values::C64(parts) => pairs(parts, len, fill),
        Values::C128(parts) => pairs(parts, len, fill),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_dtype_refills_with_its_own_number() {
        for dtype in Dtype::ALL {
            let mut values = no_values(dtype);
            refill(&mut values, 3, 1.0);
            refill(&mut values, 2, 1.0);
            let numbers = Numbers::of(&values);
            assert_eq!((numbers.dtype(), numbers.len()), (dtype, 2));
            assert_eq!(numbers.to_vec::<f64>(), [1.0, 1.0], "{dtype}");
        }
    }

    #[test]
    fn macros_refuse_what_they_do_not_cover() {
        fn count(numbers: Numbers<'_>) -> crate::Result<usize> {
            each_real!(numbers, |slice| slice.len())
        }
        assert_eq!(count(Numbers::I8(&[1, 2])), Ok(2));
        assert!(count(Numbers::none(Dtype::C64)).unwrap_err().message().contains("complex64"));
    }
}
