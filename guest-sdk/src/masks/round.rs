//! Disks and rings, and the polar coordinates that they are made of.

use super::{Edge, distances, offsets};

/// 1 within `radius` of `centre`, 0 elsewhere; none of it if `radius` is negative.
pub fn disk(shape: [usize; 2], centre: [f64; 2], radius: f64, edge: Edge) -> Vec<f64> {
    match edge {
        Edge::Sharp => offsets(shape, centre).map(|offset| weight(is_within(offset, radius))).collect(),
        Edge::Smooth => band(shape, centre, [0.0, radius]),
    }
}

/// 1 within the outer of `radii`, `[inner, outer]`, and not within the inner one; 0 elsewhere.
///
/// A sharp ring is one disk without the other, and a disk of radius 0 is one pixel: so a sharp ring with an inner
/// radius of 0 leaves out a pixel that lies exactly at the centre.
pub fn ring(shape: [usize; 2], centre: [f64; 2], radii: [f64; 2], edge: Edge) -> Vec<f64> {
    let [inner, outer] = radii;
    match edge {
        Edge::Sharp => {
            offsets(shape, centre).map(|offset| weight(is_within(offset, outer) && !is_within(offset, inner))).collect()
        }
        Edge::Smooth => band(shape, centre, radii),
    }
}

/// Weights between two radii, with an edge of one pixel at each. At an inner radius of 0 there is no edge.
pub(super) fn band(shape: [usize; 2], centre: [f64; 2], radii: [f64; 2]) -> Vec<f64> {
    let [inner, outer] = radii;
    if !(inner <= outer && outer >= 0.0) {
        return vec![0.0; shape[0] * shape[1]];
    }
    let within = |distance: f64| if inner > 0.0 { distance - inner } else { f64::INFINITY };
    distances(shape, centre).map(|distance| (within(distance).min(outer - distance) + 0.5).clamp(0.0, 1.0)).collect()
}

fn is_within([y, x]: [f64; 2], radius: f64) -> bool {
    radius >= 0.0 && y * y + x * x <= radius * radius
}

fn weight(is_inside: bool) -> f64 {
    f64::from(u8::from(is_inside))
}

/// How a circle is deformed in [`polar_map`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ellipse {
    /// How many times longer the axis is that would be y without `angle`.
    pub stretch_y: f64,
    /// By how much the axes are turned from x towards y, in rad.
    pub angle: f64,
}

impl Default for Ellipse {
    /// A circle.
    fn default() -> Self {
        Self { stretch_y: 1.0, angle: 0.0 }
    }
}

/// Polar coordinates of each pixel, in C order.
#[derive(Debug, Clone, PartialEq)]
pub struct Polar {
    /// Distance from the centre, in px.
    pub distances: Vec<f64>,
    /// Direction, in rad from -π to π: 0 along x, π/2 along y, and 0 at the centre itself.
    pub angles: Vec<f64>,
}

/// Polar coordinates around `centre`. Lines of equal distance are ellipses like `ellipse`; angles start from its x axis.
pub fn polar_map(shape: [usize; 2], centre: [f64; 2], ellipse: Ellipse) -> Polar {
    let (sin, cos) = ellipse.angle.sin_cos();
    let turned = |[y, x]: [f64; 2]| [(y * cos - x * sin) / ellipse.stretch_y, x * cos + y * sin];
    let (distances, angles) = offsets(shape, centre).map(turned).map(|[y, x]| (y.hypot(x), y.atan2(x))).unzip();
    Polar { distances, angles }
}

/// A whole number of pixels that certainly reaches from `centre` over the whole frame, edges of masks included.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a length is not negative, and no detector has 2^53 pixels on an axis; what is beyond saturates"
)]
pub fn bounding_radius([height, width]: [usize; 2], [cy, cx]: [f64; 2]) -> usize {
    let farthest = |centre: f64, extent: usize| centre.max(extent as f64 - centre);
    farthest(cy, height).hypot(farthest(cx, width)).ceil() as usize + 1
}

#[cfg(test)]
mod tests {
    use std::f64::consts::{FRAC_PI_2, PI};

    use super::*;

    #[test]
    fn the_rim_belongs_to_the_disk_and_not_to_the_hole() {
        let row = |mask: Vec<f64>| mask[5..].to_vec();
        assert_eq!(row(disk([2, 5], [1.0, 2.0], 1.0, Edge::Sharp)), [0.0, 1.0, 1.0, 1.0, 0.0]);
        assert_eq!(row(ring([2, 5], [1.0, 2.0], [1.0, 2.0], Edge::Sharp)), [1.0, 0.0, 0.0, 0.0, 1.0]);
        assert_eq!(row(disk([2, 5], [1.0, 2.0], 1.0, Edge::Smooth)), [0.0, 0.5, 1.0, 0.5, 0.0]);
        assert_eq!(row(ring([2, 5], [1.0, 2.0], [1.0, 2.0], Edge::Smooth)), [0.5, 0.5, 0.0, 0.5, 0.5]);
    }

    #[test]
    fn impossible_radii_are_empty_and_endless_ones_are_full() {
        for edge in [Edge::Sharp, Edge::Smooth] {
            assert_eq!(disk([2, 2], [0.0, 0.0], -2.0, edge), [0.0; 4]);
            assert_eq!(disk([2, 2], [0.0, 0.0], f64::NAN, edge), [0.0; 4]);
            assert_eq!(disk([2, 2], [-9.0, 0.3], f64::INFINITY, edge), [1.0; 4]);
            assert_eq!(ring([2, 2], [0.0, 0.0], [3.0, 2.0], edge), [0.0; 4]);
        }
    }

    #[test]
    fn angles_turn_from_x_to_y() {
        let polar = polar_map([3, 3], [1.0, 1.0], Ellipse::default());
        assert_eq!((polar.distances[7], polar.angles[7]), (1.0, FRAC_PI_2));
        assert_eq!((polar.distances[3], polar.angles[3]), (1.0, PI));
        assert_eq!((polar.distances[4], polar.angles[4]), (0.0, 0.0));
        let long = polar_map([3, 3], [1.0, 1.0], Ellipse { stretch_y: 2.0, angle: 0.0 });
        assert_eq!((long.distances[7], long.distances[3]), (0.5, 1.0));
    }
}
