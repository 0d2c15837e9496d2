//! The Fourier transform of a frame of real numbers, and its sum over a ring.

use std::{mem, ops::Range};

use lthost_guest_sdk::Part;

use crate::fft::{Fft, LANES, Planes};

/// Transforms frames of one shape, in memory that is allocated once.
///
/// Two real columns make one complex column, `left + i right`: the left half of the frame is the real parts, the right
/// half the imaginary ones. They are transformed along y. The transform of a real column is symmetric, which tells
/// the two apart again, and only half of it is needed. Transposed, it is transformed along x.
#[derive(Debug)]
pub(crate) struct Spectrum<T> {
    /// Extents of a frame, `(sy, sx)`.
    shape: [usize; 2],
    /// Runs of pixels that are set to 0.
    blanked: Vec<Range<usize>>,
    frame: Vec<T>,
    along_y: Fft<T>,
    along_x: Fft<T>,
    /// Columns of the transform along y: half of a frame's, and some to fill up.
    n_pairs: usize,
    /// Rows `ky` that the ring touches, from 0 on, and some to fill up: columns of the transform along x.
    n_kept: usize,
    /// How often each frequency counts: shape `(sx, n_kept)`.
    weights: Vec<f64>,
    data: Planes<T>,
    spare: Planes<T>,
}

impl<T: Part> Spectrum<T> {
    /// For frames of `shape`; `ring(ky, kx)` says which frequencies count, `kx` from 0 to `sx / 2`.
    pub(crate) fn new(shape: [usize; 2], blanked: Vec<Range<usize>>, ring: impl Fn(usize, usize) -> bool) -> Self {
        let [height, width] = shape;
        let counted: Vec<_> = (0..height)
            .flat_map(|ky| (0..=width / 2).map(move |kx| (ky, kx)))
            .filter(|&(ky, kx)| ring(ky, kx))
            // What is not kept has the same absolute value at the opposite frequency.
            .map(|(ky, kx)| if ky <= height / 2 { (ky, kx) } else { (height - ky, (width - kx) % width) })
            .collect();
        let n_kept = counted.iter().map(|&(ky, _)| ky + 1).max().unwrap_or(0).next_multiple_of(LANES);
        let mut weights = vec![0.0; width * n_kept];
        for (ky, kx) in counted {
            // Half, as `part` gives twice the transform.
            weights[kx * n_kept + ky] += 0.5;
        }
        let n_pairs = width.div_ceil(2).next_multiple_of(LANES);
        let planes = Planes::zeros((height * n_pairs).max(width * n_kept));
        Self {
            shape,
            blanked,
            frame: vec![T::ZERO; height * width],
            along_y: Fft::new(height),
            along_x: Fft::new(width),
            n_pairs,
            n_kept,
            weights,
            data: planes.clone(),
            spare: planes,
        }
    }

    /// The sum of the absolute values of the transform of `frame` over the ring.
    pub(crate) fn ring_sum(&mut self, frame: &[T]) -> f32 {
        self.load(frame);
        self.along_y.transform(&mut self.data, &mut self.spare, self.n_pairs);
        self.part();
        self.along_x.transform(&mut self.data, &mut self.spare, self.n_kept);
        self.weigh()
    }

    /// Puts the halves of `frame` side by side as real and imaginary parts.
    fn load(&mut self, frame: &[T]) {
        self.frame.copy_from_slice(frame);
        for run in &self.blanked {
            self.frame[run.clone()].fill(T::ZERO);
        }
        let width = self.shape[1];
        for (y, row) in self.frame.chunks_exact(width).enumerate() {
            let (left, right) = row.split_at(width.div_ceil(2));
            let pairs = y * self.n_pairs..(y + 1) * self.n_pairs;
            for (plane, half) in [(&mut self.data.re, left), (&mut self.data.im, right)] {
                let (to, rest) = plane[pairs.clone()].split_at_mut(half.len());
                to.copy_from_slice(half);
                rest.fill(T::ZERO);
            }
        }
    }

    /// Parts left and right columns, and transposes: `data` becomes twice the transform along y, shape `(sx, n_kept)`.
    ///
    /// With `z = left + i right` transformed, `z(ky)` and the conjugate of `z(-ky)` have the sum `2 left(ky)` and the
    /// difference `2 i right(ky)`.
    fn part(&mut self) {
        let [height, width] = self.shape;
        let n_left = width.div_ceil(2);
        for first in (0..self.n_kept).step_by(LANES) {
            // Rows beyond the last one only fill up: they weigh nothing.
            let rows: [usize; LANES] = std::array::from_fn(|i| (first + i) % height);
            let opposite = rows.map(|ky| (height - ky) % height);
            for x in 0..n_left {
                let (mut left, mut right) = ([[T::ZERO; LANES]; 2], [[T::ZERO; LANES]; 2]);
                for i in 0..LANES {
                    let (here, there) = (rows[i] * self.n_pairs + x, opposite[i] * self.n_pairs + x);
                    let (re, im) = (self.data.re[here], self.data.im[here]);
                    let (other_re, other_im) = (self.data.re[there], self.data.im[there]);
                    (left[0][i], left[1][i]) = (re + other_re, im - other_im);
                    (right[0][i], right[1][i]) = (im + other_im, other_re - re);
                }
                for (x, numbers) in [(x, left), (x + n_left, right)] {
                    if x < width {
                        let to = x * self.n_kept + first..x * self.n_kept + first + LANES;
                        self.spare.re[to.clone()].copy_from_slice(&numbers[0]);
                        self.spare.im[to].copy_from_slice(&numbers[1]);
                    }
                }
            }
        }
        mem::swap(&mut self.data, &mut self.spare);
    }

    /// The sum of weight times absolute value.
    fn weigh(&self) -> f32 {
        let (re, im) = (self.data.re.as_chunks::<LANES>().0, self.data.im.as_chunks::<LANES>().0);
        let mut sums = [0.0; LANES];
        for ((weights, re), im) in self.weights.as_chunks::<LANES>().0.iter().zip(re).zip(im) {
            for i in 0..LANES {
                let (re, im) = (re[i].to_f64(), im[i].to_f64());
                sums[i] += weights[i] * (re * re + im * im).sqrt();
            }
        }
        narrow(sums.iter().sum())
    }
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
    fn absolute(frame: &[f64], [height, width]: [usize; 2], ky: usize, kx: usize) -> f64 {
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
                let expected = absolute(&frame, shape, ky, kx);
                total += expected;
                let sum = Spectrum::new(shape, Vec::new(), |y, x| (y, x) == (ky, kx)).ring_sum(&frame);
                assert!((f64::from(sum) - expected).abs() < 1e-6 * (1.0 + expected), "({ky}, {kx}) of {shape:?}");
            }
            let mut all = Spectrum::new(shape, Vec::new(), |_, _| true);
            for _ in 0..2 {
                let sum = f64::from(all.ring_sum(&frame));
                assert!((sum - total).abs() <= 1e-6 * total, "{shape:?}: {sum} is not {total}");
            }
        }
    }

    #[test]
    fn what_is_blanked_is_zero_even_if_it_is_not_a_number() {
        let mut spectrum = Spectrum::new([2, 2], vec![1..2, 2..3], |ky, kx| (ky, kx) == (0, 0));
        assert!((spectrum.ring_sum(&[1.0_f32, f32::NAN, f32::INFINITY, 2.0]) - 3.0).abs() < 1e-6);
        assert!(Spectrum::new([2, 2], Vec::new(), |_, _| false).ring_sum(&[1.0_f32; 4]).abs() < 1e-6);
    }
}
