//! From a field to the orientation of scan and detector, and the place of the undeflected beam.
//!
//! An electrostatic field has no curl. So of all rotations and flips that may lie between scan and detector the one
//! that leaves the least curl is right, but for a half turn, which changes only signs. Atoms decide that: their field is
//! taken to point away from them, so that its divergence is large in a few places and a little negative in many.

use super::{Orientation, Vector, curl, divergence};
use crate::{Error, Result};

/// The curl that a field has after each rotation, from [`curl_by_rotation`].
#[derive(Debug, Clone, PartialEq)]
pub struct CurlByRotation {
    /// Root mean square of the curl for 0 to 359 degrees.
    pub straight: Vec<f64>,
    /// The same with the detector's y axis flipped before.
    pub flipped: Vec<f64>,
}

/// What [`guess_orientation`] finds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Guess {
    /// Rotation, in whole degrees from -179 to 180, and flip.
    pub orientation: Orientation,
    /// The mean of the field as it was given, `[cy, cx]`: if that were centres of mass, the undeflected beam.
    pub centre: Vector<f64>,
}

/// Root mean square of the curl of a field over `nav_shape`, `(ny, nx)`, after each rotation by whole degrees, straight
/// and flipped. Counts the places that `selected` has; if not given, all but the last row and column, where scans
/// often have no data worth the name. Places without a curl are left out.
///
/// # Panics
///
/// Where `field` or `selected` have not as many places as `nav_shape` says.
pub fn curl_by_rotation(field: &[Vector<f64>], nav_shape: [usize; 2], selected: Option<&[bool]>) -> CurlByRotation {
    let places = Places::new(nav_shape, selected);
    let of = |flip_y| {
        let unturned = Orientation { degrees: 0.0, flip_y };
        let field: Vec<_> = field.iter().map(|&vector| unturned.apply(vector)).collect();
        // Rotation turns curl into divergence, as it turns y into x.
        let slopes: Vec<[f64; 2]> = places
            .of(curl(&field, nav_shape))
            .zip(places.of(divergence(&field, nav_shape)))
            .map(|(curl, divergence)| [curl, divergence])
            .filter(|[curl, divergence]| curl.is_finite() && divergence.is_finite())
            .collect();
        (0..360_u16).map(|degrees| rms_after(f64::from(degrees), &slopes)).collect()
    };
    CurlByRotation { straight: of(false), flipped: of(true) }
}

/// The orientation that leaves a field over `nav_shape`, `(ny, nx)`, with the least curl and rare sources, and its mean. Looks at the
/// same places as [`curl_by_rotation`].
///
/// # Errors
///
/// Where there is no curl to look at: the scan is too small, or has no data.
///
/// # Panics
///
/// As [`curl_by_rotation`].
pub fn guess_orientation(field: &[Vector<f64>], nav_shape: [usize; 2], selected: Option<&[bool]>) -> Result<Guess> {
    let CurlByRotation { straight, flipped } = curl_by_rotation(field, nav_shape, selected);
    let (Some(straight), Some(flipped)) = (least(&straight), least(&flipped)) else {
        return Err(Error::new(format!("a scan of shape {nav_shape:?} has no curl to guess an orientation from")));
    };
    let flip_y = flipped.1 < straight.1;
    let degrees = if flip_y { flipped.0 } else { straight.0 };
    let orientation = Orientation { degrees: f64::from(degrees), flip_y };
    let places = Places::new(nav_shape, selected);
    let turned: Vec<_> = field.iter().map(|&vector| orientation.apply(vector)).collect();
    let divergences: Vec<f64> =
        places.of(divergence(&turned, nav_shape)).filter(|divergence| divergence.is_finite()).collect();
    let degrees = if is_upside_down(&divergences) { degrees + 180 } else { degrees };
    let degrees = if degrees > 180 { degrees - 360 } else { degrees };
    let centre = super::mean(&places.of(field.to_vec()).filter(|[y, x]| (y + x).is_finite()).collect::<Vec<_>>())[0];
    Ok(Guess { orientation: Orientation { degrees: f64::from(degrees), flip_y }, centre })
}

