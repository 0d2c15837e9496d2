//! The host's matrix product, for plugins: outside of the sandbox, with all that the processor can do. Pixels come from the
//! files, block by block, and never enter a plugin's memory.

use std::ops::Range;

use super::{
    super::FillFailed,
    packed::Packed,
    pixels::{HostTile, Pixels, Step, parts},
    product::{Ahead, COLUMNS, Number, Rows},
};
use crate::shape::{Dtype, DtypeKind};

/// Frames that are multiplied at a time.
const FRAMES: usize = 4;
/// Rows that are multiplied at a time, at most.
const ROWS: usize = 256;
/// Bytes of a matrix that stay in the second cache while the frames of a tile go by.
const KEPT: usize = 256 << 10;
/// So many times [`COLUMNS`] it is at most.
const MAX_KEPT: usize = 16;
/// Products of numbers that are made between two looks at the clock: some milliseconds' worth.
const PRODUCTS: usize = 1 << 26;

/// A matrix that a plugin keeps in the host: rows of as many numbers as a frame has pixels.
#[derive(Debug)]
pub(super) struct Matrix {
    n_columns: usize,
    numbers: Numbers,
}

#[derive(Debug)]
enum Numbers {
    F32(Packed<f32>),
    F64(Packed<f64>),
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
        // What is too much for memory is no frame's size either.
        let n_columns = usize::try_from(n_columns).unwrap_or(usize::MAX);
        let numbers = match dtype {
            Dtype::F32 => Numbers::F32(Packed::new(n_columns)),
            Dtype::F64 => Numbers::F64(Packed::new(n_columns)),
            dtype => return Err(MatrixError::Dtype { dtype }),
        };
        Ok(Self { n_columns, numbers })
    }

    /// Adds little-endian numbers at the end.
    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<(), MatrixError> {
        let (dtype, n_bytes) = (self.dtype(), bytes.len());
        if !n_bytes.is_multiple_of(dtype.size()) {
            return Err(MatrixError::Fraction { dtype, n_bytes });
        }
        match &mut self.numbers {
            Numbers::F32(numbers) => numbers.append(bytes),
            Numbers::F64(numbers) => numbers.append(bytes),
        }
        Ok(())
    }

    /// Bytes of memory that it takes with `n_new` more of numbers.
    pub(super) fn n_bytes(&self, n_new: usize) -> usize {
        let n_numbers = self.n_numbers() + n_new / self.dtype().size();
        match &self.numbers {
            Numbers::F32(numbers) => numbers.n_bytes(n_numbers),
            Numbers::F64(numbers) => numbers.n_bytes(n_numbers),
        }
    }

    fn dtype(&self) -> Dtype {
        match &self.numbers {
            Numbers::F32(_) => Dtype::F32,
            Numbers::F64(_) => Dtype::F64,
        }
    }

    fn n_numbers(&self) -> usize {
        match &self.numbers {
            Numbers::F32(numbers) => numbers.n_numbers(),
            Numbers::F64(numbers) => numbers.n_numbers(),
        }
    }

    /// The products of each frame of a tile with each row: shape `(n_frames, n_rows)`, of at most `limit` bytes.
    ///
    /// Each is the same bits on any machine, and however many frames come at a time. `goes_on` is asked every few milliseconds.
    pub(super) fn products(
        &self,
        tile: &dyn HostTile,
        zeros: Zeros,
        limit: usize,
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
            match &self.numbers {
                Numbers::F32(own) => add(own, tile, zeros, &mut sums, &mut goes_on)?,
                Numbers::F64(own) => add(own, tile, zeros, &mut sums, &mut goes_on)?,
            }
        }
        // Which NaN it is depends on the processor.
        sums.iter_mut().filter(|sum| sum.is_nan()).for_each(|sum| *sum = f64::NAN);
        Ok(sums)
    }
}

/// What becomes of pixels where a row is zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Zeros {
    /// They are multiplied with zero.
    Multiplied,
    /// They do not count, whatever they are.
    LeftOut,
}

