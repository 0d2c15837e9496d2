//! Sums that the host computes for plugins: of each frame, and of each pixel over the frames. Pixels come from the files, and never
//! enter a plugin's memory.
//!
//! The bits are those of the SDK's kernels `sum_as` and `add_frames_as`, on every processor: counts (whole numbers of 8 or 16
//! bits) are added exactly, all others as numbers of the sum, in an order that depends on the tile alone.
#![expect(clippy::inline_always, reason = "only what is inlined is compiled for more than any processor has")]

use std::array;

use super::{
    pixels::{HostTile, Pixels, Step, Stored, parts},
    reduce::{Clock, FRAMES, PerPixel, ReduceError, by_pixels, filled, fitting, range},
};
use crate::shape::{Dtype, DtypeKind};

/// Pixels that are added at a time: their sums stay in the second cache.
const COLUMNS: usize = 1 << 14;
/// Numbers that are added up before the sum goes over to `f64`.
const SEGMENT: usize = 2048;
/// Numbers that are added up side by side.
const LANES: usize = 32;

/// A number in which is added up.
trait Sum: Stored {
    const ZERO: Self;
    const NAN: Self;

    fn plus(self, other: Self) -> Self;

    /// Rounded once.
    fn of_count(count: i32) -> Self;

    fn to_f64(self) -> f64;
}

