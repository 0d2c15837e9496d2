//! Rows of compressed sparse frames, decoded one at a time.
//!
//! What is checked when: that the row pointers ascend, begin at 0 and end at the number of entries is checked when the
//! data set is opened, which takes one pass over the smallest of the files. Pixel numbers are as many as the data, so
//! each row's are checked when it is first read. What was found then, that they ascend, is kept: a block of pixels of
//! such a row is found by bisection later.

use std::{
    cell::RefCell,
    ops::Range,
    sync::atomic::{AtomicU8, Ordering},
};

use super::Numbers;
use crate::{
    dataset::{DatasetError, FileInfo, frames::Wanted, map::MappedFile},
    shape::{Dtype, Element, Kernel, for_element, kernel},
    tile::CsrRows,
};

/// Row pointers that are decoded at a time when they are checked.
const CHECKED: usize = 4096;

thread_local! {
    static ROW: RefCell<Row> = RefCell::default();
}

/// The entries of a row within the pixels that are wanted: ascending, no pixel twice.
#[derive(Default)]
struct Row {
    /// Pixels, counted from the first one wanted.
    pixels: Vec<u64>,
    values: Vec<u8>,
}

/// Not read yet.
const UNKNOWN: u8 = 0;
/// Pixel numbers ascend, and all exist.
const ASCENDING: u8 = 1;
/// They do not ascend, or some pixel is there twice.
const MIXED: u8 = 2;

/// Frames of which only some pixels are stored.
#[derive(Debug)]
pub(in crate::dataset) struct SparseFrames {
    indptr: Integers,
    indices: Integers,
    data: Numbers,
    n_pixels: u64,
    n_frames: usize,
    /// What is known of each frame's pixel numbers.
    order: Vec<AtomicU8>,
}

/// A file of whole numbers.
#[derive(Debug)]
struct Integers {
    numbers: Numbers,
    to_u64: Kernel,
}

impl SparseFrames {
    /// Holds the three files against each other.
    pub(super) fn new(indptr: Numbers, indices: Numbers, data: Numbers, n_pixels: u64) -> Result<Self, DatasetError> {
        let (indptr, indices) = (Integers::new(indptr), Integers::new(indices));
        if indices.numbers.len() != data.len() {
            let (n_indices, n_values) = (indices.numbers.len(), data.len());
            let values = data.file.path().display();
            return Err(indices.bad(format!("it has {n_indices} pixel numbers, but `{values}` has {n_values} values")));
        }
        check_pointers(&indptr, data.len())?;
        let n_frames = indptr.numbers.len() - 1;
        let order = std::iter::repeat_with(|| AtomicU8::new(UNKNOWN)).take(n_frames).collect();
        Ok(Self { indptr, indices, data, n_pixels, n_frames, order })
    }

    pub(in crate::dataset) fn n_frames(&self) -> u64 {
        self.n_frames as u64
    }

    /// Pixels that are stored.
    pub(super) fn n_entries(&self) -> usize {
        self.data.len()
    }

    /// Pixels that are stored of some frames. They must exist.
    pub(in crate::dataset) fn n_entries_of(&self, frames: Range<usize>) -> u64 {
        self.indptr.get(frames.end).saturating_sub(self.indptr.get(frames.start))
    }

    /// Bytes of the files for a frame, on average.
    pub(in crate::dataset) fn frame_bytes(&self) -> u64 {
        let n_bytes: u64 = self.files().map(|file| file.size).sum();
        n_bytes.div_ceil(self.n_frames())
    }

    pub(in crate::dataset) fn files(&self) -> impl Iterator<Item = &FileInfo> {
        [&self.indptr.numbers, &self.indices.numbers, &self.data].into_iter().map(|numbers| numbers.file.info())
    }

    /// Where the entries of some frames lie: in which files, and at which bytes. They must exist. None if a file got shorter.
    pub(in crate::dataset) fn extents(&self, frames: Range<usize>) -> Option<[(&MappedFile, Range<usize>); 2]> {
        self.check().ok()?;
        let n_entries = self.data.len();
        let entry = |pointer| usize::try_from(self.indptr.get(pointer)).map_or(n_entries, |at| at.min(n_entries));
        let (start, end) = (entry(frames.start), entry(frames.end));
        Some([&self.indices.numbers, &self.data].map(|numbers| {
            let size = numbers.dtype.size();
            (&numbers.file, start * size..end.max(start) * size)
        }))
    }

    /// Decodes the frames from `first` on into `out`, as many as it has room for. They must exist.
    pub(in crate::dataset) fn read(&self, first: usize, wanted: &Wanted, out: &mut [u8]) -> Result<(), DatasetError> {
        self.check()?;
        out.fill(0);
        let size = wanted.dtype.size();
        ROW.with_borrow_mut(|row| {
            for (frame, out) in (first..).zip(out.chunks_exact_mut((wanted.sig.len() * size).max(1))) {
                self.read_row(frame, wanted, row)?;
                scatter(row, size, out);
            }
            Ok(())
        })
    }

