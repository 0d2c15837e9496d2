//! Sums of logarithms.

use super::{
    CHUNK,
    passes::{Pass, kept, take_all},
    sum::smallest_and_largest,
};
use crate::{DtypeKind, Element, Part, Pixel, Real};

/// Frames that are gone through twice in turn, so few that they stay in the cache meanwhile.
const FRAMES: usize = 4;

/// For each pixel, the sum over frames of `log(frame - min(frame) + 1)`: the natural logarithm.
///
/// It is the logarithm of a product. So frames are multiplied as long as no product can become too large, and only then
/// there are logarithms to take: of counts, one for seven or more frames. As all factors are 1 or more, a product has as many
/// digits as a sum of logarithms.
#[derive(Debug)]
pub struct LogSums<T> {
    products: Vec<T>,
    /// No product is larger.
    bound: f64,
}

impl<T: Part> LogSums<T> {
    /// For frames of `n_pixels`.
    pub fn new(n_pixels: usize) -> Self {
        Self { products: vec![T::from_f64(1.0); n_pixels], bound: 1.0 }
    }

    /// Forgets what it has.
    pub fn clear(&mut self) {
        // No product is larger, and none is smaller than one.
        if self.bound.to_bits() != 1.0_f64.to_bits() {
            self.products.fill(T::from_f64(1.0));
            self.bound = 1.0;
        }
    }

    /// Takes every frame of a tile: `pixels` has shape `(n_frames, n_pixels)`, and `acc` is as long as a frame. What is not in
    /// `acc` yet comes with [`LogSums::end`]. The sums are the same to the last bit however frames are cut into tiles.
    #[inline(never)]
    pub fn add_logs<P: Pixel<T> + Real>(&mut self, acc: &mut [f32], pixels: &[P]) {
        let len = self.products.len().max(1);
        for frames in pixels.chunks(FRAMES * len) {
            let mut least = [T::ZERO; FRAMES];
            let mut first = 0;
            for (at, frame) in frames.chunks_exact(len).enumerate() {
                let Some([smallest, largest]) = smallest_and_largest(frame) else { return };
                least[at] = smallest.value();
                let most = largest.to_f64() - smallest.to_f64() + 1.0;
                // Where a number is infinite, or none, there is no room either.
                let has_room = self.bound * most <= Self::LIMIT;
                if !has_room {
                    self.multiply(&frames[first * len..at * len], &least[first..]);
                    self.end(acc);
                    first = at;
                }
                self.bound *= most;
            }
            self.multiply(&frames[first * len..], &least[first..]);
        }
    }

    /// Adds to `acc` what is not in it yet.
    pub fn end(&mut self, acc: &mut [f32]) {
        let add = |acc: &mut f32, product: &mut T| {
            *acc += f32::narrow(product.log().to_f64());
            *product = T::from_f64(1.0);
        };
        let len = acc.len().min(self.products.len());
        let (accs, acc_rest) = acc[..len].as_chunks_mut::<CHUNK>();
        let (products, products_rest) = self.products[..len].as_chunks_mut::<CHUNK>();
        for (acc, products) in accs.iter_mut().zip(products) {
            for i in 0..CHUNK {
                add(&mut acc[i], &mut products[i]);
            }
        }
        acc_rest.iter_mut().zip(products_rest).for_each(|(acc, product)| add(acc, product));
        self.bound = 1.0;
    }

    /// With a margin for what products are rounded by.
    const LIMIT: f64 = match size_of::<T>() {
        4 => f32::MAX as f64 / 2.0,
        _ => f64::MAX / 2.0,
    };

    fn multiply<P: Pixel<T>>(&mut self, frames: &[P], least: &[T]) {
        let len = self.products.len();
        take_all(frames, len, &mut Factors { products: &mut self.products, least });
    }
}

/// Multiplies with `frame - least + 1` of each frame.
struct Factors<'a, T> {
    products: &'a mut [T],
    least: &'a [T],
}

impl<T: Part, P: Pixel<T>> Pass<P> for Factors<'_, T> {
    #[inline]
    fn take<const N: usize, const LEN: usize>(&mut self, at: usize, first: usize, frames: [&[P; LEN]; N]) {
        multiply(kept(self.products, at), frames, std::array::from_fn(|n| self.least[first + n]));
    }
}

#[inline(never)]
fn multiply<T: Part, P: Pixel<T>, const N: usize, const LEN: usize>(
    products: &mut [T; LEN],
    frames: [&[P; LEN]; N],
    least: [T; N],
) {
    let one = T::from_f64(1.0);
    let below = least.map(|least| least - one);
    // Differences of counts are exact, in whatever order.
    let is_count = P::DTYPE.kind() < DtypeKind::Float;
    let factor = |n: usize, pixel: P| {
        if is_count { pixel.value() - below[n] } else { pixel.value() - least[n] + one }
    };
    let (products, rest) = products.as_chunks_mut::<CHUNK>();
    for (chunk, products) in products.iter_mut().enumerate() {
        let frames: [&[P; CHUNK]; N] = std::array::from_fn(|n| &frames[n].as_chunks().0[chunk]);
        for i in 0..CHUNK {
            products[i] = (0..N).fold(products[i], |product, n| product.times(factor(n, frames[n][i])));
        }
    }
    for (i, product) in rest.iter_mut().enumerate() {
        *product = (0..N).fold(*product, |product, n| product.times(factor(n, frames[n][LEN - LEN % CHUNK + i])));
    }
}

