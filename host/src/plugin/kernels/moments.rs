//! What the mean and the spread of each pixel over the frames are made of, added up by the host for plugins. Pixels come from the
//! files, and never enter a plugin's memory.
//!
//! The bits are those of the SDK's kernels `add_squares` and `add_distances`, on every processor: counts (whole numbers of 8 or 16
//! bits) and their squares are added exactly, and of all others, in the order of frames, the distances from the first frame.
#![expect(clippy::inline_always, reason = "only what is inlined is compiled for more than any processor has")]

use std::array;

use super::{
    pixels::{HostTile, Pixels, Step, Stored},
    reduce::{Clock, FRAMES, PerPixel, ReduceError, by_pixels, filled, fitting, range},
};
use crate::shape::{Dtype, DtypeKind};

/// Pixels that are added at a time: what is kept for them stays in the second cache.
const COLUMNS: usize = 1 << 13;
/// Bytes that are kept for a pixel that is a count.
const COUNTS: usize = 16;
/// Bytes that are kept for any other one.
const DISTANCES: usize = 24;

/// Moments that a plugin keeps in the host, those of each pixel of a frame.
#[derive(Debug)]
pub(super) struct PixelMoments {
    /// Of the pixels.
    dtype: Dtype,
    kept: Kept,
}

#[derive(Debug)]
enum Kept {
    /// Of counts, exact.
    Counts { sums: Vec<i64>, squares: Vec<u64> },
    /// Of distances from `origins`, the first frame, with zero where that has no finite number. They are NaN before.
    Distances { origins: Vec<f64>, sums: Vec<f64>, squares: Vec<f64> },
}

impl PerPixel for PixelMoments {
    const NAME: &'static str = "pixel-moments";

    /// Of pixels that are `dtype`.
    fn new(dtype: Dtype, n_pixels: u64, limit: usize) -> Result<Self, ReduceError> {
        if dtype.kind() == DtypeKind::Complex {
            return Err(ReduceError::Complex);
        }
        let n = usize::try_from(n_pixels).unwrap_or(usize::MAX);
        let kept = if matches!(dtype, Dtype::U8 | Dtype::I8 | Dtype::U16 | Dtype::I16) {
            fitting(n, COUNTS, limit)?;
            Kept::Counts { sums: filled(n, 0)?, squares: filled(n, 0)? }
        } else {
            fitting(n, DISTANCES, limit)?;
            Kept::Distances { origins: filled(n, f64::NAN)?, sums: filled(n, 0.0)?, squares: filled(n, 0.0)? }
        };
        Ok(Self { dtype, kept })
    }

    fn n_bytes(&self) -> usize {
        match &self.kept {
            Kept::Counts { sums, .. } => COUNTS * sums.len(),
            Kept::Distances { sums, .. } => DISTANCES * sums.len(),
        }
    }

    fn add(&mut self, tile: &dyn HostTile, goes_on: &mut dyn FnMut() -> bool) -> Result<(), ReduceError> {
        let (n_pixels, n_kept) = (tile.n_pixels(), self.n_kept());
        if n_pixels != n_kept {
            return Err(ReduceError::Shape { n_pixels, n_kept });
        }
        if tile.dtype() != self.dtype {
            return Err(ReduceError::OtherPixels { dtype: tile.dtype(), expected: self.dtype });
        }
        let kept = &mut self.kept;
        match self.dtype {
            Dtype::U8 => add::<u8>(kept, tile, goes_on, counts()),
            Dtype::I8 => add::<i8>(kept, tile, goes_on, counts()),
            Dtype::U16 => add::<u16>(kept, tile, goes_on, counts()),
            Dtype::I16 => add::<i16>(kept, tile, goes_on, counts()),
            Dtype::F32 | Dtype::Bool => add::<f32>(kept, tile, goes_on, distances()),
            _ => add::<f64>(kept, tile, goes_on, distances()),
        }
    }