/// Which places count.
struct Places(Vec<bool>);

impl Places {
    fn new([height, width]: [usize; 2], selected: Option<&[bool]>) -> Self {
        let is_inside = |place: usize| place / width + 1 < height && place % width + 1 < width;
        let places = selected.map_or_else(|| (0..height * width).map(is_inside).collect(), <[bool]>::to_vec);
        assert_eq!(places.len(), height * width, "`selected` has an entry for each place of the scan");
        Self(places)
    }

    fn of<T>(&self, values: Vec<T>) -> impl Iterator<Item = T> {
        values.into_iter().zip(&self.0).filter(|(_, counts)| **counts).map(|(value, _)| value)
    }
}

/// Root mean square of the curl after a rotation of fields with these curls and divergences; NaN of none.
#[expect(clippy::cast_precision_loss, reason = "no scan has 2^53 places")]
fn rms_after(degrees: f64, slopes: &[[f64; 2]]) -> f64 {
    let (sin, cos) = degrees.to_radians().sin_cos();
    let squares = slopes.iter().map(|[curl, divergence]| (cos * curl + sin * divergence).powi(2));
    (squares.sum::<f64>() / slopes.len() as f64).sqrt()
}

/// The first of the smallest numbers and its index, if they are numbers.
fn least(numbers: &[f64]) -> Option<(i32, f64)> {
    (0..).zip(numbers.iter().copied()).filter(|(_, number)| !number.is_nan()).min_by(|a, b| a.1.total_cmp(&b.1))
}

/// Whether the small values are the rare ones: of five equal bins from the smallest to the largest value the first one
/// has less than the last.
fn is_upside_down(divergences: &[f64]) -> bool {
    let smallest = divergences.iter().copied().fold(f64::INFINITY, f64::min);
    let largest = divergences.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let bin = (largest - smallest) / 5.0;
    let in_first = divergences.iter().filter(|divergence| **divergence < smallest + bin).count();
    let in_last = divergences.iter().filter(|divergence| **divergence >= largest - bin).count();
    bin > 0.0 && in_first < in_last
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A field that points away from atoms, on a scan of 20 x 24 places.
    fn atoms() -> Vec<Vector<f64>> {
        let places = (0..20).flat_map(|y| (0..24).map(move |x| [f64::from(y % 8) - 4.0, f64::from(x % 8) - 4.0]));
        places.map(|[y, x]| [y, x].map(|part| part * (-(y * y + x * x) / 4.0).exp())).collect()
    }

    #[test]
    fn the_orientation_is_found_again() {
        for (degrees, flip_y) in [(0.0, false), (47.0, true), (180.0, false), (-120.0, false), (-3.0, true)] {
            let orientation = Orientation { degrees, flip_y };
            let seen: Vec<_> = atoms().into_iter().map(|vector| orientation.undo(vector)).collect();
            assert_eq!(guess_orientation(&seen, [20, 24], None).unwrap().orientation, orientation);
        }
    }

    #[test]
    fn places_without_data_do_not_count() {
        let mut field = atoms();
        field[3 * 24 + 5] = [f64::NAN; 2];
        assert_eq!(guess_orientation(&field, [20, 24], None).unwrap().orientation.degrees.to_bits(), 0);
        let error = guess_orientation(&[[f64::NAN; 2]; 6], [2, 3], None).unwrap_err();
        assert_eq!(error.message(), "a scan of shape [2, 3] has no curl to guess an orientation from");
        assert!(guess_orientation(&[[0.0; 2]; 3], [1, 3], None).is_err());
    }

    #[test]
    fn the_centre_is_the_mean_of_the_places_that_count() {
        let field: Vec<_> = (0..6).map(|i| [f64::from(i), 2.0]).collect();
        let selected = [true, false, false, false, true, true];
        let guess = guess_orientation(&field, [2, 3], Some(&selected)).unwrap();
        assert!((guess.centre[0] - 3.0).abs() < 1e-12 && (guess.centre[1] - 2.0).abs() < 1e-12);
    }
}
