//! An array with its dtype known at run time: parameters, ROIs, results.

use super::{Dtype, Shape};

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