    /// Of counts sums and sums of squares; of all others the first frame, sums of distances from it, and of their squares.
    fn read(&self, start: u64, len: u64, limit: usize) -> Result<Vec<u8>, ReduceError> {
        let n_kept = self.n_kept();
        match &self.kept {
            Kept::Counts { sums, squares } => {
                let range = range([start, len], n_kept, COUNTS, limit)?;
                let sums: &[u8] = bytemuck::cast_slice(&sums[range.clone()]);
                Ok([sums, bytemuck::cast_slice(&squares[range])].concat())
            }
            Kept::Distances { origins, sums, squares } => {
                let range = range([start, len], n_kept, DISTANCES, limit)?;
                let mut bytes = Vec::with_capacity(DISTANCES * range.len());
                for numbers in [&origins[range.clone()], &sums[range.clone()], &squares[range]] {
                    if numbers.iter().any(|number| number.is_nan()) {
                        // Which NaN it is depends on the processor.
                        let same = |&number: &f64| if number.is_nan() { f64::NAN } else { number };
                        bytes.extend(numbers.iter().map(same).flat_map(f64::to_le_bytes));
                    } else {
                        bytes.extend_from_slice(bytemuck::cast_slice(numbers));
                    }
                }
                Ok(bytes)
            }
        }
    }

    fn clear(&mut self) {
        match &mut self.kept {
            Kept::Counts { sums, squares } => {
                sums.fill(0);
                squares.fill(0);
            }
            Kept::Distances { origins, sums, squares } => {
                origins.fill(f64::NAN);
                sums.fill(0.0);
                squares.fill(0.0);
            }
        }
    }
}

impl PixelMoments {
    fn n_kept(&self) -> usize {
        match &self.kept {
            Kept::Counts { sums, .. } => sums.len(),
            Kept::Distances { sums, .. } => sums.len(),
        }
    }
}

/// Adds some frames to what is kept of the pixels of a step.
type Add<P> = fn(&mut Kept, &Step, &[&[P]]);

fn add<P: Stored>(
    kept: &mut Kept,
    tile: &dyn HostTile,
    goes_on: impl FnMut() -> bool,
    add: Add<P>,
) -> Result<(), ReduceError> {
    let (mut pixels, mut clock) = (Pixels::<P, FRAMES>::new(tile)?, Clock::new(goes_on));
    for step in by_pixels::<FRAMES>(tile, COLUMNS) {
        clock.look(&step)?;
        add(kept, &step, &pixels.of(&step)?[..step.frames.len()]);
    }
    Ok(())
}

#[inline(always)]
fn add_counts<P: Stored + Into<i32>>(kept: &mut Kept, step: &Step, frames: &[&[P]]) {
    let Kept::Counts { sums, squares } = kept else { return };
    let (sums, squares) = (&mut sums[step.columns.clone()], &mut squares[step.columns.clone()]);
    match frames.len() {
        8 => add_all_counts::<P, 8>(sums, squares, frames),
        4 => add_all_counts::<P, 4>(sums, squares, frames),
        2 => add_all_counts::<P, 2>(sums, squares, frames),
        _ => frames.chunks(1).for_each(|frame| add_all_counts::<P, 1>(sums, squares, frame)),
    }
}

#[inline(always)]
fn add_all_counts<P: Stored + Into<i32>, const N: usize>(sums: &mut [i64], squares: &mut [u64], frames: &[&[P]]) {
    let frames: [&[P]; N] = array::from_fn(|n| &frames[n][..sums.len()]);
    for (i, (sum, square)) in sums.iter_mut().zip(squares).enumerate() {
        let (mut pixels, mut narrow, mut wide) = (0, 0_u32, 0_u64);
        for frame in frames {
            let pixel: i32 = frame[i].into();
            let squared = pixel.unsigned_abs() * pixel.unsigned_abs();
            pixels += pixel;
            // Squares of a few bytes have room in 32 bits, those of words only one by one.
            if size_of::<P>() == 1 {
                narrow += squared;
            } else {
                wide += u64::from(squared);
            }
        }
        *sum = sum.wrapping_add(pixels.into());
        *square = square.wrapping_add(wide + u64::from(narrow));
    }
}

#[inline(always)]
fn add_distances<P: Stored + Into<f64>>(kept: &mut Kept, step: &Step, frames: &[&[P]]) {
    let Kept::Distances { origins, sums, squares } = kept else { return };
    let origins = &mut origins[step.columns.clone()];
    // All pixels of a block see the same frames.
    if origins.first().is_some_and(|origin| origin.is_nan()) {
        for (origin, &pixel) in origins.iter_mut().zip(frames[0]) {
            let pixel: f64 = pixel.into();
            *origin = if pixel.is_finite() { pixel } else { 0.0 };
        }
    }
    let (sums, squares) = (&mut sums[step.columns.clone()], &mut squares[step.columns.clone()]);
    match frames.len() {
        8 => add_all_distances::<P, 8>(origins, sums, squares, frames),
        4 => add_all_distances::<P, 4>(origins, sums, squares, frames),
        2 => add_all_distances::<P, 2>(origins, sums, squares, frames),
        _ => frames.chunks(1).for_each(|frame| add_all_distances::<P, 1>(origins, sums, squares, frame)),
    }
}

