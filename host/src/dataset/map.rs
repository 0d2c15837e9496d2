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

/// A file mapped into memory.
#[derive(Debug)]
pub(super) struct MappedFile {
    info: FileInfo,
    map: Mmap,
    /// Only of a file that may be mapped again: others are too many to be kept open.
    file: Option<File>,
}

impl MappedFile {
    pub(super) fn open(path: &Path) -> Result<Self, DatasetError> {
        Self::open_even_empty(path)?.not_empty()
    }

    /// Opens the only file of a data set: it can be mapped again.
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

    /// Whether [`MappedFile::map_over`] can be called.
    pub(super) fn can_map_over(&self) -> bool {
        cfg!(unix) && self.file.is_some()
    }

    /// Makes `memory` hold these bytes of the file: its whole pages by a private map, the others by a copy. Both must begin
    /// at the same place in a page.
    pub(super) fn map_over(&self, bytes: Range<usize>, memory: &mut [u8]) -> Result<(), DatasetError> {
        let page = page_size();
        let source = &self.map[bytes.clone()];
        let file = self.file.as_ref().filter(|_| memory.as_ptr().addr() % page == bytes.start % page);
        let (first, last) = (bytes.start.next_multiple_of(page), bytes.end / page * page);
        let Some(file) = file.filter(|_| first < last) else {
            memory.copy_from_slice(source);
            return Ok(());
        };
        let (head, tail) = (first - bytes.start, last - bytes.start);
        memory[..head].copy_from_slice(&source[..head]);
        memory[tail..].copy_from_slice(&source[tail..]);
        map_pages(file, first as u64, &mut memory[head..tail]).map_err(|source| failed(&self.info.path, source))
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

/// Bytes of a page of memory.
pub(crate) fn page_size() -> usize {
    #[cfg(unix)]
    let page = rustix::param::page_size();
    #[cfg(not(unix))]
    let page = 4096;
    page
}

#[cfg(not(unix))]
fn map_pages(_: &File, _: u64, _: &mut [u8]) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(unix)]
#[expect(unsafe_code, reason = "mapping a file is unsafe, because other programs may change it")]
fn map_pages(file: &File, start: u64, memory: &mut [u8]) -> io::Result<()> {
    use rustix::mm::{MapFlags, ProtFlags, mmap};
    let (protection, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE | MapFlags::FIXED);
    // SAFETY: whole pages, all of them within `memory`, which nobody else refers to, are replaced by pages that can be read
    // and written just the same, and that no other map sees written. Nothing keeps what was there before: like a copy, this
    // overwrites it. That other programs may change the file is as for `map`: its bytes are plain numbers.
    unsafe { mmap(memory.as_mut_ptr().cast(), memory.len(), protection, flags, file, start) }?;
    Ok(())
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