    /// Adds `n_frames` frames from `first` on to `rows`. They must exist.
    pub(in crate::dataset) fn read_csr(
        &self,
        (first, n_frames): (usize, usize),
        wanted: &Wanted,
        rows: &mut CsrRows,
    ) -> Result<(), DatasetError> {
        self.check()?;
        let too_many = || DatasetError::TooManyEntries { path: self.data.file.path().to_owned() };
        u32::try_from(wanted.sig.len()).map_err(|_| too_many())?;
        ROW.with_borrow_mut(|row| {
            for frame in first..first + n_frames {
                self.read_row(frame, wanted, row)?;
                let pixels = row.pixels.iter().map(|&pixel| u32::try_from(pixel).unwrap_or(u32::MAX));
                rows.push_row(pixels, &row.values).ok_or_else(too_many)?;
            }
            Ok(())
        })
    }

    fn check(&self) -> Result<(), DatasetError> {
        [&self.indptr.numbers, &self.indices.numbers, &self.data].iter().try_for_each(|numbers| numbers.file.check())
    }

    /// Decodes what is wanted of a frame into `row`.
    fn read_row(&self, frame: usize, wanted: &Wanted, row: &mut Row) -> Result<(), DatasetError> {
        let mut entries = self.entries(frame)?;
        let (start, end) = (wanted.sig.start as u64, wanted.sig.end as u64);
        let known = self.order[frame].load(Ordering::Relaxed);
        if known == ASCENDING && (start > 0 || end < self.n_pixels) {
            let (from, to) = (self.indices.bisect(&entries, start), self.indices.bisect(&entries, end));
            entries = from..to.max(from);
        }
        self.indices.decode(entries.clone(), &mut row.pixels);
        let is_ascending = match known {
            ASCENDING => true,
            _ => self.check_pixels(frame, &row.pixels)?,
        };
        if is_ascending {
            let from = row.pixels.partition_point(|pixel| *pixel < start);
            let to = row.pixels.partition_point(|pixel| *pixel < end).max(from);
            row.pixels.truncate(to);
            row.pixels.drain(..from);
            self.decode_values(entries.start + from..entries.start + to, wanted, &mut row.values);
            // Of a file that is written meanwhile they may be anything: no reason to fall over.
            row.pixels.iter_mut().for_each(|pixel| *pixel = pixel.wrapping_sub(start));
        } else {
            self.decode_values(entries, wanted, &mut row.values);
            for_element!(wanted.dtype, T => put_in_order::<T>(row, start..end));
        }
        Ok(())
    }

    /// Where the entries of a frame are.
    fn entries(&self, frame: usize) -> Result<Range<usize>, DatasetError> {
        let entry = |pointer| usize::try_from(self.indptr.get(pointer)).unwrap_or(usize::MAX);
        let entries = entry(frame)..entry(frame + 1);
        if entries.start <= entries.end && entries.end <= self.data.len() {
            Ok(entries)
        } else {
            Err(self.indptr.bad(format!("row pointers {frame} and {} have changed since it was opened", frame + 1)))
        }
    }

    /// Whether pixel numbers ascend. All must be pixels of a frame.
    fn check_pixels(&self, frame: usize, pixels: &[u64]) -> Result<bool, DatasetError> {
        if let Some(strange) = pixels.iter().find(|pixel| **pixel >= self.n_pixels) {
            let (strange, n_pixels) = (self.indices.text(*strange), self.n_pixels);
            let problem = format!("frame {frame} has pixel {strange}, but a frame has {n_pixels}, counted from 0");
            return Err(self.indices.bad(problem));
        }
        let is_ascending = pixels.is_sorted_by(|a, b| a < b);
        self.order[frame].store(if is_ascending { ASCENDING } else { MIXED }, Ordering::Relaxed);
        Ok(is_ascending)
    }

    fn decode_values(&self, entries: Range<usize>, wanted: &Wanted, out: &mut Vec<u8>) {
        out.resize(entries.len() * wanted.dtype.size(), 0);
        (wanted.kernel)(self.data.bytes(entries), out);
    }
}

impl Numbers {
    /// How many.
    fn len(&self) -> usize {
        self.file.bytes().len() / self.dtype.size()
    }

    fn bytes(&self, range: Range<usize>) -> &[u8] {
        &self.file.bytes()[range.start * self.dtype.size()..range.end * self.dtype.size()]
    }
}

