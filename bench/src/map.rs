//! Plain reading of a file, as fast as it goes: the limit. The only place with unsafe code here.

use std::{
    fs::File,
    hint::black_box,
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use anyhow::Context;
use memmap2::Mmap;

/// Bytes that a thread takes at a time.
const PORTION: usize = 4 << 20;

/// Reads every byte of `map` once, with `n_threads` threads.
pub(crate) fn read(map: &Mmap, n_threads: usize) {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut total = 0_u64;
        while let Some(portion) = map.chunks(PORTION).nth(next.fetch_add(1, Ordering::Relaxed)) {
            total = total.wrapping_add(add(portion));
        }
        black_box(total);
    };
    thread::scope(|scope| {
        for _ in 1..n_threads {
            scope.spawn(work);
        }
        work();
    });
}

/// Maps a file into memory.
pub(crate) fn open(path: &Path) -> anyhow::Result<Mmap> {
    let file = File::open(path).with_context(|| format!("{} can't be opened", path.display()))?;
    map(&file).with_context(|| format!("{} can't be mapped", path.display()))
}

#[expect(unsafe_code, reason = "mapping a file is unsafe, because other programs may change it")]
fn map(file: &File) -> std::io::Result<Mmap> {
    // SAFETY: the map is read-only, and its bytes are only added up, for which every pattern of bits will do. The file is
    // one that this program had made; whoever shortens it meanwhile ends the measurement.
    unsafe { Mmap::map(file) }
}

/// The sum of all words of eight bytes, and of the bytes that are left.
fn add(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let sum = words.iter().fold(0_u64, |sum, word| sum.wrapping_add(u64::from_le_bytes(*word)));
    rest.iter().fold(sum, |sum, &byte| sum.wrapping_add(byte.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_counts() {
        assert_eq!(add(&[1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 4, 8]), 15);
    }
}
