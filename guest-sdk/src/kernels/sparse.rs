//! Products of frames with masks that are mostly zero.

use super::{CHUNK, SEGMENT, sum::reduce};
use crate::{Element, Pixel};

/// Masks as compressed sparse rows. [`SparseStack`](crate::masks::SparseStack) makes them.
#[derive(Debug, Clone, Copy)]
pub struct SparseRows<'a, T> {
    /// Mask `k` has the entries `bounds[k]..bounds[k + 1]`.
    pub bounds: &'a [usize],
    /// The pixel of each entry, ascending in each mask.
    pub pixels: &'a [u32],
    /// The weight of each entry.
    pub weights: &'a [T],
}

/// Adds to `acc`, of shape `(n_frames, n_masks)`, the products of frames and masks: `pixels` has shape
/// `(n_frames, block_len)`, and its pixel 0 is pixel `start` of the masks. Pixels where a mask is zero are not looked at:
/// what is not a number there does not count.
///
/// # Panics
///
/// Where `rows` are not what they say.
pub fn add_sparse_dots<T: Element, P: Pixel<T>>(
    acc: &mut [T],
    pixels: &[P],
    block_len: usize,
    start: usize,
    rows: SparseRows<'_, T>,
) {
    let n_masks = rows.bounds.len().saturating_sub(1);
    if n_masks == 0 || block_len == 0 {
        return;
    }
    // What each mask has in this block.
    let ranges: Vec<_> = rows.bounds.windows(2).map(|bounds| within(rows.pixels, bounds, start, block_len)).collect();
    for (acc, frame) in acc.chunks_exact_mut(n_masks).zip(pixels.chunks_exact(block_len)) {
        for (acc, range) in acc.iter_mut().zip(&ranges) {
            let sum = sparse_dot(frame, start, &rows.pixels[range.clone()], &rows.weights[range.clone()]);
            *acc = T::narrow(acc.widen().plus(sum));
        }
    }
}

/// The entries among `bounds` whose pixel lies in the block.
fn within(pixels: &[u32], bounds: &[usize], start: usize, block_len: usize) -> std::ops::Range<usize> {
    let row = &pixels[bounds[0]..bounds[1]];
    let before = |end: usize| bounds[0] + row.partition_point(|&pixel| (pixel as usize) < end);
    before(start)..before(start + block_len)
}

fn sparse_dot<T: Element, P: Pixel<T>>(frame: &[P], start: usize, pixels: &[u32], weights: &[T]) -> T::Wide {
    pixels
        .chunks(SEGMENT)
        .zip(weights.chunks(SEGMENT))
        .fold(T::Wide::ZERO, |total, (pixels, weights)| total.plus(sparse_dot_segment(frame, start, pixels, weights)))
}

#[inline]
fn sparse_dot_segment<T: Element, P: Pixel<T>>(frame: &[P], start: usize, pixels: &[u32], weights: &[T]) -> T::Wide {
    const LANES: usize = 8;
    let (pixel_chunks, pixels_rest) = pixels.as_chunks::<CHUNK>();
    let (weight_chunks, weights_rest) = weights.as_chunks::<CHUNK>();
    let mut lanes = [T::ZERO; LANES];
    for (pixels, weights) in pixel_chunks.iter().zip(weight_chunks) {
        for step in 0..CHUNK / LANES {
            for (i, lane) in lanes.iter_mut().enumerate() {
                let at = step * LANES + i;
                *lane = lane.plus(frame[pixels[at] as usize - start].value().times(weights[at]));
            }
        }
    }
    let rest = pixels_rest.iter().zip(weights_rest);
    let products = rest.map(|(&pixel, weight)| frame[pixel as usize - start].value().widen().times(weight.widen()));
    products.fold(reduce(lanes).widen(), T::Wide::plus)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Array, Complex,
        kernels::{Stack, add_dots, samples::numbers},
        masks::SparseStack,
    };

    #[test]
    fn sparse_masks_give_what_dense_ones_give() {
        let (n_frames, n_masks, mask_len) = (3, 5, 6000);
        for share in [1, 7, 900] {
            let mut masks: Vec<f64> = numbers(n_masks * mask_len, 1.0);
            masks.iter_mut().enumerate().filter(|(i, _)| i % share != 0).for_each(|(_, weight)| *weight = 0.0);
            let sparse = SparseStack::from_dense(&Array::new(&[n_masks, mask_len], &masks).unwrap()).unwrap();
            for (start, block_len) in [(0, mask_len), (17, 1), (500, 2100), (5999, 1)] {
                let pixels: Vec<f64> = numbers(n_frames * block_len, 10.0);
                let mut dense_acc = vec![1.0; n_frames * n_masks];
                let mut sparse_acc = dense_acc.clone();
                add_dots(&mut dense_acc, &pixels, block_len, Stack { masks: &masks, mask_len, start });
                add_sparse_dots(&mut sparse_acc, &pixels, block_len, start, sparse.rows().unwrap());
                for (sparse, dense) in sparse_acc.iter().zip(&dense_acc) {
                    assert!((sparse - dense).abs() < 1e-10, "{sparse} is not {dense}");
                }
            }
        }
    }

    #[test]
    fn integers_wrap_and_complex_numbers_are_not_conjugated() {
        let rows = SparseRows { bounds: &[0, 40], pixels: &(0..40).collect::<Vec<_>>(), weights: &[3_u8; 40] };
        let mut acc = [0];
        add_sparse_dots(&mut acc, &[200_u8; 40], 40, 0, rows);
        assert_eq!(acc, [192]);
        let i = Complex::new(0.0_f64, 1.0);
        let mut acc = [Complex::ZERO];
        add_sparse_dots(&mut acc, &[i; 3], 3, 0, SparseRows { bounds: &[0, 2], pixels: &[0, 2], weights: &[i; 2] });
        assert_eq!(acc, [Complex::new(-2.0, 0.0)]);
    }
}
