//! Frames as they lie in a file, for whoever can use them without a copy.

use super::{Content, Dataset, DatasetError, frames::Coding};
use crate::shape::{ByteOrder, Dtype, FrameIdx};

impl Dataset {
    /// Some frames in the files, if all of them are there as [`Dataset::read`] would give them, aligned for their numbers. They
    /// must be [present](Dataset::present).
    ///
    /// # Errors
    ///
    /// [`DatasetError::Changed`] if a file got shorter meanwhile.
    pub(crate) fn stored_frames(&self, wanted: &[FrameIdx], dtype: Dtype) -> Result<Option<Vec<&[u8]>>, DatasetError> {
        let Content::Dense(frames) = &self.content else { return Ok(None) };
        if !self.has_numbers(dtype) || !matches!(frames.coding, Coding::Plain) {
            return Ok(None);
        }
        let mut found = Vec::with_capacity(wanted.len());
        let mut checked = None;
        for frame in wanted {
            let file_frame = frame.0.wrapping_add_signed(self.sync_offset);
            let file = frames.pieces.partition_point(|piece| piece.first <= file_frame).saturating_sub(1);
            let piece = &frames.pieces[file];
            let start = usize::try_from(file_frame - piece.first).expect("a frame of this file") * piece.pitch;
            if !(piece.start + start).is_multiple_of(dtype.size()) {
                return Ok(None);
            }
            if checked.replace(file) != Some(file) {
                piece.file.check()?;
            }
            found.push(&piece.file.bytes()[piece.start + start..][..frames.frame_bytes]);
        }
        Ok(Some(found))
    }

    /// Whether the files have the very numbers that [`Dataset::read`] gives as `dtype`.
    pub(super) fn has_numbers(&self, dtype: Dtype) -> bool {
        // A byte of a truth value may be any; what is given is 0 or 1.
        let is_little = self.byte_order == ByteOrder::Little || dtype.size() == 1;
        dtype == self.dtype && dtype != Dtype::Bool && is_little
    }
}