macro_rules! sum {
    ($($(#[$attribute:meta])* $number:ident: |$count:ident| $of_count:expr;)*) => { $(
        impl Sum for $number {
            const ZERO: Self = 0.0;
            const NAN: Self = $number::NAN;

            fn plus(self, other: Self) -> Self {
                self + other
            }

            $(#[$attribute])*
            fn of_count($count: i32) -> Self {
                $of_count
            }

            fn to_f64(self) -> f64 {
                self.into()
            }
        }
    )* };
}
sum! {
    #[expect(clippy::cast_precision_loss, reason = "that is the rounding")]
    f32: |count| count as f32;
    f64: |count| count.into();
}

/// A pixel, which is added up in `A`.
trait Pixel<A: Sum>: Stored {
    /// The sum of a pixel of some frames.
    fn total<const N: usize>(pixels: [Self; N]) -> A;

    /// The sum of up to [`SEGMENT`] of them.
    fn segment(numbers: &[Self]) -> f64;
}

impl<A: Sum> Pixel<A> for A {
    #[inline(always)]
    fn total<const N: usize>(pixels: [Self; N]) -> A {
        pixels.into_iter().fold(A::ZERO, A::plus)
    }

    #[inline(always)]
    fn segment(numbers: &[Self]) -> f64 {
        let (chunks, rest) = numbers.as_chunks::<LANES>();
        let mut lanes = [A::ZERO; LANES];
        for chunk in chunks {
            for (lane, &number) in lanes.iter_mut().zip(chunk) {
                *lane = lane.plus(number);
            }
        }
        lanes.iter().chain(rest).fold(0.0, |sum, number| sum + number.to_f64())
    }
}

macro_rules! counts {
    ($($count:ident),*) => { $(
        impl<A: Sum> Pixel<A> for $count where Self: Stored {
            #[inline(always)]
            fn total<const N: usize>(pixels: [Self; N]) -> A {
                A::of_count(pixels.into_iter().map(i32::from).sum())
            }

            #[inline(always)]
            fn segment(numbers: &[Self]) -> f64 {
                numbers.iter().copied().map(i32::from).sum::<i32>().into()
            }
        }
    )* };
}
counts!(u8, i8, u16, i16);

/// Runs `$body` with `$pixel` as what pixels of `$tile` are added as, where sums are of `$sum`.
macro_rules! each_pixel {
    ($tile:expr, $sum:ident, $pixel:ident => $body:expr) => {
        match $tile.dtype() {
            dtype if dtype.kind() == DtypeKind::Complex => Err(ReduceError::Complex),
            Dtype::U8 => each_pixel!(@ u8, $pixel => $body),
            Dtype::I8 => each_pixel!(@ i8, $pixel => $body),
            Dtype::U16 => each_pixel!(@ u16, $pixel => $body),
            Dtype::I16 => each_pixel!(@ i16, $pixel => $body),
            _ => each_pixel!(@ $sum, $pixel => $body),
        }
    };
    (@ $type:ident, $pixel:ident => $body:expr) => {{
        type $pixel = $type;
        $body
    }};
}

/// The sum of each frame of a tile over the pixels of its block, as numbers of `dtype`, in at most `limit` bytes.
///
/// `goes_on` is asked every few milliseconds.
pub(super) fn of_frames(
    tile: &dyn HostTile,
    dtype: Dtype,
    limit: usize,
    goes_on: impl FnMut() -> bool,
) -> Result<Vec<f64>, ReduceError> {
    fitting(tile.n_frames(), size_of::<f64>(), limit)?;
    match dtype {
        Dtype::F32 => each_pixel!(tile, f32, Own => add_pixels::<f32, Own>(tile, goes_on)),
        Dtype::F64 => each_pixel!(tile, f64, Own => add_pixels::<f64, Own>(tile, goes_on)),
        dtype => Err(ReduceError::Dtype { dtype }),
    }
}

fn add_pixels<A: Sum, P: Pixel<A>>(
    tile: &dyn HostTile,
    goes_on: impl FnMut() -> bool,
) -> Result<Vec<f64>, ReduceError> {
    let (mut pixels, mut clock, sum) = (Pixels::<P, FRAMES>::new(tile)?, Clock::new(goes_on), sum::<A, P>());
    let mut sums = vec![0.0; tile.n_frames()];
    for frames in parts(0..tile.n_frames(), FRAMES) {
        for columns in parts(tile.block(), COLUMNS) {
            let step = Step { kept: columns.clone(), frames: frames.clone(), columns };
            clock.look(&step)?;
            for (total, frame) in sums[frames.clone()].iter_mut().zip(pixels.of(&step)?) {
                *total = sum(*total, frame);
            }
        }
    }
    // Which NaN it is depends on the processor.
    sums.iter_mut().filter(|sum| sum.is_nan()).for_each(|sum| *sum = f64::NAN);
    Ok(sums)
}

/// Sums over frames that a plugin keeps in the host, one for each pixel of a frame.
#[derive(Debug)]
pub(super) enum PixelSums {
    F32(Vec<f32>),
    F64(Vec<f64>),
}

impl PerPixel for PixelSums {
    const NAME: &'static str = "pixel-sums";

    /// Zeros of `dtype`.
    fn new(dtype: Dtype, n_pixels: u64, limit: usize) -> Result<Self, ReduceError> {
        let n_pixels = usize::try_from(n_pixels).unwrap_or(usize::MAX);
        fitting(n_pixels, dtype.size(), limit)?;
        match dtype {
            Dtype::F32 => Ok(Self::F32(filled(n_pixels, 0.0)?)),
            Dtype::F64 => Ok(Self::F64(filled(n_pixels, 0.0)?)),
            dtype => Err(ReduceError::Dtype { dtype }),
        }
    }

    fn n_bytes(&self) -> usize {
        match self {
            Self::F32(sums) => size_of_val(sums.as_slice()),
            Self::F64(sums) => size_of_val(sums.as_slice()),
        }
    }

    fn add(&mut self, tile: &dyn HostTile, goes_on: &mut dyn FnMut() -> bool) -> Result<(), ReduceError> {
        match self {
            Self::F32(sums) => each_pixel!(tile, f32, Own => add_frames::<f32, Own>(sums, tile, goes_on)),
            Self::F64(sums) => each_pixel!(tile, f64, Own => add_frames::<f64, Own>(sums, tile, goes_on)),
        }
    }

    fn read(&self, start: u64, len: u64, limit: usize) -> Result<Vec<u8>, ReduceError> {
        match self {
            Self::F32(sums) => Ok(bytes(&sums[range([start, len], sums.len(), size_of::<f32>(), limit)?])),
            Self::F64(sums) => Ok(bytes(&sums[range([start, len], sums.len(), size_of::<f64>(), limit)?])),
        }
    }

    fn clear(&mut self) {
        match self {
            Self::F32(sums) => sums.fill(0.0),
            Self::F64(sums) => sums.fill(0.0),
        }
    }
}

fn add_frames<A: Sum, P: Pixel<A>>(
    sums: &mut [A],
    tile: &dyn HostTile,
    goes_on: impl FnMut() -> bool,
) -> Result<(), ReduceError> {
    if sums.len() != tile.n_pixels() {
        return Err(ReduceError::Shape { n_pixels: tile.n_pixels(), n_kept: sums.len() });
    }
    let (mut pixels, mut clock, add) = (Pixels::<P, FRAMES>::new(tile)?, Clock::new(goes_on), add::<A, P>());
    for step in by_pixels::<FRAMES>(tile, COLUMNS) {
        clock.look(&step)?;
        add(&mut sums[step.columns.clone()], &pixels.of(&step)?[..step.frames.len()]);
    }
    Ok(())
}

/// Little-endian.
fn bytes<A: Sum>(sums: &[A]) -> Vec<u8> {
    if !sums.iter().any(|sum| sum.to_f64().is_nan()) {
        return bytemuck::cast_slice(sums).to_vec();
    }
    // Which NaN it is depends on the processor.
    let same = |&sum: &A| if sum.to_f64().is_nan() { A::NAN } else { sum };
    sums.iter().map(same).flat_map(|sum| bytemuck::bytes_of(&sum).to_vec()).collect()
}

/// Adds 1, 2, 4 or 8 frames to sums.
type Add<A, P> = fn(&mut [A], &[&[P]]);

#[inline(always)]
fn add_some<A: Sum, P: Pixel<A>>(sums: &mut [A], frames: &[&[P]]) {
    match frames.len() {
        8 => add_all::<A, P, 8>(sums, frames),
        4 => add_all::<A, P, 4>(sums, frames),
        2 => add_all::<A, P, 2>(sums, frames),
        _ => frames.chunks(1).for_each(|frame| add_all::<A, P, 1>(sums, frame)),
    }
}

#[inline(always)]
fn add_all<A: Sum, P: Pixel<A>, const N: usize>(sums: &mut [A], frames: &[&[P]]) {
    let frames: [&[P]; N] = array::from_fn(|n| &frames[n][..sums.len()]);
    for (i, sum) in sums.iter_mut().enumerate() {
        *sum = sum.plus(P::total::<N>(array::from_fn(|n| frames[n][i])));
    }
}

/// The sum of numbers, added to another one.
type SumOf<P> = fn(f64, &[P]) -> f64;

#[inline(always)]
fn sum_all<A: Sum, P: Pixel<A>>(sum: f64, numbers: &[P]) -> f64 {
    numbers.chunks(SEGMENT).fold(sum, |sum, segment| sum + P::segment(segment))
}

/// The fastest loop that this processor has.
fn add<A: Sum, P: Pixel<A>>() -> Add<A, P> {
    #[cfg(target_arch = "x86_64")]
    if let Some(add) = x86::add() {
        return add;
    }
    add_some
}

/// The fastest loop that this processor has.
fn sum<A: Sum, P: Pixel<A>>() -> SumOf<P> {
    #[cfg(target_arch = "x86_64")]
    if let Some(sum) = x86::sum::<A, P>() {
        return sum;
    }
    sum_all::<A, P>
}

#[cfg(target_arch = "x86_64")]
#[expect(unsafe_code, reason = "the compiler can't see what the processor has")]
mod x86 {
    //! The loops with vectors of 256 bits.

    use super::{Add, Pixel, Sum, SumOf};

    pub(super) fn add<A: Sum, P: Pixel<A>>() -> Option<Add<A, P>> {
        // SAFETY: it has AVX2.
        std::is_x86_feature_detected!("avx2").then_some(|sums, frames| unsafe { add_with_avx2(sums, frames) })
    }

    pub(super) fn sum<A: Sum, P: Pixel<A>>() -> Option<SumOf<P>> {
        // SAFETY: it has AVX2.
        std::is_x86_feature_detected!("avx2").then_some(|sum, numbers| unsafe { sum_with_avx2::<A, P>(sum, numbers) })
    }

    #[target_feature(enable = "avx2")]
    fn add_with_avx2<A: Sum, P: Pixel<A>>(sums: &mut [A], frames: &[&[P]]) {
        super::add_some(sums, frames);
    }

    #[target_feature(enable = "avx2")]
    fn sum_with_avx2<A: Sum, P: Pixel<A>>(sum: f64, numbers: &[P]) -> f64 {
        super::sum_all::<A, P>(sum, numbers)
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

    /// Sums of frames and of pixels are those of one number after the other, for numbers that add up exactly.
    fn check<T: Stored + Into<f64>>(from: impl Fn(i32) -> T + Copy) {
        for (n_frames, n_pixels) in [(1, 1), (3, 33), (15, 5000), (8, 2048), (9, COLUMNS + 1)] {
            let pixels = numbers(n_frames * n_pixels, from);
            let exact = |frame: usize, pixel: usize| -> f64 { pixels[frame * n_pixels + pixel].into() };
            for block in [0..n_pixels, n_pixels / 3..n_pixels.div_ceil(2)] {
                for is_stored in [true, false] {
                    let tile = Frames { block: block.clone(), is_stored, ..Frames::new(&pixels, n_pixels) };
                    let of_frames = of_frames(&tile, Dtype::F64, usize::MAX, || true).unwrap();
                    let expected = (0..n_frames).map(|frame| block.clone().map(|pixel| exact(frame, pixel)).sum());
                    assert_eq!(of_frames, expected.collect::<Vec<f64>>(), "{n_frames} {n_pixels} {is_stored}");
                    let mut sums = PixelSums::new(Dtype::F64, n_pixels as u64, usize::MAX).unwrap();
                    sums.add(&tile, &mut || true).unwrap();
                    sums.add(&tile, &mut || true).unwrap();
                    let of_pixel = |pixel| 2.0 * (0..n_frames).map(|frame| exact(frame, pixel)).sum::<f64>();
                    let expected = (0..n_pixels).map(|i| if block.contains(&i) { of_pixel(i) } else { 0.0 });
                    let expected: Vec<f64> = expected.collect();
                    let read = sums.read(0, n_pixels as u64, usize::MAX).unwrap();
                    assert_eq!(read, bytemuck::cast_slice::<f64, u8>(&expected), "{n_frames} {n_pixels} {is_stored}");
                }
            }
        }
    }

    #[test]
    fn every_frame_and_every_pixel_is_added() {
        check(|number| u8::try_from(number & 0xff).unwrap());
        check(|number| i8::try_from(number % 128 - 60).unwrap());
        check(|number| u16::try_from(number).unwrap());
        check(|number| i16::try_from(number - 40_000).unwrap_or(-3));
        check(f64::from);
        check(|number| f32::from(u16::try_from(number).unwrap()));
    }

    fn same_bits<A: Sum, P: Pixel<A>>(from: impl Fn(i32) -> P) {
        let pixels = numbers(8 * 5000, from);
        let frames: Vec<&[P]> = pixels.chunks(5000).collect();
        for n_frames in [1, 2, 4, 8] {
            let (mut fast, mut plain) = (vec![A::of_count(1); 5000], vec![A::of_count(1); 5000]);
            add::<A, P>()(&mut fast, &frames[..n_frames]);
            add_some(&mut plain, &frames[..n_frames]);
            assert_eq!(bytemuck::cast_slice::<A, u8>(&fast), bytemuck::cast_slice::<A, u8>(&plain), "{n_frames}");
        }
        let [fast, plain] = [sum::<A, P>()(0.5, &pixels), sum_all::<A, P>(0.5, &pixels)];
        assert_eq!(fast.to_bits(), plain.to_bits());
    }

    #[test]
    fn every_loop_gives_the_same_bits() {
        same_bits::<f64, _>(|number| f64::from(number - 30_000) / 7.0);
        same_bits::<f32, _>(|number| f32::from(u16::try_from(number).unwrap()) / 7.0 - 5000.0);
        same_bits::<f32, _>(|number| u16::try_from(number).unwrap());
        same_bits::<f64, _>(|number| i8::try_from(number % 100 - 40).unwrap());
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let pixels = [1_u16; 20];
        let tile = Frames::new(&pixels, 10);
        let of_frames = |dtype, limit, goes_on| of_frames(&tile, dtype, limit, || goes_on);
        assert!(matches!(of_frames(Dtype::F32, 15, true), Err(ReduceError::TooMany { n_bytes: 16, limit: 15 })));
        assert!(matches!(of_frames(Dtype::U16, 16, true), Err(ReduceError::Dtype { dtype: Dtype::U16 })));
        assert!(matches!(of_frames(Dtype::F32, 16, false), Err(ReduceError::Stopped)));
        let complex = Frames { dtype: Dtype::C64, ..Frames::new(&[0.0_f32; 20], 10) };
        assert!(matches!(super::of_frames(&complex, Dtype::F32, 100, || true), Err(ReduceError::Complex)));
        assert!(matches!(PixelSums::new(Dtype::F32, 10, 39), Err(ReduceError::TooMany { n_bytes: 40, limit: 39 })));
        assert!(matches!(PixelSums::new(Dtype::F64, u64::MAX, usize::MAX), Err(ReduceError::TooMany { .. })));
        let more_than_there_is = PixelSums::new(Dtype::F32, 1 << 60, usize::MAX);
        assert!(matches!(more_than_there_is, Err(ReduceError::NoMemory { .. })));
        let mut sums = PixelSums::new(Dtype::F32, 10, 40).unwrap();
        assert!(matches!(sums.add(&tile, &mut || false), Err(ReduceError::Stopped)));
        assert!(sums.add(&Frames::new(&pixels, 5), &mut || true).is_err());
        assert!(sums.read(9, 2, 1000).is_err() && sums.read(u64::MAX, 1, 1000).is_err());
        assert!(sums.read(0, 10, 39).is_err() && sums.read(10, 0, 0).is_ok());
        sums.add(&tile, &mut || true).unwrap();
        sums.clear();
        assert_eq!(sums.read(0, 10, 40).unwrap(), [0; 40]);
    }
}
