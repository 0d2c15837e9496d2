//! Data sets: opening files, and decoding frames of them into little-endian numbers. Where the data enter the pipeline.
//!
//! A format finds out where the frames lie in its files and how they are coded (`frames`); all formats then share the
//! way from there to the caller's numbers. Files are mapped (`map`), checked once when they are opened, and read from
//! many threads, some parts of them without the map, where that is faster.

mod cache;
mod detect;
mod error;
mod fingerprint;
mod fortran;
mod frames;
mod map;
mod merlin_raw;
mod mib;
mod npy;
mod options;
mod plain;
mod raw;
mod raw_csr;
mod scan;
mod stored;

use std::{
    ops::Range,
    path::{Path, PathBuf},
};

use crate::{
    shape::{ByteOrder, Dtype, FrameIdx, Shape, kernel},
    tile::CsrRows,
};

pub(crate) use cache::available_memory;
pub use error::DatasetError;
pub use map::FileInfo;
pub use options::{DatasetOptions, FormatInfo, formats};

use frames::{Frames, Wanted};
use raw_csr::SparseFrames;

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
    content: Content,
}

/// The frames of the files.
#[derive(Debug)]
enum Content {
    /// Every pixel is there.
    Dense(Frames),
    /// Pixels that are zero are left out.
    Sparse(SparseFrames),
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
    content: Content,
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
        "raw_csr" => raw_csr::open(path, options)?,
        _ => mib::open(path, options)?,
    };
    Dataset::new(path, format.name, options.sync_offset, found)
}

impl Dataset {
    fn new(path: &Path, format: &'static str, sync_offset: i64, found: Found) -> Result<Self, DatasetError> {
        let Found { nav, sig, dtype, byte_order, mut metadata, other_files, content } = found;
        let too_large = |_| DatasetError::TooLarge { path: path.to_owned(), nav: nav.clone(), sig: sig.clone() };
        nav.join(sig.axes()).map_err(too_large)?;
        let n_file_frames = content.n_frames();
        let present = scan::present(nav.size(), n_file_frames, sync_offset).ok_or(DatasetError::SyncOffset {
            path: path.to_owned(),
            sync_offset,
            n_frames: n_file_frames,
        })?;
        let files = content.files().into_iter().chain(other_files).collect();
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
            content,
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

    /// Bytes that the pixels of a frame take in the file, without headers; on average, if zeros are left out.
    pub fn file_bytes_per_frame(&self) -> u64 {
        match &self.content {
            Content::Dense(frames) => frames.frame_bytes as u64,
            Content::Sparse(frames) => frames.frame_bytes(),
        }
    }

    /// How many pixels the files store of some frames; none if they store all of them.
    pub fn n_stored(&self, frames: &Range<FrameIdx>) -> Option<u64> {
        let Content::Sparse(sparse) = &self.content else { return None };
        let start = frames.start.clamp(self.present.start, self.present.end);
        let end = frames.end.clamp(start, self.present.end);
        let in_file = |frame: FrameIdx| to_index(frame.0.wrapping_add_signed(self.sync_offset));
        Some(if start < end { sparse.n_entries_of(in_file(start)..in_file(end)) } else { 0 })
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
        let n_bytes = sig.len().checked_mul(n_frames).and_then(|n| n.checked_mul(dtype.size()));
        let (file_frame, wanted) = self.wanted((first, n_frames), sig.clone(), dtype, out.len())?;
        if n_bytes != Some(out.len()) {
            return Err(DatasetError::Pixels { sig, n_pixels: self.sig.size(), found: out.len() });
        }
        match &self.content {
            Content::Dense(frames) => frames.read(file_frame, &wanted, out),
            Content::Sparse(frames) => frames.read(to_index(file_frame), &wanted, out),
        }
    }

    /// Adds a row for each frame to `rows`, of the pixels that are not zero, as numbers of its dtype.
    ///
    /// As [`Dataset::read`] otherwise. Frames of a data set that is sparse itself are not made dense on the way; what it
    /// stores is given, zeros too if it stores some.
    ///
    /// # Errors
    ///
    /// Those of [`Dataset::read`]; [`DatasetError::TooManyEntries`]. What `rows` has then is not defined.
    pub fn read_csr(
        &self,
        first: FrameIdx,
        n_frames: usize,
        sig: Range<usize>,
        rows: &mut CsrRows,
    ) -> Result<(), DatasetError> {
        let dtype = rows.dtype();
        let (file_frame, wanted) = self.wanted((first, n_frames), sig.clone(), dtype, 0)?;
        match &self.content {
            Content::Dense(frames) => {
                let too_many = || DatasetError::TooManyEntries { path: self.path.clone() };
                let n_bytes = sig.len().checked_mul(n_frames).and_then(|n| n.checked_mul(dtype.size()));
                let mut dense = vec![0; n_bytes.ok_or_else(too_many)?];
                frames.read(file_frame, &wanted, &mut dense)?;
                rows.push_dense(n_frames, &dense).ok_or_else(too_many)
            }
            Content::Sparse(frames) => frames.read_csr((to_index(file_frame), n_frames), &wanted, rows),
        }
    }

    /// What to read, and from which frame of the files on. `found`: bytes that there is room for, for the error.
    fn wanted(
        &self,
        (first, n_frames): (FrameIdx, usize),
        sig: Range<usize>,
        dtype: Dtype,
        found: usize,
    ) -> Result<(u64, Wanted), DatasetError> {
        let kernel = kernel(self.dtype, self.byte_order, dtype);
        let kernel = kernel.ok_or(DatasetError::Dtype { from: self.dtype, to: dtype })?;
        let end = FrameIdx(first.0.saturating_add(n_frames as u64));
        if n_frames > 0 && (first < self.present.start || end > self.present.end) {
            return Err(DatasetError::Frames { first, end, present: self.present() });
        }
        if sig.start > sig.end || sig.end as u64 > self.sig.size() {
            return Err(DatasetError::Pixels { sig, n_pixels: self.sig.size(), found });
        }
        // A present frame is one of the files: the sum neither overflows nor is negative.
        let file_frame = first.0.wrapping_add_signed(self.sync_offset);
        Ok((file_frame, Wanted { sig, kernel, is_copy: self.has_numbers(dtype), dtype }))
    }
}

impl Content {
    /// Frames in the files.
    fn n_frames(&self) -> u64 {
        match self {
            Self::Dense(frames) => frames.pieces.last().map_or(0, |last| last.first + last.n_frames as u64),
            Self::Sparse(frames) => frames.n_frames(),
        }
    }

    /// The files, in the order of their frames.
    fn files(&self) -> Vec<FileInfo> {
        match self {
            Self::Dense(frames) => frames.pieces.iter().map(|piece| piece.file.info().clone()).collect(),
            Self::Sparse(frames) => frames.files().cloned().collect(),
        }
    }
}

/// A frame that is in mapped files, or none is wanted.
fn to_index(file_frame: u64) -> usize {
    usize::try_from(file_frame).unwrap_or(usize::MAX)
}

/// Adds what a user should know before trusting the data.
fn warn(metadata: &mut Vec<(String, String)>, text: String) {
    metadata.push(("warning".to_owned(), text));
}
