//! What an opened data set promises: its numbers are the same however they are asked for, and what it can't give is an error.

use std::ops::Range;

use lthost::{
    dataset::{Dataset, DatasetError},
    run::partition_plan,
    shape::{Dtype, FrameIdx, convertible},
    tile::CsrRows,
};

use crate::errors::check_words;

/// Pixels that are looked at in one go; larger frames are looked at in parts.
const MAX_PIXELS: usize = 4096;
/// Frames that are looked at, at the beginning and at the end.
const MAX_FRAMES: u64 = 3;

/// Holds a data set to its promises.
pub(crate) fn check(dataset: &Dataset) {
    check_frames(dataset);
    check_plans(dataset);
    check_refusals(dataset);
    if let Err(error) = dataset.fingerprint() {
        check_words(&error);
    }
    let present = dataset.present();
    let n_present = present.end.0 - present.start.0;
    let last = FrameIdx(present.end.0 - n_present.min(MAX_FRAMES));
    let other = Dtype::all().nth(usize::try_from(dataset.nav().size() % 13).expect("below 13"));
    for dtype in [Some(dataset.dtype()), Some(Dtype::F64), other].into_iter().flatten() {
        for pixels in windows(dataset) {
            for first in [present.start, last] {
                check_numbers(dataset, (first, n_present.min(MAX_FRAMES)), &pixels, dtype);
            }
        }
    }
}

/// Frames that are there are frames of the scan and of the files.
fn check_frames(dataset: &Dataset) {
    let (present, n_nav) = (dataset.present(), dataset.nav().size());
    assert!(present.start <= present.end && present.end.0 <= n_nav, "{present:?} of {n_nav}");
    assert!(present.end.0 - present.start.0 <= dataset.n_file_frames(), "{present:?}");
    assert!(dataset.n_file_frames() > 0 && dataset.sig().size() > 0, "a data set without data");
    let all = dataset.n_stored(&(FrameIdx(0)..FrameIdx(u64::MAX)));
    let some = dataset.n_stored(&present);
    assert_eq!(all, some, "there are no pixels but in frames that are present");
}

/// Partitions are all frames, once.
fn check_plans(dataset: &Dataset) {
    for n in [None, Some(3), Some(u64::from(u16::MAX))] {
        let mut next = FrameIdx(0);
        for partition in partition_plan(dataset, n) {
            assert!(partition.start == next && partition.end >= next, "{partition:?} after {next}");
            next = partition.end;
        }
        assert_eq!(next.0, dataset.nav().size());
    }
}

/// What is not there is refused.
fn check_refusals(dataset: &Dataset) {
    let (present, n_pixels) = (dataset.present(), n_pixels(dataset));
    let (dtype, mut byte) = (Dtype::U8, [0]);
    let mut read = |first, n_frames, pixels: Range<usize>| dataset.read(first, n_frames, pixels, dtype, &mut byte);
    let refused = [
        read(present.end, 1, 0..1),
        read(FrameIdx(u64::MAX), 1, 0..1),
        read(present.start, usize::MAX, 0..1),
        read(present.start, 1, n_pixels..n_pixels.saturating_add(1)),
        read(present.start, 1, 0..2),
        read(present.start, 2, 0..1),
    ];
    for result in refused {
        check_words(&result.expect_err("it asks for what is not there"));
    }
}

fn n_pixels(dataset: &Dataset) -> usize {
    usize::try_from(dataset.sig().size()).expect("formats refuse frames that memory can't have")
}

/// Pixels to look at: all, or the first, some in the middle, and the last.
fn windows(dataset: &Dataset) -> Vec<Range<usize>> {
    let n = n_pixels(dataset);
    if n <= MAX_PIXELS {
        return std::iter::once(0..n).collect();
    }
    let middle = (n - MAX_PIXELS) / 2;
    vec![0..MAX_PIXELS, middle..middle + MAX_PIXELS, n - MAX_PIXELS..n]
}

