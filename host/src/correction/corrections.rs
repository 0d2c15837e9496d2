//! `(pixel - dark) * gain`, then excluded pixels become the mean of their good neighbours.

use std::ops::Range;

use super::patch::{Patch, patches};
use crate::{
    dataset::{Dataset, DatasetError},
    shape::{Array, Dtype, DtypeKind, FrameIdx, Shape, cast},
};

/// Corrections of a detector. The default has none.
#[derive(Debug, Clone, Default)]
pub struct Corrections {
    /// Taken away from each pixel of a frame.
    dark: Option<Vec<f64>>,
    /// Each pixel is then multiplied by this.
    gain: Option<Vec<f64>>,
    /// Excluded pixels, ascending, with the pixels that they are the mean of.
    patches: Vec<Patch>,
}

/// Why corrections can't be applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CorrectionError {
    /// An array of another shape than a frame has.
    #[error("{what} has shape {found}, but a frame has shape {sig}")]
    Shape {
        /// Dark frame, gain map, or excluded pixels.
        what: &'static str,
        /// Its shape.
        found: Shape,
        /// Shape of a frame.
        sig: Shape,
    },
    /// An array of numbers that can't be used.
    #[error("{what} has dtype {dtype}, expected {expected}")]
    Dtype {
        /// Dark frame, gain map, or excluded pixels.
        what: &'static str,
        /// Its dtype.
        dtype: Dtype,
        /// What would do.
        expected: &'static str,
    },
    /// An excluded pixel all of whose neighbours are excluded.
    #[error(
        "excluded pixel {pixel} (of the flat frame) can't be patched: all its neighbours are excluded, too \
         ({n_pixels} such pixels)"
    )]
    NoNeighbours {
        /// The first such pixel.
        pixel: usize,
        /// How many there are.
        n_pixels: usize,
    },
}

impl Corrections {
    /// Takes a dark frame, a gain map and a boolean map of excluded pixels, each of a frame's shape.
    ///
    /// # Errors
    ///
    /// [`CorrectionError`].
    pub fn new(
        sig: &Shape,
        dark: Option<&Array>,
        gain: Option<&Array>,
        excluded: Option<&Array>,
    ) -> Result<Self, CorrectionError> {
        Ok(Self {
            dark: dark.map(|dark| weights("dark frame", dark, sig)).transpose()?,
            gain: gain.map(|gain| weights("gain map", gain, sig)).transpose()?,
            patches: excluded.map_or_else(|| Ok(Vec::new()), |excluded| patches(excluded, sig))?,
        })
    }

    /// Whether there is nothing to correct.
    pub fn is_empty(&self) -> bool {
        self.dark.is_none() && self.gain.is_none() && self.patches.is_empty()
    }

    /// Taken away from each pixel of a frame, if something is.
    pub fn dark(&self) -> Option<&[f64]> {
        self.dark.as_deref()
    }

    /// What each pixel of a frame is then multiplied by, if it is.
    pub fn gain(&self) -> Option<&[f64]> {
        self.gain.as_deref()
    }

