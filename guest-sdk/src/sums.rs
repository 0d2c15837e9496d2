//! Sums that the host computes.

use crate::{Dtype, Error, Partial, Result, Tile};

/// Within [`Udf::process`](crate::Udf::process): the sum of each frame of the tile over the pixels of its block, added up as
/// numbers of `dtype`, `f32` or `f64`. The same bits as those of [`kernels::sum_as`](crate::kernels::sum_as), computed outside of
/// the sandbox, straight from the files.
///
/// A UDF that needs no pixels itself asks for none, by [`Preferences::in_host`](crate::Preferences::in_host).
///
/// # Errors
///
/// For other dtypes, and for complex pixels.
pub fn frame_sums(tile: &Tile, dtype: Dtype) -> Result<Vec<f64>> {
    check(dtype)?;
    imp::frame_sums(tile, dtype)
}

/// Sums over frames, one for each pixel of a frame, that the host keeps. The same bits as those of
/// [`kernels::add_frames_as`](crate::kernels::add_frames_as), computed outside of the sandbox, straight from the files.
///
/// A UDF that needs no pixels itself asks for none, by [`Preferences::in_host`](crate::Preferences::in_host).
#[derive(Debug)]
pub struct PixelSums {
    dtype: Dtype,
    n_pixels: usize,
    kept: imp::Kept,
}

impl PixelSums {
    /// Zeros of `dtype`, `f32` or `f64`, for frames of `n_pixels`.
    ///
    /// # Errors
    ///
    /// For other dtypes.
    pub fn new(dtype: Dtype, n_pixels: usize) -> Result<Self> {
        check(dtype)?;
        Ok(Self { dtype, n_pixels, kept: imp::Kept::new(dtype, n_pixels) })
    }

    /// Within [`Udf::process`](crate::Udf::process): adds each frame of the tile.
    ///
    /// # Errors
    ///
    /// For complex pixels.
    pub fn add(&mut self, tile: &Tile) -> Result<()> {
        self.kept.add(tile)
    }

    /// Within [`Udf::end`](crate::Udf::end): hands the sums over as sig buffer `name`, which is of their dtype and declared
    /// [`by_parts`](crate::Buffer::by_parts), and makes zeros of them for the next partition.
    ///
    /// # Errors
    ///
    /// Where there is no such buffer.
    pub fn emit(&mut self, name: &str, out: &Partial) -> Result<()> {
        /// Sums that are handed over at once.
        const EMITTED: usize = 1 << 13;
        if out.dtype(name)? != self.dtype {
            return Err(Error::new(format!("buffer `{name}` is of {}, and sums of {}", out.dtype(name)?, self.dtype)));
        }
        for start in (0..self.n_pixels).step_by(EMITTED) {
            let bytes = self.kept.read(start, EMITTED.min(self.n_pixels - start));
            out.emit_bytes(name, start as u64, &bytes)?;
        }
        self.kept.clear();
        Ok(())
    }
}

fn check(dtype: Dtype) -> Result<()> {
    match dtype {
        Dtype::F32 | Dtype::F64 => Ok(()),
        _ => Err(Error::new(format!("the host adds in f32 and f64, not in {dtype}"))),
    }
}

#[cfg(target_arch = "wasm32")]
mod imp {
    //! The imports. The host does not lie: it gives as many numbers as the contract says.
    #![expect(clippy::unnecessary_wraps, reason = "the stand-ins see what the host would refuse")]

    use crate::{Dtype, Result, Tile, bindings::lthost::udf::kernels};

    pub(super) fn frame_sums(_: &Tile, dtype: Dtype) -> Result<Vec<f64>> {
        Ok(kernels::frame_sums(dtype.into()))
    }

    #[derive(Debug)]
    pub(super) struct Kept(kernels::PixelSums);

    impl Kept {
        pub(super) fn new(dtype: Dtype, n_pixels: usize) -> Self {
            Self(kernels::PixelSums::new(dtype.into(), n_pixels as u64))
        }

        pub(super) fn add(&mut self, _: &Tile) -> Result<()> {
            self.0.add_tile();
            Ok(())
        }

        pub(super) fn read(&self, start: usize, len: usize) -> Vec<u8> {
            self.0.read(start as u64, len as u64)
        }

        pub(super) fn clear(&mut self) {
            self.0.clear();
        }
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod imp {
    //! Stand-ins: the SDK's own loops.

    use crate::{Dtype, Numbers, Part, Real, Result, Tile, cast, each_pixel, each_real, kernels};

    pub(super) fn frame_sums(tile: &Tile, dtype: Dtype) -> Result<Vec<f64>> {
        if let (Dtype::F32, Some(pixels)) = (dtype, converted::<f32>(tile)?) {
            return Ok(pixels.chunks_exact(tile.block_len()).map(kernels::sum).collect());
        }
        if let (Dtype::F64, Some(pixels)) = (dtype, converted::<f64>(tile)?) {
            return Ok(pixels.chunks_exact(tile.block_len()).map(kernels::sum).collect());
        }
        if dtype == Dtype::F32 {
            each_pixel!(tile.pixels(), f32, |pixels| tile.rows(pixels).map(kernels::sum_as::<f32, _>).collect())
        } else {
            each_pixel!(tile.pixels(), f64, |pixels| tile.rows(pixels).map(kernels::sum_as::<f64, _>).collect())
        }
    }

    #[derive(Debug)]
    pub(super) enum Kept {
        F32(Vec<f32>),
        F64(Vec<f64>),
    }

    impl Kept {
        pub(super) fn new(dtype: Dtype, n_pixels: usize) -> Self {
            if dtype == Dtype::F32 { Self::F32(vec![0.0; n_pixels]) } else { Self::F64(vec![0.0; n_pixels]) }
        }

        pub(super) fn add(&mut self, tile: &Tile) -> Result<()> {
            let block = tile.sig_start()..tile.sig_start() + tile.block_len();
            match self {
                Self::F32(sums) => {
                    let sums = &mut sums[block];
                    if let Some(pixels) = converted::<f32>(tile)? {
                        kernels::add_frames(sums, &pixels);
                        return Ok(());
                    }
                    each_pixel!(tile.pixels(), f32, |pixels| kernels::add_frames_as(sums, pixels))
                }
                Self::F64(sums) => {
                    let sums = &mut sums[block];
                    if let Some(pixels) = converted::<f64>(tile)? {
                        kernels::add_frames(sums, &pixels);
                        return Ok(());
                    }
                    each_pixel!(tile.pixels(), f64, |pixels| kernels::add_frames_as(sums, pixels))
                }
            }
        }

        pub(super) fn read(&self, start: usize, len: usize) -> Vec<u8> {
            match self {
                Self::F32(sums) => cast::bytes(&sums[start..start + len]).to_vec(),
                Self::F64(sums) => cast::bytes(&sums[start..start + len]).to_vec(),
            }
        }

        pub(super) fn clear(&mut self) {
            match self {
                Self::F32(sums) => sums.fill(0.0),
                Self::F64(sums) => sums.fill(0.0),
            }
        }
    }

    /// The pixels as numbers in which is added up; none where kernels take them as they are.
    fn converted<T: Part>(tile: &Tile) -> Result<Option<Vec<T>>> {
        let pixels = tile.pixels();
        let is_count = matches!(pixels, Numbers::U8(_) | Numbers::I8(_) | Numbers::U16(_) | Numbers::I16(_));
        if is_count || pixels.dtype() == T::DTYPE {
            return Ok(None);
        }
        each_real!(pixels, |pixels| Some(pixels.iter().map(|pixel| T::from_f64(pixel.to_f64())).collect()))
    }
}
