//! Masks along the axes.

use super::{offsets, places};

/// 1 from `corner`, `[y, x]`, to the corner that is `extent`, `[height, width]`, away, both included; 0 elsewhere.
///
/// Corners are rounded down to whole pixels, so that an extent of 2 px covers three. Negative extents reach up and to
/// the left. A rectangle without height or width is empty.
pub fn rectangle(shape: [usize; 2], corner: [f64; 2], extent: [f64; 2]) -> Vec<f64> {
    let covers = |axis: usize, at: f64| {
        let other = corner[axis] + extent[axis];
        extent[axis] != 0.0 && (corner[axis].min(other).floor()..=corner[axis].max(other).floor()).contains(&at)
    };
    offsets(shape, [0.0; 2]).map(|[y, x]| f64::from(u8::from(covers(0, y) && covers(1, x)))).collect()
}

/// The y coordinate of each pixel, from 0.
pub fn gradient_y(shape: [usize; 2]) -> Vec<f64> {
    coordinate(shape, 0)
}

/// The x coordinate of each pixel, from 0.
pub fn gradient_x(shape: [usize; 2]) -> Vec<f64> {
    coordinate(shape, 1)
}

#[expect(clippy::cast_precision_loss, reason = "no detector has 2^53 pixels on an axis")]
fn coordinate(shape: [usize; 2], axis: usize) -> Vec<f64> {
    places(shape).map(|place| place[axis] as f64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rectangle_includes_both_corners() {
        assert_eq!(rectangle([1, 5], [0.0, 1.0], [1.0, 2.0]), [0.0, 1.0, 1.0, 1.0, 0.0]);
        assert_eq!(rectangle([1, 5], [0.0, 3.9], [-1.0, -2.0]), [0.0, 1.0, 1.0, 1.0, 0.0]);
        assert_eq!(rectangle([1, 5], [0.0, 1.0], [1.0, 0.0]), [0.0; 5]);
        assert_eq!(rectangle([1, 5], [0.0, -9.0], [9.0, 99.0]), [1.0; 5]);
    }

    #[test]
    fn coordinates_count_from_zero() {
        assert_eq!(gradient_y([2, 3]), [0.0, 0.0, 0.0, 1.0, 1.0, 1.0]);
        assert_eq!(gradient_x([2, 3]), [0.0, 1.0, 2.0, 0.0, 1.0, 2.0]);
    }
}
