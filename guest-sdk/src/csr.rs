//! Sparse tiles: the pixels that are not zero, and where they are.

use crate::Numbers;

/// The pixels of a tile as compressed sparse rows, one for each frame.
#[derive(Debug, Clone, Copy)]
pub struct Csr<'a> {
    indptr: &'a [u32],
    indices: &'a [u32],
    values: Numbers<'a>,
}

impl<'a> Csr<'a> {
    pub(crate) fn new(indptr: &'a [u32], indices: &'a [u32], values: Numbers<'a>) -> Self {
        Self { indptr, indices, values }
    }

    /// The values of all rows, one row after the other.
    pub fn values(self) -> Numbers<'a> {
        self.values
    }

    /// For each value its pixel, counted within the tile's block. Ascending in each row, and none twice.
    pub fn indices(self) -> &'a [u32] {
        self.indices
    }

    /// Splits [`Csr::values`] into rows, one for each frame: pixels, and their values.
    ///
    /// ```
    /// use lthost_guest_sdk::prelude::*;
    ///
    /// fn sum_of_frames(tile: &Tile) -> Result<Vec<f64>> {
    ///     let csr = tile.csr()?;
    ///     each_real!(csr.values(), |values| {
    ///         csr.rows(values).map(|(_, values)| values.iter().map(|value| value.to_complex().re).sum()).collect()
    ///     })
    /// }
    /// ```
    pub fn rows<T>(self, values: &'a [T]) -> impl Iterator<Item = (&'a [u32], &'a [T])> {
        self.indptr.windows(2).map(move |bounds| {
            let entries = bounds[0] as usize..bounds[1] as usize;
            (&self.indices[entries.clone()], &values[entries])
        })
    }

    /// Holds the sizes that the host stated against each other.
    pub(crate) fn fits(self, n_rows: usize) -> bool {
        self.indptr.len() == n_rows + 1
            && self.indptr[0] == 0
            && self.indptr.is_sorted()
            && self.indptr[n_rows] as usize == self.indices.len()
            && self.indices.len() == self.values.len()
    }
}
