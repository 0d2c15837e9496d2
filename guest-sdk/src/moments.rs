//! What mean and spread are made of, added up by the host.

use std::ops::Range;

use crate::{Dtype, Error, Result, Tile};

/// What the mean and the spread of each pixel over the frames are made of, kept by the host. The same bits as those of
/// [`kernels::Moments`](crate::kernels::Moments), computed outside of the sandbox, straight from the files.
///
/// A UDF that needs no pixels itself asks for none, by [`Preferences::in_host`](crate::Preferences::in_host).
#[derive(Debug)]
pub struct PixelMoments(imp::Kept);

impl PixelMoments {
    /// Of no frame yet, for frames of `n_pixels` that are `pixels`: what [`Preferences::native`](crate::Preferences::native) gives.
    ///
    /// # Errors
    ///
    /// For complex pixels.
    pub fn new(pixels: Dtype, n_pixels: usize) -> Result<Self> {
        if pixels.is_complex() {
            return Err(Error::new(format!("the host has no moments of {pixels}")));
        }
        Ok(Self(imp::Kept::new(pixels, n_pixels)))
    }

    /// Within [`Udf::process`](crate::Udf::process): adds each frame of the tile.
    ///
    /// # Errors
    ///
    /// Where pixels are of another dtype.
    pub fn add(&mut self, tile: &Tile) -> Result<()> {
        self.0.add(tile)
    }

    /// Of some pixels the sums over `n_frames` frames, as many as were added, and the sums of the squared distances from their mean.
    ///
    /// # Panics
    ///
    /// Where there are no such pixels.
    pub fn read(&self, pixels: Range<usize>, n_frames: u64) -> (Vec<f64>, Vec<f64>) {
        self.0.read(pixels, n_frames)
    }

    /// As if there had been no frame, for the next partition.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(target_arch = "wasm32")]
mod imp {
    //! The imports. The host does not lie: it gives as many numbers as the contract says.
    #![expect(clippy::unnecessary_wraps, reason = "the stand-in sees what the host would refuse")]

    use std::{borrow::Cow, ops::Range};

    use crate::{
        Dtype, Element, Result, Tile,
        bindings::lthost::udf::kernels,
        cast,
        kernels::kept::{is_count, of_counts, of_distances},
    };

    #[derive(Debug)]
    pub(super) struct Kept {
        is_count: bool,
        moments: kernels::PixelMoments,
    }

    impl Kept {
        pub(super) fn new(pixels: Dtype, n_pixels: usize) -> Self {
            let moments = kernels::PixelMoments::new(pixels.into(), n_pixels as u64);
            Self { is_count: is_count(pixels), moments }
        }

        pub(super) fn add(&mut self, _: &Tile) -> Result<()> {
            self.moments.add_tile();
            Ok(())
        }

        pub(super) fn read(&self, pixels: Range<usize>, n_frames: u64) -> (Vec<f64>, Vec<f64>) {
            let bytes = self.moments.read(pixels.start as u64, pixels.len() as u64);
            if self.is_count {
                let (sums, squares) = bytes.split_at(bytes.len() / 2);
                return of_counts(n_frames, &numbers(sums), &numbers(squares));
            }
            let (origins, rest) = bytes.split_at(bytes.len() / 3);
            let (sums, squares) = rest.split_at(rest.len() / 2);
            of_distances(n_frames, &numbers(origins), &numbers(sums), &numbers(squares))
        }

        pub(super) fn clear(&mut self) {
            self.moments.clear();
        }
    }

    /// Numbers wherever they lie.
    fn numbers<T: Element>(bytes: &[u8]) -> Cow<'_, [T]> {
        cast::numbers(bytes).map_or_else(
            || {
                let mut numbers = vec![T::ZERO; bytes.len() / size_of::<T>()];
                cast::bytes_mut(&mut numbers).copy_from_slice(bytes);
                Cow::Owned(numbers)
            },
            Cow::Borrowed,
        )
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod imp {
    //! A stand-in: the SDK's own loops.

    use std::ops::Range;

    use crate::{Dtype, Result, Tile, kernels::Moments};

    #[derive(Debug)]
    pub(super) struct Kept(Moments);

    impl Kept {
        pub(super) fn new(pixels: Dtype, n_pixels: usize) -> Self {
            Self(Moments::new(pixels, n_pixels))
        }

        pub(super) fn add(&mut self, tile: &Tile) -> Result<()> {
            self.0.add(tile.sig_start()..tile.sig_start() + tile.block_len(), tile.pixels())
        }

        pub(super) fn read(&self, pixels: Range<usize>, n_frames: u64) -> (Vec<f64>, Vec<f64>) {
            self.0.read(pixels, n_frames)
        }

        pub(super) fn clear(&mut self) {
            self.0.clear();
        }
    }
}
