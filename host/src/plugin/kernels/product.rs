//! Products of frames with rows of a matrix: the loop, for what the processor has.
//!
//! Numbers come in lines of 64 bytes. Each place in a line has a sum of its own, to which products are added one after the
//! other, each step rounded once; at the end these sums are added up in pairs. So the bits are the same on every processor,
//! and for every number of frames and rows at a time: how many these are decides only how often a number is loaded.

use bytemuck::{Pod, Zeroable};

use super::pixels::Stored;

/// Columns that are best multiplied at a time: with as many numbers of some frames and rows they fit into the first cache.
pub(super) const COLUMNS: usize = 1024;

/// Bytes that a cache has together.
const LINE: usize = 64;

/// A number of a matrix.
pub(super) trait Number: Stored + PartialEq + Into<f64> {
    /// 64 bytes of them.
    type Line: Pod + AsRef<[Self]> + AsMut<[Self]>;

    /// `self * factor + summand`, rounded once.
    fn times_plus(self, factor: Self, summand: Self) -> Self;

    fn plus(self, summand: Self) -> Self;

    /// The fastest loop that this processor has.
    fn multiply() -> Multiply<Self>;
}

/// Multiplies each of some frames with each of some rows of as many numbers. The slice gets the products, shape
/// `(n_frames, n_rows)`.
pub(super) type Multiply<T> = fn(&[&[T]], Rows<'_, T>, &mut [T], &mut Ahead<'_>);

/// What will be wanted from memory next, to be fetched little by little: while some numbers are multiplied, others come.
#[derive(Default)]
pub(super) struct Ahead<'a> {
    bytes: &'a [&'a [u8]],
    /// Lines of the first of them that are fetched.
    n_fetched: usize,
    /// Lines that are fetched at a time.
    n_lines: usize,
}

impl<'a> Ahead<'a> {
    /// To be fetched in `n_times` times.
    pub(super) fn new(bytes: &'a [&'a [u8]], n_times: usize) -> Self {
        let n_lines: usize = bytes.iter().map(|bytes| bytes.len().div_ceil(LINE)).sum();
        Self { bytes, n_fetched: 0, n_lines: n_lines.div_ceil(n_times.max(1)) }
    }

    fn fetch(&mut self) {
        for _ in 0..self.n_lines {
            let [bytes, rest @ ..] = self.bytes else { return };
            if let Some(byte) = bytes.get(self.n_fetched * LINE) {
                fetch(byte);
                self.n_fetched += 1;
            } else {
                (self.bytes, self.n_fetched) = (rest, 0);
            }
        }
    }
}

/// Has the line of the cache fetched that this is in.
#[cfg(target_arch = "x86_64")]
#[expect(unsafe_code, reason = "it takes a pointer")]
fn fetch(byte: &u8) {
    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    // SAFETY: every x86-64 has SSE. It changes nothing, wherever the pointer leads, and it leads to a byte.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(byte).cast()) };
}

#[cfg(not(target_arch = "x86_64"))]
fn fetch(_: &u8) {}

/// Some columns of some rows.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a, T> {
    /// Of whole rows.
    pub(super) numbers: &'a [T],
    /// Numbers of a whole row.
    pub(super) pitch: usize,
    /// The first column.
    pub(super) start: usize,
    /// How many columns.
    pub(super) len: usize,
}

impl<'a, T> Rows<'a, T> {
    pub(super) fn n_rows(&self) -> usize {
        self.numbers.len() / self.pitch
    }

    /// `N` of them.
    #[inline]
    pub(super) fn get<const N: usize>(&self, first: usize) -> [&'a [T]; N] {
        std::array::from_fn(|n| &self.numbers[(first + n) * self.pitch + self.start..][..self.len])
    }
}

