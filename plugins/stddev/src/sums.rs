//! What is added up of each pixel while the tiles of a partition come in.

use std::ops::Range;

use lthost_guest_sdk::prelude::*;

/// Sums over the frames of the partition, for each pixel; real and imaginary parts in turn.
pub(crate) enum Sums {
    /// Of real numbers, by the host.
    InHost(PixelMoments),
    /// Of distances from the first frame.
    Distances { origin: Vec<f64>, sum: Vec<f64>, squares: Vec<f64> },
}

impl Sums {
    /// For frames of `n_pixels` of `dtype`.
    pub(crate) fn new(dtype: Dtype, n_pixels: usize) -> Result<Self> {
        if !dtype.is_complex() {
            return PixelMoments::new(dtype, n_pixels).map(Self::InHost);
        }
        let zeros = || vec![0.0; 2 * n_pixels];
        Ok(Self::Distances { origin: zeros(), sum: zeros(), squares: zeros() })
    }

    pub(crate) fn clear(&mut self) {
        match self {
            Self::InHost(moments) => moments.clear(),
            Self::Distances { sum, squares, .. } => {
                sum.fill(0.0);
                squares.fill(0.0);
            }
        }
    }

    /// `is_first` of its block in the partition.
    pub(crate) fn add(&mut self, tile: &Tile, is_first: bool) -> Result<()> {
        match self {
            Self::InHost(moments) => moments.add(tile),
            Self::Distances { origin, sum, squares } => {
                let block = 2 * tile.sig_start()..2 * (tile.sig_start() + tile.block_len());
                let (sum, squares) = (&mut sum[block.clone()], &mut squares[block.clone()]);
                let origin = &mut origin[block];
                match tile.pixels().parts() {
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
            Self::InHost(moments) => moments.read(block, n_frames),
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
