//! Bragg reflections of a crystal by two-beam theory.
//!
//! Inside a disc the excitation error changes from pixel to pixel, as in a real convergent beam: thick places show
//! fringes. Each reflection is treated as if only it and the direct beam existed, and the direct beam gets what the
//! reflections at that angle leave over. Angles are (y, x) in units of the shortest lattice vector.
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "an f32 has digits enough for intensities, and numbers of nodes and lattice vectors are small"
)]

use std::f64::consts::SQRT_2;

use super::specimen::Spot;

/// Extinction distance of the shortest lattice vector, nm.
const EXTINCTION: f64 = 92.0;
/// How fast reflections get weaker with the square of their length: form factor and thermal motion.
const FORM_FACTOR: f64 = 0.26;
/// Excitation error of the shortest lattice vector if the beam is along the zone axis, 1/nm: curvature of Ewald's sphere.
const CURVATURE: f64 = 0.0076;
/// What a reflection gets of its two-beam intensity: there are many beams, and they share.
const SHARING: f64 = 0.31;
/// Nodes per side of the grid over the aperture on which the share of the direct beam is known.
const NODES: usize = 9;

/// A crystal in its orientation.
#[derive(Debug)]
pub(super) struct Grain {
    tilt: [f64; 2],
    reflections: Vec<Reflection>,
}

/// One lattice vector, (y, x) in units of the shortest, and one over its extinction distance.
#[derive(Debug, Clone, Copy)]
struct Reflection {
    g: [f64; 2],
    inv_extinction: f64,
}

/// One reflection in one pattern.
#[derive(Debug)]
pub(super) struct Disc {
    /// Where it is relative to the beam, (y, x) in units of the shortest lattice vector.
    pub(super) g: [f64; 2],
    /// Excitation error at the middle of the aperture, and its change per unit of angle, (y, x).
    middle: f32,
    slope: [f32; 2],
    inv_extinction: f32,
    strength: f32,
    thickness: f32,
}

/// The share of the direct beam over the aperture.
#[derive(Debug)]
pub(super) struct DirectBeam {
    nodes: [[f32; NODES]; NODES],
    /// Half the side of the grid, in units of the shortest lattice vector.
    half: f32,
}

impl Grain {
    /// A crystal turned by `angle` with its lattice vectors shorter than `reach`.
    pub(super) fn new(angle: f64, tilt: [f64; 2], reach: f64) -> Self {
        Self { tilt, reflections: reflections(angle, reach) }
    }

    /// The reflections that can be seen at `spot` with an aperture of radius `half`.
    pub(super) fn discs(&self, spot: &Spot, half: f64) -> Vec<Disc> {
        let tilt = [0, 1].map(|axis| spot.tilt[axis] + self.tilt[axis]);
        let discs = self.reflections.iter().map(|reflection| Disc::new(reflection, tilt, spot));
        discs.filter(|disc| disc.maximum(half as f32) > 2e-5).collect()
    }
}

impl Disc {
    fn new(reflection: &Reflection, tilt: [f64; 2], spot: &Spot) -> Self {
        let [gy, gx] = reflection.g;
        let middle = 2.0 * (gy * tilt[0] + gx * tilt[1]) - gy * gy - gx * gx;
        Self {
            g: strained(reflection.g, &spot.strain),
            middle: (CURVATURE * middle) as f32,
            slope: [gy, gx].map(|part| (2.0 * CURVATURE * part) as f32),
            inv_extinction: reflection.inv_extinction as f32,
            thickness: spot.thickness as f32,
            strength: (SHARING * (1.0 + spot.bending) * reflection.inv_extinction.powi(2)) as f32,
        }
    }

    /// Two-beam intensity at an angle, relative to the direct beam before it is shared out.
    pub(super) fn intensity(&self, k: [f32; 2]) -> f32 {
        let error = self.middle + self.slope[0] * k[0] + self.slope[1] * k[1];
        let effective = error * error + self.inv_extinction * self.inv_extinction;
        let wave = (std::f32::consts::PI * self.thickness * effective.sqrt()).sin();
        self.strength * wave * wave / effective
    }

    /// Never exceeded within an aperture of radius `half`.
    fn maximum(&self, half: f32) -> f32 {
        let closest = (self.middle.abs() - half * self.slope[0].hypot(self.slope[1])).max(0.0);
        let thin = std::f32::consts::PI * self.thickness * self.inv_extinction;
        let coupling = self.inv_extinction * self.inv_extinction;
        (self.strength / (closest * closest + coupling)).min(self.strength / coupling * thin * thin)
    }
}

