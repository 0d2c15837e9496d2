//! What a function of a frame may return.

use crate::{Array, Bool, Complex, Element, Error, Numbers, Result};

/// Takes shape and numbers of one result.
pub type Take<'a> = dyn FnMut(&[usize], Numbers<'_>) -> Result<()> + 'a;

#[diagnostic::on_unimplemented(
    message = "a function of a frame can't return `{Self}`",
    label = "no result of a frame",
    note = "return a number, an array, slice or `Vec` of numbers, an `Array` of any shape, or a `Result` of one of these"
)]
/// What a function of a frame may return: a [`Scalar`], an array, slice or `Vec` of them, an [`Array`] of any shape, or
/// a `Result` of one of these, whose error ends the run.
pub trait Mapped {
    /// Hands its shape and numbers to `take`.
    ///
    /// # Errors
    ///
    /// What it is, if it is an error, and what `take` returns.
    fn give(self, take: &mut Take<'_>) -> Result<()>;
}

#[diagnostic::on_unimplemented(message = "`{Self}` is no number", label = "no number of a result")]
/// A number of a result: every [`Element`], as well as `bool` and `usize`.
pub trait Scalar: Copy {
    /// Hands `numbers`, which have `shape`, to `take` as numbers of a dtype.
    ///
    /// # Errors
    ///
    /// What `take` returns.
    fn give_all(numbers: &[Self], shape: &[usize], take: &mut Take<'_>) -> Result<()>;
}

macro_rules! scalar {
    ($($type:ty)*) => { $(
        impl Scalar for $type {
            fn give_all(numbers: &[Self], shape: &[usize], take: &mut Take<'_>) -> Result<()> {
                take(shape, Self::numbers(numbers))
            }
        }
    )* };
}
scalar!(Bool u8 u16 u32 u64 i8 i16 i32 i64 f32 f64 Complex<f32> Complex<f64>);

impl Scalar for bool {
    fn give_all(numbers: &[Self], shape: &[usize], take: &mut Take<'_>) -> Result<()> {
        let numbers: Vec<Bool> = numbers.iter().copied().map(Bool::from).collect();
        take(shape, Numbers::Bool(&numbers))
    }
}

impl Scalar for usize {
    /// As `i64`, like every count and index in numpy.
    fn give_all(numbers: &[Self], shape: &[usize], take: &mut Take<'_>) -> Result<()> {
        let numbers: Vec<i64> = numbers.iter().map(|&number| i64::try_from(number)).collect::<Result<_, _>>()?;
        take(shape, Numbers::I64(&numbers))
    }
}

impl<S: Scalar> Mapped for S {
    fn give(self, take: &mut Take<'_>) -> Result<()> {
        S::give_all(&[self], &[], take)
    }
}

impl<S: Scalar> Mapped for &[S] {
    fn give(self, take: &mut Take<'_>) -> Result<()> {
        S::give_all(self, &[self.len()], take)
    }
}

impl<S: Scalar, const N: usize> Mapped for [S; N] {
    fn give(self, take: &mut Take<'_>) -> Result<()> {
        self.as_slice().give(take)
    }
}

impl<S: Scalar> Mapped for Vec<S> {
    fn give(self, take: &mut Take<'_>) -> Result<()> {
        self.as_slice().give(take)
    }
}

impl Mapped for Array {
    fn give(self, take: &mut Take<'_>) -> Result<()> {
        take(self.shape(), self.numbers())
    }
}

impl<M: Mapped, E: Into<Error>> Mapped for Result<M, E> {
    fn give(self, take: &mut Take<'_>) -> Result<()> {
        self.map_err(Into::into)?.give(take)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Dtype;

    /// Shape, dtype and numbers of a result.
    fn given(result: impl Mapped) -> Result<(Vec<usize>, Dtype, Vec<f64>)> {
        let mut given = None;
        result.give(&mut |shape, numbers| {
            given = Some((shape.to_vec(), numbers.dtype(), numbers.to_vec()));
            Ok(())
        })?;
        given.ok_or_else(|| Error::new("nothing was given"))
    }

    #[test]
    fn shape_and_dtype_follow_the_type() {
        assert_eq!(given(true), Ok((vec![], Dtype::Bool, vec![1.0])));
        assert_eq!(given(7_usize), Ok((vec![], Dtype::I64, vec![7.0])));
        assert_eq!(given(Complex::new(1.0_f32, 2.0)), Ok((vec![], Dtype::C64, vec![1.0])));
        assert_eq!(given([1_u8, 2]), Ok((vec![2], Dtype::U8, vec![1.0, 2.0])));
        assert_eq!(given(vec![false, true]), Ok((vec![2], Dtype::Bool, vec![0.0, 1.0])));
        assert_eq!(given([1.0, 2.0, 3.0].as_slice()), Ok((vec![3], Dtype::F64, vec![1.0, 2.0, 3.0])));
        assert_eq!(given(Array::new(&[1, 2], &[1_i16, 2])), Ok((vec![1, 2], Dtype::I16, vec![1.0, 2.0])));
    }

    #[test]
    fn errors_of_all_sorts_come_through() {
        assert_eq!(given(Err::<f32, _>(Error::new("no peak"))).unwrap_err().message(), "no peak");
        assert_eq!(given("x".parse::<i64>()).unwrap_err().message(), "invalid digit found in string");
    }
}
