//! Logarithms of a frame.

use super::{CHUNK, sum::smallest};
use crate::{Element, Part};

/// Adds `log(frame - min(frame) + 1)` to `acc`, pixel by pixel: the natural logarithm, taken in the frame's type.
pub fn add_logs<T: Part>(acc: &mut [f32], frame: &[T]) {
    let Some(least) = smallest(frame) else { return };
    let log = |pixel: T| f32::narrow((pixel - least + T::from_f64(1.0)).log().to_f64());
    let len = acc.len().min(frame.len());
    let (acc, acc_rest) = acc[..len].as_chunks_mut::<CHUNK>();
    let (frame, frame_rest) = frame[..len].as_chunks::<CHUNK>();
    for (acc, pixels) in acc.iter_mut().zip(frame) {
        for i in 0..CHUNK {
            acc[i] += log(pixels[i]);
        }
    }
    for (acc, &pixel) in acc_rest.iter_mut().zip(frame_rest) {
        *acc += log(pixel);
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

    #[test]
    fn every_pixel_counts() {
        let frame: Vec<f64> = super::super::samples::numbers(77, 50.0);
        let least = frame.iter().copied().fold(f64::INFINITY, f64::min);
        let mut acc = vec![1.0; 77];
        add_logs(&mut acc, &frame);
        for (acc, pixel) in acc.iter().zip(&frame) {
            assert!((f64::from(*acc) - 1.0 - (pixel - least + 1.0).ln()).abs() < 1e-6);
        }
    }
}