/// Numbers are the same one by one, all at once, in parts of a frame, and as sparse rows.
fn check_numbers(dataset: &Dataset, (first, n_frames): (FrameIdx, u64), pixels: &Range<usize>, dtype: Dtype) {
    let frames: Vec<FrameIdx> = (first.0..first.0 + n_frames).map(FrameIdx).collect();
    let together = read(dataset, (first, frames.len()), pixels.clone(), dtype);
    if !convertible(dataset.dtype(), dtype) {
        assert!(matches!(together, Err(DatasetError::Dtype { .. })), "{together:?}");
        return;
    }
    let one_by_one: Result<Vec<Vec<u8>>, DatasetError> =
        frames.iter().map(|&frame| read(dataset, (frame, 1), pixels.clone(), dtype)).collect();
    let middle = pixels.start.midpoint(pixels.end);
    let halves = |frame: &FrameIdx| {
        let left = read(dataset, (*frame, 1), pixels.start..middle, dtype)?;
        Ok([left, read(dataset, (*frame, 1), middle..pixels.end, dtype)?].concat())
    };
    let in_halves: Result<Vec<Vec<u8>>, DatasetError> = frames.iter().map(halves).collect();
    let sparse = read_sparse(dataset, (first, frames.len()), pixels.clone(), dtype);
    match (together, one_by_one, in_halves, sparse) {
        (Ok(together), Ok(one_by_one), Ok(in_halves), Ok(sparse)) => {
            assert!(together == one_by_one.concat(), "frames one by one are others than all at once");
            assert!(together == in_halves.concat(), "parts of frames are others than whole ones");
            assert!(together == sparse, "sparse rows are other numbers than dense ones");
        }
        (Err(a), Err(b), Err(c), Err(d)) => [a, b, c, d].iter().for_each(|error| check_words(error)),
        (a, b, c, d) => {
            let was_read = [a.is_ok(), b.is_ok(), c.is_ok(), d.is_ok()];
            assert_eq!(was_read, [was_read[0]; 4], "it depends on how frames are asked for whether they can be read");
        }
    }
}

fn read(
    dataset: &Dataset,
    (first, n_frames): (FrameIdx, usize),
    pixels: Range<usize>,
    dtype: Dtype,
) -> Result<Vec<u8>, DatasetError> {
    // What is there before must not be seen.
    let mut out = vec![0xa5; n_frames * pixels.len() * dtype.size()];
    dataset.read(first, n_frames, pixels, dtype, &mut out)?;
    Ok(out)
}

/// Reads sparse rows, and makes them dense.
fn read_sparse(
    dataset: &Dataset,
    (first, n_frames): (FrameIdx, usize),
    pixels: Range<usize>,
    dtype: Dtype,
) -> Result<Vec<u8>, DatasetError> {
    let mut rows = CsrRows::new(dtype);
    dataset.read_csr(first, n_frames, pixels.clone(), &mut rows)?;
    let size = dtype.size();
    let pointers: Vec<usize> =
        rows.indptr().iter().map(|&at| usize::try_from(at).expect("a usize has 32 bits")).collect();
    assert!(pointers.len() == n_frames + 1 && pointers[0] == 0 && pointers.is_sorted(), "{pointers:?}");
    assert_eq!(pointers[n_frames] * size, rows.values().len());
    assert_eq!(pointers[n_frames], rows.indices().len());
    let mut dense = vec![0; n_frames * pixels.len() * size];
    for (frame, pointers) in pointers.windows(2).enumerate() {
        let indices = &rows.indices()[pointers[0]..pointers[1]];
        assert!(indices.is_sorted_by(|a, b| a < b), "pixels of a row ascend: {indices:?}");
        for (&pixel, value) in indices.iter().zip(rows.values()[pointers[0] * size..].chunks_exact(size)) {
            let pixel = usize::try_from(pixel).expect("a usize has 32 bits");
            assert!(pixel < pixels.len(), "pixel {pixel} of {}", pixels.len());
            dense[(frame * pixels.len() + pixel) * size..][..size].copy_from_slice(value);
        }
    }
    Ok(dense)
}
