//! Electrons counted: expected patterns to frames of Poisson counts, many at a time.

use std::sync::atomic::{AtomicU64, Ordering};

use lthost::shape::{ByteOrder, Dtype};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution as _, Poisson};
use rayon::prelude::*;

use super::{
    optics::Optics,
    output::Layout,
    pattern::{Patterns, Scratch},
    specimen::Specimen,
};

/// Everything that the counts depend on.
#[derive(Debug)]
pub(super) struct Scan {
    /// Scan shape, (ny, nx).
    pub(super) nav: [u64; 2],
    /// The detector.
    pub(super) optics: Optics,
    /// Electrons per pattern.
    pub(super) dose: f64,
    /// Of the counts.
    pub(super) seed: u64,
    /// How a frame is written.
    pub(super) layout: Layout,
}

/// Fills frames.
#[derive(Debug)]
pub(super) struct Camera<'a> {
    scan: &'a Scan,
    specimen: Specimen,
    patterns: Patterns,
    n_saturated: AtomicU64,
}

impl<'a> Camera<'a> {
    /// Prepares what all patterns share.
    pub(super) fn new(scan: &'a Scan) -> Self {
        let (specimen, patterns) = (Specimen::new(scan.nav), Patterns::new(scan.optics));
        Self { scan, specimen, patterns, n_saturated: AtomicU64::new(0) }
    }

    /// Fills `frames`, whole frames as they stand in the file, of which the first has index `first` in the scan.
    ///
    /// Each frame has its own stream of random numbers, so that its counts depend on neither threads nor blocks.
    pub(super) fn record(&self, first: u64, frames: &mut [u8]) {
        let scratch = || (Scratch::default(), vec![0.0; self.scan.optics.n_pixels()]);
        let indexed = frames.par_chunks_exact_mut(self.scan.layout.frame_size()).enumerate();
        indexed.for_each_init(scratch, |(scratch, expected), (nth, frame)| {
            let frame_idx = first + nth as u64;
            self.patterns.expected(&self.specimen.at_frame(self.scan.nav, frame_idx), scratch, expected);
            let (header, pixels) = frame.split_at_mut(self.scan.layout.header_size());
            self.scan.layout.write_header(frame_idx, header);
            self.count(frame_idx, expected, pixels);
        });
    }

    /// Pixels that had more electrons than their dtype can count.
    pub(super) fn n_saturated(&self) -> u64 {
        self.n_saturated.load(Ordering::Relaxed)
    }

    fn count(&self, frame_idx: u64, expected: &[f32], pixels: &mut [u8]) {
        let mut rng = ChaCha8Rng::seed_from_u64(self.scan.seed);
        rng.set_stream(frame_idx);
        let store = store(self.scan.layout.dtype, self.scan.layout.order);
        let mut n_saturated = 0;
        for (pixel, share) in pixels.chunks_exact_mut(self.scan.layout.dtype.size()).zip(expected) {
            n_saturated += u64::from(store(poisson(&mut rng, self.scan.dose * f64::from(*share)), pixel));
        }
        self.n_saturated.fetch_add(n_saturated, Ordering::Relaxed);
    }
}

/// A Poisson-distributed number. Small means, which are most of the pixels, take one random number each.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "never negative, and a dose is limited to far less than u32 holds"
)]
fn poisson(rng: &mut ChaCha8Rng, mean: f64) -> u32 {
    if mean < 6.0 {
        // Inversion: how many probabilities, added up from 0 electrons on, stay below a number from [0, 1).
        let mut left = rng.random::<f64>();
        let mut probability = (-mean).exp();
        let mut count = 0;
        while left >= probability && count < 100 {
            left -= probability;
            count += 1;
            probability *= mean / f64::from(count);
        }
        return count;
    }
    Poisson::new(mean).map_or(0, |distribution| distribution.sample(rng) as u32)
}

/// How a count becomes bytes; what it gives says whether the dtype could not hold it and has its maximum instead.
fn store(dtype: Dtype, order: ByteOrder) -> fn(u32, &mut [u8]) -> bool {
    match (dtype, order) {
        (Dtype::U8, _) => |count, out| {
            out[0] = u8::try_from(count).unwrap_or(u8::MAX);
            count > u32::from(u8::MAX)
        },
        (Dtype::U16, ByteOrder::Little) => |count, out| {
            out.copy_from_slice(&u16::try_from(count).unwrap_or(u16::MAX).to_le_bytes());
            count > u32::from(u16::MAX)
        },
        (Dtype::U16, ByteOrder::Big) => |count, out| {
            out.copy_from_slice(&u16::try_from(count).unwrap_or(u16::MAX).to_be_bytes());
            count > u32::from(u16::MAX)
        },
        (Dtype::U32, ByteOrder::Big) => |count, out| {
            out.copy_from_slice(&count.to_be_bytes());
            false
        },
        (Dtype::F32, _) => |count, out| {
            #[expect(clippy::cast_precision_loss, reason = "that is what f32 data have")]
            out.copy_from_slice(&(count as f32).to_le_bytes());
            false
        },
        _ => |count, out| {
            out.copy_from_slice(&count.to_le_bytes());
            false
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_and_large_means_have_the_right_mean_and_variance() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        for mean in [0.02, 0.9, 5.9, 6.1, 300.0] {
            let n = 40_000;
            let counts: Vec<f64> = (0..n).map(|_| f64::from(poisson(&mut rng, mean))).collect();
            let found = counts.iter().sum::<f64>() / f64::from(n);
            let variance = counts.iter().map(|count| (count - found).powi(2)).sum::<f64>() / f64::from(n);
            let error = (mean / f64::from(n)).sqrt();
            assert!((found - mean).abs() < 5.0 * error, "mean {found} for {mean}");
            assert!((variance / mean - 1.0).abs() < 0.15, "variance {variance} for {mean}");
        }
    }

    #[test]
    fn counts_are_stored_in_the_order_asked_for_and_cut_at_the_maximum() {
        let stored = |dtype: Dtype, order, count| {
            let mut out = vec![0; dtype.size()];
            let cut = store(dtype, order)(count, &mut out);
            (out, cut)
        };
        assert_eq!(stored(Dtype::U8, ByteOrder::Big, 300), (vec![255], true));
        assert_eq!(stored(Dtype::U16, ByteOrder::Big, 0x0102), (vec![1, 2], false));
        assert_eq!(stored(Dtype::U16, ByteOrder::Little, 0x0102), (vec![2, 1], false));
        assert_eq!(stored(Dtype::U32, ByteOrder::Big, 0x0001_0203), (vec![0, 1, 2, 3], false));
        assert_eq!(stored(Dtype::U32, ByteOrder::Little, 0x0001_0203), (vec![3, 2, 1, 0], false));
        assert_eq!(stored(Dtype::F32, ByteOrder::Little, 1), (1f32.to_le_bytes().to_vec(), false));
    }
}
