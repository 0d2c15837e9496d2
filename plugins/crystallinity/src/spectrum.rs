//! The Fourier transform of a frame of real numbers, and its sum over a ring.

use std::ops::Range;

use lthost_guest_sdk::{Float, Fourier, Part, Result};

/// Transforms frames of one shape.
#[derive(Debug)]
pub(crate) struct Spectrum<T: Part> {
    /// Runs of pixels that are set to 0.
    blanked: Vec<Range<usize>>,
    frame: Vec<T>,
    fourier: Fourier<T>,
    /// Runs of frequencies that count, of the transform's shape `(sy, sx / 2 + 1)`.
    counted: Vec<Range<usize>>,
}

impl<T: Part> Spectrum<T> {
    /// For frames of `shape`; `ring(ky, kx)` says which frequencies count, `kx` from 0 to `sx / 2`.
    pub(crate) fn new(
        [height, width]: [usize; 2],
        blanked: Vec<Range<usize>>,
        ring: impl Fn(usize, usize) -> bool,
    ) -> Result<Self> {
        let mut counted: Vec<Range<usize>> = Vec::new();
        let frequencies = (0..height).flat_map(|ky| (0..=width / 2).map(move |kx| (ky, kx)));
        for (at, _) in frequencies.enumerate().filter(|&(_, (ky, kx))| ring(ky, kx)) {
            match counted.last_mut() {
                Some(run) if run.end == at => run.end += 1,
                _ => counted.push(at..at + 1),
            }
        }
        Ok(Self { blanked, frame: Vec::new(), fourier: Fourier::new(&[height, width])?, counted })
    }

    /// The sum of the absolute values of the transform of `frame` over the ring.
    pub(crate) fn ring_sum(&mut self, frame: &[T]) -> Result<f32> {
        let transform = if self.blanked.is_empty() {
            self.fourier.forward(frame)?
        } else {
            self.frame.clear();
            self.frame.extend_from_slice(frame);
            self.blanked.iter().for_each(|run| self.frame[run.clone()].fill(T::ZERO));
            self.fourier.forward(&self.frame)?
        };
        let (numbers, _) = T::Complex::parts(&transform).as_chunks();
        Ok(narrow(self.counted.iter().map(|run| sum_of_absolutes(&numbers[run.clone()])).sum()))
    }
}

/// In double precision: no squares are too large for that.
fn sum_of_absolutes<T: Part>(numbers: &[[T; 2]]) -> f64 {
    let absolute = |&[re, im]: &[T; 2]| {
        let (re, im) = (re.to_f64(), im.to_f64());
        (re * re + im * im).sqrt()
    };
    let (fours, rest) = numbers.as_chunks::<4>();
    let mut sums = [0.0; 4];
    for four in fours {
        for (sum, number) in sums.iter_mut().zip(four) {
            *sum += absolute(number);
        }
    }
    sums.iter().sum::<f64>() + rest.iter().map(absolute).sum::<f64>()
}

#[expect(clippy::cast_possible_truncation, reason = "the result is of single precision")]
fn narrow(sum: f64) -> f32 {
    sum as f32
}

#[cfg(test)]
#[expect(clippy::cast_precision_loss, reason = "tests are small")]
mod tests {
    use super::*;
    use std::f64::consts::TAU;

    /// The absolute value of the transform at `(ky, kx)`, by its definition.
    fn defined(frame: &[f64], [height, width]: [usize; 2], ky: usize, kx: usize) -> f64 {
        let (mut re, mut im) = (0.0, 0.0);
        for (i, pixel) in frame.iter().enumerate() {
            let turns = (ky * (i / width)) as f64 / height as f64 + (kx * (i % width)) as f64 / width as f64;
            (re, im) = (re + pixel * (TAU * turns).cos(), im + pixel * (TAU * turns).sin());
        }
        re.hypot(im)
    }

    #[test]
    fn every_frequency_of_every_shape_counts_once() {
        for shape in [[1, 1], [1, 6], [5, 1], [2, 3], [4, 4], [13, 17], [17, 13], [16, 16], [9, 20]] {
            let [height, width] = shape;
            let frame: Vec<f64> = (0..height * width).map(|i| ((i * 37) % 101) as f64).collect();
            let mut total = 0.0;
            for (ky, kx) in (0..height).flat_map(|ky| (0..=width / 2).map(move |kx| (ky, kx))) {
                let expected = defined(&frame, shape, ky, kx);
                total += expected;
                let mut sum = Spectrum::new(shape, Vec::new(), |y, x| (y, x) == (ky, kx)).unwrap();
                let sum = sum.ring_sum(&frame).unwrap();
                assert!((f64::from(sum) - expected).abs() < 1e-6 * (1.0 + expected), "({ky}, {kx}) of {shape:?}");
            }
            let mut all = Spectrum::new(shape, Vec::new(), |_, _| true).unwrap();
            for _ in 0..2 {
                let sum = f64::from(all.ring_sum(&frame).unwrap());
                assert!((sum - total).abs() <= 1e-6 * total, "{shape:?}: {sum} is not {total}");
            }
        }
    }

    #[test]
    fn what_is_blanked_is_zero_even_if_it_is_not_a_number() {
        let mut spectrum = Spectrum::new([2, 2], vec![1..2, 2..3], |ky, kx| (ky, kx) == (0, 0)).unwrap();
        assert!((spectrum.ring_sum(&[1.0_f32, f32::NAN, f32::INFINITY, 2.0]).unwrap() - 3.0).abs() < 1e-6);
        let mut nothing = Spectrum::new([2, 2], Vec::new(), |_, _| false).unwrap();
        assert!(nothing.ring_sum(&[1.0_f32; 4]).unwrap().abs() < 1e-6);
    }
}