macro_rules! number {
    ($number:ident $len:literal $whole:ident $half:ident) => {
        impl Number for $number {
            type Line = [Self; $len];

            fn times_plus(self, factor: Self, summand: Self) -> Self {
                self.mul_add(factor, summand)
            }

            fn plus(self, summand: Self) -> Self {
                self + summand
            }

            fn multiply() -> Multiply<Self> {
                #[cfg(target_arch = "x86_64")]
                if let Some(multiply) =
                    x86::multiply::<Self, std::arch::x86_64::$whole, [std::arch::x86_64::$half; 2]>()
                {
                    return multiply;
                }
                multiply::<Self, Plain<Self>, 1, 1>
            }
        }
    };
}
number!(f32 16 __m512 __m256);
number!(f64 8 __m512d __m256d);

/// A line in the registers of a processor.
trait Vector<T: Number>: Copy {
    fn load(line: &T::Line) -> Self;

    /// With the products of two others added.
    fn plus_product(self, left: Self, right: Self) -> Self;

    fn store(self) -> T::Line;
}

/// A line as it is anywhere.
#[derive(Clone, Copy)]
struct Plain<T: Number>(T::Line);

impl<T: Number> Vector<T> for Plain<T> {
    fn load(line: &T::Line) -> Self {
        Self(*line)
    }

    fn plus_product(mut self, left: Self, right: Self) -> Self {
        for (sum, (left, right)) in self.0.as_mut().iter_mut().zip(left.0.as_ref().iter().zip(right.0.as_ref())) {
            *sum = left.times_plus(*right, *sum);
        }
        self
    }

    fn store(self) -> T::Line {
        self.0
    }
}

/// [`Multiply`] with up to `F` frames and `N` rows in registers. All frames stay in the first cache, and come to each of the
/// rows in turn.
#[expect(clippy::inline_always, reason = "only what is inlined is compiled for more than any processor has")]
#[inline(always)]
fn multiply<T: Number, V: Vector<T>, const F: usize, const N: usize>(
    frames: &[&[T]],
    rows: Rows<'_, T>,
    products: &mut [T],
    ahead: &mut Ahead<'_>,
) {
    let (n_rows, mut first) = (rows.n_rows(), 0);
    while first < n_rows {
        first += match n_rows - first {
            1 => multiply_rows::<T, V, F, 1>(frames, rows.get(first), (&mut products[first..], n_rows), ahead),
            rest if rest < N => {
                multiply_rows::<T, V, F, 2>(frames, rows.get(first), (&mut products[first..], n_rows), ahead)
            }
            _ => multiply_rows::<T, V, F, N>(frames, rows.get(first), (&mut products[first..], n_rows), ahead),
        };
    }
}

/// Multiplies with `N` rows, and says how many these are. There are `pitch` products from frame to frame.
#[expect(clippy::inline_always, reason = "as above")]
#[inline(always)]
fn multiply_rows<T: Number, V: Vector<T>, const F: usize, const N: usize>(
    frames: &[&[T]],
    rows: [&[T]; N],
    (products, pitch): (&mut [T], usize),
    ahead: &mut Ahead<'_>,
) -> usize {
    let (groups, single) = frames.as_chunks::<F>();
    let mut products = products.chunks_mut(pitch);
    let mut put = |block: &[T; N]| {
        if let Some(products) = products.next() {
            products[..N].copy_from_slice(block);
        }
    };
    for frames in groups {
        ahead.fetch();
        multiply_block::<T, V, F, N>(*frames, rows).iter().for_each(&mut put);
    }
    for frame in single {
        ahead.fetch();
        multiply_block::<T, V, 1, N>([frame], rows).iter().for_each(&mut put);
    }
    N
}

