//! The host's matrix product, for plugins: outside of the sandbox, with all that the processor can do. Pixels come from the
//! files, block by block, and never enter a plugin's memory.

use std::ops::Range;

use ndarray::{ArrayView2, ArrayViewMut2, LinalgScalar, ShapeBuilder, linalg::general_mat_mul};

use super::FillFailed;
use crate::shape::{Dtype, DtypeKind};

/// Columns that are multiplied at a time. Sums of `f32` go over to `f64` after so many.
const COLUMNS: usize = 1024;
/// Rows that are multiplied at a time, at most: together with [`COLUMNS`] they fit into the second cache.
const ROWS: usize = 128;
/// Products of numbers that are made between two looks at the clock: some milliseconds' worth.
const PRODUCTS: usize = 1 << 28;

/// A matrix that a plugin keeps in the host: rows of as many numbers as a frame has pixels.
#[derive(Debug)]
pub(super) struct Matrix {
    n_columns: usize,
    numbers: Numbers,
}

#[derive(Debug)]
enum Numbers {
    F32(Vec<f32>),
    F64(Vec<f64>),
}

/// The pixels of the tile that is being processed, as the host reads them.
pub(crate) trait HostTile: Send + Sync {
    fn n_frames(&self) -> usize;

    /// Pixels of a frame.
    fn n_pixels(&self) -> usize;

    /// Those among them that the tile has.
    fn block(&self) -> Range<usize>;

    /// What pixels are.
    fn dtype(&self) -> Dtype;

    /// Reads `pixels` of `frames`, counted within the tile, as numbers of `dtype`.
    fn read(&self, frames: Range<usize>, pixels: Range<usize>, dtype: Dtype, out: &mut [u8]) -> Result<(), FillFailed>;
}

/// Why there is no matrix, or no product.
#[derive(Debug, thiserror::Error)]
pub(super) enum MatrixError {
    #[error("made a matrix of {dtype}, and only those of f32 and f64 can be multiplied with")]
    Dtype { dtype: Dtype },
    #[error("appended {n_bytes} bytes to a matrix of {dtype}, which are no whole numbers")]
    Fraction { dtype: Dtype, n_bytes: usize },
    #[error("multiplies complex pixels with a matrix")]
    Complex,
    #[error("multiplies frames of {n_pixels} pixels with a matrix of {n_numbers} numbers in rows of {n_columns}")]
    Shape { n_pixels: usize, n_columns: usize, n_numbers: usize },
    #[error("asks for {n_frames} x {n_rows} products, which are more than {limit} bytes (raise --max-memory)")]
    TooMany { n_frames: usize, n_rows: usize, limit: usize },
    #[error(transparent)]
    Unread(#[from] FillFailed),
    #[error("stopped")]
    Stopped,
}

impl Matrix {
    /// Without a row.
    pub(super) fn new(dtype: Dtype, n_columns: u64) -> Result<Self, MatrixError> {
        let numbers = match dtype {
            Dtype::F32 => Numbers::F32(Vec::new()),
            Dtype::F64 => Numbers::F64(Vec::new()),
            dtype => return Err(MatrixError::Dtype { dtype }),
        };
        // What is too much for memory is no frame's size either.
        Ok(Self { n_columns: usize::try_from(n_columns).unwrap_or(usize::MAX), numbers })
    }

    /// Adds little-endian numbers at the end.
    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<(), MatrixError> {
        let (dtype, n_bytes) = (self.dtype(), bytes.len());
        if !n_bytes.is_multiple_of(dtype.size()) {
            return Err(MatrixError::Fraction { dtype, n_bytes });
        }
        match &mut self.numbers {
            Numbers::F32(numbers) => numbers.extend(bytes.chunks_exact(4).map(bytemuck::pod_read_unaligned::<f32>)),
            Numbers::F64(numbers) => numbers.extend(bytes.chunks_exact(8).map(bytemuck::pod_read_unaligned::<f64>)),
        }
        Ok(())
    }

