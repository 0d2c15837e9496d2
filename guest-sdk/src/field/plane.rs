//! Regression: the mean of a field, or the plane that comes closest to it.

use super::{Number, Vector};

/// A plane in each of y and x: constant, slope along the scan's y, slope along its x.
pub type Plane = [Vector<f64>; 3];

/// The mean of the places with data.
#[expect(clippy::cast_precision_loss, reason = "no scan has 2^53 places")]
pub fn mean(places: &[Vector<f64>]) -> Plane {
    let n_places = places.len().max(1) as f64;
    let sum = places.iter().fold([0.0; 2], |sum, place| [sum[0] + place[0], sum[1] + place[1]]);
    [sum.map(|sum| sum / n_places), [0.0; 2], [0.0; 2]]
}

/// The plane that comes closest to the field, by least squares over places `(y, x)` with data. Where these do not
/// determine a plane it is the one with the smallest coefficients.
pub fn closest_plane(at: &[Vector<f64>], field: &[Vector<f64>]) -> Plane {
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
pub fn subtract<T: Number>(value: Vector<T>, [y, x]: Vector<f64>, plane: &Plane) -> Vector<T> {
    std::array::from_fn(|axis| {
        let height = plane[0][axis] + plane[1][axis] * y + plane[2][axis] * x;
        value[axis] - T::from_f64(height)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-12
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
}