impl DirectBeam {
    /// Over an aperture of radius `half`.
    pub(super) fn new(discs: &[Disc], half: f32) -> Self {
        let at = |node: usize| half * (2.0 * node as f32 / (NODES - 1) as f32 - 1.0);
        let mut nodes = [[0.0; NODES]; NODES];
        for (j, row) in nodes.iter_mut().enumerate() {
            for (i, node) in row.iter_mut().enumerate() {
                let taken: f32 = discs.iter().map(|disc| disc.intensity([at(j), at(i)])).sum();
                *node = 1.0 / (1.0 + taken);
            }
        }
        Self { nodes, half }
    }

    /// Between the nodes by linear interpolation.
    pub(super) fn share(&self, k: [f32; 2]) -> f32 {
        let [(j, v), (i, u)] = k.map(|part| {
            let at = ((part / self.half + 1.0) * 0.5 * (NODES - 1) as f32).clamp(0.0, (NODES - 1) as f32 - 0.001);
            (at as usize, at.fract())
        });
        let (low, high) = (&self.nodes[j], &self.nodes[j + 1]);
        (1.0 - v) * (low[i] + u * (low[i + 1] - low[i])) + v * (high[i] + u * (high[i + 1] - high[i]))
    }
}

/// The lattice vectors of an fcc crystal along \[011\], turned by `angle`, up to the length `reach`.
fn reflections(angle: f64, reach: f64) -> Vec<Reflection> {
    let (sin, cos) = angle.sin_cos();
    // Shortest vectors (111) and (1-1-1), of length 1.
    let [a, b] = [SQRT_2, -SQRT_2].map(|along| [along / 3f64.sqrt(), 1.0 / 3f64.sqrt()]);
    let n = (1.5 * reach).ceil() as i32;
    let pairs = (-n..=n).flat_map(|h| (-n..=n).map(move |k| (f64::from(h), f64::from(k))));
    pairs
        .map(|(h, k)| [h * a[0] + k * b[0], h * a[1] + k * b[1]])
        .map(|[y, x]| ([cos * y + sin * x, cos * x - sin * y], y * y + x * x))
        .filter(|(_, length2)| *length2 > 0.1 && *length2 < reach * reach)
        .map(|(g, length2)| Reflection { g, inv_extinction: (-FORM_FACTOR * (length2 - 1.0)).exp() / EXTINCTION })
        .filter(|reflection| reflection.inv_extinction > 1e-6)
        .collect()
}

/// A lattice vector in the strained crystal: what stretches the lattice shrinks the pattern.
fn strained([y, x]: [f64; 2], strain: &[[f64; 2]; 2]) -> [f64; 2] {
    [y - strain[0][0] * y - strain[1][0] * x, x - strain[0][1] * y - strain[1][1] * x]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shortest_vectors_are_four_of_length_one() {
        let lengths: Vec<f64> = reflections(0.3, 3.0).iter().map(|found| found.g[0].hypot(found.g[1])).collect();
        assert_eq!(lengths.iter().filter(|length| (**length - 1.0).abs() < 1e-9).count(), 4);
        assert!(lengths.iter().all(|length| *length > 0.99));
        // (200), next in an fcc crystal.
        assert_eq!(lengths.iter().filter(|length| (length.powi(2) - 4.0 / 3.0).abs() < 1e-9).count(), 2);
    }

    #[test]
    fn at_the_bragg_condition_the_intensity_swings_with_the_extinction_distance() {
        let reflection = Reflection { g: [0.0, 1.0], inv_extinction: 1.0 / EXTINCTION };
        let at = |thickness: f64| {
            // The Laue circle goes through the reflection.
            Disc::new(&reflection, [0.0, 0.5], &Spot { thickness, ..Spot::default() }).intensity([0.0, 0.0])
        };
        assert!(at(EXTINCTION).abs() < 1e-6);
        assert!((f64::from(at(0.5 * EXTINCTION)) - SHARING).abs() < 1e-6);
    }

    #[test]
    fn stretching_the_lattice_along_x_shrinks_the_pattern_along_x() {
        let [y, x] = strained([1.0, 1.0], &[[0.0, 0.0], [0.0, 0.02]]);
        assert!((y - 1.0).abs() < 1e-12 && (x - 0.98).abs() < 1e-12);
    }
}
