//! Frames as they lie in a file, for whoever can use them without a copy.

use std::ops::Range;

use super::{Content, Dataset, DatasetError, frames::Coding};
use crate::shape::{ByteOrder, Dtype, FrameIdx};

/// Consecutive frames in one file of a data set, whose bytes there are exactly what [`Dataset::read`] gives.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    /// Number of the file.
    file: usize,
    bytes: Range<usize>,
}

impl Stored {
    #[cfg(test)]
    pub(crate) fn new(file: usize, bytes: Range<usize>) -> Self {
        Self { file, bytes }
    }

    pub(crate) fn n_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Where they begin within a page of the file: the memory that they are mapped over must begin there in one of its own.
    pub(crate) fn start_in_page(&self, page: usize) -> usize {
        self.bytes.start % page
    }

    /// Without those bytes that come after the first `n_bytes`.
    pub(crate) fn first(mut self, n_bytes: usize) -> Self {
        self.bytes.end = self.bytes.end.min(self.bytes.start.saturating_add(n_bytes));
        self
    }

    /// Where `part` begins within this, if it is part of it.
    pub(crate) fn find(&self, part: &Self) -> Option<usize> {
        let is_within = self.bytes.start <= part.bytes.start && part.bytes.end <= self.bytes.end;
        (is_within && self.file == part.file).then(|| part.bytes.start - self.bytes.start)
    }
}

impl Dataset {
    /// As many of `n_frames` frames from `first` on as lie in one file, if they are there as [`Dataset::read`] would give
    /// them, and can be mapped. They must be [present](Dataset::present).
    pub(crate) fn stored(&self, first: FrameIdx, n_frames: u64, dtype: Dtype) -> Option<Stored> {
        let Content::Dense(frames) = &self.content else { return None };
        self.find(first, n_frames, dtype).filter(|stored| frames.pieces[stored.file].file.can_map_over())
    }

    /// Some frames in the files, if all of them are there as [`Dataset::read`] would give them. They must be
    /// [present](Dataset::present).
    ///
    /// # Errors
    ///
    /// [`DatasetError::Changed`] if a file got shorter meanwhile.
    pub(crate) fn stored_frames(&self, wanted: &[FrameIdx], dtype: Dtype) -> Result<Option<Vec<&[u8]>>, DatasetError> {
        let Content::Dense(frames) = &self.content else { return Ok(None) };
        let mut found = Vec::with_capacity(wanted.len());
        let mut checked = None;
        for &frame in wanted {
            let Some(stored) = self.find(frame, 1, dtype) else { return Ok(None) };
            let file = &frames.pieces[stored.file].file;
            if checked.replace(stored.file) != Some(stored.file) {
                file.check()?;
            }
            found.push(&file.bytes()[stored.bytes]);
        }
        Ok(Some(found))
    }

    fn find(&self, first: FrameIdx, n_frames: u64, dtype: Dtype) -> Option<Stored> {
        let Content::Dense(frames) = &self.content else { return None };
        // A byte of a truth value may be any; what `read` gives is 0 or 1.
        let is_same = dtype == self.dtype && dtype != Dtype::Bool;
        let is_little = self.byte_order == ByteOrder::Little || dtype.size() == 1;
        if !is_same || !is_little || !matches!(frames.coding, Coding::Plain) {
            return None;
        }
        let file_frame = first.0.wrapping_add_signed(self.sync_offset);
        let file = frames.pieces.partition_point(|piece| piece.first <= file_frame).checked_sub(1)?;
        let piece = &frames.pieces[file];
        let skip = usize::try_from(file_frame - piece.first).ok()?;
        let n_frames = usize::try_from(n_frames).unwrap_or(usize::MAX).min(piece.n_frames.checked_sub(skip)?);
        let start = piece.start + skip * piece.pitch;
        let is_aligned = start.is_multiple_of(dtype.size());
        let is_gapless = piece.pitch == frames.frame_bytes || n_frames == 1;
        let bytes = start..start + n_frames * frames.frame_bytes;
        (is_aligned && is_gapless).then_some(Stored { file, bytes })
    }

    /// Whether frames lie in the files as [`Dataset::read`] gives them.
    pub(crate) fn is_stored_as(&self, dtype: Dtype) -> bool {
        self.present.start < self.present.end && self.stored(self.present.start, 1, dtype).is_some()
    }

    /// Makes `memory` hold `stored`: pages that it fills are those of the file, what remains at both ends is copied. So
    /// nothing else of the file is in `memory`. Whoever writes there changes `memory`, not the file.
    ///
    /// # Errors
    ///
    /// [`DatasetError::Changed`] if the file got shorter meanwhile, [`DatasetError::Io`] if it can't be mapped.
    pub(crate) fn map_over(&self, stored: &Stored, memory: &mut [u8]) -> Result<(), DatasetError> {
        let Content::Dense(frames) = &self.content else { unreachable!("sparse frames are never `Stored`") };
        let file = &frames.pieces[stored.file].file;
        file.check()?;
        file.map_over(stored.bytes.clone(), memory)
    }
}
