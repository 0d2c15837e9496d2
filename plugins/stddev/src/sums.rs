//! What is added up of each pixel while the tiles of a partition come in.

use std::ops::Range;

use lthost_guest_sdk::prelude::*;

/// Sums over the frames of the partition, for each pixel; real and imaginary parts in turn.
pub(crate) enum Sums {
    /// Of counts, exact.
    Counts { sum: Vec<i64>, squares: Vec<u64> },
    /// Of distances from the first frame.
    Distances { origin: Vec<f64>, sum: Vec<f64>, squares: Vec<f64> },
}

impl Sums {
    /// For frames of `n_pixels` of `dtype`.
    pub(crate) fn new(dtype: Dtype, n_pixels: usize) -> Self {
        match dtype {
            Dtype::U8 | Dtype::I8 | Dtype::U16 | Dtype::I16 => {
                Self::Counts { sum: vec![0; n_pixels], squares: vec![0; n_pixels] }
            }
            _ => {
                let zeros = || vec![0.0; if dtype.is_complex() { 2 * n_pixels } else { n_pixels }];
                Self::Distances { origin: zeros(), sum: zeros(), squares: zeros() }
            }
        }
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Counts { sum, .. } => sum.len(),
            Self::Distances { sum, .. } => sum.len(),
        }
    }

    pub(crate) fn clear(&mut self) {
        match self {
            Self::Counts { sum, squares } => {
                sum.fill(0);
                squares.fill(0);
            }
            Self::Distances { sum, squares, .. } => {
                sum.fill(0.0);
                squares.fill(0.0);
            }
        }
    }

    /// `is_first` of its block in the partition.
    pub(crate) fn add(&mut self, tile: &Tile, is_first: bool) -> Result<()> {
        let pixels = tile.pixels().parts();
        let n_parts = if tile.pixels().dtype().is_complex() { 2 } else { 1 };
        let start = tile.sig_start() * n_parts;
        let block = start..start + tile.block_len() * n_parts;
        match self {
            Self::Counts { sum, squares } => {
                let (sum, squares) = (&mut sum[block.clone()], &mut squares[block]);
                each_count!(pixels, |pixels| kernels::add_squares(sum, squares, pixels))
            }
            Self::Distances { origin, sum, squares } => {
                let (sum, squares) = (&mut sum[block.clone()], &mut squares[block.clone()]);
                let origin = &mut origin[block];
                match pixels {
                    Numbers::F32(pixels) => add_distances(is_first, origin, sum, squares, pixels),
                    Numbers::F64(pixels) => add_distances(is_first, origin, sum, squares, pixels),
                    other => return Err(Error::new(format!("stddev cannot take {}", other.dtype()))),
                }
                Ok(())
            }
        }
    }

    /// Sums of the pixels, and of their squared distances from their mean, over `n_frames`.
    pub(crate) fn moments(&self, block: Range<usize>, n_frames: u64) -> (Vec<f64>, Vec<f64>) {
        match self {
            Self::Counts { sum, squares } => {
                let mut spreads = vec![0.0; block.len()];
                kernels::spreads_of_counts(n_frames, &sum[block.clone()], &squares[block.clone()], &mut spreads);
                (sum[block].iter().map(|&sum| sum as f64).collect(), spreads)
            }
            Self::Distances { origin, sum, squares } => {
                let mut spreads = vec![0.0; block.len()];
                kernels::spreads(n_frames, &sum[block.clone()], &squares[block.clone()], &mut spreads);
                let origins = origin[block.clone()].iter().map(|origin| origin * n_frames as f64);
                (sum[block].iter().zip(origins).map(|(sum, origin)| sum + origin).collect(), spreads)
            }
        }
    }
}

/// Distances are taken from the first frame; where it has no finite number, from zero.
fn add_distances<T: Part>(is_first: bool, origin: &mut [f64], sum: &mut [f64], squares: &mut [f64], pixels: &[T]) {
    if is_first {
        for (origin, pixel) in origin.iter_mut().zip(pixels) {
            let pixel = pixel.to_f64();
            *origin = if pixel.is_finite() { pixel } else { 0.0 };
        }
    }
    kernels::add_distances(origin, sum, squares, pixels);
}