    /// Pixels of the flat frame that become the mean of their neighbours, ascending.
    pub fn excluded(&self) -> impl Iterator<Item = usize> + '_ {
        self.patches.iter().map(|patch| patch.pixel)
    }

    /// The smallest dtype in which corrected pixels of `dtype` are at home.
    pub fn dtype(&self, dtype: Dtype) -> Dtype {
        if self.is_empty() { dtype } else { dtype.promote(Dtype::F32) }
    }

    /// As [`Dataset::read`], corrected. `dtype` must be real or complex if there is something to correct.
    ///
    /// # Errors
    ///
    /// Those of [`Dataset::read`].
    pub fn read(
        &self,
        dataset: &Dataset,
        (first, n_frames): (FrameIdx, usize),
        sig: Range<usize>,
        dtype: Dtype,
        out: &mut [u8],
    ) -> Result<(), DatasetError> {
        let patches = within(&self.patches, &sig);
        let needed = needed(patches, &sig);
        if needed == sig {
            dataset.read(first, n_frames, sig.clone(), dtype, out)?;
            self.apply(&sig, patches, dtype, out);
            return Ok(());
        }
        // Some neighbour of an excluded pixel lies outside: read it, too, and keep what was asked for.
        let mut wide = vec![0; n_frames * needed.len() * dtype.size()];
        dataset.read(first, n_frames, needed.clone(), dtype, &mut wide)?;
        self.apply(&needed, patches, dtype, &mut wide);
        let (skip, keep) = ((sig.start - needed.start) * dtype.size(), sig.len() * dtype.size());
        let frames = wide.chunks_exact((needed.len() * dtype.size()).max(1));
        for (frame, out) in frames.zip(out.chunks_exact_mut(keep.max(1))) {
            out.copy_from_slice(&frame[skip..skip + keep]);
        }
        Ok(())
    }

    /// Corrects the pixels `sig` of some frames. They have all neighbours of those that are patched.
    fn apply(&self, sig: &Range<usize>, patches: &[Patch], dtype: Dtype, frames: &mut [u8]) {
        if self.is_empty() {
            return;
        }
        debug_assert!(dtype.kind() >= DtypeKind::Float, "integers can't be corrected");
        match dtype {
            Dtype::F64 => self.apply_as::<f64, 1>(sig, patches, frames),
            Dtype::C64 => self.apply_as::<f32, 2>(sig, patches, frames),
            Dtype::C128 => self.apply_as::<f64, 2>(sig, patches, frames),
            _ => self.apply_as::<f32, 1>(sig, patches, frames),
        }
    }

    /// Corrects pixels of `PARTS` real numbers each: only the first one has a dark value.
    fn apply_as<T: Real, const PARTS: usize>(&self, sig: &Range<usize>, patches: &[Patch], frames: &mut [u8]) {
        let dark = self.dark.as_ref().map(|dark| &dark[sig.clone()]);
        let gain = self.gain.as_ref().map(|gain| &gain[sig.clone()]);
        let pixel_bytes = PARTS * T::SIZE;
        for frame in frames.chunks_exact_mut((sig.len() * pixel_bytes).max(1)) {
            if dark.is_some() || gain.is_some() {
                for (i, pixel) in frame.chunks_exact_mut(pixel_bytes).enumerate() {
                    let (dark, gain) = (dark.map_or(0.0, |dark| dark[i]), gain.map_or(1.0, |gain| gain[i]));
                    for (part, bytes) in pixel.chunks_exact_mut(T::SIZE).enumerate() {
                        let dark = if part == 0 { dark } else { 0.0 };
                        T::write((T::read(bytes) - dark) * gain, bytes);
                    }
                }
            }
            for patch in patches {
                for part in 0..PARTS {
                    let at = |pixel: usize| ((pixel - sig.start) * PARTS + part) * T::SIZE;
                    let sum: f64 = patch.neighbours.iter().map(|&pixel| T::read(&frame[at(pixel)..][..T::SIZE])).sum();
                    T::write(sum / patch.n_neighbours, &mut frame[at(patch.pixel)..][..T::SIZE]);
                }
            }
        }
    }
}

/// Pixels that it takes to correct those of `sig`: the neighbours of patched pixels, too.
fn needed(patches: &[Patch], sig: &Range<usize>) -> Range<usize> {
    let neighbours = || patches.iter().flat_map(|patch| patch.neighbours.iter().copied());
    let start = neighbours().min().map_or(sig.start, |first| first.min(sig.start));
    let end = neighbours().max().map_or(sig.end, |last| (last + 1).max(sig.end));
    start..end
}

/// The patches of pixels in `sig`.
fn within<'a>(patches: &'a [Patch], sig: &Range<usize>) -> &'a [Patch] {
    let start = patches.partition_point(|patch| patch.pixel < sig.start);
    let stop = patches.partition_point(|patch| patch.pixel < sig.end);
    &patches[start..stop.max(start)]
}

/// A number for each pixel of a frame.
fn weights(what: &'static str, array: &Array, sig: &Shape) -> Result<Vec<f64>, CorrectionError> {
    if array.shape != *sig {
        return Err(CorrectionError::Shape { what, found: array.shape.clone(), sig: sig.clone() });
    }
    if array.dtype.kind() == DtypeKind::Complex {
        return Err(CorrectionError::Dtype { what, dtype: array.dtype, expected: "real numbers" });
    }
    let mut weights = vec![0.0; array.data.len() / array.dtype.size()];
    cast(array.dtype, &array.data, Dtype::F64, bytemuck::cast_slice_mut(&mut weights));
    Ok(weights)
}

/// A real number as it lies in a buffer.
trait Real {
    const SIZE: usize;
    fn read(bytes: &[u8]) -> f64;
    fn write(number: f64, bytes: &mut [u8]);
}

impl Real for f32 {
    const SIZE: usize = 4;

    fn read(bytes: &[u8]) -> f64 {
        f64::from(Self::from_le_bytes(bytes.try_into().expect("a whole number")))
    }

    #[expect(clippy::cast_possible_truncation, reason = "single precision is what was asked for")]
    fn write(number: f64, bytes: &mut [u8]) {
        bytes.copy_from_slice(&(number as Self).to_le_bytes());
    }
}

impl Real for f64 {
    const SIZE: usize = 8;

    fn read(bytes: &[u8]) -> f64 {
        Self::from_le_bytes(bytes.try_into().expect("a whole number"))
    }

    fn write(number: f64, bytes: &mut [u8]) {
        bytes.copy_from_slice(&number.to_le_bytes());
    }
}
