//! The host's Fourier transforms, for plugins: outside of the sandbox, with all that the processor can do. Arrays are read
//! where they lie in a plugin's memory.

use std::{fmt, ops::Range, sync::Arc};

use bytemuck::{NoUninit, Pod, Zeroable};
use num_complex::Complex;
use rustfft::{Fft, FftNum, FftPlanner, FftPlannerScalar};

use crate::shape::{Dtype, DtypeKind};

/// Axes that an array has at most.
const MAX_AXES: usize = 8;
/// Numbers along an axis, at most: a fraction of a second's worth, for nobody looks at the clock meanwhile.
const MAX_EXTENT: u64 = 1 << 20;
/// Columns that are transformed at a time: what a line of a cache has of them is used at once.
const COLUMNS: usize = 16;
/// Numbers that are transformed between two looks at the clock, along one axis.
const NUMBERS: usize = 1 << 18;

/// Transforms of arrays of one shape.
#[derive(Debug)]
pub(super) struct Fourier(Plans);

#[derive(Debug)]
enum Plans {
    F32(Plan<f32>),
    F64(Plan<f64>),
}

/// Why there is no transform.
#[derive(Debug, thiserror::Error)]
pub(super) enum FourierError {
    #[error("asked for Fourier transforms of {dtype}, and there are only those of f32, f64, c64 and c128")]
    Dtype { dtype: Dtype },
    #[error(
        "asked for Fourier transforms of arrays of shape {shape:?}: they have 1 to {MAX_AXES} axes of 1 to {MAX_EXTENT} numbers"
    )]
    Shape { shape: Vec<u64> },
    #[error("asked for Fourier transforms that take {n_bytes} bytes, at most {limit} are allowed (raise --max-memory)")]
    TooLarge { n_bytes: usize, limit: usize },
    #[error("has {n_bytes} bytes transformed, which are no whole arrays of {array_bytes}")]
    Fraction { n_bytes: usize, array_bytes: usize },
    #[error("stopped")]
    Stopped,
}

/// Which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    Forward,
    Inverse,
}

/// Numbers, as their bytes.
pub(super) type Bytes = Box<dyn AsRef<[u8]> + Send + Sync>;

/// What a transform gives.
struct Made<T>(Vec<T>);

impl<T: NoUninit> AsRef<[u8]> for Made<T> {
    fn as_ref(&self) -> &[u8] {
        bytemuck::cast_slice(&self.0)
    }
}

/// `f32` or `f64`.
trait Part: FftNum + Pod {
    const NAN: Self;

    fn is_nan(self) -> bool;
}

macro_rules! part {
    ($($type:ident)*) => { $(
        impl Part for $type {
            const NAN: Self = Self::NAN;

            fn is_nan(self) -> bool {
                self.is_nan()
            }
        }
    )* };
}
part!(f32 f64);

impl Fourier {
    /// Of arrays of `shape`: of real numbers, of which one half of the transform is kept, or of complex ones.
    ///
    /// With `portable`, the same bits come out on any machine where sine and cosine have the same; otherwise those that the
    /// processor's own instructions make.
    pub(super) fn new(dtype: Dtype, shape: Vec<u64>, portable: bool, limit: usize) -> Result<Self, FourierError> {
        let is_possible = (1..=MAX_AXES).contains(&shape.len()) && shape.iter().all(|n| (1..=MAX_EXTENT).contains(n));
        let extents: Option<Vec<usize>> = shape.iter().map(|&extent| usize::try_from(extent).ok()).collect();
        let Some(extents) = extents.filter(|_| is_possible) else { return Err(FourierError::Shape { shape }) };
        let size = extents.iter().try_fold(1_usize, |size, extent| size.checked_mul(*extent));
        let complex_bytes = if matches!(dtype, Dtype::F32 | Dtype::C64) { 8 } else { 16 };
        // As much as for the transform of one array, and what is kept for each axis.
        let n_bytes = size.and_then(|size| size.checked_mul(complex_bytes)).unwrap_or(usize::MAX);
        let n_bytes = n_bytes.saturating_add(kept_bytes(&extents, complex_bytes));
        if n_bytes > limit {
            return Err(FourierError::TooLarge { n_bytes, limit });
        }
        let is_real = dtype.kind() != DtypeKind::Complex;
        let plans = match dtype {
            Dtype::F32 | Dtype::C64 => Plans::F32(Plan::new(extents, is_real, portable)),
            Dtype::F64 | Dtype::C128 => Plans::F64(Plan::new(extents, is_real, portable)),
            dtype => return Err(FourierError::Dtype { dtype }),
        };
        Ok(Self(plans))
    }

