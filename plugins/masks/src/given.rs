//! Masks that the user gives, checked.

use lthost_guest_sdk::{DtypeKind, prelude::*};

/// Refuses a stack that does not fit the data set.
pub(crate) fn check_shape(factors: &Array, meta: &Meta) -> Result<()> {
    let given = || format!("shape {:?}", factors.shape());
    let Some((&n_masks, sig_shape)) = factors.shape().split_first() else {
        return Err(Error::parameter("factors", "a stack of masks", given()));
    };
    if sig_shape != meta.sig_shape || n_masks == 0 {
        let expected = format!("one or more masks of shape {:?}, like the frames", meta.sig_shape);
        return Err(Error::parameter("factors", expected, given()));
    }
    Ok(())
}

/// Refuses infinity and NaN, which would make every product infinite or NaN.
pub(crate) fn check_finite(factors: &Array) -> Result<()> {
    let n_parts = if factors.dtype().is_complex() { 2 } else { 1 };
    let (at, given) = match factors.numbers().parts() {
        Numbers::F32(parts) => first_not_finite(parts),
        Numbers::F64(parts) => first_not_finite(parts),
        _ => None,
    }
    .map_or((None, 0.0), |(at, given)| (Some(at / n_parts), given));
    let Some(at) = at else { return Ok(()) };
    Err(Error::parameter("factors", "finite numbers", format!("{given} at {}", place(at, factors.shape()))))
}

/// Refuses a `mask_dtype` of integers or truth that makes another number of a factor.
pub(crate) fn check_kept(factors: &Array, mask_dtype: Dtype) -> Result<()> {
    if mask_dtype == factors.dtype() || mask_dtype.kind() >= DtypeKind::Float {
        return Ok(());
    }
    let (before, after) = (factors.to_vec::<f64>(), factors.converted(mask_dtype).to_vec::<f64>());
    #[expect(clippy::float_cmp, reason = "to be kept is to stay the same to the last bit")]
    let changed = before.iter().zip(&after).position(|(before, after)| before != after);
    let Some(at) = changed else { return Ok(()) };
    let place = place(at, factors.shape());
    let given = format!("{mask_dtype}, which makes {} of {} at {place}", after[at], before[at]);
    Err(Error::parameter("mask_dtype", "a dtype that keeps the masks as they are", given))
}

/// Where number `at` of a stack of masks is.
fn place(at: usize, shape: &[usize]) -> String {
    let mut pixel = Vec::new();
    let mut rest = at;
    for &extent in shape[1..].iter().rev() {
        pixel.insert(0, (rest % extent).to_string());
        rest /= extent;
    }
    format!("mask {rest}, pixel ({})", pixel.join(", "))
}

fn first_not_finite<T: Real>(numbers: &[T]) -> Option<(usize, f64)> {
    numbers.iter().map(|number| number.to_f64()).enumerate().find(|(_, number)| !number.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_finite_is_found() {
        let mut numbers = vec![0.0_f32; 3 * 4 * 5];
        let refusal = |numbers: &[f32]| check_finite(&Array::new(&[3, 4, 5], numbers).unwrap());
        assert_eq!(refusal(&numbers), Ok(()));
        numbers[2 * 20 + 3 * 5 + 4] = f32::NAN;
        assert_eq!(
            refusal(&numbers).unwrap_err().message(),
            "parameter `factors`: expected finite numbers, given NaN at mask 2, pixel (3, 4)"
        );
        let complex = [Complex::new(0.0, 0.0), Complex::new(0.0, f64::NEG_INFINITY)];
        assert_eq!(
            check_finite(&Array::new(&[1, 2], &complex).unwrap()).unwrap_err().message(),
            "parameter `factors`: expected finite numbers, given -inf at mask 0, pixel (1)"
        );
    }

    #[test]
    fn what_a_dtype_can_not_hold_is_found() {
        let refusal = |factors: &[f64], dtype| {
            let factors = Array::new(&[2, 2, 2], factors).unwrap();
            check_kept(&factors, dtype).map_err(|error| error.message().to_owned())
        };
        let whole = [0.0, 1.0, -1.0, 0.0, 127.0, -128.0, -0.0, 3.0];
        assert_eq!(refusal(&whole, Dtype::I8), Ok(()));
        let expected = "parameter `mask_dtype`: expected a dtype that keeps the masks as they are, given ";
        let message = |which: &str| Err(format!("{expected}{which}"));
        assert_eq!(refusal(&whole, Dtype::U8), message("uint8, which makes 0 of -1 at mask 0, pixel (1, 0)"));
        assert_eq!(refusal(&whole, Dtype::Bool), message("bool, which makes 1 of -1 at mask 0, pixel (1, 0)"));
        let halves = [0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.5];
        assert_eq!(refusal(&halves, Dtype::I8), message("int8, which makes 0 of 0.5 at mask 1, pixel (1, 1)"));
        assert_eq!(refusal(&[0.1; 8], Dtype::F32), Ok(()), "rounding is what is meant");
    }
}
