//! Masks that the user gives, checked.

use lthost_guest_sdk::prelude::*;

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
    let mut pixel = Vec::new();
    let mut rest = at;
    for &extent in factors.shape()[1..].iter().rev() {
        pixel.insert(0, (rest % extent).to_string());
        rest /= extent;
    }
    let place = format!("mask {rest}, pixel ({})", pixel.join(", "));
    Err(Error::parameter("factors", "finite numbers", format!("{given} at {place}")))
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
}
