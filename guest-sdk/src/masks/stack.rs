//! Stacks of masks that are mostly zero.

use super::{Edge, disk, places};
use crate::{Array, Element, Error, Result, each_dtype, kernels::SparseRows};

/// A stack of masks of which only the weights that are not zero are kept: compressed sparse rows, a row for each mask.
#[derive(Debug, Clone, PartialEq)]
pub struct SparseStack {
    mask_len: usize,
    /// Row `k` has the entries `bounds[k]..bounds[k + 1]`.
    bounds: Vec<usize>,
    /// The pixel of each entry, ascending in each row.
    pixels: Vec<u32>,
    /// The weight of each entry.
    weights: Array,
}

impl SparseStack {
    /// The same masks as `stack`, of shape `(n_masks, ...sig)`, in the same dtype.
    ///
    /// # Errors
    ///
    /// Where `stack` has no axes, or masks more than 2^32 pixels.
    pub fn from_dense(stack: &Array) -> Result<Self> {
        let Some((&n_masks, sig_shape)) = stack.shape().split_first() else {
            return Err(Error::new("a stack of masks needs at least one axis"));
        };
        let mask_len: usize = sig_shape.iter().product();
        each_dtype!(stack.numbers(), |weights| Self::from_rows(n_masks, mask_len, |idx| {
            let mask = &weights[idx * mask_len..][..mask_len];
            (0..).zip(mask.iter().copied()).filter(|(_, weight)| *weight != Element::ZERO)
        }))
    }

    /// `row` gives the entries of a mask: pixels, ascending, and weights.
    fn from_rows<T: Element, I: Iterator<Item = (u32, T)>>(
        n_masks: usize,
        mask_len: usize,
        row: impl Fn(usize) -> I,
    ) -> Result<Self> {
        if u32::try_from(mask_len).is_err() {
            return Err(Error::new(format!("masks of {mask_len} pixels are too big to be sparse")));
        }
        let (mut bounds, mut pixels, mut weights) = (vec![0], Vec::new(), Vec::new());
        for idx in 0..n_masks {
            for (pixel, weight) in row(idx) {
                pixels.push(pixel);
                weights.push(weight);
            }
            bounds.push(pixels.len());
        }
        let weights = Array::new(&[weights.len()], &weights)?;
        Ok(Self { mask_len, bounds, pixels, weights })
    }

    /// How many masks there are.
    pub fn n_masks(&self) -> usize {
        self.bounds.len() - 1
    }

    /// Pixels of one mask.
    pub fn mask_len(&self) -> usize {
        self.mask_len
    }

    /// How many weights are kept.
    pub fn n_entries(&self) -> usize {
        self.pixels.len()
    }

    /// The kept weights, one mask after the other.
    pub fn weights(&self) -> &Array {
        &self.weights
    }

    /// The rows for [`kernels::add_sparse_dots`](crate::kernels::add_sparse_dots), if the weights are `T`.
    pub fn rows<T: Element>(&self) -> Option<SparseRows<'_, T>> {
        let weights = self.weights.as_slice()?;
        Some(SparseRows { bounds: &self.bounds, pixels: &self.pixels, weights })
    }

    /// All weights, those that are zero included: shape `(n_masks, mask_len)`.
    ///
    /// # Errors
    ///
    /// Where that is too big for any memory.
    pub fn to_dense(&self) -> Result<Array> {
        each_dtype!(self.weights.numbers(), |weights| self.scattered(weights))
    }

    fn scattered<T: Element>(&self, weights: &[T]) -> Result<Array> {
        let mut dense = Array::zeros(&[self.n_masks(), self.mask_len], T::DTYPE)?;
        if let Some(dense) = dense.as_mut_slice::<T>() {
            for (idx, bounds) in self.bounds.windows(2).enumerate() {
                for entry in bounds[0]..bounds[1] {
                    dense[idx * self.mask_len + self.pixels[entry] as usize] = weights[entry];
                }
            }
        }
        Ok(dense)
    }
}

/// Copies of `template`, of shape `template_shape`, in masks of `shape`. Each of `copies` is the mask that it belongs
/// to, and where its pixel `(0, 0)` comes, `[y, x]`; what reaches beyond the frame is cut off, and where copies in the
/// same mask overlap they add up. There are as many masks as the largest index demands; weights are `f32`.
///
/// # Errors
///
/// Where `template` has not as many weights as `template_shape` has pixels, or a frame has more than 2^32.
pub fn template_stack(
    shape: [usize; 2],
    template: &[f64],
    template_shape: [usize; 2],
    copies: &[(usize, [i64; 2])],
) -> Result<SparseStack> {
    if template_shape[0].checked_mul(template_shape[1]) != Some(template.len()) {
        let message = format!("a template of shape {template_shape:?} cannot have {} weights", template.len());
        return Err(Error::new(message));
    }
    let place = |[y, x]: [i64; 2], pixel: [usize; 2]| -> Option<u32> {
        let y = usize::try_from(y.checked_add_unsigned(pixel[0] as u64)?).ok()?;
        let x = usize::try_from(x.checked_add_unsigned(pixel[1] as u64)?).ok()?;
        u32::try_from(y.checked_mul(shape[1])? + x).ok().filter(|_| y < shape[0] && x < shape[1])
    };
    stack_of(shape, copies, |&at| {
        let entries = places(template_shape).zip(template).filter(|(_, weight)| **weight != 0.0);
        entries.filter_map(|(pixel, &weight)| Some((place(at, pixel)?, weight))).collect()
    })
}