    /// Bytes of its numbers.
    pub(super) fn n_bytes(&self) -> usize {
        self.n_numbers() * self.dtype().size()
    }

    fn dtype(&self) -> Dtype {
        match &self.numbers {
            Numbers::F32(_) => Dtype::F32,
            Numbers::F64(_) => Dtype::F64,
        }
    }

    fn n_numbers(&self) -> usize {
        match &self.numbers {
            Numbers::F32(numbers) => numbers.len(),
            Numbers::F64(numbers) => numbers.len(),
        }
    }

    /// The products of each frame of a tile with each row: shape `(n_frames, n_rows)`, of at most `limit` bytes.
    ///
    /// Each is the same bits however many frames come at a time. `goes_on` is asked every few milliseconds. With
    /// `is_deterministic` it is the same bits on any machine.
    pub(super) fn products(
        &self,
        tile: &dyn HostTile,
        (limit, is_deterministic): (usize, bool),
        mut goes_on: impl FnMut() -> bool,
    ) -> Result<Vec<f64>, MatrixError> {
        if tile.dtype().kind() == DtypeKind::Complex {
            return Err(MatrixError::Complex);
        }
        let (n_columns, n_numbers, n_pixels) = (self.n_columns, self.n_numbers(), tile.n_pixels());
        if n_columns != n_pixels || !n_numbers.is_multiple_of(n_columns) {
            return Err(MatrixError::Shape { n_pixels, n_columns, n_numbers });
        }
        let (n_frames, n_rows) = (tile.n_frames(), n_numbers.checked_div(n_columns).unwrap_or(0));
        let n_products = n_frames.checked_mul(n_rows).filter(|n| n.saturating_mul(8) <= limit);
        let mut sums = vec![0.0; n_products.ok_or(MatrixError::TooMany { n_frames, n_rows, limit })?];
        if !sums.is_empty() {
            let multiply = if is_deterministic { Multiply::Portably } else { Multiply::Fast };
            match &self.numbers {
                Numbers::F32(own) => add(tile, (own, n_rows), &mut sums, multiply, &mut goes_on)?,
                Numbers::F64(own) => add(tile, (own, n_rows), &mut sums, multiply, &mut goes_on)?,
            }
        }
        Ok(sums)
    }
}

/// Adds products to `sums`, block by block of frames and pixels.
fn add<T: Number>(
    tile: &dyn HostTile,
    (own, n_rows): (&[T], usize),
    sums: &mut [f64],
    multiply: Multiply,
    mut goes_on: impl FnMut() -> bool,
) -> Result<(), MatrixError> {
    let (n_frames, n_columns, block) = (tile.n_frames(), tile.n_pixels(), tile.block());
    let n_deep = (PRODUCTS / n_rows / COLUMNS).clamp(1, ROWS).min(n_frames);
    let (mut pixels, mut products) = (vec![T::zeroed(); n_deep * COLUMNS], vec![T::zeroed(); n_deep * n_rows]);
    for (first, sums) in (0..n_frames).step_by(n_deep).zip(sums.chunks_mut(n_deep * n_rows)) {
        let frames = first..n_frames.min(first + n_deep);
        for start in block.clone().step_by(COLUMNS) {
            if !goes_on() {
                return Err(MatrixError::Stopped);
            }
            let columns = start..block.end.min(start + COLUMNS);
            let (len, pixels) = (columns.len(), &mut pixels[..frames.len() * columns.len()]);
            tile.read(frames.clone(), columns, T::DTYPE, bytemuck::cast_slice_mut(pixels))?;
            let products = &mut products[..sums.len()];
            match multiply {
                Multiply::Fast => T::multiply((pixels, len), (&own[start..], n_columns), products),
                Multiply::Portably => multiply_portably((pixels, len), (&own[start..], n_columns), products),
            }
            for (sum, product) in sums.iter_mut().zip(products) {
                *sum += (*product).into();
            }
        }
    }
    Ok(())
}

#[derive(Debug, Clone, Copy)]
enum Multiply {
    /// As the processor does it best.
    Fast,
    /// In the same order everywhere, and rounded after each step.
    Portably,
}

/// What is multiplied.
trait Number: LinalgScalar + bytemuck::Pod + Into<f64> {
    const DTYPE: Dtype;

