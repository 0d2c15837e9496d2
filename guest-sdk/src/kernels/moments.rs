//! Sum and sum of squared differences from the mean, of each pixel over the frames: one pass, numerically stable.

use super::CHUNK;
use crate::Real;

/// Pixels in a turn: for each of them three `f64` are at hand, and must fit in registers.
const PIXELS: usize = 8;

/// Adds every frame of a tile to `sum` and `varsum` of its pixels, in which `n_before` frames are already: `pixels`
/// has shape `(n_frames, sum.len())`. `varsum` is the sum of the squared differences from the mean.
///
/// Within the tile, differences are taken from its first frame. That is one of the numbers that are added, so its
/// distance from the mean is part of the result, and at most `n_frames` times the rounding error comes in.
pub fn add_moments<T: Real>(sum: &mut [f64], varsum: &mut [f64], n_before: u64, pixels: &[T]) {
    let len = sum.len().min(varsum.len());
    let Some(n_frames) = pixels.len().checked_div(len) else { return };
    if n_frames == 0 {
        return;
    }
    let merge = Merge::new(n_before, n_frames as u64);
    let (sums, sum_rest) = sum[..len].as_chunks_mut::<PIXELS>();
    let (varsums, varsum_rest) = varsum[..len].as_chunks_mut::<PIXELS>();
    for (at, (sum, varsum)) in sums.iter_mut().zip(varsums).enumerate() {
        let columns = pixels.chunks_exact(len).map(|frame| &frame.as_chunks::<PIXELS>().0[at]);
        let (tile_sum, tile_varsum) = moments(columns, merge.n_added);
        for i in 0..PIXELS {
            merge.apply((&mut sum[i], &mut varsum[i]), (tile_sum[i], tile_varsum[i]));
        }
    }
    let rest = len - sum_rest.len();
    for (at, (sum, varsum)) in sum_rest.iter_mut().zip(varsum_rest).enumerate() {
        let column = pixels.chunks_exact(len).map(|frame| std::array::from_ref(&frame[rest + at]));
        let (tile_sum, tile_varsum) = moments(column, merge.n_added);
        merge.apply((sum, varsum), (tile_sum[0], tile_varsum[0]));
    }
}

/// Sum and sum of squared differences of each of `N` pixels over `n_frames` rows of them.
#[inline]
fn moments<'a, T: Real, const N: usize>(
    mut rows: impl Iterator<Item = &'a [T; N]>,
    n_frames: f64,
) -> ([f64; N], [f64; N]) {
    let mut origin = [0.0; N];
    let (mut first, mut second) = ([0.0; N], [0.0; N]);
    if let Some(row) = rows.next() {
        for i in 0..N {
            let pixel = row[i].to_f64();
            let is_finite = pixel.is_finite();
            origin[i] = if is_finite { pixel } else { 0.0 };
            first[i] = if is_finite { 0.0 } else { pixel };
            second[i] = first[i] * first[i];
        }
    }
    for row in rows {
        for i in 0..N {
            let distance = row[i].to_f64() - origin[i];
            first[i] += distance;
            second[i] += distance * distance;
        }
    }
    for i in 0..N {
        let varsum = second[i] - first[i] * first[i] / n_frames;
        second[i] = if varsum < 0.0 { 0.0 } else { varsum };
        first[i] += origin[i] * n_frames;
    }
    (first, second)
}

/// Numbers of frames, and what follows from them, for merging the moments of two sets of frames.
#[derive(Clone, Copy)]
struct Merge {
    n_dest: f64,
    n_added: f64,
    /// What the squared distance of the means counts in the merged sum of squares: `n0 * n1 / (n0 + n1)`.
    weight: f64,
}

impl Merge {
    #[expect(clippy::cast_precision_loss, reason = "no scan has 2^53 frames")]
    fn new(n_dest: u64, n_added: u64) -> Self {
        let (n_dest, n_added) = (n_dest as f64, n_added as f64);
        Self { n_dest, n_added, weight: n_dest * n_added / (n_dest + n_added) }
    }

    #[inline]
    fn apply(self, (sum, varsum): (&mut f64, &mut f64), (added_sum, added_varsum): (f64, f64)) {
        if self.n_added == 0.0 {
            return;
        }
        if self.n_dest == 0.0 {
            (*sum, *varsum) = (added_sum, added_varsum);
            return;
        }
        let distance = added_sum / self.n_added - *sum / self.n_dest;
        *varsum += added_varsum + distance * distance * self.weight;
        *sum += added_sum;
    }
}

// A turn over eight pixels has four vectors of `f64` in each of its five steps.
const _: () = assert!(PIXELS * 5 >= CHUNK);

#[cfg(test)]
#[expect(clippy::float_cmp, clippy::cast_precision_loss, reason = "these numbers are small, and exact")]
mod tests {
    use super::*;
    use crate::kernels::samples::numbers;

    fn naive(pixels: &[f64], len: usize, i: usize) -> (f64, f64) {
        let column: Vec<f64> = pixels.chunks_exact(len).map(|frame| frame[i]).collect();
        let sum: f64 = column.iter().sum();
        let mean = sum / column.len() as f64;
        (sum, column.iter().map(|pixel| (pixel - mean).powi(2)).sum())
    }

    #[test]
    fn tiles_give_what_two_passes_give() {
        let len = 27;
        // A small spread on a big number: the textbook formula would have no digit left.
        let pixels: Vec<f64> = numbers::<f64>(40 * len, 1.0).iter().map(|spread| 1e8 + spread).collect();
        let (mut sum, mut varsum) = (vec![0.0; len], vec![0.0; len]);
        add_moments(&mut sum, &mut varsum, 0, &pixels[..7 * len]);
        add_moments(&mut sum, &mut varsum, 7, &pixels[7 * len..8 * len]);
        add_moments(&mut sum, &mut varsum, 8, &pixels[8 * len..]);
        for i in 0..len {
            let (naive_sum, naive_varsum) = naive(&pixels, len, i);
            assert!((sum[i] - naive_sum).abs() < 1e-14 * naive_sum);
            assert!((varsum[i] - naive_varsum).abs() < 1e-6 * naive_varsum, "{} and {naive_varsum}", varsum[i]);
        }
    }

    #[test]
    fn the_outlier_may_come_first() {
        let pixels = [1e9_f32, 1.0, 2.0, 3.0];
        let (mut sum, mut varsum) = ([0.0], [0.0]);
        add_moments(&mut sum, &mut varsum, 0, &pixels);
        let (naive_sum, naive_varsum) = naive(&pixels.map(f64::from), 1, 0);
        assert!((sum[0] - naive_sum).abs() < 1e-15 * naive_sum);
        assert!((varsum[0] - naive_varsum).abs() < 1e-14 * naive_varsum);
    }

    #[test]
    fn infinity_stays_a_sum_and_spoils_the_spread() {
        for pixels in [[f64::INFINITY, 1.0], [1.0, f64::INFINITY]] {
            let (mut sum, mut varsum) = ([0.0], [0.0]);
            add_moments(&mut sum, &mut varsum, 0, &pixels);
            assert_eq!(sum[0], f64::INFINITY);
            assert!(varsum[0].is_nan());
        }
    }

    #[test]
    fn nothing_added_changes_nothing() {
        let (mut sum, mut varsum) = ([5.0], [6.0]);
        add_moments::<f32>(&mut sum, &mut varsum, 3, &[]);
        assert_eq!((sum, varsum), ([5.0], [6.0]));
    }
}