/// Defines a natural logarithm of numbers from 1 on that is made of plain arithmetic, so that it becomes vector
/// instructions; the standard one is a call per pixel.
///
/// `x = 2^k m` with `m` around 1, and `ln m = 2 artanh(s)` with `s = (m - 1) / (m + 1)`, `|s| < 0.172`, whose series
/// needs few terms.
macro_rules! log {
    ($name:ident, $float:ident, $bits:ident, $mantissa:literal, $terms:literal) => {
        #[inline(always)]
        #[expect(clippy::cast_precision_loss, reason = "an exponent is small, and so is a number of terms")]
        pub(crate) fn $name(x: $float) -> $float {
            /// The exponent field of 1.
            const ONE: $bits = (1 as $float).to_bits();
            /// `m` starts here, at the square root of one half.
            const LEAST: $bits = std::$float::consts::FRAC_1_SQRT_2.to_bits();
            /// A float whose last digit is worth 1: the bits of a small integer below its own make it that much bigger.
            const UNITS: $float = ((1 as $bits) << $mantissa) as $float;
            /// 1/3, 1/5, 1/7 and so on.
            const SERIES: [$float; $terms] = {
                let mut series = [0.0; $terms];
                let mut i = 0;
                while i < $terms {
                    series[i] = 1.0 / (2 * i + 3) as $float;
                    i += 1;
                }
                series
            };

            let shifted = x.to_bits().wrapping_add(ONE - LEAST);
            let m = $float::from_bits((shifted & ((1 << $mantissa) - 1)) + LEAST);
            let k =
                $float::from_bits(UNITS.to_bits() | (shifted >> $mantissa)) - (UNITS + (ONE >> $mantissa) as $float);
            let s = (m - 1.0) / (m + 1.0);
            let square = s * s;
            let series = SERIES.iter().rev().fold(0.0, |sum, term| (sum + term) * square);
            let log = k * std::$float::consts::LN_2 + 2.0 * (s + s * series);
            // Infinity and NaN have no such form.
            if x < $float::INFINITY { log } else { x }
        }
    };
}

log!(log_f32, f32, u32, 23, 5);
log!(log_f64, f64, u64, 52, 10);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::samples::numbers;

    #[test]
    fn logarithms_are_right_to_the_last_digits() {
        let mut x = 1.0_f64;
        while x < 1e30 {
            let (exact, single) = (x.ln(), f64::from(log_f32(f32::narrow(x))));
            assert!((log_f64(x) - exact).abs() <= 4e-16 * exact, "{x}: {} is not {exact}", log_f64(x));
            assert!((single - f64::from(f32::narrow(x)).ln()).abs() <= 2e-7 * exact, "{x}: {single} is not {exact}");
            x *= 1.000_37;
        }
        assert!(log_f32(1.0).to_bits() == 0 && log_f64(1.0).to_bits() == 0);
        assert!(log_f32(f32::INFINITY).is_infinite() && log_f64(f64::NAN).is_nan());
    }

    fn sums<T: Part, P: Pixel<T> + Real>(pixels: &[P], len: usize, depth: usize) -> Vec<f32> {
        let (mut sums, mut acc) = (LogSums::<T>::new(len), vec![1.0; len]);
        pixels.chunks(depth * len).for_each(|tile| sums.add_logs(&mut acc, tile));
        sums.end(&mut acc);
        acc
    }

    fn check<T: Part, P: Pixel<T> + Real>(pixels: &[P], len: usize) {
        let found = sums::<T, P>(pixels, len, usize::MAX / len);
        for depth in 1..12 {
            assert_eq!(sums::<T, P>(pixels, len, depth), found, "{depth} frames in a tile");
        }
        let mut expected = vec![1.0; len];
        for frame in pixels.chunks_exact(len) {
            let least = frame.iter().map(|pixel| pixel.to_f64()).fold(f64::INFINITY, f64::min);
            expected.iter_mut().zip(frame).for_each(|(sum, pixel)| *sum += (pixel.to_f64() - least + 1.0).ln());
        }
        for (found, expected) in found.into_iter().zip(expected) {
            assert!((f64::from(found) - expected).abs() <= 1e-6 * expected, "{found} is not {expected}");
        }
    }

    #[test]
    fn products_give_what_logarithms_give_however_tiles_are_cut() {
        let len = 77;
        check::<f32, u8>(&numbers(100 * len, 255.0), len);
        check::<f32, i16>(&numbers(30 * len, 32_767.0), len);
        check::<f32, u16>(&numbers(30 * len, 65_535.0), len);
        check::<f32, f32>(&numbers(30 * len, 0.3), len);
        check::<f32, f32>(&numbers(30 * len, 1e9), len);
        check::<f32, f32>(&numbers(5 * len, 1e38), len);
        check::<f64, f64>(&numbers(30 * len, 1e300), len);
    }

    #[test]
    fn what_is_not_finite_stays_where_it_is() {
        let found = sums::<f32, f32>(&[1.0, 5.0, 3.0, f32::INFINITY, 2.0, 7.0], 2, 3);
        assert_eq!(found, [1.0, f32::INFINITY]);
        let found = sums::<f32, f32>(&[1.0, 5.0, f32::NAN, 3.0, 2.0, 7.0], 2, 3);
        assert!(found.iter().all(|sum| sum.is_nan()), "NaN is the smallest");
    }
}
