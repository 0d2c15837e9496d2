//! What the system's page cache is told of files: what is wanted soon, and what is not wanted any more.
//!
//! This is advice. Results don't depend on it, and where it can't be given, nothing but time is lost: so errors are none.
//! Linux alone is told; its page cache is the one whose ways are known here.

use std::ops::Range;

use super::{Content, Dataset, frames::Coding, map::MappedFile};
use crate::shape::FrameIdx;

/// A kernel that reads this many bytes ahead by itself keeps a disk busy. It does it with larger pages than those that
/// advice gives, which cost less: then it is better left alone.
const FAR: u64 = 1 << 20;
/// Of advice on more bytes than a device takes at once the kernel heeds only the first so many; every disk takes these.
#[cfg(target_os = "linux")]
const ADVISED: usize = 128 << 10;
/// Pages of the cache may be this large, and are given up as a whole.
#[cfg(target_os = "linux")]
const LARGE_PAGE: usize = 2 << 20;

impl Dataset {
    /// Whether [`Dataset::will_need`] makes reading faster, if the files are not in memory.
    pub(crate) fn wants_advice(&self) -> bool {
        self.files.first().and_then(|file| system::read_ahead(&file.path)).is_some_and(|n_bytes| n_bytes < FAR)
    }

    /// Has the disk begin to read frames of the scan, as far as they are present and not in memory.
    pub(crate) fn will_need(&self, frames: &Range<FrameIdx>) {
        for (file, bytes) in self.extents(frames) {
            file.will_need(bytes);
        }
    }

    /// Gives back the memory in which the system keeps frames of the scan. They can still be read, from the disk.
    pub(crate) fn give_back(&self, frames: &Range<FrameIdx>) {
        for (file, bytes) in self.extents(frames) {
            file.give_back(bytes);
        }
    }

    /// Where frames of the scan lie: in which files, and there from the first to the last byte. None that the files don't
    /// have, nor those of files that mix them.
    fn extents(&self, frames: &Range<FrameIdx>) -> Vec<(&MappedFile, Range<usize>)> {
        let start = frames.start.clamp(self.present.start, self.present.end);
        let end = frames.end.clamp(start, self.present.end);
        if start == end {
            return Vec::new();
        }
        let in_file = |frame: FrameIdx| frame.0.wrapping_add_signed(self.sync_offset);
        let (start, end) = (in_file(start), in_file(end));
        match &self.content {
            Content::Dense(dense) if matches!(dense.coding, Coding::Fortran(_)) => Vec::new(),
            Content::Dense(dense) => dense.extents(start..end).collect(),
            Content::Sparse(sparse) => {
                let extents = sparse.extents(super::to_index(start)..super::to_index(end));
                extents.into_iter().flatten().collect()
            }
        }
    }
}

/// Bytes of memory that programs can have without others losing theirs, as far as the system says so.
pub(crate) fn available_memory() -> Option<u64> {
    system::available_memory()
}

#[cfg(target_os = "linux")]
pub(super) use system::{give_back, will_need};

#[cfg(target_os = "linux")]
mod system {
    use std::{
        fs::{self, File},
        io::IoSliceMut,
        num::NonZero,
        ops::Range,
        os::unix::fs::MetadataExt as _,
        path::Path,
    };

    use rustix::{
        fs::{Advice, fadvise, major, minor},
        io::{ReadWriteFlags, preadv2},
    };

    use super::{ADVISED, LARGE_PAGE};

    /// How many bytes the kernel reads ahead in a file that is read in order.
    pub(super) fn read_ahead(path: &Path) -> Option<u64> {
        let device = fs::metadata(path).ok()?.dev();
        let device = format!("{}:{}", major(device), minor(device));
        // Of a file system, or of the disk that a part of it is on.
        let of = [format!("/sys/class/bdi/{device}"), format!("/sys/dev/block/{device}/../bdi")];
        let kib = of.iter().find_map(|folder| fs::read_to_string(format!("{folder}/read_ahead_kb")).ok())?;
        kib.trim().parse::<u64>().ok()?.checked_mul(1 << 10)
    }

    pub(super) fn available_memory() -> Option<u64> {
        let text = fs::read_to_string("/proc/meminfo").ok()?;
        let kib = text.lines().find_map(|line| line.strip_prefix("MemAvailable:")?.trim().strip_suffix(" kB"))?;
        kib.parse::<u64>().ok()?.checked_mul(1 << 10)
    }

    pub(in crate::dataset) fn will_need(file: &File, bytes: Range<usize>) {
        // Where all is in memory, this costs a tenth of the advice. Not the first byte: its page may have been asked for
        // together with those before it.
        if bytes.end.checked_sub(1).is_some_and(|last| is_cached(file, last)) {
            return;
        }
        for start in bytes.clone().step_by(ADVISED) {
            let len = NonZero::new(ADVISED.min(bytes.end - start) as u64);
            let _ = fadvise(file, start as u64, len, Advice::WillNeed);
        }
    }

    /// Only pages that nobody has mapped are given back, and only those that lie within what is asked for. So that is more: a
    /// large page may begin before the bytes, among those that the partition before has given back.
    pub(in crate::dataset) fn give_back(file: &File, bytes: Range<usize>) {
        let start = bytes.start.saturating_sub(LARGE_PAGE);
        if let Some(len) = NonZero::new((bytes.end - start) as u64) {
            let _ = fadvise(file, start as u64, Some(len), Advice::DontNeed);
        }
    }