/// Disks of the same `radius` with sharp edges in masks of `shape`. Each of `disks` is the mask that it belongs to, and
/// its centre `[y, x]`; where disks in the same mask overlap they count once. There are as many masks as the largest
/// index demands; weights are `f32`.
///
/// # Errors
///
/// Where a frame has more than 2^32 pixels.
pub fn disk_stack(shape: [usize; 2], radius: f64, disks: &[(usize, [f64; 2])]) -> Result<SparseStack> {
    let mut stack = stack_of(shape, disks, |&centre| {
        let weights = disk(shape, centre, radius, Edge::Sharp);
        (0..).zip(weights).filter(|(_, weight)| *weight != 0.0).collect()
    })?;
    stack.weights = Array::new(&[stack.n_entries()], &vec![1.0_f32; stack.n_entries()])?;
    Ok(stack)
}

/// Gathers the `entries` of each part into the mask that it belongs to, adding those of the same pixel.
fn stack_of<P>(
    shape: [usize; 2],
    parts: &[(usize, P)],
    entries: impl Fn(&P) -> Vec<(u32, f64)>,
) -> Result<SparseStack> {
    let n_masks = parts.iter().map(|(idx, _)| idx + 1).max().unwrap_or(0);
    let mut order: Vec<usize> = (0..parts.len()).collect();
    order.sort_by_key(|&part| parts[part].0);
    let row = |idx: usize| {
        let first = order.partition_point(|&part| parts[part].0 < idx);
        let own = order[first..].iter().map(|&part| &parts[part]).take_while(move |(mask, _)| *mask == idx);
        let mut row: Vec<(u32, f64)> = own.flat_map(|(_, part)| entries(part)).collect();
        row.sort_by_key(|(pixel, _)| *pixel);
        row.dedup_by(|later, kept| {
            later.0 == kept.0 && {
                kept.1 += later.1;
                true
            }
        });
        row.into_iter().map(|(pixel, weight)| (pixel, <f32 as Element>::from_f64(weight)))
    };
    SparseStack::from_rows(n_masks, shape[0] * shape[1], row)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sparse_and_dense_are_the_same_masks() {
        let dense = Array::new(&[3, 2, 2], &[0_i16, 5, 0, 0, 0, 0, 0, 0, 1, 2, 3, -4]).unwrap();
        let sparse = SparseStack::from_dense(&dense).unwrap();
        assert_eq!((sparse.n_masks(), sparse.mask_len(), sparse.n_entries()), (3, 4, 5));
        assert_eq!(sparse.weights().to_vec::<i16>(), [5, 1, 2, 3, -4]);
        assert_eq!(sparse.to_dense().unwrap().to_vec::<i16>(), dense.to_vec::<i16>());
        assert!(sparse.rows::<f32>().is_none() && sparse.rows::<i16>().is_some());
    }

    #[test]
    fn copies_are_cut_off_and_add_up() {
        let template = [1.0, 2.0, 0.0, 3.0];
        let copies = [(2, [-1, 0]), (0, [0, 0]), (2, [0, 1]), (2, [i64::MAX, i64::MIN])];
        let stack = template_stack([2, 3], &template, [2, 2], &copies).unwrap();
        let expected = [1.0, 2.0, 0.0, 0.0, 3.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 4.0, 2.0, 0.0, 0.0, 3.0];
        assert_eq!(stack.to_dense().unwrap().to_vec::<f64>(), expected);
        assert!(template_stack([2, 3], &template, [2, 3], &copies).is_err());
        assert_eq!(template_stack([2, 3], &[], [0, 3], &[]).unwrap().n_masks(), 0);
    }

    #[test]
    fn overlapping_disks_count_once() {
        let stack = disk_stack([1, 5], 1.0, &[(0, [0.0, 1.0]), (0, [0.0, 2.0])]).unwrap();
        assert_eq!(stack.to_dense().unwrap().to_vec::<f32>(), [1.0, 1.0, 1.0, 1.0, 0.0]);
    }
}