    /// Bytes that it keeps, reckoned.
    pub(super) fn n_bytes(&self) -> usize {
        match &self.0 {
            Plans::F32(plan) => kept_bytes(&plan.shape, size_of::<Complex<f32>>()),
            Plans::F64(plan) => kept_bytes(&plan.shape, size_of::<Complex<f64>>()),
        }
    }

    /// Transforms one array after the other, little-endian in C order. What is made takes at most `limit` bytes. `goes_on` is
    /// asked every few milliseconds, and of very long axes after each line.
    pub(super) fn transform(
        &self,
        direction: Direction,
        bytes: &[u8],
        limit: usize,
        goes_on: &mut dyn FnMut() -> bool,
    ) -> Result<Bytes, FourierError> {
        match &self.0 {
            Plans::F32(plan) => plan.transform(direction, bytes, limit, goes_on),
            Plans::F64(plan) => plan.transform(direction, bytes, limit, goes_on),
        }
    }
}

/// Factors and scratch memory of both directions take a few numbers for each along an axis.
fn kept_bytes(shape: &[usize], complex_bytes: usize) -> usize {
    shape.iter().fold(0_usize, |sum, extent| sum.saturating_add(extent.saturating_mul(16 * complex_bytes)))
}

/// How arrays of one shape are transformed.
struct Plan<T> {
    shape: Vec<usize>,
    is_real: bool,
    /// Numbers that an array's transform has along the last axis: of real arrays only those that tell all others.
    n_kept: usize,
    portable: bool,
    /// For each axis.
    forward: Vec<Arc<dyn Fft<T>>>,
    inverse: Vec<Arc<dyn Fft<T>>>,
}

impl<T> fmt::Debug for Plan<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a plan for arrays of shape {:?}", self.shape)
    }
}

impl<T: Part> Plan<T> {
    fn new(shape: Vec<usize>, is_real: bool, portable: bool) -> Self {
        let last = shape[shape.len() - 1];
        let n_kept = if is_real { last / 2 + 1 } else { last };
        // A planner knows what it has made before, and axes of the same extent share it.
        let (mut scalar, mut best) = (FftPlannerScalar::new(), FftPlanner::new());
        let mut plan = |extent: usize, direction: Direction| match (portable, direction) {
            (true, Direction::Forward) => scalar.plan_fft_forward(extent),
            (true, Direction::Inverse) => scalar.plan_fft_inverse(extent),
            (false, Direction::Forward) => best.plan_fft_forward(extent),
            (false, Direction::Inverse) => best.plan_fft_inverse(extent),
        };
        let [forward, inverse] = [Direction::Forward, Direction::Inverse]
            .map(|direction| shape.iter().map(|&extent| plan(extent, direction)).collect());
        Self { shape, is_real, n_kept, portable, forward, inverse }
    }