    /// Products of each row on the left with each row on the right, of which only as many columns count. Both come with the
    /// distance from row to row.
    fn multiply((left, len): (&[Self], usize), (right, pitch): (&[Self], usize), products: &mut [Self]) {
        let n_left = left.len() / len;
        let n_right = products.len() / n_left;
        let fits = "rows were counted before";
        let left = ArrayView2::from_shape((n_left, len), left).expect(fits);
        let right = ArrayView2::from_shape((n_right, len).strides((pitch, 1)), right).expect(fits);
        let mut products = ArrayViewMut2::from_shape((n_left, n_right), products).expect(fits);
        general_mat_mul(Self::one(), &left, &right.t(), Self::zero(), &mut products);
    }
}

impl Number for f32 {
    const DTYPE: Dtype = Dtype::F32;
}

impl Number for f64 {
    const DTYPE: Dtype = Dtype::F64;
}

fn multiply_portably<T: Number>((left, len): (&[T], usize), (right, pitch): (&[T], usize), products: &mut [T]) {
    const LANES: usize = 16;
    let n_right = products.len() / (left.len() / len);
    for (left, products) in left.chunks_exact(len).zip(products.chunks_exact_mut(n_right)) {
        for (right, product) in right.chunks(pitch).zip(products) {
            let (left, left_rest) = left.as_chunks::<LANES>();
            let (right, right_rest) = right[..len].as_chunks::<LANES>();
            let mut lanes = [T::zero(); LANES];
            for (left, right) in left.iter().zip(right) {
                for i in 0..LANES {
                    lanes[i] = lanes[i] + left[i] * right[i];
                }
            }
            let rest = left_rest.iter().zip(right_rest).fold(T::zero(), |sum, (&left, &right)| sum + left * right);
            *product = lanes.into_iter().fold(rest, |sum, lane| sum + lane);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shape::{ByteOrder, kernel};

    const FREE: (usize, bool) = (usize::MAX, false);

    /// Some pixels of frames of counts.
    struct Counts<'a> {
        pixels: &'a [u16],
        n_pixels: usize,
        block: Range<usize>,
    }

    impl HostTile for Counts<'_> {
        fn n_frames(&self) -> usize {
            self.pixels.len() / self.n_pixels
        }

        fn n_pixels(&self) -> usize {
            self.n_pixels
        }

        fn block(&self) -> Range<usize> {
            self.block.clone()
        }

        fn dtype(&self) -> Dtype {
            Dtype::U16
        }

        fn read(
            &self,
            frames: Range<usize>,
            pixels: Range<usize>,
            to: Dtype,
            out: &mut [u8],
        ) -> Result<(), FillFailed> {
            let convert = kernel(Dtype::U16, ByteOrder::Little, to).ok_or(FillFailed)?;
            for (frame, out) in frames.zip(out.chunks_exact_mut(pixels.len() * to.size())) {
                convert(bytemuck::cast_slice(&self.pixels[frame * self.n_pixels..][pixels.clone()]), out);
            }
            Ok(())
        }
    }

    fn matrix(n_rows: usize, n_columns: usize) -> (Matrix, Vec<f32>) {
        let numbers: Vec<f32> = (0..n_rows * n_columns).map(|i| f32::from(small(i * 7919, 97)) / 64.0 - 0.5).collect();
        let mut matrix = Matrix::new(Dtype::F32, n_columns as u64).unwrap();
        for some in numbers.chunks(1000) {
            matrix.append(bytemuck::cast_slice(some)).unwrap();
        }
        (matrix, numbers)
    }

    fn small(number: usize, modulus: usize) -> u8 {
        u8::try_from(number % modulus).unwrap()
    }

    fn counts(n: usize) -> Vec<u16> {
        (0..n).map(|i| small(i * 31, 251).into()).collect()
    }

    #[test]
    fn products_are_sums_over_the_block() {
        for (n_rows, n_pixels, n_frames) in [(1, 1, 1), (3, 5, 7), (16, 1024, 3), (5, 3000, 129), (100, 2049, 2)] {
            let ((matrix, numbers), pixels) = (matrix(n_rows, n_pixels), counts(n_frames * n_pixels));
            for block in [0..n_pixels, n_pixels / 3..n_pixels.div_ceil(2)] {
                let dot = |frame: &[u16], row: &[f32]| -> f64 {
                    block.clone().map(|i| f64::from(frame[i]) * f64::from(row[i])).sum()
                };
                let of_frame = |frame| numbers.chunks(n_pixels).map(move |row| dot(frame, row));
                let expected: Vec<f64> = pixels.chunks(n_pixels).flat_map(of_frame).collect();
                let largest = expected.iter().fold(1.0_f64, |largest, one| largest.max(one.abs()));
                for is_deterministic in [false, true] {
                    let tile = Counts { pixels: &pixels, n_pixels, block: block.clone() };
                    let products = matrix.products(&tile, (usize::MAX, is_deterministic), || true).unwrap();
                    assert_eq!(products.len(), expected.len());
                    for (product, expected) in products.iter().zip(&expected) {
                        assert!(
                            (product - expected).abs() < 1e-5 * largest,
                            "{product} {expected} {n_rows} {n_pixels}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn a_frame_alone_gives_the_bits_of_a_frame_among_others() {
        let (n_pixels, n_frames) = (1500, 200);
        for n_rows in [1, 2, 9, 33] {
            let ((matrix, _), pixels) = (matrix(n_rows, n_pixels), counts(n_frames * n_pixels));
            let of = |pixels: &[u16]| {
                matrix.products(&Counts { pixels, n_pixels, block: 0..n_pixels }, FREE, || true).unwrap()
            };
            let together = of(&pixels);
            for n_together in [1, 3, 64] {
                let apart: Vec<f64> = pixels.chunks(n_together * n_pixels).flat_map(of).collect();
                assert_eq!(together, apart, "{n_together} frames at a time");
            }
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        assert!(Matrix::new(Dtype::U16, 2).unwrap_err().to_string().contains("only those of f32 and f64"));
        let (mut matrix, _) = matrix(4, 10);
        assert!(matrix.append(&[0; 6]).unwrap_err().to_string().contains("no whole numbers"));
        let pixels = counts(20);
        let tile = |n_pixels| Counts { pixels: &pixels, n_pixels, block: 0..n_pixels };
        let error =
            |n_pixels, limit| matrix.products(&tile(n_pixels), (limit, false), || true).unwrap_err().to_string();
        assert!(error(5, 1000).contains("frames of 5 pixels with a matrix of 40 numbers in rows of 10"));
        assert!(error(10, 63).contains("2 x 4 products, which are more than 63 bytes"));
        assert!(matches!(matrix.products(&tile(10), FREE, || false), Err(MatrixError::Stopped)));
        matrix.append(&[0; 4]).unwrap();
        assert!(
            matrix.products(&tile(10), FREE, || true).unwrap_err().to_string().contains("41 numbers in rows of 10")
        );
        for n_columns in [0, u64::MAX] {
            let empty = Matrix::new(Dtype::F64, n_columns).unwrap();
            assert!(empty.products(&tile(10), FREE, || true).is_err());
        }
        assert!(Matrix::new(Dtype::F64, 10).unwrap().products(&tile(10), FREE, || true).unwrap().is_empty());
    }
}
