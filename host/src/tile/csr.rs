//! Sparse rows: the pixels of some frames that are not zero, and where they are.

use crate::shape::Dtype;

/// Pixels of a block of some frames, as compressed sparse rows. Row `i` has the entries `indptr[i]..indptr[i + 1]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CsrRows {
    dtype: Dtype,
    indptr: Vec<u32>,
    indices: Vec<u32>,
    values: Vec<u8>,
}

impl CsrRows {
    /// No rows yet, for values of `dtype`.
    pub fn new(dtype: Dtype) -> Self {
        Self { dtype, indptr: vec![0], indices: Vec::new(), values: Vec::new() }
    }

    /// What the values are.
    pub fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// Where each row starts among the entries, and after the last row where that ends.
    pub fn indptr(&self) -> &[u32] {
        &self.indptr
    }

    /// For each entry its pixel, counted within the block. Ascending in each row.
    pub fn indices(&self) -> &[u32] {
        &self.indices
    }

    /// The value of each entry, little-endian.
    pub fn values(&self) -> &[u8] {
        &self.values
    }

    /// Adds a row. `indices` has as many numbers as `values`; none if there would be more entries than a `u32` counts.
    pub(crate) fn push_row(&mut self, indices: impl Iterator<Item = u32>, values: &[u8]) -> Option<()> {
        debug_assert!(values.len().is_multiple_of(self.dtype.size()), "a whole number of values");
        let end = u32::try_from((self.values.len() + values.len()) / self.dtype.size()).ok()?;
        self.indices.extend(indices);
        self.values.extend_from_slice(values);
        self.indptr.push(end);
        Some(())
    }

    /// Adds `n_rows` rows of dense pixels, without their zeros. None if there would be more entries than a `u32`
    /// counts.
    pub(crate) fn push_dense(&mut self, n_rows: usize, pixels: &[u8]) -> Option<()> {
        match self.dtype.size() {
            1 => self.push_dense_sized::<1>(n_rows, pixels),
            2 => self.push_dense_sized::<2>(n_rows, pixels),
            4 => self.push_dense_sized::<4>(n_rows, pixels),
            8 => self.push_dense_sized::<8>(n_rows, pixels),
            _ => self.push_dense_sized::<16>(n_rows, pixels),
        }
    }

    fn push_dense_sized<const SIZE: usize>(&mut self, n_rows: usize, pixels: &[u8]) -> Option<()> {
        let (pixels, _) = pixels.as_chunks::<SIZE>();
        let row_len = pixels.len() / n_rows.max(1);
        u32::try_from(row_len).ok()?;
        for row in (0..n_rows).map(|row| &pixels[row * row_len..][..row_len]) {
            for (idx, value) in (0..).zip(row) {
                // A zero has no bit set, in every dtype.
                if *value != [0; SIZE] {
                    self.indices.push(idx);
                    self.values.extend_from_slice(value);
                }
            }
            self.indptr.push(u32::try_from(self.indices.len()).ok()?);
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_are_left_out() {
        let mut rows = CsrRows::new(Dtype::U16);
        let pixels: Vec<u8> = [0_u16, 7, 0, 0, 0, 0, 256, 0, 9].into_iter().flat_map(u16::to_le_bytes).collect();
        rows.push_dense(3, &pixels).unwrap();
        rows.push_row([1].into_iter(), &[5, 0]).unwrap();
        assert_eq!(rows.indptr(), [0, 1, 1, 3, 4]);
        assert_eq!(rows.indices(), [1, 0, 2, 1]);
        assert_eq!(rows.values(), [7, 0, 0, 1, 9, 0, 5, 0]);
    }
}