    fn transform(
        &self,
        direction: Direction,
        bytes: &[u8],
        limit: usize,
        goes_on: &mut dyn FnMut() -> bool,
    ) -> Result<Bytes, FourierError> {
        let size: usize = self.shape.iter().product();
        let last = self.shape[self.shape.len() - 1];
        let real_bytes = size * size_of::<T>();
        let spectrum_bytes = size / last * self.n_kept * size_of::<Complex<T>>();
        let (from_bytes, to_bytes) = match (self.is_real, direction) {
            (false, _) => (spectrum_bytes, spectrum_bytes),
            (true, Direction::Forward) => (real_bytes, spectrum_bytes),
            (true, Direction::Inverse) => (spectrum_bytes, real_bytes),
        };
        if !bytes.len().is_multiple_of(from_bytes) {
            return Err(FourierError::Fraction { n_bytes: bytes.len(), array_bytes: from_bytes });
        }
        // Beside what is made: an array's transform, and some columns of it.
        let n_bytes = (bytes.len() / from_bytes).saturating_mul(to_bytes).saturating_add(2 * spectrum_bytes);
        if n_bytes > limit {
            return Err(FourierError::TooLarge { n_bytes, limit });
        }
        let mut turn = Turn { goes_on, n_numbers: 0 };
        if self.is_real && direction == Direction::Inverse {
            let mut made = Vec::with_capacity(bytes.len() / from_bytes * size);
            let mut spectrum = Vec::new();
            for array in bytes.chunks_exact(from_bytes) {
                spectrum.clear();
                spectrum.extend(complex(array));
                self.along(&mut spectrum, Direction::Inverse, &mut turn)?;
                self.join(&spectrum, &mut made, &mut turn)?;
            }
            let scale = scale(size);
            for number in &mut made {
                *number = self.settled(*number * scale);
            }
            return Ok(Box::new(Made(made)));
        }
        let mut made = Vec::with_capacity(bytes.len() / from_bytes * to_bytes / size_of::<Complex<T>>());
        for array in bytes.chunks_exact(from_bytes) {
            let first = made.len();
            if self.is_real {
                self.part(array, &mut made, &mut turn)?;
            } else {
                made.extend(complex(array));
            }
            self.along(&mut made[first..], direction, &mut turn)?;
        }
        if direction == Direction::Inverse {
            let scale: T = scale(size);
            for number in &mut made {
                *number = *number * scale;
            }
        }
        if self.portable {
            for number in &mut made {
                *number = Complex::new(self.settled(number.re), self.settled(number.im));
            }
        }
        Ok(Box::new(Made(made)))
    }

    /// Which NaN it is depends on the processor.
    fn settled(&self, number: T) -> T {
        if self.portable && number.is_nan() { T::NAN } else { number }
    }

    /// The half of the transform of each row of an array of real numbers, two at a time.
    ///
    /// With `z = a + i b` transformed, `z(k)` and the conjugate of `z(-k)` have the sum `2 a(k)` and the difference `2 i b(k)`.
    fn part(&self, array: &[u8], made: &mut Vec<Complex<T>>, turn: &mut Turn<'_>) -> Result<(), FourierError> {
        let last = self.shape.len() - 1;
        let (extent, plan) = (self.shape[last], &self.forward[last]);
        let mut scratch = vec![Complex::zeroed(); plan.get_inplace_scratch_len()];
        let mut line = vec![Complex::zeroed(); extent];
        let half = T::one() / (T::one() + T::one());
        for pair in array.chunks(2 * extent * size_of::<T>()) {
            let (a, b) = pair.split_at(extent * size_of::<T>());
            for (number, re) in line.iter_mut().zip(reals(a)) {
                *number = Complex::new(re, T::zero());
            }
            for (number, im) in line.iter_mut().zip(reals(b)) {
                number.im = im;
            }
            plan.process_with_scratch(&mut line, &mut scratch);
            // `line[extent - k]`, for `k` from 0 on.
            let opposite = || line[..1].iter().chain(line[1..].iter().rev()).map(Complex::conj);
            let both = || line[..self.n_kept].iter().zip(opposite());
            made.extend(both().map(|(z, conj)| Complex::new((z.re + conj.re) * half, (z.im + conj.im) * half)));
            if !b.is_empty() {
                made.extend(both().map(|(z, conj)| Complex::new((z.im - conj.im) * half, (conj.re - z.re) * half)));
            }
            turn.made(extent)?;
        }
        Ok(())
    }

