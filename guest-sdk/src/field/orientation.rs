//! How scan and detector lie to each other.

use super::{Number, Vector, scaled};

/// How the axes of the detector lie in the plane of the scan.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Orientation {
    /// Rotation of the scan against the detector.
    pub degrees: f64,
    /// Whether the detector's y axis points the other way.
    pub flip_y: bool,
}

impl Orientation {
    /// Turns a shift on the detector into the coordinates of the scan: the flip, then the rotation.
    #[must_use]
    pub fn apply<T: Number>(&self, [y, x]: Vector<T>) -> Vector<T> {
        let (sin, cos) = self.sin_cos();
        let y = self.flipped(y);
        [scaled(y, cos) + scaled(x, sin), scaled(x, cos) - scaled(y, sin)]
    }

    /// Turns a shift in the coordinates of the scan back into one on the detector: undoes [`Orientation::apply`].
    #[must_use]
    pub fn undo<T: Number>(&self, [y, x]: Vector<T>) -> Vector<T> {
        let (sin, cos) = self.sin_cos();
        [self.flipped(scaled(y, cos) - scaled(x, sin)), scaled(x, cos) + scaled(y, sin)]
    }

    fn sin_cos(&self) -> (f64, f64) {
        self.degrees.to_radians().sin_cos()
    }

    fn flipped<T: Number>(&self, y: T) -> T {
        scaled(y, if self.flip_y { -1.0 } else { 1.0 })
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these numbers are exact")]
mod tests {
    use super::*;

    fn close(a: Vector<f64>, b: Vector<f64>) -> bool {
        (a[0] - b[0]).abs() < 1e-12 && (a[1] - b[1]).abs() < 1e-12
    }

    #[test]
    fn a_quarter_turn_and_a_flip() {
        let turned = Orientation { degrees: 90.0, flip_y: false }.apply([1.0, 2.0]);
        assert!(close(turned, [2.0, -1.0]));
        let flipped = Orientation { degrees: 0.0, flip_y: true }.apply([1.0, 2.0]);
        assert_eq!(flipped, [-1.0, 2.0]);
    }

    #[test]
    fn there_and_back_again() {
        for (degrees, flip_y) in [(0.0, true), (33.0, false), (-71.5, true), (400.0, false)] {
            let orientation = Orientation { degrees, flip_y };
            assert!(close(orientation.undo(orientation.apply([3.0, -4.0])), [3.0, -4.0]), "{orientation:?}");
        }
    }
}
