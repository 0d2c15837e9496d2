//! Concentric rings of equal width, for radial profiles.

use super::round::band;
use crate::{Error, Result};

/// Rings around a centre, one next to the other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RadialBins {
    /// Where the first ring starts and the last one ends, `[inner, outer]` in px.
    pub radii: [f64; 2],
    /// How many rings; if not given, as many as give a width of about one pixel.
    pub n_bins: Option<usize>,
    /// Whether the weights of each ring add up to 1: then products with frames are averages instead of sums.
    pub normalize: bool,
}

/// Concentric rings with [smooth](super::Edge::Smooth) edges, from the innermost to the outermost: shape
/// `(n_bins, sy, sx)` in C order.
///
/// In rings at least a pixel wide the weights of a pixel add up to 1 over all rings, but for the two ends. Narrower
/// ones overlap. A ring that has no pixel is zero, normalised or not.
///
/// # Errors
///
/// Where `radii` are not two finite numbers, 0 or more, the outer one larger; where `n_bins` is 0, or more than can be
/// counted.
pub fn radial_bins(shape: [usize; 2], centre: [f64; 2], bins: RadialBins) -> Result<Vec<f64>> {
    let RadialBins { radii: [inner, outer], n_bins, normalize } = bins;
    if !(0.0 <= inner && inner < outer && outer.is_finite()) {
        return Err(Error::new(format!("radial bins need 0 <= inner < outer, and have {inner} and {outer}")));
    }
    let n_bins = n_bins.unwrap_or_else(|| about_one_pixel_each(outer - inner));
    let len = shape.iter().try_fold(n_bins, |len, &extent| len.checked_mul(extent));
    if n_bins == 0 || len.is_none() {
        return Err(Error::new(format!("{n_bins} radial bins over frames of shape {shape:?} cannot be made")));
    }
    let mut weights = Vec::with_capacity(len.unwrap_or(0));
    for bin in 0..n_bins {
        weights.extend(one(shape, centre, edges(inner, outer, n_bins, bin), normalize));
    }
    Ok(weights)
}

fn one(shape: [usize; 2], centre: [f64; 2], radii: [f64; 2], normalize: bool) -> Vec<f64> {
    let mut weights = band(shape, centre, radii);
    let sum: f64 = weights.iter().sum();
    if normalize && sum > 0.0 {
        for weight in &mut weights {
            *weight /= sum;
        }
    }
    weights
}

#[expect(clippy::cast_precision_loss, reason = "a number of rings that fit in memory")]
fn edges(inner: f64, outer: f64, n_bins: usize, bin: usize) -> [f64; 2] {
    let width = (outer - inner) / n_bins as f64;
    [inner + bin as f64 * width, inner + (bin + 1) as f64 * width]
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive; too large a number saturates")]
fn about_one_pixel_each(width: f64) -> usize {
    width.round_ties_even().max(1.0) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bins(radii: [f64; 2], n_bins: Option<usize>, normalize: bool) -> Result<Vec<f64>> {
        radial_bins([1, 5], [0.0, 0.0], RadialBins { radii, n_bins, normalize })
    }

    #[test]
    fn neighbours_share_the_pixels_of_their_edge() {
        let [first, second] = [[1.0, 1.0, 0.5, 0.0, 0.0], [0.0, 0.0, 0.5, 1.0, 0.5]];
        assert_eq!(bins([0.0, 4.0], Some(2), false).unwrap(), [first, second].concat());
        assert_eq!(bins([0.0, 2.0], Some(1), true).unwrap(), first.map(|weight| weight / 2.5));
        assert_eq!(bins([7.0, 9.0], Some(1), true).unwrap(), [0.0; 5], "outside of the frame");
    }

    #[test]
    fn without_a_number_bins_are_about_a_pixel_wide() {
        assert_eq!(bins([0.5, 4.0], None, false).unwrap().len(), 4 * 5);
        assert_eq!(bins([0.5, 0.6], None, false).unwrap().len(), 5);
    }

    #[test]
    fn impossible_bins_are_refused() {
        for radii in [[2.0, 2.0], [-1.0, 2.0], [0.0, f64::INFINITY], [f64::NAN, 2.0]] {
            assert!(bins(radii, None, false).unwrap_err().message().contains("0 <= inner < outer"));
        }
        assert!(bins([0.0, 1.0], Some(0), false).is_err());
        assert!(bins([0.0, 1.0], Some(usize::MAX), false).is_err());
    }
}