    /// The inverse of [`Plan::part`], without a scale. As in numpy, the first number of a row counts as real, and so does the
    /// last one of an even row.
    fn join(&self, spectrum: &[Complex<T>], made: &mut Vec<T>, turn: &mut Turn<'_>) -> Result<(), FourierError> {
        let last = self.shape.len() - 1;
        let (extent, plan) = (self.shape[last], &self.inverse[last]);
        let mut scratch = vec![Complex::zeroed(); plan.get_inplace_scratch_len()];
        let mut line = vec![Complex::zeroed(); extent];
        let zeros = vec![Complex::zeroed(); self.n_kept];
        for pair in spectrum.chunks(2 * self.n_kept) {
            let (a, b) = pair.split_at(self.n_kept);
            let is_pair = !b.is_empty();
            let b = if is_pair { b } else { &zeros };
            for (k, (a, b)) in a.iter().zip(b).enumerate() {
                if k == 0 || 2 * k == extent {
                    line[k] = Complex::new(a.re, b.re);
                } else {
                    line[k] = Complex::new(a.re - b.im, a.im + b.re);
                    line[extent - k] = Complex::new(a.re + b.im, b.re - a.im);
                }
            }
            plan.process_with_scratch(&mut line, &mut scratch);
            made.extend(line.iter().map(|number| number.re));
            if is_pair {
                made.extend(line.iter().map(|number| number.im));
            }
            turn.made(extent)?;
        }
        Ok(())
    }

    /// Transforms an array along all axes, but for the last one of a half spectrum.
    fn along(&self, array: &mut [Complex<T>], direction: Direction, turn: &mut Turn<'_>) -> Result<(), FourierError> {
        let last = self.shape.len() - 1;
        let (n_axes, mut width) = if self.is_real { (last, self.n_kept) } else { (last + 1, 1) };
        for axis in (0..n_axes).rev() {
            let (extent, plan) = (self.shape[axis], &*self.plans(direction)[axis]);
            let mut scratch = vec![Complex::zeroed(); plan.get_inplace_scratch_len()];
            // Not for longer than between two looks at the clock.
            let n_together = COLUMNS.min(width).min((NUMBERS / extent).max(1));
            let mut columns = vec![Complex::zeroed(); if width > 1 { extent * n_together } else { 0 }];
            for plane in array.chunks_exact_mut(extent * width) {
                for first in (0..width).step_by(n_together) {
                    if width == 1 {
                        plan.process_with_scratch(plane, &mut scratch);
                    } else {
                        let some = first..width.min(first + n_together);
                        columns_of(plane, width, some, &mut columns, |columns| {
                            plan.process_with_scratch(columns, &mut scratch);
                        });
                    }
                    turn.made(extent * n_together)?;
                }
            }
            width *= extent;
        }
        Ok(())
    }

    fn plans(&self, direction: Direction) -> &[Arc<dyn Fft<T>>] {
        match direction {
            Direction::Forward => &self.forward,
            Direction::Inverse => &self.inverse,
        }
    }
}

/// Makes some columns of a plane, whose rows have `width` numbers, rows in `room` for as long as `transform` sees them.
fn columns_of<T: Copy>(
    plane: &mut [T],
    width: usize,
    some: Range<usize>,
    room: &mut [T],
    transform: impl FnOnce(&mut [T]),
) {
    let extent = plane.len() / width;
    let columns = &mut room[..some.len() * extent];
    for (y, row) in plane.chunks_exact(width).enumerate() {
        for (x, number) in row[some.clone()].iter().enumerate() {
            columns[x * extent + y] = *number;
        }
    }
    transform(columns);
    for (y, row) in plane.chunks_exact_mut(width).enumerate() {
        for (x, number) in row[some.clone()].iter_mut().enumerate() {
            *number = columns[x * extent + y];
        }
    }
}

/// When to look at the clock.
struct Turn<'a> {
    goes_on: &'a mut dyn FnMut() -> bool,
    n_numbers: usize,
}

impl Turn<'_> {
    /// Some numbers were transformed.
    fn made(&mut self, n_numbers: usize) -> Result<(), FourierError> {
        self.n_numbers += n_numbers;
        if self.n_numbers >= NUMBERS {
            self.n_numbers = 0;
            if !(self.goes_on)() {
                return Err(FourierError::Stopped);
            }
        }
        Ok(())
    }
}

