//! Numbers of one dtype as those of another, where each keeps its value.

use std::fmt;

use super::{Array, Dtype, DtypeKind, cast, convertible};

/// The value of a number, exactly: whole numbers of up to 64 bits as such, all others as f64.
#[derive(Debug, Clone, Copy)]
enum Value {
    Whole(i128),
    Real(f64),
}

impl PartialEq for Value {
    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "both ways are tried")]
    fn eq(&self, other: &Self) -> bool {
        match (*self, *other) {
            (Self::Whole(a), Self::Whole(b)) => a == b,
            (Self::Real(a), Self::Real(b)) => a == b || a.is_nan() && b.is_nan(),
            (Self::Whole(whole), Self::Real(real)) | (Self::Real(real), Self::Whole(whole)) => {
                whole as f64 == real && real as i128 == whole
            }
        }
    }
}

/// The array with elements of `dtype`.
///
/// # Errors
///
/// The first element, in C order, that would not keep its value.
pub(crate) fn exactly(array: &Array, dtype: Dtype) -> Result<Array, usize> {
    let n_elements = array.data.len() / array.dtype.size();
    if n_elements == 0 {
        return Ok(Array { dtype, ..array.clone() });
    }
    if !convertible(array.dtype, dtype) {
        return Err(0);
    }
    let mut data = vec![0; n_elements * dtype.size()];
    cast(array.dtype, &array.data, dtype, &mut data);
    let converted = Array { dtype, shape: array.shape.clone(), data };
    // All values of these are known to be values of the other.
    let is_safe = array.dtype.fits_in(dtype) && !(array.dtype.size() == 8 && dtype.kind() >= DtypeKind::Float);
    let lost = (0..n_elements).find(|&idx| !is_safe && values(array, idx) != values(&converted, idx));
    lost.map_or(Ok(converted), Err)
}

/// An element, to be read.
pub(crate) fn number(array: &Array, idx: usize) -> String {
    match values(array, idx) {
        [re, im] if array.dtype.kind() == DtypeKind::Complex => format!("{re}+{im}j"),
        [re, _] => re.to_string(),
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(whole) => whole.fmt(f),
            Self::Real(real) => real.fmt(f),
        }
    }
}

/// Real and imaginary part of an element.
fn values(array: &Array, idx: usize) -> [Value; 2] {
    let size = array.dtype.size();
    let bytes = &array.data[idx * size..][..size];
    macro_rules! read {
        ($type:ty, $bytes:expr) => {
            <$type>::from_le_bytes($bytes.try_into().expect("an element has this size"))
        };
    }
    let zero = Value::Whole(0);
    match array.dtype {
        Dtype::Bool | Dtype::U8 => [Value::Whole(bytes[0].into()), zero],
        Dtype::U16 => [Value::Whole(read!(u16, bytes).into()), zero],
        Dtype::U32 => [Value::Whole(read!(u32, bytes).into()), zero],
        Dtype::U64 => [Value::Whole(read!(u64, bytes).into()), zero],
        Dtype::I8 => [Value::Whole(read!(i8, bytes).into()), zero],
        Dtype::I16 => [Value::Whole(read!(i16, bytes).into()), zero],
        Dtype::I32 => [Value::Whole(read!(i32, bytes).into()), zero],
        Dtype::I64 => [Value::Whole(read!(i64, bytes).into()), zero],
        Dtype::F32 => [Value::Real(read!(f32, bytes).into()), zero],
        Dtype::F64 => [Value::Real(read!(f64, bytes)), zero],
        Dtype::C64 => [Value::Real(read!(f32, bytes[..4]).into()), Value::Real(read!(f32, bytes[4..]).into())],
        Dtype::C128 => [Value::Real(read!(f64, bytes[..8])), Value::Real(read!(f64, bytes[8..]))],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shape::Shape;

    fn array<T: bytemuck::NoUninit>(dtype: Dtype, numbers: &[T]) -> Array {
        let shape = Shape::new([numbers.len() as u64]).unwrap();
        Array { dtype, shape, data: bytemuck::cast_slice(numbers).to_vec() }
    }

    #[test]
    fn what_fits_is_converted_whatever_the_dtypes() {
        let kept = |array: &Array, dtype| exactly(array, dtype).map(|converted| converted.data);
        let f32s = |numbers: &[f32]| Ok(bytemuck::cast_slice(numbers).to_vec());
        assert_eq!(kept(&array(Dtype::F64, &[1.0, -0.5, f64::NAN]), Dtype::F32), f32s(&[1.0, -0.5, f32::NAN]));
        assert_eq!(kept(&array(Dtype::I64, &[1_i64 << 60, -3]), Dtype::F32), f32s(&[2_f32.powi(60), -3.0]));
        assert_eq!(kept(&array(Dtype::F64, &[3.0, 255.0]), Dtype::U8), Ok(vec![3, 255]));
        assert_eq!(kept(&array(Dtype::U16, &[0_u16, 1]), Dtype::Bool), Ok(vec![0, 1]));
    }

    #[test]
    fn the_first_number_that_changes_is_named() {
        let lost = |array: &Array, dtype| exactly(array, dtype).unwrap_err();
        assert_eq!(lost(&array(Dtype::I64, &[1, (1_i64 << 60) + 1]), Dtype::F64), 1);
        assert_eq!(lost(&array(Dtype::I64, &[i64::MAX]), Dtype::F64), 0);
        assert_eq!(lost(&array(Dtype::F64, &[9_223_372_036_854_775_808.0_f64]), Dtype::I64), 0);
        assert_eq!(lost(&array(Dtype::F64, &[1.0, 2.0, 0.1]), Dtype::F32), 2);
        assert_eq!(lost(&array(Dtype::F64, &[f64::INFINITY, 1e300]), Dtype::F32), 1);
        assert_eq!(lost(&array(Dtype::I16, &[5_i16, -1]), Dtype::U64), 1);
        assert_eq!(lost(&array(Dtype::U16, &[1_u16, 2]), Dtype::Bool), 1);
        assert_eq!(lost(&array(Dtype::C64, &[1.0_f32, 0.0]), Dtype::F32), 0);
    }
}