#[expect(clippy::inline_always, reason = "as above")]
#[inline(always)]
fn multiply_block<T: Number, V: Vector<T>, const F: usize, const N: usize>(
    frames: [&[T]; F],
    rows: [&[T]; N],
) -> [[T; N]; F] {
    let zero = V::load(&T::Line::zeroed());
    let mut sums = [[zero; N]; F];
    let (whole_frames, whole_rows) = (frames.map(lines), rows.map(lines));
    let n_lines = whole_frames[0].len();
    let (whole_frames, whole_rows) = (whole_frames.map(|it| &it[..n_lines]), whole_rows.map(|it| &it[..n_lines]));
    for at in 0..n_lines {
        let (mut pixels, mut numbers) = ([zero; F], [zero; N]);
        for f in 0..F {
            pixels[f] = V::load(&whole_frames[f][at]);
        }
        for n in 0..N {
            numbers[n] = V::load(&whole_rows[n][at]);
        }
        add(&mut sums, &pixels, &numbers);
    }
    let whole = size_of_val(whole_frames[0]) / size_of::<T>();
    if frames[0].len() > whole {
        let (mut pixels, mut numbers) = ([zero; F], [zero; N]);
        for f in 0..F {
            pixels[f] = V::load(&rest(&frames[f][whole..]));
        }
        for n in 0..N {
            numbers[n] = V::load(&rest(&rows[n][whole..]));
        }
        add(&mut sums, &pixels, &numbers);
    }
    let mut products = [[T::zeroed(); N]; F];
    for f in 0..F {
        for n in 0..N {
            products[f][n] = in_pairs(sums[f][n].store());
        }
    }
    products
}

#[expect(clippy::inline_always, reason = "as above")]
#[inline(always)]
fn add<T: Number, V: Vector<T>, const F: usize, const N: usize>(
    sums: &mut [[V; N]; F],
    pixels: &[V; F],
    numbers: &[V; N],
) {
    for n in 0..N {
        for f in 0..F {
            sums[f][n] = sums[f][n].plus_product(pixels[f], numbers[n]);
        }
    }
}

/// All whole lines of `numbers`.
fn lines<T: Number>(numbers: &[T]) -> &[T::Line] {
    let len = size_of::<T::Line>() / size_of::<T>();
    bytemuck::cast_slice(&numbers[..numbers.len() / len * len])
}

/// Less than a line, and zeros.
fn rest<T: Number>(numbers: &[T]) -> T::Line {
    let mut line = T::Line::zeroed();
    line.as_mut()[..numbers.len()].copy_from_slice(numbers);
    line
}

fn in_pairs<T: Number>(mut line: T::Line) -> T {
    let numbers = line.as_mut();
    let mut width = numbers.len() / 2;
    while width > 0 {
        for i in 0..width {
            numbers[i] = numbers[i].plus(numbers[i + width]);
        }
        width /= 2;
    }
    numbers[0]
}

#[cfg(target_arch = "x86_64")]
#[expect(unsafe_code, reason = "the compiler can't see what the processor has")]
mod x86 {
    //! Lines in the registers of x86.

    use std::arch::x86_64::{
        __m256, __m256d, __m512, __m512d, _mm256_fmadd_pd, _mm256_fmadd_ps, _mm512_fmadd_pd, _mm512_fmadd_ps,
    };

    use bytemuck::cast;

    use super::{Ahead, Multiply, Number, Rows, Vector};

    /// The loop for what this processor has, if it multiplies and adds in one step: with a line in one register, or in two of
    /// half the size. There are 32 of the former, and 16 of the latter.
    pub(super) fn multiply<T: Number, Whole: Vector<T>, Halves: Vector<T>>() -> Option<Multiply<T>> {
        let has_fma = std::is_x86_feature_detected!("fma");
        if has_fma && std::is_x86_feature_detected!("avx512f") {
            // SAFETY: it has AVX-512 and FMA.
            return Some(|frames, rows, products, ahead| unsafe {
                with_avx512::<T, Whole>(frames, rows, products, ahead);
            });
        }
        if has_fma && std::is_x86_feature_detected!("avx2") {
            // SAFETY: it has AVX2 and FMA.
            return Some(|frames, rows, products, ahead| unsafe {
                with_avx2::<T, Halves>(frames, rows, products, ahead);
            });
        }
        None
    }

