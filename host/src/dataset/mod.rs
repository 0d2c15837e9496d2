//! Data sets: opening files, and decoding frames of them into little-endian numbers. Where the data enter the pipeline.
//!
//! A format finds out where the frames lie in its files and how they are coded (`frames`); all formats then share the
//! way from there to the caller's numbers. Files are mapped (`map`), checked once when they are opened, and read from
//! many threads.

mod detect;
mod error;
mod fortran;
mod frames;
mod map;
mod merlin_raw;
mod mib;
mod npy;
mod options;
mod plain;
mod raw;
mod scan;

use std::{
    ops::Range,
    path::{Path, PathBuf},
};

use crate::shape::{ByteOrder, Dtype, FrameIdx, Shape, kernel};

pub use error::DatasetError;
pub use map::FileInfo;
pub use options::{DatasetOptions, FormatInfo, formats};

use frames::{Frames, Wanted};

/// A scan of frames in one or more files.
///
/// The scan has the frames that the user wants, the files have the frames that were recorded: [`Dataset::present`] says
/// which of the scan are there. The others are blank and can't be read.
#[derive(Debug)]
pub struct Dataset {
    path: PathBuf,
    format: &'static str,
    nav: Shape,
    sig: Shape,
    dtype: Dtype,
    byte_order: ByteOrder,
    metadata: Vec<(String, String)>,
    files: Vec<FileInfo>,
    n_file_frames: u64,
    sync_offset: i64,
    present: Range<FrameIdx>,
    frames: Frames,
}

/// What a format finds in the files.
struct Found {
    /// Shape of the scan.
    nav: Shape,
    /// Shape of a frame.
    sig: Shape,
    dtype: Dtype,
    /// Byte order of the numbers, after unpacking.
    byte_order: ByteOrder,
    metadata: Vec<(String, String)>,
    /// Files that were used beside those with the frames.
    other_files: Vec<FileInfo>,
    frames: Frames,
}

/// Opens the data set that `path` is, or is the header of.
///
/// # Errors
///
/// [`DatasetError`]: missing, cut or senseless files, options that the format doesn't take or that don't fit the files.
pub fn open(path: &Path, options: &DatasetOptions) -> Result<Dataset, DatasetError> {
    if map::stat(path)?.size == 0 {
        return Err(DatasetError::Empty { path: path.to_owned() });
    }
    let format = detect::format(path, options)?;
    options.check(&format)?;
    let found = match format.name {
        "npy" => npy::open(path, options)?,
        "raw" => raw::open(path, options)?,
        _ => mib::open(path, options)?,
    };
    Dataset::new(path, format.name, options.sync_offset, found)
}

impl Dataset {
    fn new(path: &Path, format: &'static str, sync_offset: i64, found: Found) -> Result<Self, DatasetError> {
        let Found { nav, sig, dtype, byte_order, mut metadata, other_files, frames } = found;
        let too_large = |_| DatasetError::TooLarge { path: path.to_owned(), nav: nav.clone(), sig: sig.clone() };
        nav.join(sig.axes()).map_err(too_large)?;
        let n_file_frames = frames.pieces.last().map_or(0, |last| last.first + last.n_frames as u64);
        let present = scan::present(nav.size(), n_file_frames, sync_offset).ok_or(DatasetError::SyncOffset {
            path: path.to_owned(),
            sync_offset,
            n_frames: n_file_frames,
        })?;
        let files = frames.pieces.iter().map(|piece| piece.file.info().clone()).chain(other_files).collect();
        metadata.extend(scan::diagnostics(nav.size(), n_file_frames, sync_offset, &present));
        let path = path.to_owned();
        Ok(Self {
            path,
            format,
            nav,
            sig,
            dtype,
            byte_order,
            metadata,
            files,
            n_file_frames,
            sync_offset,
            present,
            frames,
        })
    }

    /// Shape of the scan.
    pub fn nav(&self) -> &Shape {
        &self.nav
    }

    /// Shape of a frame.
    pub fn sig(&self) -> &Shape {
        &self.sig
    }

    /// What [`Dataset::read`] gives without converting numbers, other than their byte order.
    pub fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// Name of the format, one of [`formats`].
    pub fn format(&self) -> &'static str {
        self.format
    }

    /// What the files say beyond shapes and dtype, as key and value. What a user should know before trusting the data
    /// has the key `warning`, which may be there more than once.
    pub fn metadata(&self) -> &[(String, String)] {
        &self.metadata
    }

    /// Frames that the files hold, whatever the shape of the scan.
    pub fn n_file_frames(&self) -> u64 {
        self.n_file_frames
    }

    /// Frame `f` of the scan is frame `f + sync_offset` of the files.
    pub fn sync_offset(&self) -> i64 {
        self.sync_offset
    }

    /// The frames of the scan that the files hold. May be empty.
    pub fn present(&self) -> Range<FrameIdx> {
        self.present.clone()
    }

    /// The file that was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Every file that was used, those with frames first and in their order.
    pub fn files(&self) -> &[FileInfo] {
        &self.files
    }

    /// Bytes that the pixels of a frame take in the file, without headers.
    pub fn file_bytes_per_frame(&self) -> u64 {
        self.frames.frame_bytes as u64
    }

    /// Decodes pixels of frames into little-endian numbers of `dtype`, in C order: shape `(n_frames, sig.len())`.
    ///
    /// `sig` counts the pixels of a frame in C order. The frames must be [present](Dataset::present). `out` has room for
    /// exactly these numbers and need not be aligned for them. May be called from many threads at once.
    ///
    /// # Errors
    ///
    /// [`DatasetError::Frames`], [`DatasetError::Pixels`], [`DatasetError::Dtype`]; [`DatasetError::Changed`] if a file
    /// got shorter meanwhile.
    pub fn read(
        &self,
        first: FrameIdx,
        n_frames: usize,
        sig: Range<usize>,
        dtype: Dtype,
        out: &mut [u8],
    ) -> Result<(), DatasetError> {
        let kernel = kernel(self.dtype, self.byte_order, dtype);
        let kernel = kernel.ok_or(DatasetError::Dtype { from: self.dtype, to: dtype })?;
        let end = FrameIdx(first.0.saturating_add(n_frames as u64));
        if n_frames > 0 && (first < self.present.start || end > self.present.end) {
            return Err(DatasetError::Frames { first, end, present: self.present() });
        }
        let n_bytes = sig.len().checked_mul(n_frames).and_then(|n| n.checked_mul(dtype.size()));
        if sig.start > sig.end || sig.end > self.frames.n_pixels || n_bytes != Some(out.len()) {
            return Err(DatasetError::Pixels { sig, n_pixels: self.sig.size(), found: out.len() });
        }
        // A present frame is one of the files: the sum neither overflows nor is negative.
        let file_frame = first.0.wrapping_add_signed(self.sync_offset);
        self.frames.read(file_frame, &Wanted { sig, kernel, size: dtype.size() }, out)
    }
}

/// Adds what a user should know before trusting the data.
fn warn(metadata: &mut Vec<(String, String)>, text: String) {
    metadata.push(("warning".to_owned(), text));
}
