//! Shapes of masks: disks, rings, bins around a centre, rectangles, gradients, and stacks of them.
//!
//! A mask is one weight for each pixel of a frame, in C order: shape `(sy, sx)`. `shape` is that shape, and places are
//! `[y, x]` in pixels, where pixel `(0, 0)` has its middle at `[0.0, 0.0]`. A centre may lie anywhere, also outside of
//! the frame; what reaches beyond the frame is cut off.
//!
//! ```
//! use lthost_guest_sdk::masks::{self, Edge};
//!
//! let bright_field = masks::disk([3, 3], [1.0, 1.0], 1.0, Edge::Sharp);
//! assert_eq!(bright_field, [0.0, 1.0, 0.0, 1.0, 1.0, 1.0, 0.0, 1.0, 0.0]);
//! ```

mod bins;
mod gradient;
mod round;
mod stack;
mod straight;

pub use bins::{RadialBins, radial_bins};
pub use gradient::{balance, disk_minus_ring, gradient_minus_ring, radial_gradient};
pub use round::{Ellipse, Polar, bounding_radius, disk, polar_map, ring};
pub use stack::{SparseStack, disk_stack, template_stack};
pub use straight::{gradient_x, gradient_y, rectangle};

/// How a round mask ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edge {
    /// A pixel counts if its middle is within the mask; the rim belongs to it.
    Sharp,
    /// The weight falls linearly over one pixel: from 1 half a pixel within the rim to 0 half a pixel outside.
    Smooth,
}

/// `(y, x)` of each pixel, in C order.
fn places([height, width]: [usize; 2]) -> impl Iterator<Item = [usize; 2]> {
    (0..height).flat_map(move |y| (0..width).map(move |x| [y, x]))
}

/// For each pixel how far it is from `centre`, as `[y, x]`.
#[expect(clippy::cast_precision_loss, reason = "no detector has 2^53 pixels on an axis")]
fn offsets(shape: [usize; 2], [cy, cx]: [f64; 2]) -> impl Iterator<Item = [f64; 2]> {
    places(shape).map(move |[y, x]| [y as f64 - cy, x as f64 - cx])
}

/// The distance of each pixel from `centre`.
fn distances(shape: [usize; 2], centre: [f64; 2]) -> impl Iterator<Item = f64> {
    offsets(shape, centre).map(|[y, x]| y.hypot(x))
}
