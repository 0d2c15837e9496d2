//! Masks that weigh a disk against what is around it.

use super::{Edge, disk, distances, ring};

/// The distance from `centre` in units of `radius`: 0 at the centre, 1 at the rim, 0 outside.
///
/// With [`Edge::Smooth`] the weight does not jump at the rim: it falls through 0 to -1 within half a pixel on either
/// side, and is 0 from there on. That is [`gradient_minus_ring`] with a ring of half a pixel.
pub fn radial_gradient(shape: [usize; 2], centre: [f64; 2], radius: f64, edge: Edge) -> Vec<f64> {
    match edge {
        Edge::Sharp => {
            let inside = disk(shape, centre, radius, Edge::Sharp);
            let relative = distances(shape, centre).map(|distance| if radius > 0.0 { distance / radius } else { 0.0 });
            inside.iter().zip(relative).map(|(inside, relative)| if *inside > 0.0 { relative } else { 0.0 }).collect()
        }
        Edge::Smooth => {
            let distances: Vec<f64> = distances(shape, centre).collect();
            gradient_minus_ring(&distances, radius, radius + 0.5, 1.0)
        }
    }
}

/// A gradient like [`radial_gradient`] within `radius`, and -1 from there to `outer`: finds disks with a bright rim on
/// a background. Over `delta` px around `radius` the weight falls linearly from 1 to -1.
///
/// `distances` are those of the pixels from the centre, for example from [`polar_map`](super::polar_map).
pub fn gradient_minus_ring(distances: &[f64], radius: f64, outer: f64, delta: f64) -> Vec<f64> {
    let weight = |&distance: &f64| match distance - radius {
        beyond if delta > 0.0 && beyond.abs() <= delta / 2.0 => {
            let slope = -2.0 * beyond / delta;
            if beyond < 0.0 { slope.min(distance / radius) } else { slope }
        }
        beyond if beyond < 0.0 => distance / radius,
        _ if distance <= outer => -1.0,
        _ => 0.0,
    };
    distances.iter().map(weight).collect()
}

/// 1 in the disk within the inner of `radii`, `[inner, outer]`, and in the ring around it the same negative weight
/// everywhere, so that all weights add up to 0: a constant background gives 0.
pub fn disk_minus_ring(shape: [usize; 2], centre: [f64; 2], radii: [f64; 2]) -> Vec<f64> {
    let mut weights = disk(shape, centre, radii[0], Edge::Sharp);
    let around = ring(shape, centre, radii, Edge::Sharp);
    let ratio = weights.iter().sum::<f64>() / around.iter().sum::<f64>();
    for (weight, _) in weights.iter_mut().zip(around).filter(|(_, around)| *around > 0.0) {
        *weight = -ratio;
    }
    weights
}

/// Scales the negative weights of `mask` so that all weights add up to 0. Without negative weights, or without positive
/// ones, it leaves them as they are.
pub fn balance(mask: &mut [f64]) {
    let positive: f64 = mask.iter().filter(|weight| **weight > 0.0).sum();
    let negative: f64 = mask.iter().filter(|weight| **weight < 0.0).sum();
    if positive > 0.0 && negative < 0.0 {
        for weight in mask.iter_mut().filter(|weight| **weight < 0.0) {
            *weight *= positive / -negative;
        }
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these numbers are exact")]
mod tests {
    use super::*;

    #[test]
    fn a_gradient_ends_at_its_radius() {
        assert_eq!(radial_gradient([1, 4], [0.0, 0.0], 2.0, Edge::Sharp), [0.0, 0.5, 1.0, 0.0]);
        assert_eq!(radial_gradient([1, 4], [0.0, 0.0], 2.0, Edge::Smooth), [0.0, 0.5, 0.0, 0.0]);
        assert_eq!(radial_gradient([1, 2], [0.0, 0.0], 0.0, Edge::Sharp), [0.0, 0.0]);
    }

    #[test]
    fn the_rim_falls_from_one_to_minus_one() {
        let weights = gradient_minus_ring(&[1.0, 3.625, 4.0, 4.25, 5.0, 6.0, 6.1], 4.0, 6.0, 1.0);
        assert_eq!(weights, [0.25, 0.75, 0.0, -0.5, -1.0, -1.0, 0.0]);
        assert_eq!(gradient_minus_ring(&[1.0, 2.0, 3.0], 2.0, 3.0, 0.0), [0.5, -1.0, -1.0], "a jump");
    }

    #[test]
    fn a_constant_background_gives_nothing() {
        let weights = disk_minus_ring([9, 9], [4.0, 4.0], [2.0, 4.0]);
        assert!(weights.iter().sum::<f64>().abs() < 1e-12);
        assert_eq!((weights[4 * 9 + 4], weights[0]), (1.0, 0.0));
        assert_eq!(disk_minus_ring([1, 1], [0.0, 0.0], [2.0, 4.0]), [1.0], "no ring in the frame");
    }

    #[test]
    fn balance_scales_what_is_negative() {
        let mut mask = [3.0, -1.0, 0.0, -1.0];
        balance(&mut mask);
        assert_eq!(mask, [3.0, -1.5, 0.0, -1.5]);
        let mut one_sided = [1.0, 0.0];
        balance(&mut one_sided);
        assert_eq!(one_sided, [1.0, 0.0]);
    }
}
