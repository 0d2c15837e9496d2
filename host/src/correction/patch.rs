//! Which pixels an excluded pixel is patched from: its neighbours along all axes, also diagonally, that are not excluded.

use super::CorrectionError;
use crate::shape::{Array, Dtype, Shape};

/// An excluded pixel.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Patch {
    /// In the flat frame.
    pub(super) pixel: usize,
    /// The pixels that it becomes the mean of, in the flat frame.
    pub(super) neighbours: Vec<usize>,
    /// How many they are.
    pub(super) n_neighbours: f64,
}

/// Patches for all pixels where `excluded` is true, by pixel.
pub(super) fn patches(excluded: &Array, sig: &Shape) -> Result<Vec<Patch>, CorrectionError> {
    const WHAT: &str = "map of excluded pixels";
    if excluded.shape != *sig {
        return Err(CorrectionError::Shape { what: WHAT, found: excluded.shape.clone(), sig: sig.clone() });
    }
    if excluded.dtype != Dtype::Bool {
        return Err(CorrectionError::Dtype { what: WHAT, dtype: excluded.dtype, expected: "bool" });
    }
    let is_excluded = |pixel: usize| excluded.data[pixel] != 0;
    let patches: Vec<Patch> = (0..excluded.data.len())
        .filter(|&pixel| is_excluded(pixel))
        .map(|pixel| {
            let mut neighbours = around(pixel, sig);
            neighbours.retain(|&neighbour| !is_excluded(neighbour));
            let n_neighbours = neighbours.iter().map(|_| 1.0).sum();
            Patch { pixel, neighbours, n_neighbours }
        })
        .collect();
    let hopeless: Vec<&Patch> = patches.iter().filter(|patch| patch.neighbours.is_empty()).collect();
    match hopeless.first() {
        Some(patch) => Err(CorrectionError::NoNeighbours { pixel: patch.pixel, n_pixels: hopeless.len() }),
        None => Ok(patches),
    }
}

/// All pixels that differ from `pixel` by at most one on each axis, without itself.
fn around(pixel: usize, sig: &Shape) -> Vec<usize> {
    let axes: Vec<usize> = sig.axes().iter().map(|&n| usize::try_from(n).expect("a frame in memory")).collect();
    let mut found = vec![0];
    let mut stride = axes.iter().product::<usize>();
    let mut rest = pixel;
    for extent in axes {
        stride /= extent;
        let at = rest / stride;
        rest %= stride;
        let near = at.saturating_sub(1)..(at + 2).min(extent);
        found = found.iter().flat_map(|start| near.clone().map(move |i| start + i * stride)).collect();
    }
    found.retain(|&neighbour| neighbour != pixel);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_stay_on_the_detector() {
        let sig = Shape::new([3, 4]).unwrap();
        assert_eq!(around(0, &sig), [1, 4, 5]);
        assert_eq!(around(5, &sig), [0, 1, 2, 4, 6, 8, 9, 10]);
        assert_eq!(around(11, &sig), [6, 7, 10]);
        assert_eq!(around(3, &Shape::new([6]).unwrap()), [2, 4]);
        assert_eq!(around(13, &Shape::new([3, 3, 3]).unwrap()).len(), 26);
    }

    #[test]
    fn excluded_neighbours_do_not_count() {
        let sig = Shape::new([1, 4]).unwrap();
        let map = |data: &[u8]| Array { dtype: Dtype::Bool, shape: sig.clone(), data: data.to_vec() };
        let found = patches(&map(&[0, 1, 1, 0]), &sig).unwrap();
        assert_eq!(found.iter().map(|patch| patch.neighbours.clone()).collect::<Vec<_>>(), [vec![0], vec![3]]);
        let error = patches(&map(&[1, 1, 1, 0]), &sig).unwrap_err();
        assert_eq!(error, CorrectionError::NoNeighbours { pixel: 0, n_pixels: 2 });
    }
}