    #[target_feature(enable = "avx512f,fma")]
    fn with_avx512<T: Number, V: Vector<T>>(
        frames: &[&[T]],
        rows: Rows<'_, T>,
        products: &mut [T],
        ahead: &mut Ahead<'_>,
    ) {
        super::multiply::<T, V, 4, 4>(frames, rows, products, ahead);
    }

    #[target_feature(enable = "avx2,fma")]
    fn with_avx2<T: Number, V: Vector<T>>(
        frames: &[&[T]],
        rows: Rows<'_, T>,
        products: &mut [T],
        ahead: &mut Ahead<'_>,
    ) {
        super::multiply::<T, V, 2, 3>(frames, rows, products, ahead);
    }

    macro_rules! whole {
        ($number:ty, $register:ty, $fmadd:ident) => {
            impl Vector<$number> for $register {
                #[inline(always)]
                fn load(line: &<$number as Number>::Line) -> Self {
                    cast(*line)
                }

                #[inline(always)]
                fn plus_product(self, left: Self, right: Self) -> Self {
                    // SAFETY: such vectors are only used in `with_avx512`, where the processor has what it takes.
                    unsafe { $fmadd(left, right, self) }
                }

                #[inline(always)]
                fn store(self) -> <$number as Number>::Line {
                    cast(self)
                }
            }
        };
    }
    whole!(f32, __m512, _mm512_fmadd_ps);
    whole!(f64, __m512d, _mm512_fmadd_pd);

    macro_rules! halves {
        ($number:ty, $register:ty, $fmadd:ident) => {
            impl Vector<$number> for [$register; 2] {
                #[inline(always)]
                fn load(line: &<$number as Number>::Line) -> Self {
                    cast(*line)
                }

                #[inline(always)]
                fn plus_product(self, left: Self, right: Self) -> Self {
                    // SAFETY: such vectors are only used in `with_avx2`, where the processor has what it takes.
                    unsafe { [$fmadd(left[0], right[0], self[0]), $fmadd(left[1], right[1], self[1])] }
                }

                #[inline(always)]
                fn store(self) -> <$number as Number>::Line {
                    cast(self)
                }
            }
        };
    }
    halves!(f32, __m256, _mm256_fmadd_ps);
    halves!(f64, __m256d, _mm256_fmadd_pd);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers<T: Number>(len: usize, seed: u32, from: impl Fn(f32) -> T) -> Vec<T> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            from(f32::from(u16::try_from(state >> 16).unwrap()) / 1000.0 - 30.0)
        };
        (0..len).map(|_| next()).collect()
    }

    fn same_bits<T: Number>(from: impl Fn(f32) -> T + Copy) {
        for (n_frames, n_rows) in [(1, 1), (2, 3), (3, 4), (7, 9), (9, 17)] {
            for len in [1, 15, 16, 40, COLUMNS] {
                let (frames, rows) = (numbers(n_frames * len, 1, from), numbers(n_rows * len, 2, from));
                let frames: Vec<_> = frames.chunks(len).collect();
                let rows = Rows { numbers: &rows, pitch: len, start: 0, len };
                let (mut fast, mut plain) =
                    (vec![T::zeroed(); n_frames * n_rows], vec![T::zeroed(); n_frames * n_rows]);
                T::multiply()(&frames, rows, &mut fast, &mut Ahead::default());
                multiply::<T, Plain<T>, 1, 1>(&frames, rows, &mut plain, &mut Ahead::default());
                assert_eq!(
                    bytemuck::cast_slice::<T, u8>(&fast),
                    bytemuck::cast_slice::<T, u8>(&plain),
                    "{n_frames} {n_rows} {len}"
                );
                let naive: f64 = frames[n_frames - 1]
                    .iter()
                    .zip(rows.get::<1>(n_rows - 1)[0])
                    .map(|(&a, &b)| a.into() * b.into())
                    .sum();
                assert!((fast[n_frames * n_rows - 1].into() - naive).abs() < 0.5, "{naive}");
            }
        }
    }

    #[test]
    fn every_loop_gives_the_same_bits() {
        same_bits(|number| number);
        same_bits(f64::from);
    }
}
