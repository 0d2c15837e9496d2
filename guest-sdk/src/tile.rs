//! A tile: the unit of a call of [`Udf::process`](crate::Udf::process).

use std::{rc::Rc, slice::ChunksExact};

use crate::{Array, Csr, Dtype, Element, Error, Meta, Numbers, Result, bindings::Values, host};

/// A block of pixels of consecutive frames of one partition.
///
/// The block is contiguous in a frame: pixel `i` of the block is pixel `sig_start + i` of the flat frame.
#[derive(Debug)]
pub struct Tile {
    pub(crate) meta: Rc<Meta>,
    pub(crate) roi_start: usize,
    pub(crate) n_frames: usize,
    pub(crate) frames: Frames,
    pub(crate) sig_start: usize,
    pub(crate) sig_origin: Vec<usize>,
    pub(crate) sig_shape: Vec<usize>,
    pub(crate) sig_index: usize,
    /// The AUX parameters that were given, with their names.
    pub(crate) aux: Vec<(String, Array)>,
    pub(crate) pixels: Content,
}

/// The pixels of a tile.
#[derive(Debug)]
pub(crate) enum Content {
    /// Shape `(n_frames, ...sig_shape)`.
    Dense(Values),
    /// The same, little-endian, from a byte of the memory on that the host gave for tiles.
    Window { memory: Rc<Vec<u8>>, start: usize, dtype: Dtype },
    /// A row for each frame.
    Csr { indptr: Vec<u32>, indices: Vec<u32>, values: Values },
    /// None: they stay in the host.
    InHost,
}

/// Which frames a tile holds, as frame index.
#[derive(Debug)]
pub(crate) enum Frames {
    /// This one and those that follow.
    Consecutive(usize),
    /// One number per frame.
    Listed(Vec<usize>),
}