    /// Whether a byte can be read without waiting for the disk.
    pub(super) fn is_cached(file: &File, at: usize) -> bool {
        let mut byte = [0];
        preadv2(file, &mut [IoSliceMut::new(&mut byte)], at as u64, ReadWriteFlags::NOWAIT) == Ok(1)
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use std::path::Path;

    pub(super) fn read_ahead(_: &Path) -> Option<u64> {
        None
    }

    pub(super) fn available_memory() -> Option<u64> {
        None
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;
    use crate::{
        dataset::{
            Found,
            frames::{Frames, Piece},
        },
        shape::{ByteOrder, Dtype, Shape},
    };

    /// Files of so many frames of 1000 bytes, which have 24 others before each.
    fn dataset(dir: &Path, n_frames: &[usize], sync_offset: i64) -> Dataset {
        let mut pieces: Vec<Piece> = Vec::new();
        for (at, &n_frames) in n_frames.iter().enumerate() {
            let path = dir.join(at.to_string());
            fs::write(&path, vec![7; n_frames * 1024]).unwrap();
            fs::File::open(&path).unwrap().sync_all().unwrap();
            let first = pieces.iter().map(|piece| piece.n_frames as u64).sum();
            pieces.push(Piece { file: MappedFile::open(&path).unwrap(), first, n_frames, start: 24, pitch: 1024 });
        }
        let n_frames = n_frames.iter().sum::<usize>() as u64;
        let frames = Frames { pieces, coding: Coding::Plain, n_pixels: 1000, item: 1, frame_bytes: 1000 };
        let found = Found {
            nav: Shape::new([n_frames]).unwrap(),
            sig: Shape::new([1000]).unwrap(),
            dtype: Dtype::U8,
            byte_order: ByteOrder::Little,
            metadata: Vec::new(),
            other_files: Vec::new(),
            content: Content::Dense(frames),
        };
        Dataset::new(dir, "raw", sync_offset, found).unwrap()
    }

    #[test]
    fn frames_are_found_in_their_files() {
        let dir = tempfile::tempdir().unwrap();
        for (sync_offset, frames, expected) in [
            (0, 0..2, vec![("0", 24..2048)]),
            (0, 3..5, vec![("0", 3096..4096), ("1", 24..1024)]),
            (0, 4..6, vec![("1", 24..2048)]),
            (0, 0..u64::MAX, vec![("0", 24..4096), ("1", 24..3072)]),
            (0, 2..2, vec![]),
            (2, 0..3, vec![("0", 2072..4096), ("1", 24..1024)]),
            (-1, 0..2, vec![("0", 24..1024)]),
            (-1, 0..1, vec![]),
            (2, 5..7, vec![]),
        ] {
            let dataset = dataset(dir.path(), &[4, 3], sync_offset);
            let found = dataset.extents(&(FrameIdx(frames.start)..FrameIdx(frames.end)));
            let found: Vec<_> = found.iter().map(|(file, bytes)| (file.path().to_owned(), bytes.clone())).collect();
            let expected: Vec<_> = expected.into_iter().map(|(name, bytes)| (dir.path().join(name), bytes)).collect();
            assert_eq!(found, expected, "{frames:?} with offset {sync_offset}");
        }
    }

    /// A data set of 2048 pages that the disk alone has, and its file; none, and it is said, where there is no disk.
    #[cfg(target_os = "linux")]
    fn on_disk(dir: &Path) -> Option<(Dataset, fs::File)> {
        use std::io::Write as _;

        use rustix::fs::{Advice, fadvise};

        let dataset = dataset(dir, &[8192], 0);
        let file = fs::File::open(dir.join("0")).unwrap();
        // What is not written yet stays in memory.
        file.sync_all().unwrap();
        fadvise(&file, 0, None, Advice::DontNeed).unwrap();
        // Who looks for a page has it read, but none beside it.
        fadvise(&file, 0, None, Advice::Random).unwrap();
        if system::is_cached(&file, 0) {
            let _nobody_listens = writeln!(std::io::stderr(), "skipped: temporary files are in memory alone");
            return None;
        }
        Some((dataset, file))
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn what_is_given_back_can_be_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let Some((dataset, file)) = on_disk(dir.path()) else { return };
        let n_cached = || (0..8 << 20).step_by(4096).filter(|&at| system::is_cached(&file, at)).count();
        let mut numbers = vec![0; 8192 * 1000];
        let mut read = || {
            numbers.fill(0);
            dataset.read(FrameIdx(0), 8192, 0..1000, Dtype::U8, &mut numbers).unwrap();
            assert!(numbers.iter().all(|&number| number == 7));
        };
        read();
        assert_eq!(n_cached(), 2048);
        dataset.give_back(&(FrameIdx(0)..FrameIdx(8192)));
        let n_left = n_cached();
        assert!(n_left < 100, "{n_left} of 2048 pages are still in memory");
        read();
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn what_will_be_needed_is_read_by_itself() {
        let dir = tempfile::tempdir().unwrap();
        let Some((dataset, file)) = on_disk(dir.path()) else { return };
        dataset.will_need(&(FrameIdx(1000)..FrameIdx(5000)));
        // Each of these pages is looked for once, some time later.
        let is_there = |frame: usize| {
            std::thread::sleep(std::time::Duration::from_millis(20));
            system::is_cached(&file, frame * 1024)
        };
        assert!((1100..4900).step_by(8).any(is_there), "nothing was read ahead");
        assert!(!is_there(8000), "what nobody asked for was read, too");
    }
}
