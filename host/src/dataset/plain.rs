//! Frames of plain numbers, one after the other in one file: what `raw` and `npy` have in common.

use super::{
    Content, DatasetError, Found,
    frames::{Coding, Frames, Piece},
    map::MappedFile,
    warn,
};
use crate::shape::{ByteOrder, Dtype, Shape};

/// How plain numbers lie in a file.
pub(super) struct Layout {
    pub(super) dtype: Dtype,
    pub(super) byte_order: ByteOrder,
    /// Where the first frame starts, with what comes before its pixels.
    pub(super) start: u64,
    /// Where the data end, at most the size of the file.
    pub(super) end: u64,
    /// Bytes before the pixels of each frame.
    pub(super) lead: u64,
    /// Bytes after them.
    pub(super) trail: u64,
    pub(super) coding: Coding,
}

/// As many frames as there are; `nav` is the shape of the scan if one is known.
pub(super) fn found(file: MappedFile, layout: Layout, nav: Option<Shape>, sig: Shape) -> Result<Found, DatasetError> {
    let Layout { dtype, byte_order, start, end, lead, trail, coding } = layout;
    let path = file.path().to_owned();
    let frame_bytes = sig.size().checked_mul(dtype.size() as u64);
    let pitch = frame_bytes.and_then(|bytes| bytes.checked_add(lead)?.checked_add(trail));
    let (Some(frame_bytes), Some(pitch)) = (frame_bytes, pitch) else {
        return Err(DatasetError::FrameTooLarge { path, dtype, sig });
    };
    let n_bytes = end.saturating_sub(start);
    let n_frames = n_bytes / pitch;
    if n_frames == 0 {
        return Err(DatasetError::NoFrame { path, found: n_bytes, frame: pitch });
    }
    let mut metadata = Vec::new();
    let rest = n_bytes % pitch;
    if rest > 0 {
        warn(&mut metadata, format!("the last {rest} bytes are ignored: a whole frame has {pitch}"));
    }
    // There is a whole frame in the file, and the file is in memory: all of these are indices.
    let index = |n: u64| usize::try_from(n).expect("a position in a mapped file");
    let piece = Piece { file, first: 0, n_frames: index(n_frames), start: index(start + lead), pitch: index(pitch) };
    let frames = Frames {
        pieces: vec![piece],
        coding,
        n_pixels: index(sig.size()),
        item: dtype.size(),
        frame_bytes: index(frame_bytes),
    };
    let nav = nav.unwrap_or_else(|| Shape::new([n_frames]).expect("one extent doesn't overflow"));
    Ok(Found { nav, sig, dtype, byte_order, metadata, other_files: Vec::new(), content: Content::Dense(frames) })
}
