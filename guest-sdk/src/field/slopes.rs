//! How a field changes from place to place.

use super::{Number, Vector, scaled};

/// Divergence at each place of a field over `nav_shape`, `(ny, nx)`: slope of y along y plus slope of x along x. Slopes
/// are half the difference of the neighbours, and at the rim the difference to the only one; NaN where the scan is one
/// place wide, and beside places without data.
///
/// # Panics
///
/// Where the field has not as many places as `nav_shape` says.
pub fn divergence<T: Number>(field: &[Vector<T>], nav_shape: [usize; 2]) -> Vec<T> {
    let (y, x) = (slope(field, nav_shape, 0, 0), slope(field, nav_shape, 1, 1));
    y.into_iter().zip(x).map(|(y, x)| y + x).collect()
}

/// Curl at each place of a field over `nav_shape`, `(ny, nx)`: slope of y along x minus slope of x along y. Slopes as in
/// [`divergence`].
///
/// # Panics
///
/// Where the field has not as many places as `nav_shape` says.
pub fn curl<T: Number>(field: &[Vector<T>], nav_shape: [usize; 2]) -> Vec<T> {
    let (y, x) = (slope(field, nav_shape, 0, 1), slope(field, nav_shape, 1, 0));
    y.into_iter().zip(x).map(|(y, x)| y - x).collect()
}

/// The slope of `component` (0 for y, 1 for x) along `axis`.
fn slope<T: Number>(field: &[Vector<T>], nav_shape: [usize; 2], component: usize, axis: usize) -> Vec<T> {
    assert_eq!(field.len(), nav_shape[0] * nav_shape[1], "a field has a vector for each place of the scan");
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slopes_at_the_rim_have_one_neighbour() {
        let field = [[0.0, 0.0], [1.0, 0.0], [4.0, 0.0]];
        assert_eq!(slope(&field, [1, 3], 0, 1), [1.0, 2.0, 3.0]);
        assert_eq!(slope(&field, [3, 1], 0, 0), [1.0, 2.0, 3.0]);
        assert!(slope(&field, [1, 3], 0, 0).iter().all(|slope| slope.is_nan()), "one place wide");
    }

    #[test]
    fn a_source_diverges_and_a_vortex_curls() {
        let places = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]];
        let source = places.map(|[y, x]: [f64; 2]| [y, 3.0 * x]);
        let vortex = places.map(|[y, x]: [f64; 2]| [x, -2.0 * y]);
        assert_eq!((divergence(&source, [2, 2]), curl(&source, [2, 2])), (vec![4.0; 4], vec![0.0; 4]));
        assert_eq!((divergence(&vortex, [2, 2]), curl(&vortex, [2, 2])), (vec![0.0; 4], vec![3.0; 4]));
    }
}
