//! Why a data set can't be opened or read: what, where, and what to do about it.

use std::{io, path::PathBuf};

use crate::shape::{Dtype, FrameIdx, Shape, ShapeError, npy::NpyError};

/// Why a data set can't be opened or read. Options are named as on the command line.
#[derive(Debug, thiserror::Error)]
pub enum DatasetError {
    /// No such file.
    #[error("there is no file `{}`", path.display())]
    NotFound {
        /// The file.
        path: PathBuf,
    },
    /// A directory.
    #[error("`{}` is a directory: name a file in it", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
    },
    /// A file without a byte.
    #[error("data set `{}` is an empty file", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The operating system refuses.
    #[error("can't read `{}`", path.display())]
    Io {
        /// File or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file got shorter while it was in use.
    #[error("data set `{}` has changed since it was opened: it had {was} bytes and has {now} now", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
        /// Size when it was opened.
        was: u64,
        /// Size now.
        now: u64,
    },

    /// A format that doesn't exist.
    #[error("there is no format `{name}` (known: {known})")]
    UnknownFormat {
        /// As given.
        name: String,
        /// The names of all formats.
        known: String,
    },
    /// Nothing tells the format.
    #[error(
        "can't tell the format of `{}`: name it with `--format` (known: {known}); a file of plain numbers is `raw`, \
         which needs `--dtype` and `--sig-shape`", path.display()
    )]
    Undetected {
        /// The file.
        path: PathBuf,
        /// The names of all formats.
        known: String,
    },
    /// An option without which the format can't be read.
    #[error("format `{format}` doesn't say all by itself: `{}` needs {missing}", path.display())]
    OptionMissing {
        /// The file.
        path: PathBuf,
        /// The format.
        format: &'static str,
        /// The options.
        missing: String,
    },
    /// An option of another format.
    #[error("format `{format}` takes no `--{option}` (it takes {takes})")]
    OptionNotTaken {
        /// The format.
        format: &'static str,
        /// The option.
        option: &'static str,
        /// The options that it takes.
        takes: String,
    },
    /// A `--ds KEY` of another format, or of none.
    #[error("format `{format}` has no option `--ds {key}` (known: {known})")]
    UnknownKey {
        /// The format.
        format: &'static str,
        /// The key.
        key: String,
        /// The keys that it has.
        known: String,
    },
    /// A value that doesn't fit its option.
    #[error("`{option}` is `{value}`, but should be {expected}")]
    BadValue {
        /// The option.
        option: String,
        /// The value.
        value: String,
        /// What it should be.
        expected: String,
    },
    /// A shape that is none.
    #[error("`--{option}` can't be used")]
    BadShape {
        /// The option.
        option: &'static str,
        /// Why.
        source: ShapeError,
    },
    /// Sizes whose product can't be counted.
    #[error("data set `{}`: a frame of {dtype} with shape {sig} has more bytes than this machine can address", path.display())]
    FrameTooLarge {
        /// The file.
        path: PathBuf,
        /// Element type.
        dtype: Dtype,
        /// Shape of a frame.
        sig: Shape,
    },
    /// A shape of the scan that overflows together with the frame.
    #[error("data set `{}`: scan {nav} times frame {sig} has more elements than can be counted", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Shape of the scan.
        nav: Shape,
        /// Shape of a frame.
        sig: Shape,
    },
    /// A sig shape with another number of pixels than the format's frames have.
    #[error(
        "data set `{}` has frames of {native}, {} pixels, but `--sig-shape` {given} has {}: give a shape with as many, \
         or leave it out", path.display(), native.size(), given.size()
    )]
    SigShape {
        /// The file.
        path: PathBuf,
        /// Shape asked for.
        given: Shape,
        /// Shape in the file.
        native: Shape,
    },
    /// `--sig-dims` and `--sig-shape` contradict each other.
    #[error("`--sig-dims` {sig_dims} doesn't fit `--sig-shape` {sig}")]
    SigDims {
        /// Number of sig axes asked for.
        sig_dims: usize,
        /// Shape asked for.
        sig: Shape,
    },
    /// An array with too few axes.
    #[error(
        "data set `{}` has shape {shape}: that is no scan of frames with {sig_dims} axes each; pass `--nav-shape` and \
         `--sig-shape`, or another `--sig-dims`", path.display()
    )]
    FewAxes {
        /// The file.
        path: PathBuf,
        /// Shape in the file.
        shape: Shape,
        /// Axes of a frame.
        sig_dims: usize,
    },
    /// A file that is shorter than one frame.
    #[error("data set `{}` holds no whole frame: there are {found} bytes of data, and one frame takes {frame}", path.display())]
    NoFrame {
        /// The file.
        path: PathBuf,
        /// Bytes of data.
        found: u64,
        /// Bytes of a frame.
        frame: u64,
    },
    /// A sync offset that leaves nothing.
    #[error(
        "`--sync-offset` {sync_offset} is out of range: data set `{}` has {n_frames} frames, so it must lie between \
         -{n_frames} and {n_frames}, both excluded", path.display()
    )]
    SyncOffset {
        /// The file.
        path: PathBuf,
        /// As given.
        sync_offset: i64,
        /// Frames in the files.
        n_frames: u64,
    },

    /// A bad `.npy` file.
    #[error("data set `{}` is no usable .npy file", path.display())]
    Npy {
        /// The file.
        path: PathBuf,
        /// Why.
        source: NpyError,
    },
    /// The header of a frame of a `.mib` file, or a `.hdr` file, makes no sense.
    #[error("bad header in `{}`, at byte {at}: {problem}", path.display())]
    Header {
        /// The file.
        path: PathBuf,
        /// Where the header starts.
        at: u64,
        /// What is wrong with it.
        problem: String,
    },
    /// The last frame isn't there as a whole.
    #[error(
        "data set `{}` is cut: {missing} bytes of its frame {frame} are missing; pass `--nav-shape` to read the frames \
         that are whole", path.display()
    )]
    Truncated {
        /// The file.
        path: PathBuf,
        /// The frame, counted from 0 in this file.
        frame: u64,
        /// Bytes missing.
        missing: u64,
    },
    /// The header of an acquisition says more than was written.
    #[error(
        "header `{}` promises {} frames, {promised}, but the files hold {found}: pass `--nav-shape` to read them; \
         frames that it has beyond them stay blank", path.display(), promised.size()
    )]
    FramesMissing {
        /// The header.
        path: PathBuf,
        /// Shape of the scan by the header.
        promised: Shape,
        /// Frames in the files.
        found: u64,
    },
    /// No data beside a header.
    #[error("header `{}` has no data beside it: there is no file `{stem}.mib` or `{stem}NUMBER.mib`", path.display())]
    NoData {
        /// The header.
        path: PathBuf,
        /// The name without its extension.
        stem: String,
    },
    /// Two files that claim the same frames.
    #[error(
        "`{}` and `{}` both start at image {sequence}, so it isn't clear which belongs to the data set: name the .mib \
         file to start from, or add `--ds disable-glob=true` to read only the one named", first.display(), second.display()
    )]
    Ambiguous {
        /// One file.
        first: PathBuf,
        /// The other.
        second: PathBuf,
        /// Their first sequence number.
        sequence: u64,
    },
    /// A file of a sequence is missing.
    #[error(
        "images {} to {} are missing between `{}` and `{}`: add the missing file, or `--ds disable-glob=true` to read \
         only the file named", expected, found - 1, before.display(), after.display()
    )]
    Gap {
        /// The last file before the gap.
        before: PathBuf,
        /// The first file after it.
        after: PathBuf,
        /// Sequence number that should follow.
        expected: u64,
        /// Sequence number that follows.
        found: u64,
    },

    /// A sidecar file that isn't understood.
    #[error("bad sidecar file `{}`{}: {problem}", path.display(), line.map_or(String::new(), |line| format!(", line {line}")))]
    Sidecar {
        /// The file.
        path: PathBuf,
        /// Where, counted from 1, if that is known.
        line: Option<usize>,
        /// What is wrong with it.
        problem: String,
    },
    /// Sparse rows that can't be.
    #[error("sparse data in `{}` make no sense: {problem}", path.display())]
    Sparse {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// More sparse entries at once than their row pointers can count.
    #[error("data set `{}`: so many pixels can't be had as sparse rows at once", path.display())]
    TooManyEntries {
        /// The file.
        path: PathBuf,
    },

    /// A read outside the frames that the files hold.
    #[error("frames {first} to {end} (excluded) were asked for, but only {} to {} (excluded) are in the files", present.start, present.end)]
    Frames {
        /// First frame.
        first: FrameIdx,
        /// The frame after the last one.
        end: FrameIdx,
        /// Frames that can be read.
        present: std::ops::Range<FrameIdx>,
    },
    /// A read outside the frame, or into a buffer of the wrong size.
    #[error("pixels {} to {} (excluded) of a frame of {n_pixels} don't fit into {found} bytes", sig.start, sig.end)]
    Pixels {
        /// Pixels of a frame.
        sig: std::ops::Range<usize>,
        /// Pixels that a frame has.
        n_pixels: u64,
        /// Bytes of the buffer.
        found: usize,
    },
    /// A conversion that would lose the imaginary part.
    #[error("the data are {from}, which doesn't convert to {to}: the imaginary part would be lost")]
    Dtype {
        /// In the files.
        from: Dtype,
        /// Asked for.
        to: Dtype,
    },
}
