//! The two index spaces of frames, as types that do not mix. Only a [`Roi`](super::Roi) leads from one to the other.

use std::fmt;

/// Index of a frame among all frames of the scan, C order over the nav axes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FrameIdx(pub u64);

/// Index of a frame among the frames that the ROI selects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoiIdx(pub u64);

impl fmt::Display for FrameIdx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for RoiIdx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
