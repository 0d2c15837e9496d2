//! The pixels of the current tile, for kernels: straight from the files where these have the very numbers, and otherwise read or
//! converted part by part.

use std::ops::Range;

use bytemuck::Pod;

use super::{super::FillFailed, packed::Lines};
use crate::shape::{ByteOrder, Dtype, Kernel, kernel};

/// The pixels of the tile that is being processed, as the host reads them.
pub(crate) trait HostTile: Send + Sync {
    fn n_frames(&self) -> usize;

    /// Pixels of a frame.
    fn n_pixels(&self) -> usize;

    /// Those among them that the tile has.
    fn block(&self) -> Range<usize>;

    /// What pixels are.
    fn dtype(&self) -> Dtype;

    /// The whole frames as they lie in the files, little-endian numbers of [`HostTile::dtype`]. None where they have to be read.
    fn stored(&self) -> Result<Option<Vec<&[u8]>>, FillFailed>;

    /// Reads `pixels` of `frames`, counted within the tile, as numbers of `dtype`.
    fn read(&self, frames: Range<usize>, pixels: Range<usize>, dtype: Dtype, out: &mut [u8]) -> Result<(), FillFailed>;
}

/// A number that kernels compute with.
pub(super) trait Stored: Pod {
    const DTYPE: Dtype;
}

macro_rules! stored {
    ($($number:ident $dtype:ident),*) => { $(
        impl Stored for $number {
            const DTYPE: Dtype = Dtype::$dtype;
        }
    )* };
}
stored!(u8 U8, i8 I8, u16 U16, i16 I16, f32 F32, f64 F64);

/// What is looked at at a time.
pub(super) struct Step {
    /// Pixels that are read together where they have to be read: the less often, the better.
    pub(super) kept: Range<usize>,
    /// Up to `N`.
    pub(super) frames: Range<usize>,
    /// Some of those that are kept.
    pub(super) columns: Range<usize>,
}

/// Pixels of a tile as numbers of one type, up to `N` frames at a time.
pub(super) struct Pixels<'a, T, const N: usize> {
    tile: &'a dyn HostTile,
    /// The frames, and what makes numbers of theirs; nothing where they are the same.
    stored: Option<(Vec<&'a [u8]>, Option<Kernel>)>,
    /// Numbers of up to `N` frames, one after the other.
    room: Lines<T>,
}

impl<'a, T: Stored, const N: usize> Pixels<'a, T, N> {
    pub(super) fn new(tile: &'a dyn HostTile) -> Result<Self, FillFailed> {
        let convert = (tile.dtype() != T::DTYPE).then(|| kernel(tile.dtype(), ByteOrder::Little, T::DTYPE)).flatten();
        let stored = tile.stored()?.map(|frames| (frames, convert));
        Ok(Self { tile, stored, room: Lines::new() })
    }

    pub(super) fn are_converted(&self) -> bool {
        matches!(self.stored, Some((_, Some(_))))
    }

    /// The bytes in the files; none where they have to be read.
    pub(super) fn stored(&self, step: &Step) -> [&'a [u8]; N] {
        let mut found = [&[][..]; N];
        let size = self.tile.dtype().size();
        if let Some((stored, _)) = &self.stored {
            for (frame, found) in stored[step.frames.clone()].iter().zip(&mut found) {
                *found = &frame[step.columns.start * size..step.columns.end * size];
            }
        }
        found
    }

    /// The numbers of each frame.
    pub(super) fn of(&mut self, step: &Step) -> Result<[&[T]; N], FillFailed> {
        let (stored, mut found) = (self.stored(step), [&[][..]; N]);
        let stored = &stored[..step.frames.len()];
        let columns = match &self.stored {
            Some((_, None)) => {
                stored.iter().zip(&mut found).for_each(|(frame, found)| *found = bytemuck::cast_slice(frame));
                return Ok(found);
            }
            Some((_, Some(convert))) => {
                self.room.resize(N * step.columns.len());
                for (frame, room) in stored.iter().zip(self.room.numbers_mut().chunks_exact_mut(step.columns.len())) {
                    convert(frame, bytemuck::cast_slice_mut(room));
                }
                &step.columns
            }
            None => {
                if step.columns.start == step.kept.start {
                    let len = step.frames.len() * step.kept.len();
                    self.room.resize(len);
                    let room = bytemuck::cast_slice_mut(&mut self.room.numbers_mut()[..len]);
                    self.tile.read(step.frames.clone(), step.kept.clone(), T::DTYPE, room)?;
                }
                &step.kept
            }
        };
        for (frame, found) in self.room.numbers().chunks_exact(columns.len()).zip(&mut found) {
            *found = &frame[step.columns.start - columns.start..][..step.columns.len()];
        }
        Ok(found)
    }
}

/// A range in parts of `len`, the last of which may be shorter.
pub(super) fn parts(range: Range<usize>, len: usize) -> impl Iterator<Item = Range<usize>> {
    range.clone().step_by(len).map(move |start| start..range.end.min(start + len))
}

#[cfg(test)]
pub(super) mod testing {
    //! Tiles for the tests of kernels.

    use super::*;

    /// Some pixels of frames.
    #[derive(Clone)]
    pub(crate) struct Frames<'a> {
        pub(crate) bytes: &'a [u8],
        pub(crate) dtype: Dtype,
        pub(crate) n_pixels: usize,
        pub(crate) block: Range<usize>,
        pub(crate) is_stored: bool,
    }

    impl<'a> Frames<'a> {
        /// Whole frames.
        pub(crate) fn new<T: Stored>(pixels: &'a [T], n_pixels: usize) -> Self {
            let bytes = bytemuck::cast_slice(pixels);
            Self { bytes, dtype: T::DTYPE, n_pixels, block: 0..n_pixels, is_stored: true }
        }

        fn all(&self) -> impl Iterator<Item = &[u8]> {
            self.bytes.chunks(self.n_pixels * self.dtype.size())
        }
    }

    impl HostTile for Frames<'_> {
        fn n_frames(&self) -> usize {
            self.all().count()
        }

        fn n_pixels(&self) -> usize {
            self.n_pixels
        }

        fn block(&self) -> Range<usize> {
            self.block.clone()
        }

        fn dtype(&self) -> Dtype {
            self.dtype
        }

        fn stored(&self) -> Result<Option<Vec<&[u8]>>, FillFailed> {
            Ok(self.is_stored.then(|| self.all().collect()))
        }

        fn read(
            &self,
            frames: Range<usize>,
            pixels: Range<usize>,
            to: Dtype,
            out: &mut [u8],
        ) -> Result<(), FillFailed> {
            let (convert, size) = (kernel(self.dtype, ByteOrder::Little, to).ok_or(FillFailed)?, self.dtype.size());
            let frames = self.all().skip(frames.start).take(frames.len());
            for (frame, out) in frames.zip(out.chunks_exact_mut(pixels.len() * to.size())) {
                convert(&frame[pixels.start * size..pixels.end * size], out);
            }
            Ok(())
        }
    }
}
