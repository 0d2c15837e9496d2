//! What is added up of each pixel while the tiles of a partition come in.

use std::ops::Range;

use lthost_guest_sdk::prelude::*;

/// Moments over the frames of the partition, for each pixel.
pub(crate) enum Sums {
    /// Of real numbers, by the host.
    InHost(PixelMoments),
    /// Of real and imaginary parts in turn.
    Parts(kernels::Moments),
}

impl Sums {
    /// For frames of `n_pixels` of `dtype`.
    pub(crate) fn new(dtype: Dtype, n_pixels: usize) -> Result<Self> {
        if dtype.is_complex() {
            Ok(Self::Parts(kernels::Moments::new(dtype.part(), 2 * n_pixels)))
        } else {
            PixelMoments::new(dtype, n_pixels).map(Self::InHost)
        }
    }

    pub(crate) fn clear(&mut self) {
        match self {
            Self::InHost(moments) => moments.clear(),
            Self::Parts(moments) => moments.clear(),
        }
    }

    pub(crate) fn add(&mut self, tile: &Tile) -> Result<()> {
        match self {
            Self::InHost(moments) => moments.add(tile),
            Self::Parts(moments) => {
                let block = 2 * tile.sig_start()..2 * (tile.sig_start() + tile.block_len());
                moments.add(block, tile.pixels().parts())
            }
        }
    }

    /// Sums of the pixels, and of their squared distances from their mean, over `n_frames`.
    pub(crate) fn moments(&self, block: Range<usize>, n_frames: u64) -> (Vec<f64>, Vec<f64>) {
        match self {
            Self::InHost(moments) => moments.read(block, n_frames),
            Self::Parts(moments) => moments.read(block, n_frames),
        }
    }
}