impl Integers {
    fn new(numbers: Numbers) -> Self {
        let to_u64 = kernel(numbers.dtype, numbers.order, Dtype::U64).expect("whole numbers convert");
        Self { numbers, to_u64 }
    }

    /// A number; a negative one as one that is too large.
    fn get(&self, at: usize) -> u64 {
        let mut number = [0; 8];
        (self.to_u64)(self.numbers.bytes(at..at + 1), &mut number);
        u64::from_le_bytes(number)
    }

    fn decode(&self, range: Range<usize>, out: &mut Vec<u64>) {
        out.resize(range.len(), 0);
        (self.to_u64)(self.numbers.bytes(range), bytemuck::cast_slice_mut(out));
        if cfg!(target_endian = "big") {
            for number in out {
                *number = u64::from_le(*number);
            }
        }
    }

    /// The first of `entries`, which ascend, whose number is at least `least`.
    fn bisect(&self, entries: &Range<usize>, least: u64) -> usize {
        let Range { mut start, mut end } = *entries;
        while start < end {
            let middle = start.midpoint(end);
            if self.get(middle) < least { start = middle + 1 } else { end = middle }
        }
        start
    }

    /// A number as it was written.
    fn text(&self, number: u64) -> String {
        match self.numbers.dtype {
            Dtype::I8 | Dtype::I16 | Dtype::I32 | Dtype::I64 => number.cast_signed().to_string(),
            _ => number.to_string(),
        }
    }

    fn bad(&self, problem: String) -> DatasetError {
        DatasetError::Sparse { path: self.numbers.file.path().to_owned(), problem }
    }
}

/// Row pointers begin at 0, never fall, and end at the number of entries.
fn check_pointers(indptr: &Integers, n_entries: usize) -> Result<(), DatasetError> {
    let n_pointers = indptr.numbers.len();
    if n_pointers < 2 {
        return Err(indptr.bad(format!("it has {n_pointers} row pointers: one frame takes two")));
    }
    let mut pointers = Vec::new();
    let mut before = 0;
    for start in (0..n_pointers).step_by(CHECKED) {
        indptr.decode(start..(start + CHECKED).min(n_pointers), &mut pointers);
        for (at, &pointer) in (start..).zip(&pointers) {
            if at == 0 && pointer != 0 {
                return Err(indptr.bad(format!("the first row pointer is {}, expected 0", indptr.text(pointer))));
            } else if pointer < before || pointer > n_entries as u64 {
                let problem = format!(
                    "row pointer {at} is {}, expected {before} to {n_entries}, the number of pixel numbers",
                    indptr.text(pointer)
                );
                return Err(indptr.bad(problem));
            }
            before = pointer;
        }
    }
    if before == n_entries as u64 {
        Ok(())
    } else {
        Err(indptr.bad(format!("the last row pointer is {before}, expected {n_entries}, the number of pixel numbers")))
    }
}

/// Sorts the entries of a row that are in `sig`, and adds up those of one pixel.
fn put_in_order<T: Element>(row: &mut Row, sig: Range<u64>) {
    let mut entries: Vec<(u64, T)> =
        row.pixels.iter().copied().zip(row.values.chunks_exact(T::SIZE).map(T::read)).collect();
    entries.retain(|(pixel, _)| sig.contains(pixel));
    // Stable, so that floating point numbers add up in the order of the file.
    entries.sort_by_key(|(pixel, _)| *pixel);
    entries.dedup_by(|next, kept| {
        let is_same = next.0 == kept.0;
        if is_same {
            kept.1 = kept.1.add(next.1);
        }
        is_same
    });
    row.pixels.clear();
    row.pixels.extend(entries.iter().map(|(pixel, _)| pixel - sig.start));
    row.values.resize(entries.len() * T::SIZE, 0);
    for ((_, value), bytes) in entries.into_iter().zip(row.values.chunks_exact_mut(T::SIZE)) {
        value.write(bytes);
    }
}

/// Writes the entries of a row, of `size` bytes each, where they belong in a dense one.
fn scatter(row: &Row, size: usize, out: &mut [u8]) {
    match size {
        1 => scatter_sized::<1>(row, out),
        2 => scatter_sized::<2>(row, out),
        4 => scatter_sized::<4>(row, out),
        8 => scatter_sized::<8>(row, out),
        _ => scatter_sized::<16>(row, out),
    }
}

fn scatter_sized<const SIZE: usize>(row: &Row, out: &mut [u8]) {
    let (out, _) = out.as_chunks_mut::<SIZE>();
    let (values, _) = row.values.as_chunks::<SIZE>();
    for (&pixel, value) in row.pixels.iter().zip(values) {
        if let Some(out) = usize::try_from(pixel).ok().and_then(|pixel| out.get_mut(pixel)) {
            *out = *value;
        }
    }
}
