//! Masks as they are multiplied with: all of their weights, or only those that are not zero. Where a mask is zero, pixels
//! count in neither case.

use lthost_guest_sdk::{ParameterType, masks::SparseStack, prelude::*};

/// LiberTEM's words for the libraries that multiply sparse masks there.
const LIBRARIES: [&str; 5] =
    ["scipy.sparse", "scipy.sparse.csc", "scipy.sparse.csr", "sparse.pydata", "sparse.pydata.GCXS"];

/// Up to this share of weights that are not zero it is faster to multiply with these alone, whatever their order.
const SPARSE_UP_TO: f64 = 0.05;

/// Declares `use_sparse`.
pub(crate) fn use_sparse() -> Parameter {
    let words: Vec<&str> = ["auto", "true", "false"].into_iter().chain(LIBRARIES).collect();
    Parameter::flag("use_sparse").or(ParameterType::Text).choices(&words).default("auto").doc(
        "how masks are multiplied: without their zeros (true), whole (false), or as is likely faster (`auto`); the result \
         is the same but for last digits; names of LiberTEM's sparse libraries mean true",
    )
}

/// Masks in the dtype of the tiles.
pub(crate) enum Factors {
    /// Shape `(n_masks, ...)`.
    Dense(Array),
    /// What is not zero of them.
    Sparse(SparseStack),
}

impl Factors {
    /// `use_sparse` is the value of that parameter.
    pub(crate) fn new(masks: Array, use_sparse: &Value) -> Result<Self> {
        let is_sparse = match use_sparse {
            Value::Flag(flag) => *flag,
            Value::Text(word) => match word.as_str() {
                "auto" => density(&masks) <= SPARSE_UP_TO,
                "false" => false,
                word if word == "true" || LIBRARIES.contains(&word) => true,
                other => return Err(unknown(other)),
            },
            other => return Err(unknown(other)),
        };
        if is_sparse { SparseStack::from_dense(&masks).map(Self::Sparse) } else { Ok(Self::Dense(masks)) }
    }

    pub(crate) fn dtype(&self) -> Dtype {
        match self {
            Self::Dense(masks) => masks.dtype(),
            Self::Sparse(stack) => stack.weights().dtype(),
        }
    }

    /// The masks, if the host can multiply with them, which takes dense ones of real numbers alone.
    pub(crate) fn for_host(&self) -> Option<&Array> {
        match self {
            Self::Dense(masks) if matches!(masks.dtype(), Dtype::F32 | Dtype::F64) => Some(masks),
            _ => None,
        }
    }

    pub(crate) fn n_masks(&self) -> usize {
        match self {
            Self::Dense(masks) => masks.shape()[0],
            Self::Sparse(stack) => stack.n_masks(),
        }
    }

    /// Adds to `acc`, of shape `(n_frames, n_masks)`, the products with blocks of `block_len` pixels from `start` on.
    pub(crate) fn add_products<T: Element>(
        &self,
        acc: &mut [T],
        pixels: &[T],
        block_len: usize,
        start: usize,
    ) -> Result<()> {
        let wrong = || Error::new("tiles and masks differ in dtype");
        match self {
            Self::Dense(array) => {
                let masks = array.as_slice::<T>().ok_or_else(wrong)?;
                let stack = kernels::Stack { masks, mask_len: masks.len() / array.shape()[0], start };
                kernels::add_masked_dots(acc, pixels, block_len, stack);
            }
            Self::Sparse(stack) => {
                kernels::add_sparse_dots(acc, pixels, block_len, start, stack.rows().ok_or_else(wrong)?);
            }
        }
        Ok(())
    }
}

fn unknown(given: impl std::fmt::Display) -> Error {
    Error::parameter("use_sparse", "true, false or `auto`", given)
}

/// The share of weights that are not zero.
#[expect(clippy::cast_precision_loss, reason = "a share needs no more than 53 bits")]
fn density(masks: &Array) -> f64 {
    let n_weights = each_dtype!(masks.numbers(), |weights| weights.iter().filter(|&&w| w != Element::ZERO).count());
    n_weights as f64 / masks.numbers().len().max(1) as f64
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these numbers are exact")]
mod tests {
    use super::*;

    fn masks(n_weights: usize) -> Array {
        let mut weights = [0.0_f32; 40];
        weights[..n_weights].fill(1.5);
        Array::new(&[2, 4, 5], &weights).unwrap()
    }

    #[test]
    fn auto_goes_by_what_is_not_zero() {
        let is_sparse =
            |n_weights, value: Value| matches!(Factors::new(masks(n_weights), &value), Ok(Factors::Sparse(_)));
        assert!(is_sparse(2, "auto".into()) && !is_sparse(20, "auto".into()));
        assert!(is_sparse(40, true.into()) && !is_sparse(1, false.into()));
        assert!(is_sparse(40, "sparse.pydata".into()) && !is_sparse(1, "false".into()));
        assert!(Factors::new(masks(1), &"numpy".into()).is_err());
    }

    #[test]
    fn both_ways_give_the_same() {
        let product = |value: bool| {
            let factors = Factors::new(masks(23), &value.into()).unwrap();
            let mut acc = [10.0_f32; 4];
            factors.add_products(&mut acc, &[1.0, 2.0, 3.0, 4.0], 2, 2).unwrap();
            assert!(factors.add_products(&mut [0_u8; 4], &[1, 2, 3, 4], 2, 2).is_err());
            (acc, factors.n_masks(), factors.dtype())
        };
        assert_eq!(product(true), product(false));
        assert_eq!(product(true).0, [14.5, 11.5, 20.5, 14.5]);
    }

    #[test]
    fn pixels_where_a_mask_is_zero_do_not_count_however_many_there_are() {
        for n_weights in [1, 2, 10, 19] {
            for use_sparse in [Value::from("auto"), true.into(), false.into()] {
                let mut frame = [1.0_f32; 20];
                frame[n_weights..].fill(f32::NAN);
                let mut acc = [0.0; 2];
                let factors = Factors::new(masks(n_weights), &use_sparse).unwrap();
                factors.add_products(&mut acc, &frame, 20, 0).unwrap();
                let expected = 1.5 * f32::from(u8::try_from(n_weights).unwrap());
                assert_eq!(acc, [expected, 0.0], "{n_weights} weights, use_sparse={use_sparse}");
            }
        }
    }
}