/// One over the numbers of an array.
#[expect(clippy::cast_precision_loss, reason = "no memory has 2^53 numbers")]
fn scale<T: Part>(size: usize) -> T {
    T::from_f64(1.0 / size as f64).expect("floating point")
}

fn reals<T: Part>(bytes: &[u8]) -> impl Iterator<Item = T> {
    bytes.chunks_exact(size_of::<T>()).map(bytemuck::pod_read_unaligned)
}

fn complex<T: Part>(bytes: &[u8]) -> impl Iterator<Item = Complex<T>> {
    let part = |bytes: &[u8]| bytemuck::pod_read_unaligned::<T>(bytes);
    bytes.chunks_exact(2 * size_of::<T>()).map(move |bytes| {
        let (re, im) = bytes.split_at(size_of::<T>());
        Complex::new(part(re), part(im))
    })
}

#[cfg(test)]
#[expect(clippy::cast_precision_loss, reason = "tests are small")]
mod tests {
    use super::*;
    use std::f64::consts::TAU;

    const LIMIT: usize = 1 << 20;

    fn transform(dtype: Dtype, shape: &[u64], direction: Direction, numbers: &[f64]) -> Vec<f64> {
        let made = [false, true].map(|portable| {
            let fourier = Fourier::new(dtype, shape.to_vec(), portable, LIMIT).unwrap();
            let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
            // Somewhere in a guest's memory.
            let memory = [&[0; 3], &bytes[..]].concat();
            let made = fourier.transform(direction, &memory[3..], LIMIT, &mut || true).unwrap();
            (*made).as_ref().as_chunks().0.iter().map(|&bytes| f64::from_le_bytes(bytes)).collect::<Vec<f64>>()
        });
        assert_close(&made[0], &made[1], "portable");
        let [made, _] = made;
        made
    }

    fn assert_close(got: &[f64], expected: &[f64], what: &str) {
        assert_eq!(got.len(), expected.len(), "{what}");
        for (got, expected) in got.iter().zip(expected) {
            assert!((got - expected).abs() < 1e-9, "{what}: {got} is not {expected}");
        }
    }

    /// The index on each axis.
    fn index(mut flat: usize, shape: &[u64]) -> Vec<usize> {
        let mut index: Vec<usize> = Vec::new();
        for &extent in shape.iter().rev() {
            let extent = usize::try_from(extent).unwrap();
            index.insert(0, flat % extent);
            flat /= extent;
        }
        index
    }

    /// By its definition, of one array of complex numbers.
    fn defined(shape: &[u64], numbers: &[f64]) -> Vec<f64> {
        let numbers = numbers.as_chunks::<2>().0;
        let at = |frequency: usize| {
            let frequency = index(frequency, shape);
            let mut sum = [0.0; 2];
            for (place, [re, im]) in numbers.iter().enumerate() {
                let place = index(place, shape);
                let turns = frequency.iter().zip(&place).zip(shape).map(|((k, x), &n)| (k * x) as f64 / n as f64);
                let (sin, cos) = (-TAU * turns.sum::<f64>()).sin_cos();
                sum = [sum[0] + re * cos - im * sin, sum[1] + re * sin + im * cos];
            }
            sum
        };
        (0..numbers.len()).flat_map(at).collect()
    }