impl Tile {
    /// The pixels: shape `(n_frames, ...sig_shape)`.
    ///
    /// # Panics
    ///
    /// If the UDF asked for sparse tiles, or for none.
    pub fn pixels(&self) -> Numbers<'_> {
        match &self.pixels {
            Content::Dense(values) => Numbers::of(values),
            Content::Window { memory, start, dtype } => {
                self.in_window(memory, *start, *dtype).expect("`checked` has seen that they are there")
            }
            #[expect(clippy::panic, reason = "a mistake of the UDF's, the same in every call")]
            Content::Csr { .. } => panic!("sparse tiles were asked for: `tile.csr()` has their pixels"),
            #[expect(clippy::panic, reason = "a mistake of the UDF's, the same in every call")]
            Content::InHost => panic!("the pixels stay in the host, as `Preferences::in_host` asks for"),
        }
    }

    /// The pixels, if the window has them where the host says.
    fn in_window<'a>(&self, memory: &'a [u8], start: usize, dtype: Dtype) -> Option<Numbers<'a>> {
        let n_bytes = self.n_pixels()?.checked_mul(dtype.size())?;
        Numbers::of_bytes(memory.get(start..start.checked_add(n_bytes)?)?, dtype)
    }

    /// Pixels of all frames, as the host states it; none if no memory can have so many.
    fn n_pixels(&self) -> Option<usize> {
        let block_len = self.sig_shape.iter().try_fold(1_usize, |size, &extent| size.checked_mul(extent))?;
        block_len.checked_mul(self.n_frames)
    }

    /// The pixels as `T`, for a UDF that asks for exactly this dtype.
    ///
    /// # Errors
    ///
    /// If they are of another one.
    pub fn pixels_as<T: Element>(&self) -> Result<&[T]> {
        let pixels = self.pixels();
        let other =
            || Error::new(format!("tiles are {}: ask for {} by `Preferences::exactly`", pixels.dtype(), T::DTYPE));
        pixels.as_slice().ok_or_else(other)
    }

    /// The pixels that are not zero, as a row for each frame.
    ///
    /// # Errors
    ///
    /// If the UDF did not ask for them by [`Preferences::csr`](crate::Preferences::csr).
    pub fn csr(&self) -> Result<Csr<'_>> {
        match &self.pixels {
            Content::Csr { indptr, indices, values } => Ok(Csr::new(indptr, indices, Numbers::of(values))),
            Content::Dense(_) | Content::Window { .. } | Content::InHost => {
                Err(Error::new("tiles are dense: ask for sparse ones by `Preferences::csr`"))
            }
        }
    }

    /// Splits pixels of this tile, or entries of its frames, into one slice per frame.
    pub fn rows<'a, T>(&self, pixels: &'a [T]) -> ChunksExact<'a, T> {
        pixels.chunks_exact((pixels.len() / self.n_frames.max(1)).max(1))
    }

    /// First frame, as ROI index. The others follow without gap.
    pub fn roi_start(&self) -> usize {
        self.roi_start
    }

    /// Number of frames.
    pub fn n_frames(&self) -> usize {
        self.n_frames
    }

    /// First pixel of the block in the flat frame.
    pub fn sig_start(&self) -> usize {
        self.sig_start
    }

    /// Content of the block: the product of `sig_shape`.
    pub fn block_len(&self) -> usize {
        self.sig_shape.iter().product()
    }

    /// Where the block starts on each sig axis.
    pub fn sig_origin(&self) -> &[usize] {
        &self.sig_origin
    }

    /// Extent of the block on each sig axis.
    pub fn sig_shape(&self) -> &[usize] {
        &self.sig_shape
    }

    /// Number of the block: the same number, the same block, in all tiles of a run.
    pub fn sig_index(&self) -> usize {
        self.sig_index
    }

    /// The frame index of each frame: its place among all frames of the scan.
    pub fn frame_indices(&self) -> impl Iterator<Item = usize> {
        (0..self.n_frames).map(|i| match &self.frames {
            Frames::Consecutive(first) => first + i,
            Frames::Listed(indices) => indices[i],
        })
    }

    /// Where each frame is in the scan: an index for each nav axis.
    pub fn coordinates(&self) -> impl Iterator<Item = Vec<usize>> {
        self.frame_indices().map(|frame| unravel(frame, &self.meta.nav_shape))
    }

    /// The entries of AUX parameter `name` for these frames, shape `(n_frames, ...extra)`; none if it was not given.
    ///
    /// # Errors
    ///
    /// Where its dtype is not `T`.
    pub fn aux<T: Element>(&self, name: &str) -> Result<Option<&[T]>> {
        let Some((_, array)) = self.aux.iter().find(|(known, _)| known == name) else { return Ok(None) };
        let slice = array.as_slice();
        let wrong = || Error::new(format!("AUX data `{name}` are {}, and were used as {}", array.dtype(), T::DTYPE));
        slice.ok_or_else(wrong).map(Some)
    }

    /// Holds the sizes that the host stated against each other.
    pub(crate) fn checked(self) -> Result<Self> {
        let listed = match &self.frames {
            Frames::Consecutive(_) => self.n_frames,
            Frames::Listed(indices) => indices.len(),
        };
        let fits = match &self.pixels {
            Content::Dense(values) => self.n_pixels() == Some(Numbers::of(values).len()),
            Content::Window { memory, start, dtype } => self.in_window(memory, *start, *dtype).is_some(),
            Content::Csr { .. } => self.csr()?.fits(self.n_frames),
            Content::InHost => true,
        };
        if listed != self.n_frames || !fits {
            return Err(host::fault("the sizes of a tile contradict each other"));
        }
        Ok(self)
    }
}

/// The index on each axis of the element that is number `flat` in C order.
pub(crate) fn unravel(mut flat: usize, shape: &[usize]) -> Vec<usize> {
    let mut index = vec![0; shape.len()];
    for (place, &extent) in index.iter_mut().zip(shape).rev() {
        *place = flat % extent.max(1);
        flat /= extent.max(1);
    }
    index
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_axis_is_fastest() {
        assert_eq!(unravel(0, &[3, 4, 5]), [0, 0, 0]);
        assert_eq!(unravel(27, &[3, 4, 5]), [1, 1, 2]);
        assert_eq!(unravel(59, &[3, 4, 5]), [2, 3, 4]);
    }
}