#[inline(always)]
fn add_all_distances<P: Stored + Into<f64>, const N: usize>(
    origins: &[f64],
    sums: &mut [f64],
    squares: &mut [f64],
    frames: &[&[P]],
) {
    let frames: [&[P]; N] = array::from_fn(|n| &frames[n][..sums.len()]);
    for (i, ((origin, sum), square)) in origins.iter().zip(sums).zip(squares).enumerate() {
        for frame in frames {
            let distance = frame[i].into() - origin;
            *sum += distance;
            *square += distance * distance;
        }
    }
}

/// The fastest loop that this processor has.
fn counts<P: Stored + Into<i32>>() -> Add<P> {
    #[cfg(target_arch = "x86_64")]
    if let Some(add) = x86::counts() {
        return add;
    }
    add_counts
}

/// The fastest loop that this processor has.
fn distances<P: Stored + Into<f64>>() -> Add<P> {
    #[cfg(target_arch = "x86_64")]
    if let Some(add) = x86::distances() {
        return add;
    }
    add_distances
}

#[cfg(target_arch = "x86_64")]
#[expect(unsafe_code, reason = "the compiler can't see what the processor has")]
mod x86 {
    //! The loops with vectors of 256 bits.

    use super::{Add, Kept, Step, Stored};

    pub(super) fn counts<P: Stored + Into<i32>>() -> Option<Add<P>> {
        // SAFETY: it has AVX2.
        std::is_x86_feature_detected!("avx2")
            .then_some(|kept, step, frames| unsafe { counts_with_avx2(kept, step, frames) })
    }

    pub(super) fn distances<P: Stored + Into<f64>>() -> Option<Add<P>> {
        // SAFETY: it has AVX2.
        std::is_x86_feature_detected!("avx2")
            .then_some(|kept, step, frames| unsafe { distances_with_avx2(kept, step, frames) })
    }

    #[target_feature(enable = "avx2")]
    fn counts_with_avx2<P: Stored + Into<i32>>(kept: &mut Kept, step: &Step, frames: &[&[P]]) {
        super::add_counts(kept, step, frames);
    }

    #[target_feature(enable = "avx2")]
    fn distances_with_avx2<P: Stored + Into<f64>>(kept: &mut Kept, step: &Step, frames: &[&[P]]) {
        super::add_distances(kept, step, frames);
    }
}

#[cfg(test)]
mod tests {
    use super::{super::pixels::testing::Frames, *};

