//! From shifts of the centre of mass to a field: rotation, regression, divergence and curl.
//!
//! A field is two numbers per place of the scan, `(y, x)`, over the whole nav plane; places without data are NaN.

use lthost_guest_sdk::prelude::*;

/// `(y, x)` of one place.
pub(crate) type Vector<T> = [T; 2];

/// What shifts and fields are made of: `f64`, or `Complex<f64>` for complex data.
pub(crate) trait Number: Float {
    /// The square root.
    fn root(self) -> Self;
}

impl Number for f64 {
    fn root(self) -> Self {
        self.sqrt()
    }
}

impl Number for Complex<f64> {
    fn root(self) -> Self {
        self.sqrt()
    }
}

/// How the axes of the detector lie in the plane of the scan.
pub(crate) struct Orientation {
    /// Rotation of the scan against the detector.
    pub(crate) degrees: f64,
    /// Whether the detector's y axis points the other way.
    pub(crate) flip_y: bool,
}

impl Orientation {
    /// Turns a shift on the detector into the coordinates of the scan.
    pub(crate) fn apply<T: Number>(&self, [y, x]: Vector<T>) -> Vector<T> {
        let (sin, cos) = self.degrees.to_radians().sin_cos();
        let y = scaled(y, if self.flip_y { -1.0 } else { 1.0 });
        [scaled(y, cos) + scaled(x, sin), scaled(x, cos) - scaled(y, sin)]
    }
}

/// A plane in each of y and x: constant, slope along the scan's y, slope along its x.
pub(crate) type Plane = [Vector<f64>; 3];

/// The mean of the places with data.
pub(crate) fn mean(places: &[Vector<f64>]) -> Plane {
    let n_places = places.len().max(1) as f64;
    let sum = places.iter().fold([0.0; 2], |sum, place| [sum[0] + place[0], sum[1] + place[1]]);
    [sum.map(|sum| sum / n_places), [0.0; 2], [0.0; 2]]
}

/// The plane that comes closest to the field, by least squares over places `(y, x)` with data. Where these do not
/// determine a plane it is the one with the smallest coefficients.
pub(crate) fn closest_plane(at: &[Vector<f64>], field: &[Vector<f64>]) -> Plane {
    let mut normal = [[0.0; 3]; 3];
    let mut right = [[0.0; 2]; 3];
    for (&[y, x], value) in at.iter().zip(field) {
        let row = [1.0, y, x];
        for i in 0..3 {
            (0..3).for_each(|j| normal[i][j] += row[i] * row[j]);
            (0..2).for_each(|j| right[i][j] += row[i] * value[j]);
        }
    }
    let (values, vectors) = eigen(normal);
    let largest = values.iter().copied().fold(0.0, f64::max);
    let mut plane = [[0.0; 2]; 3];
    for (value, vector) in values.into_iter().zip(vectors).filter(|(value, _)| *value > 1e-12 * largest) {
        for j in 0..2 {
            let share: f64 = (0..3).map(|i| vector[i] * right[i][j]).sum::<f64>() / value;
            (0..3).for_each(|i| plane[i][j] += vector[i] * share);
        }
    }
    plane
}

/// Eigenvalues and eigenvectors of a symmetric matrix, by Jacobi's rotations.
fn eigen(mut a: [[f64; 3]; 3]) -> ([f64; 3], [[f64; 3]; 3]) {
    let mut vectors = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
    // Converges quadratically: a handful of rounds reach the last digit.
    for _ in 0..30 {
        for (p, q) in [(0, 1), (0, 2), (1, 2)] {
            if a[p][q] == 0.0 {
                continue;
            }
            let theta = (a[q][q] - a[p][p]) / (2.0 * a[p][q]);
            let tan = theta.signum() / (theta.abs() + theta.hypot(1.0));
            let cos = 1.0 / tan.hypot(1.0);
            let sin = tan * cos;
            for row in &mut a {
                (row[p], row[q]) = (cos * row[p] - sin * row[q], sin * row[p] + cos * row[q]);
            }
            for k in 0..3 {
                (a[p][k], a[q][k]) = (cos * a[p][k] - sin * a[q][k], sin * a[p][k] + cos * a[q][k]);
                let (vp, vq) = (vectors[p][k], vectors[q][k]);
                (vectors[p][k], vectors[q][k]) = (cos * vp - sin * vq, sin * vp + cos * vq);
            }
        }
    }
    ([a[0][0], a[1][1], a[2][2]], vectors)
}

