//! An array with its dtype known at run time: parameters, ROIs, results.

use super::{Dtype, Shape, cast, convertible};

/// An array in C order. `data` are little-endian bytes, `shape.size() * dtype.size()` of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Array {
    /// Element type.
    pub dtype: Dtype,
    /// Extents; empty for a scalar.
    pub shape: Shape,
    /// Elements.
    pub data: Vec<u8>,
}

impl Array {
    /// Its elements as real numbers, rounded; none if they are complex.
    pub fn to_f64s(&self) -> Option<Vec<f64>> {
        if !convertible(self.dtype, Dtype::F64) {
            return None;
        }
        let mut data = vec![0; self.data.len() / self.dtype.size() * 8];
        cast(self.dtype, &self.data, Dtype::F64, &mut data);
        Some(data.as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect())
    }
}
