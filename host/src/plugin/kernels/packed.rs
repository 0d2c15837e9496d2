//! Rows of a matrix as they are multiplied: some columns of all rows lie together, line by line of a cache.
//!
//! Whole rows of a frame's size are a power of two apart, more often than not. Then the same columns of all rows compete for the
//! same places in a cache, which has room for a handful of them, however large it is.

use std::{marker::PhantomData, ops::Range};

use bytemuck::{Pod, Zeroable};

use super::product::{COLUMNS, Number, Rows};

/// What a cache has together.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
struct Line([u8; 64]);

#[expect(unsafe_code, reason = "the trait is unsafe")]
// SAFETY: bytes may all be zero.
unsafe impl Zeroable for Line {}

#[expect(unsafe_code, reason = "the trait is unsafe")]
// SAFETY: it is bytes without padding: its size is a multiple of its alignment.
unsafe impl Pod for Line {}

/// Numbers that begin where a line does.
#[derive(Debug, Default)]
pub(super) struct Lines<T> {
    lines: Vec<Line>,
    number: PhantomData<T>,
}

impl<T: Pod> Lines<T> {
    pub(super) fn new() -> Self {
        Self { lines: Vec::new(), number: PhantomData }
    }

    /// At least `len` of them, and what is new is zero.
    pub(super) fn resize(&mut self, len: usize) {
        self.lines.resize((len * size_of::<T>()).div_ceil(size_of::<Line>()), Line::zeroed());
    }

    pub(super) fn numbers(&self) -> &[T] {
        bytemuck::cast_slice(&self.lines)
    }

    pub(super) fn numbers_mut(&mut self) -> &mut [T] {
        bytemuck::cast_slice_mut(&mut self.lines)
    }
}

/// Rows of numbers.
#[derive(Debug)]
pub(super) struct Packed<T> {
    n_columns: usize,
    n_numbers: usize,
    /// For each [`COLUMNS`] of them all rows, each filled up to whole lines.
    blocks: Vec<Lines<T>>,
}

impl<T: Number> Packed<T> {
    pub(super) fn new(n_columns: usize) -> Self {
        Self { n_columns, n_numbers: 0, blocks: Vec::new() }
    }

    pub(super) fn n_numbers(&self) -> usize {
        self.n_numbers
    }

    /// Rows that are whole.
    pub(super) fn n_rows(&self) -> usize {
        self.n_numbers.checked_div(self.n_columns).unwrap_or(0)
    }

    /// Bytes that so many numbers have here: short rows have more than their own.
    pub(super) fn n_bytes(&self, n_numbers: usize) -> usize {
        let per_line = size_of::<Line>() / size_of::<T>();
        // Whole blocks of columns are whole lines.
        let part = |n_columns: usize| n_columns.next_multiple_of(per_line);
        let rows =
            n_numbers.checked_div(self.n_columns).unwrap_or(0).saturating_mul(part(self.n_columns.min(n_numbers)));
        let begun = n_numbers.checked_rem(self.n_columns).unwrap_or(0).next_multiple_of(COLUMNS);
        rows.saturating_add(begun.min(part(self.n_columns.min(begun)))).saturating_mul(size_of::<T>())
    }

    /// Adds numbers at the end, given by their bytes.
    pub(super) fn append(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() && self.n_columns > 0 {
            let column = self.n_numbers % self.n_columns;
            let (block, place) = (column / COLUMNS, column % COLUMNS);
            let (width, pitch) = self.extent(block);
            if block == self.blocks.len() {
                self.blocks.push(Lines::new());
            }
            let rows = &mut self.blocks[block];
            if place == 0 {
                rows.resize(rows.numbers().len() + pitch);
            }
            let (now, later) = rest.split_at(rest.len().min((width - place) * size_of::<T>()));
            let last = rows.numbers().len() - pitch;
            bytemuck::cast_slice_mut(&mut rows.numbers_mut()[last + place..])[..now.len()].copy_from_slice(now);
            self.n_numbers += now.len() / size_of::<T>();
            rest = later;
        }
        // Of rows without columns there is nothing to be kept.
        self.n_numbers += rest.len() / size_of::<T>();
    }

    /// Some columns of some rows. All of these columns are among the same [`COLUMNS`].
    pub(super) fn rows(&self, rows: &Range<usize>, columns: &Range<usize>) -> Rows<'_, T> {
        let block = columns.start / COLUMNS;
        let (_, pitch) = self.extent(block);
        let numbers = &self.blocks[block].numbers()[rows.start * pitch..rows.end * pitch];
        Rows { numbers, pitch, start: columns.start % COLUMNS, len: columns.len() }
    }

    /// Columns of a block, and numbers from row to row.
    fn extent(&self, block: usize) -> (usize, usize) {
        let width = COLUMNS.min(self.n_columns - block * COLUMNS);
        (width, width.next_multiple_of(size_of::<Line>() / size_of::<T>()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_found_again_however_they_came() {
        for n_columns in [1, 15, 16, 1000, 1024, 1025, 3000] {
            let numbers: Vec<f64> = (0..u32::try_from(7 * n_columns).unwrap()).map(f64::from).collect();
            for n_together in [1, 7, 1000, 1_000_000] {
                let mut packed = Packed::<f64>::new(n_columns);
                numbers.chunks(n_together).for_each(|some| packed.append(bytemuck::cast_slice(some)));
                assert_eq!((packed.n_rows(), packed.n_numbers()), (7, numbers.len()));
                let n_bytes: usize = packed.blocks.iter().map(|block| size_of_val(block.numbers())).sum();
                assert_eq!(packed.n_bytes(packed.n_numbers()), n_bytes);
                for columns in [
                    0..n_columns.min(COLUMNS),
                    (n_columns - 1) / COLUMNS * COLUMNS..n_columns,
                    n_columns - 1..n_columns,
                ] {
                    let rows = packed.rows(&(2..7), &columns);
                    assert_eq!((rows.n_rows(), rows.numbers.as_ptr().addr() % 64), (5, 0));
                    let [first, last] = [0, 4].map(|n| rows.get::<1>(n)[0]);
                    assert_eq!(first, &numbers[2 * n_columns..][columns.clone()]);
                    assert_eq!(last, &numbers[6 * n_columns..][columns.clone()]);
                }
            }
        }
    }

    #[test]
    fn a_row_that_is_not_whole_yet_takes_memory_block_by_block() {
        for n_columns in [1500, 5000, usize::MAX] {
            let mut packed = Packed::<f32>::new(n_columns);
            for n_numbers in 1..=4000 {
                packed.append(&[0; 4]);
                let n_bytes: usize = packed.blocks.iter().map(|block| size_of_val(block.numbers())).sum();
                assert_eq!(packed.n_bytes(n_numbers), n_bytes, "{n_numbers} in rows of {n_columns}");
            }
        }
    }

    #[test]
    fn rows_without_columns_are_counted() {
        let mut packed = Packed::<f64>::new(0);
        packed.append(&[0; 24]);
        assert_eq!((packed.n_rows(), packed.n_numbers(), packed.n_bytes(3)), (0, 3, 0));
    }
}