/// Takes `plane` away from the field at place `(y, x)`.
pub(crate) fn subtract<T: Number>(value: Vector<T>, [y, x]: Vector<f64>, plane: &Plane) -> Vector<T> {
    std::array::from_fn(|axis| {
        let height = plane[0][axis] + plane[1][axis] * y + plane[2][axis] * x;
        value[axis] - T::from_f64(height)
    })
}

/// `sqrt(y² + x²)`.
pub(crate) fn magnitude<T: Number>([y, x]: Vector<T>) -> T {
    (y * y + x * x).root()
}

/// The slope of `component` (0 for y, 1 for x) of a field of `(ny, nx)` places along `axis`: half the difference of the
/// neighbours, at the rim the difference to the only one. NaN where the scan is one place wide.
pub(crate) fn slope<T: Number>(field: &[Vector<T>], nav_shape: [usize; 2], component: usize, axis: usize) -> Vec<T> {
    let extent = nav_shape[axis];
    let stride = if axis == 0 { nav_shape[1] } else { 1 };
    let value = |place: usize| field[place][component];
    (0..field.len())
        .map(|place| match place / stride % extent {
            _ if extent < 2 => T::from_f64(f64::NAN),
            0 => value(place + stride) - value(place),
            at if at == extent - 1 => value(place) - value(place - stride),
            _ => scaled(value(place + stride) - value(place - stride), 0.5),
        })
        .collect()
}

fn scaled<T: Number>(number: T, factor: f64) -> T {
    number * T::from_f64(factor)
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these numbers are exact")]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-12
    }

    #[test]
    fn a_quarter_turn_and_a_flip() {
        let turned = Orientation { degrees: 90.0, flip_y: false }.apply([1.0, 2.0]);
        assert!(close(turned[0], 2.0) && close(turned[1], -1.0));
        let flipped = Orientation { degrees: 0.0, flip_y: true }.apply([1.0, 2.0]);
        assert_eq!(flipped, [-1.0, 2.0]);
    }

    #[test]
    fn a_plane_is_found_again() {
        let at: Vec<Vector<f64>> = (0..20).map(|i| [f64::from(i / 5), f64::from(i % 5)]).collect();
        let field: Vec<Vector<f64>> = at.iter().map(|[y, x]| [3.0 + 0.5 * y - x, -1.0 + 2.0 * x]).collect();
        let plane = closest_plane(&at, &field);
        let expected = [[3.0, -1.0], [0.5, 0.0], [-1.0, 2.0]];
        assert!(plane.iter().flatten().zip(expected.iter().flatten()).all(|(a, b)| close(*a, *b)), "{plane:?}");
    }

    #[test]
    fn one_place_gives_the_smallest_coefficients() {
        // 1 + y² + x² = 1 + 4 + 4: each coefficient is 18 / 9 of its share.
        let plane = closest_plane(&[[2.0, 2.0]], &[[18.0, 0.0]]);
        assert!(close(plane[0][0], 2.0) && close(plane[1][0], 4.0) && close(plane[2][0], 4.0), "{plane:?}");
        assert_eq!(closest_plane(&[], &[]), [[0.0; 2]; 3]);
    }

    #[test]
    fn slopes_at_the_rim_have_one_neighbour() {
        let field = [[0.0, 0.0], [1.0, 0.0], [4.0, 0.0]];
        assert_eq!(slope(&field, [1, 3], 0, 1), [1.0, 2.0, 3.0]);
        assert_eq!(slope(&field, [3, 1], 0, 0), [1.0, 2.0, 3.0]);
        assert!(slope(&field, [1, 3], 0, 0).iter().all(|slope| slope.is_nan()), "one place wide");
    }
}
