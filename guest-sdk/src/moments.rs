//! What mean and spread are made of, added up by the host.

use std::ops::Range;

use crate::{Dtype, Error, Result, Tile};

/// What the mean and the spread of each pixel over the frames are made of, kept by the host. The same bits as those of
/// [`kernels::add_squares`](crate::kernels::add_squares) and [`kernels::add_distances`](crate::kernels::add_distances), computed
/// outside of the sandbox, straight from the files.
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

fn is_count(dtype: Dtype) -> bool {
    matches!(dtype, Dtype::U8 | Dtype::I8 | Dtype::U16 | Dtype::I16)
}

/// Sums and spreads of counts.
#[expect(clippy::cast_precision_loss, reason = "rounded once")]
fn of_counts(n_frames: u64, sums: &[i64], squares: &[u64]) -> (Vec<f64>, Vec<f64>) {
    let mut spreads = vec![0.0; sums.len()];
    crate::kernels::spreads_of_counts(n_frames, sums, squares, &mut spreads);
    (sums.iter().map(|&sum| sum as f64).collect(), spreads)
}

/// Sums and spreads of numbers by their distances from `origins`.
#[expect(clippy::cast_precision_loss, reason = "no scan has 2^53 frames")]
fn of_distances(n_frames: u64, origins: &[f64], sums: &[f64], squares: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let mut spreads = vec![0.0; sums.len()];
    crate::kernels::spreads(n_frames, sums, squares, &mut spreads);
    let origins = origins.iter().map(|origin| if n_frames > 0 { origin * n_frames as f64 } else { 0.0 });
    (sums.iter().zip(origins).map(|(sum, origin)| sum + origin).collect(), spreads)
}

#[cfg(target_arch = "wasm32")]
mod imp {
    //! The imports. The host does not lie: it gives as many numbers as the contract says.
    #![expect(clippy::unnecessary_wraps, reason = "the stand-in sees what the host would refuse")]

    use std::{borrow::Cow, ops::Range};

    use super::{is_count, of_counts, of_distances};
    use crate::{Dtype, Element, Result, Tile, bindings::lthost::udf::kernels, cast};

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

    use super::{is_count, of_counts, of_distances};
    use crate::{Dtype, Numbers, Part, Real, Result, Tile, each_count, each_real, kernels};

    #[derive(Debug)]
    pub(super) enum Kept {
        Counts {
            sums: Vec<i64>,
            squares: Vec<u64>,
        },
        /// `origins` are NaN as long as there is no frame.
        Distances {
            origins: Vec<f64>,
            sums: Vec<f64>,
            squares: Vec<f64>,
        },
    }

    impl Kept {
        pub(super) fn new(pixels: Dtype, n: usize) -> Self {
            if is_count(pixels) {
                Self::Counts { sums: vec![0; n], squares: vec![0; n] }
            } else {
                Self::Distances { origins: vec![f64::NAN; n], sums: vec![0.0; n], squares: vec![0.0; n] }
            }
        }

        pub(super) fn add(&mut self, tile: &Tile) -> Result<()> {
            let block = tile.sig_start()..tile.sig_start() + tile.block_len();
            match self {
                Self::Counts { sums, squares } => {
                    let (sums, squares) = (&mut sums[block.clone()], &mut squares[block]);
                    each_count!(tile.pixels(), |pixels| kernels::add_squares(sums, squares, pixels))
                }
                Self::Distances { origins, sums, squares } => {
                    let (sums, squares) = (&mut sums[block.clone()], &mut squares[block.clone()]);
                    let origins = &mut origins[block];
                    match tile.pixels() {
                        Numbers::F32(pixels) => add_distances(origins, sums, squares, pixels),
                        Numbers::F64(pixels) => add_distances(origins, sums, squares, pixels),
                        other => each_real!(other, |pixels| {
                            let pixels: Vec<f64> = pixels.iter().map(|pixel| pixel.to_f64()).collect();
                            add_distances(origins, sums, squares, &pixels);
                        })?,
                    }
                    Ok(())
                }
            }
        }

        pub(super) fn read(&self, pixels: Range<usize>, n_frames: u64) -> (Vec<f64>, Vec<f64>) {
            match self {
                Self::Counts { sums, squares } => of_counts(n_frames, &sums[pixels.clone()], &squares[pixels]),
                Self::Distances { origins, sums, squares } => {
                    of_distances(n_frames, &origins[pixels.clone()], &sums[pixels.clone()], &squares[pixels])
                }
            }
        }

        pub(super) fn clear(&mut self) {
            match self {
                Self::Counts { sums, squares } => {
                    sums.fill(0);
                    squares.fill(0);
                }
                Self::Distances { origins, sums, squares } => {
                    origins.fill(f64::NAN);
                    sums.fill(0.0);
                    squares.fill(0.0);
                }
            }
        }
    }

    /// Distances are taken from the first frame; where it has no finite number, from zero.
    fn add_distances<T: Part>(origins: &mut [f64], sums: &mut [f64], squares: &mut [f64], pixels: &[T]) {
        if origins.first().is_some_and(|origin| origin.is_nan()) {
            for (origin, pixel) in origins.iter_mut().zip(pixels) {
                let pixel = pixel.to_f64();
                *origin = if pixel.is_finite() { pixel } else { 0.0 };
            }
        }
        kernels::add_distances(origins, sums, squares, pixels);
    }
}