/// Adds products to `sums`, block by block of pixels, frames and rows.
fn add<T: Number>(
    own: &Packed<T>,
    tile: &dyn HostTile,
    zeros: Zeros,
    sums: &mut [f64],
    mut goes_on: impl FnMut() -> bool,
) -> Result<(), MatrixError> {
    let (n_rows, multiply) = (own.n_rows(), T::multiply());
    let mut pixels = Pixels::<T, FRAMES>::new(tile)?;
    let mut products = vec![T::zeroed(); FRAMES * ROWS.min(n_rows)];
    let mut steps = steps(tile, KEPT / size_of::<T>() / n_rows / COLUMNS).peekable();
    let mut n_made = PRODUCTS;
    while let Some(step) = steps.next() {
        // Measured: a sixth faster where numbers are converted first, and no faster where they are multiplied as they come.
        let next = steps.peek().filter(|_| pixels.are_converted());
        let next = next.map(|next| pixels.stored(next)).unwrap_or_default();
        let mut ahead = Ahead::new(&next, FRAMES.div_ceil(2) * n_rows.div_ceil(3));
        let sums = &mut sums[step.frames.start * n_rows..step.frames.end * n_rows];
        let (frames, columns) = (&pixels.of(&step)?[..step.frames.len()], &step.columns);
        for some in parts(0..n_rows, ROWS) {
            if n_made >= PRODUCTS {
                n_made = 0;
                if !goes_on() {
                    return Err(MatrixError::Stopped);
                }
            }
            n_made += frames.len() * columns.len() * some.len();
            let rows = own.rows(&some, columns);
            let products = &mut products[..frames.len() * some.len()];
            multiply(frames, rows, products, &mut ahead);
            if zeros == Zeros::LeftOut && !products.iter().all(|&product| product.into().is_finite()) {
                leave_out_zeros(frames, rows, products);
            }
            for (sums, products) in sums.chunks_exact_mut(n_rows).zip(products.chunks_exact(some.len())) {
                for (sum, &product) in sums[some.clone()].iter_mut().zip(products) {
                    *sum += product.into();
                }
            }
        }
    }
    Ok(())
}

/// The way through a tile, with `n_kept` times [`COLUMNS`] at a time, of which up to [`COLUMNS`] are multiplied at once.
fn steps(tile: &dyn HostTile, n_kept: usize) -> impl Iterator<Item = Step> {
    let n_frames = tile.n_frames();
    let kept = blocks(tile.block(), n_kept.clamp(1, MAX_KEPT));
    let frames = kept.flat_map(move |kept| parts(0..n_frames, FRAMES).map(move |frames| (kept.clone(), frames)));
    frames.flat_map(|(kept, frames)| {
        blocks(kept.clone(), 1).map(move |columns| Step { kept: kept.clone(), frames: frames.clone(), columns })
    })
}

/// Columns in parts that end, but for the last one, at a multiple of [`COLUMNS`]: `n` such multiples each, or the first one less.
fn blocks(columns: Range<usize>, n: usize) -> impl Iterator<Item = Range<usize>> {
    let aligned = columns.start / COLUMNS * COLUMNS..columns.end;
    parts(aligned, n * COLUMNS).map(move |part| part.start.max(columns.start)..part.end)
}