    fn numbers<T>(len: usize, from: impl Fn(i32) -> T) -> Vec<T> {
        let mut state = 1_u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            from(i32::from(u16::try_from(state >> 16).unwrap()))
        };
        (0..len).map(|_| next()).collect()
    }

    fn moments<T: Stored>(tiles: &[Frames<'_>], n_pixels: usize) -> Vec<u8> {
        let mut moments = PixelMoments::new(T::DTYPE, n_pixels as u64, usize::MAX).unwrap();
        for tile in tiles {
            moments.add(tile, &mut || true).unwrap();
        }
        moments.read(0, n_pixels as u64, usize::MAX).unwrap()
    }

    /// Tiles of some frames and all of them, from files that are as wanted and others, to the same bits.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "sums of counts are whole numbers")]
    fn check<T: Stored + Into<f64>>(from: impl Fn(i32) -> T) {
        let is_count = matches!(T::DTYPE, Dtype::U8 | Dtype::I8 | Dtype::U16 | Dtype::I16);
        for (n_frames, n_pixels) in [(1, 1), (13, 33), (15, 5000), (9, COLUMNS + 1)] {
            let pixels = numbers(n_frames * n_pixels, &from);
            let column = |pixel: usize| pixels[pixel..].iter().step_by(n_pixels).map(|&number| number.into());
            let (mut expected, mut sums, mut squares): (Vec<u8>, Vec<u8>, Vec<u8>) = Default::default();
            for pixel in 0..n_pixels {
                let origin = if is_count { 0.0 } else { column(pixel).next().unwrap() };
                let [sum, square] = column(pixel).fold([0.0, 0.0], |[sum, square], number: f64| {
                    let distance = number - origin;
                    [sum + distance, square + distance * distance]
                });
                if is_count {
                    sums.extend((sum as i64).to_le_bytes());
                    squares.extend((square as u64).to_le_bytes());
                } else {
                    expected.extend(origin.to_le_bytes());
                    sums.extend(sum.to_le_bytes());
                    squares.extend(square.to_le_bytes());
                }
            }
            expected.extend([sums, squares].concat());
            for is_stored in [true, false] {
                let whole = Frames { is_stored, ..Frames::new(&pixels, n_pixels) };
                assert!(moments::<T>(&[whole], n_pixels) == expected, "{n_frames} {n_pixels} {is_stored}");
                for depth in [1, 3, 8] {
                    let tiles = pixels.chunks(depth * n_pixels).map(|some| Frames::new(some, n_pixels));
                    let blocks = tiles.flat_map(|tile| {
                        let [left, right] = [0..n_pixels / 3, n_pixels / 3..n_pixels];
                        [Frames { block: left, ..tile.clone() }, Frames { block: right, ..tile }]
                    });
                    let tiles: Vec<_> = blocks.map(|tile| Frames { is_stored, ..tile }).collect();
                    assert!(moments::<T>(&tiles, n_pixels) == expected, "{n_frames} {n_pixels} {depth}");
                }
            }
        }
    }

    #[test]
    fn moments_are_added_frame_by_frame() {
        check(|number| u8::try_from(number & 0xff).unwrap());
        check(|number| i8::try_from(number % 128 - 128).unwrap());
        check(|number| u16::try_from(number).unwrap());
        check(|number| i16::try_from(number - 32_768).unwrap());
        check(|number| f64::from(number) / 7.0);
        check(|number| f32::from(u16::try_from(number).unwrap()) / 3.0);
    }

    #[test]
    fn every_loop_gives_the_same_bits() {
        let step = Step { kept: 0..5000, frames: 0..8, columns: 0..5000 };
        let read = |moments: &PixelMoments| moments.read(0, 5000, usize::MAX).unwrap();
        let words: Vec<u16> = numbers(8 * 5000, |number| u16::try_from(number).unwrap());
        let floats: Vec<f32> = words.iter().map(|&word| f32::from(word) / 3.0).collect();
        let [mut fast, mut plain] = [0; 2].map(|_| PixelMoments::new(Dtype::U16, 5000, usize::MAX).unwrap());
        let frames: Vec<_> = words.chunks(5000).collect();
        counts()(&mut fast.kept, &step, &frames);
        add_counts(&mut plain.kept, &step, &frames);
        assert!(read(&fast) == read(&plain));
        let [mut fast, mut plain] = [0; 2].map(|_| PixelMoments::new(Dtype::F32, 5000, usize::MAX).unwrap());
        let frames: Vec<_> = floats.chunks(5000).collect();
        distances()(&mut fast.kept, &step, &frames);
        add_distances(&mut plain.kept, &step, &frames);
        assert!(read(&fast) == read(&plain));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let pixels = [1_u16; 20];
        let tile = |n_pixels| Frames::new(&pixels, n_pixels);
        assert!(matches!(PixelMoments::new(Dtype::C64, 10, 1000), Err(ReduceError::Complex)));
        assert!(matches!(
            PixelMoments::new(Dtype::U16, 10, 159),
            Err(ReduceError::TooMany { n_bytes: 160, limit: 159 })
        ));
        assert!(PixelMoments::new(Dtype::F32, u64::MAX, usize::MAX).is_err());
        let mut moments = PixelMoments::new(Dtype::U16, 10, 160).unwrap();
        assert!(matches!(moments.add(&tile(10), &mut || false), Err(ReduceError::Stopped)));
        assert!(matches!(moments.add(&tile(5), &mut || true), Err(ReduceError::Shape { n_pixels: 5, n_kept: 10 })));
        let floats = Frames { dtype: Dtype::I16, ..tile(10) };
        assert!(matches!(moments.add(&floats, &mut || true), Err(ReduceError::OtherPixels { .. })));
        assert!(moments.read(9, 2, 1000).is_err() && moments.read(u64::MAX, 1, 1000).is_err());
        assert!(moments.read(0, 10, 159).is_err() && moments.read(10, 0, 0).is_ok());
        moments.add(&tile(10), &mut || true).unwrap();
        moments.clear();
        assert_eq!(moments.read(0, 10, 160).unwrap(), [0; 160]);
    }
}
