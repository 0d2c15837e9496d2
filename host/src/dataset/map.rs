//! A file mapped into memory, and what identifies it. The only place with unsafe code in `dataset`.

use std::{
    fs::{self, File, Metadata},
    io,
    ops::Range,
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use memmap2::Mmap;
#[cfg(target_os = "linux")]
use memmap2::UncheckedAdvice;

use super::DatasetError;
#[cfg(target_os = "linux")]
use super::cache;

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

/// Fewer bytes are sooner taken from the map than asked for.
const MIN_READ: usize = 16 << 10;

/// A file mapped into memory.
#[derive(Debug)]
pub(super) struct MappedFile {
    info: FileInfo,
    map: Mmap,
    /// Of the only file of a data set: others are too many to be kept open.
    file: Option<File>,
}

impl MappedFile {
    pub(super) fn open(path: &Path) -> Result<Self, DatasetError> {
        Self::open_even_empty(path)?.not_empty()
    }

    /// Opens the only file of a data set: it stays open.
    pub(super) fn open_alone(path: &Path) -> Result<Self, DatasetError> {
        let (opened, file) = Self::open_file(path)?;
        Self { file: Some(file), ..opened }.not_empty()
    }

    /// Opens a file that may be empty.
    pub(super) fn open_even_empty(path: &Path) -> Result<Self, DatasetError> {
        Ok(Self::open_file(path)?.0)
    }

    fn open_file(path: &Path) -> Result<(Self, File), DatasetError> {
        let info = stat(path)?;
        let file = File::open(path).map_err(|source| failed(path, source))?;
        let map = map(&file).map_err(|source| failed(path, source))?;
        Ok((Self { info: FileInfo { size: map.len() as u64, ..info }, map, file: None }, file))
    }

    fn not_empty(self) -> Result<Self, DatasetError> {
        if self.info.size == 0 { Err(DatasetError::Empty { path: self.info.path }) } else { Ok(self) }
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

    /// Copies bytes of the file.
    ///
    /// Many of them are read rather than taken from the map: measured, the system copies them in the time that it would take
    /// to show them there, page by page, and they are in the processor's cache then.
    pub(super) fn copy(&self, bytes: Range<usize>, out: &mut [u8]) -> Result<(), DatasetError> {
        #[cfg(unix)]
        if let Some(file) = self.file.as_ref().filter(|_| out.len() >= MIN_READ) {
            use std::os::unix::fs::FileExt;
            return file.read_exact_at(out, bytes.start as u64).map_err(|source| match source.kind() {
                // It got shorter in this instant.
                io::ErrorKind::UnexpectedEof => {
                    let now = file.metadata().map_or(0, |metadata| metadata.len());
                    DatasetError::Changed { path: self.info.path.clone(), was: self.info.size, now }
                }
                _ => failed(&self.info.path, source),
            });
        }
        out.copy_from_slice(&self.map[bytes]);
        Ok(())
    }

    /// Has the disk begin to read bytes of the file.
    pub(super) fn will_need(&self, bytes: Range<usize>) {
        #[cfg(target_os = "linux")]
        self.with_file(|file| cache::will_need(file, bytes));
        #[cfg(not(target_os = "linux"))]
        let _ = bytes;
    }

    /// Gives back the memory that bytes of the file take.
    pub(super) fn give_back(&self, bytes: Range<usize>) {
        #[cfg(target_os = "linux")]
        {
            let bytes = bytes.start.min(self.map.len())..bytes.end.min(self.map.len());
            unmap(&self.map, &bytes);
            self.with_file(|file| cache::give_back(file, bytes));
        }
        #[cfg(not(target_os = "linux"))]
        let _ = bytes;
    }

    #[cfg(target_os = "linux")]
    fn with_file(&self, tell: impl FnOnce(&File)) {
        match &self.file {
            Some(file) => tell(file),
            None => {
                if let Ok(file) = File::open(&self.info.path) {
                    tell(&file);
                }
            }
        }
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
    // Whoever opens a pipe waits until somebody writes to it.
    if !metadata.is_file() {
        return Err(failed(path, io::Error::other("it is not a regular file")));
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

#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "of other memory than a file's, such advice makes zeros")]
fn unmap(map: &Mmap, bytes: &Range<usize>) {
    // SAFETY: the map is one of a file, and read-only: what it gives up is read from the file again when it is looked at.
    // So its bytes change no more than `map` says.
    let _ = unsafe { map.unchecked_advise_range(UncheckedAdvice::DontNeed, bytes.start, bytes.len()) };
}

#[expect(unsafe_code, reason = "mapping a file is unsafe, because other programs may change it")]
fn map(file: &File) -> io::Result<Mmap> {
    // SAFETY: the map is read-only and private to `MappedFile`. Its bytes are only ever taken as plain numbers, for which
    // every bit pattern is a value; a program that writes into the file meanwhile makes results wrong, nothing else. One
    // that shortens it is caught by `check` before each read, except in the instant between the two.
    unsafe { Mmap::map(file) }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_got_shorter_is_an_error_and_no_signal() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("frames.raw");
        fs::write(&path, vec![7; 3 * MIN_READ]).unwrap();
        let file = MappedFile::open_alone(&path).unwrap();
        let mut memory = vec![0; MIN_READ];
        file.copy(MIN_READ..2 * MIN_READ, &mut memory).unwrap();
        assert!(memory.iter().all(|&byte| byte == 7));
        File::options().write(true).open(&path).unwrap().set_len(MIN_READ as u64 + 5).unwrap();
        // As if that had happened after `check`.
        let changed = file.copy(MIN_READ..2 * MIN_READ, &mut memory).unwrap_err();
        assert!(
            matches!(changed, DatasetError::Changed { was, now, .. } if (was, now) == (3 * MIN_READ as u64, MIN_READ as u64 + 5)),
            "{changed}"
        );
    }
}
