//! Region of interest: which frames of the scan a run uses, and the way between the two index spaces.

use std::ops::Range;

use super::{Array, Dtype, FrameIdx, RoiIdx, Shape};

/// Which frames of the scan a run uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roi {
    n_frames: u64,
    /// None: all of them. Otherwise the selected frames, ascending.
    selected: Option<Vec<u64>>,
}

/// An array that can't be a ROI.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RoiError {
    /// Not boolean.
    #[error("ROI has dtype {dtype}, expected bool: convert it, for example with numpy's `roi.astype(bool)`")]
    Dtype {
        /// What it is.
        dtype: Dtype,
    },
    /// Another number of elements than the scan has frames.
    #[error("ROI has shape {roi}, but the scan has shape {nav}")]
    Shape {
        /// Shape of the ROI.
        roi: Shape,
        /// Shape of the scan.
        nav: Shape,
    },
}

impl Roi {
    /// All frames.
    pub fn everything(nav: &Shape) -> Self {
        Self { n_frames: nav.size(), selected: None }
    }

    /// The frames where `mask` is true: a boolean array of the scan's shape, or flat with as many elements.
    ///
    /// # Errors
    ///
    /// [`RoiError`].
    pub fn from_mask(mask: &Array, nav: &Shape) -> Result<Self, RoiError> {
        if mask.dtype != Dtype::Bool {
            return Err(RoiError::Dtype { dtype: mask.dtype });
        }
        let flat = mask.shape.n_axes() == 1 && mask.shape.size() == nav.size();
        if mask.shape != *nav && !flat {
            return Err(RoiError::Shape { roi: mask.shape.clone(), nav: nav.clone() });
        }
        let selected = (0..).zip(&mask.data).filter(|(_, byte)| **byte != 0).map(|(frame, _)| frame).collect();
        Ok(Self { n_frames: nav.size(), selected: Some(selected) })
    }

    /// Frames of the scan.
    pub fn n_frames(&self) -> u64 {
        self.n_frames
    }

    /// Selected frames.
    pub fn n_selected(&self) -> u64 {
        self.selected.as_ref().map_or(self.n_frames, |selected| selected.len() as u64)
    }

    /// Whether it leaves frames out by a mask (even by one that selects everything).
    pub fn is_mask(&self) -> bool {
        self.selected.is_some()
    }

    /// One byte per frame of the scan, 1 where it is selected; none if there is no mask.
    ///
    /// # Panics
    ///
    /// Never: a mask that was in memory fits there again.
    pub fn to_mask(&self) -> Option<Vec<u8>> {
        let selected = self.selected.as_ref()?;
        let mut mask = vec![0; usize::try_from(self.n_frames).expect("a mask of this size was read")];
        for &frame in selected {
            mask[usize::try_from(frame).expect("within the mask")] = 1;
        }
        Some(mask)
    }

    /// The ROI indices of the selected frames among `frames`.
    pub fn within(&self, frames: &Range<FrameIdx>) -> Range<RoiIdx> {
        self.rank(frames.start)..self.rank(frames.end)
    }

    /// The frame at a ROI index.
    ///
    /// # Panics
    ///
    /// If `idx` is not below [`Roi::n_selected`].
    pub fn frame(&self, idx: RoiIdx) -> FrameIdx {
        match &self.selected {
            None => {
                assert!(idx.0 < self.n_frames, "ROI index {idx} of {} frames", self.n_frames);
                FrameIdx(idx.0)
            }
            Some(selected) => FrameIdx(selected[usize::try_from(idx.0).expect("below the number of selected frames")]),
        }
    }

    /// How many of `frames`, from the first on, follow each other in the scan without a gap.
    ///
    /// # Panics
    ///
    /// If there are not as many selected frames.
    pub fn n_consecutive(&self, frames: &Range<RoiIdx>) -> u64 {
        let index = |idx: RoiIdx| usize::try_from(idx.0).expect("within the selected frames");
        let Some(selected) = &self.selected else { return frames.end.0 - frames.start.0 };
        let selected = &selected[index(frames.start)..index(frames.end)];
        // Ascending, so what has left its place never comes back.
        let (mut n, mut rest) = (0, selected.len());
        while n < rest {
            let middle = n.midpoint(rest);
            if selected[middle] - selected[0] == middle as u64 { n = middle + 1 } else { rest = middle }
        }
        n as u64
    }

    /// How many selected frames lie before `frame`.
    fn rank(&self, frame: FrameIdx) -> RoiIdx {
        match &self.selected {
            None => RoiIdx(frame.0.min(self.n_frames)),
            Some(selected) => RoiIdx(selected.partition_point(|&other| other < frame.0) as u64),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mask(bits: &[u8]) -> Array {
        Array { dtype: Dtype::Bool, shape: Shape::new([bits.len() as u64]).unwrap(), data: bits.to_vec() }
    }

    #[test]
    fn indices_go_both_ways() {
        let nav = Shape::new([2, 3]).unwrap();
        let roi = Roi::from_mask(&mask(&[0, 1, 1, 0, 0, 1]), &nav).unwrap();
        assert_eq!(roi.n_selected(), 3);
        assert_eq!(roi.within(&(FrameIdx(2)..FrameIdx(6))), RoiIdx(1)..RoiIdx(3));
        assert_eq!(roi.within(&(FrameIdx(3)..FrameIdx(5))), RoiIdx(2)..RoiIdx(2));
        assert_eq!(roi.frame(RoiIdx(2)), FrameIdx(5));
        assert_eq!(roi.to_mask().unwrap(), [0, 1, 1, 0, 0, 1]);
    }

    #[test]
    fn consecutive_frames_are_counted() {
        let nav = Shape::new([2, 5]).unwrap();
        let roi = Roi::from_mask(&mask(&[0, 1, 1, 1, 0, 0, 1, 0, 1, 1]), &nav).unwrap();
        let count = |range: Range<u64>| roi.n_consecutive(&(RoiIdx(range.start)..RoiIdx(range.end)));
        assert_eq!([count(0..6), count(0..2), count(1..6), count(3..6), count(4..6), count(2..2)], [3, 2, 2, 1, 2, 0]);
        assert_eq!(Roi::everything(&nav).n_consecutive(&(RoiIdx(2)..RoiIdx(9))), 7);
    }

    #[test]
    fn shape_and_dtype_are_checked() {
        let nav = Shape::new([2, 3]).unwrap();
        assert!(matches!(Roi::from_mask(&mask(&[1; 5]), &nav), Err(RoiError::Shape { .. })));
        let other = Array { dtype: Dtype::U8, ..mask(&[1; 6]) };
        assert!(matches!(Roi::from_mask(&other, &nav), Err(RoiError::Dtype { .. })));
    }
}