    #[test]
    fn arrays_of_any_shape_are_transformed_there_and_back() {
        for shape in
            [&[1][..], &[2], &[9], &[16], &[4, 6], &[5, 7], &[7, 1], &[1, 8], &[2, 3, 4], &[3, 2, 1, 5], &[20, 33]]
        {
            let size = usize::try_from(shape.iter().product::<u64>()).unwrap();
            let number = |i: usize| (i * 37 % 101) as f64 - 30.0;
            let arrays: Vec<f64> = (0..3 * size).map(number).collect();
            let complex: Vec<f64> = arrays.iter().flat_map(|&re| [re, 0.5 * re - 7.0]).collect();
            let there = transform(Dtype::C128, shape, Direction::Forward, &complex);
            let expected: Vec<f64> = complex.chunks(2 * size).flat_map(|array| defined(shape, array)).collect();
            assert_close(&there, &expected, &format!("complex {shape:?}"));
            assert_close(
                &transform(Dtype::C128, shape, Direction::Inverse, &there),
                &complex,
                &format!("{shape:?} back"),
            );

            let last = usize::try_from(shape[shape.len() - 1]).unwrap();
            let there = transform(Dtype::F64, shape, Direction::Forward, &arrays);
            let whole = |array: &[f64]| defined(shape, &array.iter().flat_map(|&re| [re, 0.0]).collect::<Vec<_>>());
            let expected: Vec<f64> = arrays
                .chunks(size)
                .flat_map(|array| {
                    let half = |row: &[f64]| row[..2 * (last / 2 + 1)].to_vec();
                    whole(array).chunks(2 * last).flat_map(half).collect::<Vec<_>>()
                })
                .collect();
            assert_close(&there, &expected, &format!("real {shape:?}"));
            assert_close(
                &transform(Dtype::F64, shape, Direction::Inverse, &there),
                &arrays,
                &format!("{shape:?} back"),
            );
        }
    }

    #[test]
    fn what_no_real_array_has_does_not_count() {
        // The imaginary parts of the first and the last number of an even row, and of one that is left over.
        let spectrum = [6.0, 5.0, -2.0, 2.0, -2.0, 7.0];
        assert_close(&transform(Dtype::F64, &[4], Direction::Inverse, &spectrum), &[0.0, 1.0, 2.0, 3.0], "a row");
        let two = [spectrum, spectrum].concat();
        let expected = [0.0, 1.0, 2.0, 3.0, 0.0, 1.0, 2.0, 3.0];
        assert_close(&transform(Dtype::F64, &[4], Direction::Inverse, &two), &expected, "two rows");
    }

    #[test]
    fn what_is_not_a_number_is_the_same_one_where_bits_must_not_depend_on_the_machine() {
        let fourier = Fourier::new(Dtype::F32, vec![4], true, LIMIT).unwrap();
        let numbers: Vec<u8> = [1.0, f32::from_bits(0xffc0_1234), 2.0, f32::INFINITY]
            .iter()
            .flat_map(|number| number.to_le_bytes())
            .collect();
        let made = fourier.transform(Direction::Forward, &numbers, LIMIT, &mut || true).unwrap();
        let made = (*made).as_ref().as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes));
        let bits: Vec<u32> = made.filter(|number| number.is_nan()).map(f32::to_bits).collect();
        assert!(!bits.is_empty() && bits.iter().all(|&bits| bits == f32::NAN.to_bits()), "{bits:x?}");
    }

    #[test]
    fn memory_and_time_are_limited() {
        let too_large = Fourier::new(Dtype::F32, vec![1024, 1024], false, LIMIT).unwrap_err();
        assert!(matches!(too_large, FourierError::TooLarge { .. }), "{too_large}");
        let fourier = Fourier::new(Dtype::F32, vec![1024], false, LIMIT).unwrap();
        assert!(fourier.n_bytes() >= 1024 * 8);
        let numbers = vec![0; 4 << 20];
        let too_large = fourier.transform(Direction::Forward, &numbers, LIMIT, &mut || true).err().unwrap();
        assert!(matches!(too_large, FourierError::TooLarge { .. }), "{too_large}");
        let mut n_asked = 0;
        let mut goes_on = || {
            n_asked += 1;
            n_asked < 3
        };
        let stopped = fourier.transform(Direction::Forward, &numbers, 1 << 30, &mut goes_on).err().unwrap();
        assert!(matches!(stopped, FourierError::Stopped), "{stopped}");
        assert!((*fourier.transform(Direction::Inverse, &[], 0x10_0000, &mut || true).unwrap()).as_ref().is_empty());
    }
}