/// Makes those products again that are not finite, as that may be the fault of pixels that do not count.
#[cold]
fn leave_out_zeros<T: Number>(frames: &[&[T]], rows: Rows<'_, T>, products: &mut [T]) {
    for (frame, products) in frames.iter().zip(products.chunks_exact_mut(rows.n_rows())) {
        for (n, product) in products.iter_mut().enumerate().filter(|(_, product)| !(**product).into().is_finite()) {
            let [row] = rows.get(n);
            let counts = |(&pixel, &number): (&T, &T)| if number == T::zeroed() { T::zeroed() } else { pixel };
            let frame: Vec<T> = frame.iter().zip(row).map(counts).collect();
            let row = Rows { numbers: row, pitch: row.len(), start: 0, len: row.len() };
            T::multiply()(&[&frame], row, std::slice::from_mut(product), &mut Ahead::default());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::pixels::testing::Frames, *};

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

    fn all(matrix: &Matrix, tile: &dyn HostTile) -> Vec<f64> {
        matrix.products(tile, Zeros::Multiplied, usize::MAX, || true).unwrap()
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
                let tile = |bytes, dtype, is_stored| Frames { bytes, dtype, n_pixels, block: block.clone(), is_stored };
                let products = all(&matrix, &tile(bytemuck::cast_slice(&pixels), Dtype::U16, true));
                let as_f32: Vec<f32> = pixels.iter().copied().map(f32::from).collect();
                for is_stored in [false, true] {
                    let counts = tile(bytemuck::cast_slice(&pixels), Dtype::U16, is_stored);
                    let numbers = tile(bytemuck::cast_slice(&as_f32), Dtype::F32, is_stored);
                    assert_eq!(all(&matrix, &counts), products, "{n_rows} {n_pixels} {is_stored}");
                    assert_eq!(all(&matrix, &numbers), products, "{n_rows} {n_pixels} {is_stored}");
                }
                assert_eq!(products.len(), expected.len());
                for (product, expected) in products.iter().zip(&expected) {
                    assert!((product - expected).abs() < 1e-5 * largest, "{product} {expected} {n_rows} {n_pixels}");
                }
            }
        }
    }

    #[test]
    fn a_frame_alone_gives_the_bits_of_a_frame_among_others() {
        let (n_pixels, n_frames) = (1500, 200);
        for n_rows in [1, 2, 9, 33] {
            let ((matrix, _), pixels) = (matrix(n_rows, n_pixels), counts(n_frames * n_pixels));
            let of = |pixels: &[u16]| all(&matrix, &Frames::new(pixels, n_pixels));
            let together = of(&pixels);
            for n_together in [1, 3, 64] {
                let apart: Vec<f64> = pixels.chunks(n_together * n_pixels).flat_map(of).collect();
                assert_eq!(together, apart, "{n_together} frames at a time");
            }
        }
    }

    #[test]
    fn pixels_where_a_row_is_zero_can_be_left_out() {
        let (n_rows, n_pixels) = (5, 1500);
        let (_, mut rows) = matrix(n_rows, n_pixels);
        for row in rows.chunks_mut(n_pixels).skip(1) {
            row[7] = 0.0;
            row[1400] = -0.0;
        }
        let mut matrix = Matrix::new(Dtype::F32, n_pixels as u64).unwrap();
        matrix.append(bytemuck::cast_slice(&rows)).unwrap();
        let mut pixels: Vec<f32> = counts(6 * n_pixels).into_iter().map(f32::from).collect();
        let products = |pixels: &[f32], zeros| {
            let (bytes, block) = (bytemuck::cast_slice(pixels), 0..n_pixels);
            let tile = Frames { bytes, dtype: Dtype::F32, n_pixels, block, is_stored: true };
            matrix.products(&tile, zeros, usize::MAX, || true).unwrap()
        };
        for frame in pixels.chunks_mut(n_pixels) {
            (frame[7], frame[1400]) = (0.0, 0.0);
        }
        let expected = products(&pixels, Zeros::Multiplied);
        (pixels[2 * n_pixels + 7], pixels[2 * n_pixels + 1400]) = (f32::NAN, f32::INFINITY);
        let (multiplied, left_out) = (products(&pixels, Zeros::Multiplied), products(&pixels, Zeros::LeftOut));
        for (i, expected) in expected.iter().enumerate() {
            // The first row has no zero there.
            let (is_broken, is_seen) = (i / n_rows == 2, i % n_rows == 0);
            assert_eq!(multiplied[i].is_nan(), is_broken, "{i}");
            assert!(
                if is_broken && is_seen { left_out[i].is_nan() } else { left_out[i].to_bits() == expected.to_bits() },
                "{i}"
            );
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        assert!(Matrix::new(Dtype::U16, 2).unwrap_err().to_string().contains("only those of f32 and f64"));
        let (mut matrix, _) = matrix(4, 10);
        assert!(matrix.append(&[0; 6]).unwrap_err().to_string().contains("no whole numbers"));
        let pixels = counts(20);
        let tile = |n_pixels| Frames::new(&pixels, n_pixels);
        let products = |matrix: &Matrix, n_pixels, limit| {
            matrix.products(&tile(n_pixels), Zeros::Multiplied, limit, || true).map_err(|error| error.to_string())
        };
        let error = |n_pixels, limit| products(&matrix, n_pixels, limit).unwrap_err();
        assert!(error(5, 1000).contains("frames of 5 pixels with a matrix of 40 numbers in rows of 10"));
        assert!(error(10, 63).contains("2 x 4 products, which are more than 63 bytes"));
        let stopped = matrix.products(&tile(10), Zeros::Multiplied, usize::MAX, || false);
        assert!(matches!(stopped, Err(MatrixError::Stopped)));
        matrix.append(&[0; 4]).unwrap();
        assert!(products(&matrix, 10, usize::MAX).unwrap_err().contains("41 numbers in rows of 10"));
        for n_columns in [0, u64::MAX] {
            let empty = Matrix::new(Dtype::F64, n_columns).unwrap();
            assert!(products(&empty, 10, usize::MAX).is_err());
        }
        assert!(products(&Matrix::new(Dtype::F64, 10).unwrap(), 10, usize::MAX).unwrap().is_empty());
    }
}
