//! A file mapped into memory, and what identifies it. The only place with unsafe code in `dataset`.

use std::{
    fs::{self, File, Metadata},
    io,
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use memmap2::Mmap;

use super::DatasetError;

/// A file of a data set, as part of its fingerprint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileInfo {
    /// Where it is.
    pub path: PathBuf,
    /// Bytes.
    pub size: u64,
    /// When it was last written, in seconds since 1970; 0 if unknown.
    pub mtime: u64,
}

/// A file mapped into memory.
#[derive(Debug)]
pub(super) struct MappedFile {
    info: FileInfo,
    map: Mmap,
}

impl MappedFile {
    pub(super) fn open(path: &Path) -> Result<Self, DatasetError> {
        let opened = Self::open_even_empty(path)?;
        if opened.info.size == 0 {
            return Err(DatasetError::Empty { path: path.to_owned() });
        }
        Ok(opened)
    }

    /// Opens a file that may be empty.
    pub(super) fn open_even_empty(path: &Path) -> Result<Self, DatasetError> {
        let info = stat(path)?;
        let file = File::open(path).map_err(|source| failed(path, source))?;
        let map = map(&file).map_err(|source| failed(path, source))?;
        Ok(Self { info: FileInfo { size: map.len() as u64, ..info }, map })
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.map
    }

    pub(super) fn path(&self) -> &Path {
        &self.info.path
    }

    pub(super) fn info(&self) -> &FileInfo {
        &self.info
    }

    /// Checks that the file is still as long as the map: a read past its end would kill the program.
    pub(super) fn check(&self) -> Result<(), DatasetError> {
        let now = fs::metadata(&self.info.path).map_err(|source| failed(&self.info.path, source))?.len();
        if now < self.info.size {
            return Err(DatasetError::Changed { path: self.info.path.clone(), was: self.info.size, now });
        }
        Ok(())
    }
}

/// Size and time of a file that exists and is no directory.
pub(super) fn stat(path: &Path) -> Result<FileInfo, DatasetError> {
    let metadata = fs::metadata(path).map_err(|source| failed(path, source))?;
    if metadata.is_dir() {
        return Err(DatasetError::Directory { path: path.to_owned() });
    }
    Ok(FileInfo { path: path.to_owned(), size: metadata.len(), mtime: mtime(&metadata) })
}

/// The error for `path`.
pub(super) fn failed(path: &Path, source: io::Error) -> DatasetError {
    let path = path.to_owned();
    match source.kind() {
        io::ErrorKind::NotFound => DatasetError::NotFound { path },
        _ => DatasetError::Io { path, source },
    }
}

fn mtime(metadata: &Metadata) -> u64 {
    let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    modified.map_or(0, |since| since.as_secs())
}

#[expect(unsafe_code, reason = "mapping a file is unsafe, because other programs may change it")]
fn map(file: &File) -> io::Result<Mmap> {
    // SAFETY: the map is read-only and private to `MappedFile`. Its bytes are only ever taken as plain numbers, for which
    // every bit pattern is a value; a program that writes into the file meanwhile makes results wrong, nothing else. One
    // that shortens it is caught by `check` before each read, except in the instant between the two.
    unsafe { Mmap::map(file) }
}
