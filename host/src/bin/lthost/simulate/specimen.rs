//! The specimen: what the beam meets at each position of the scan. Lengths along the beam are in nanometres; positions
//! run from 0 to 1 over the longer side of the scan, so that the features keep their form whatever the scan's shape.

use std::f64::consts::{PI, TAU};

/// In words, for the file that describes the scan.
pub(super) const DESCRIPTION: &[&str] = &[
    "foil of an fcc metal seen along [011], with an amorphous film on it",
    "two grains, turned in the plane, with a curved boundary between them, which has a thin amorphous layer",
    "thickness: a wedge with a mound, thinner towards a hole (vacuum) at the corner of the last row and column",
    "an edge dislocation in the first grain, as a strain field that moves the discs and a bending that changes them",
    "the foil is bent a little everywhere: bend contours",
    "nanoparticles of a heavy element on the foil",
    "projected electric field: a junction across the second grain, a charged defect in the first, and edges of the \
     inner potential; it moves the whole pattern",
];

/// In-plane orientation of the two grains, in radians.
pub(super) const GRAIN_ANGLES: [f64; 2] = [0.21, 1.08];

/// Tilt of the grains away from the zone axis, (y, x) as [`Spot::tilt`].
pub(super) const GRAIN_TILTS: [[f64; 2]; 2] = [[-0.10, 0.05], [0.42, -0.38]];

/// Heavy particles: position as fractions of the scan's height and width, radius as a fraction of the shorter of them.
const PARTICLES: [(f64, f64, f64); 9] = [
    (0.12, 0.42, 0.035),
    (0.17, 0.50, 0.022),
    (0.38, 0.83, 0.042),
    (0.43, 0.90, 0.024),
    (0.70, 0.16, 0.040),
    (0.80, 0.26, 0.026),
    (0.86, 0.12, 0.020),
    (0.57, 0.60, 0.030),
    (0.90, 0.52, 0.034),
];
const DISLOCATION: (f64, f64) = (0.47, 0.22);
const CHARGE: (f64, f64) = (0.22, 0.16);

/// Height (y) and width (x) of the scan, the longer one being 1.
#[derive(Debug, Clone, Copy)]
pub(super) struct Specimen {
    height: f64,
    width: f64,
    /// Size of the probe: edges are blurred by it.
    blur: f64,
}

/// What the beam meets at one position. Vectors are (y, x).
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Spot {
    /// Thickness of the crystal, nm.
    pub(super) thickness: f64,
    /// Thickness of the amorphous film, nm.
    pub(super) film: f64,
    /// Thickness of the heavy particles, nm.
    pub(super) heavy: f64,
    /// Share of the second grain, 0 to 1.
    pub(super) second_grain: f64,
    /// Bending of lattice planes along the beam: reflections get stronger by this share.
    pub(super) bending: f64,
    /// Centre of the Laue circle, in units of the shortest lattice vector; that of a grain is added.
    pub(super) tilt: [f64; 2],
    /// Gradient of the displacement field: `[[dy/dy, dy/dx], [dx/dy, dx/dx]]`.
    pub(super) strain: [[f64; 2]; 2],
    /// Shift of the pattern, as a fraction of the detector's shorter side.
    pub(super) deflection: [f64; 2],
}

impl Specimen {
    /// For a scan of `(ny, nx)` positions.
    #[expect(clippy::cast_precision_loss, reason = "numbers of scan positions are small")]
    pub(super) fn new(nav: [u64; 2]) -> Self {
        let longer = nav[0].max(nav[1]) as f64;
        Self { height: nav[0] as f64 / longer, width: nav[1] as f64 / longer, blur: (0.7 / longer).clamp(0.003, 0.02) }
    }

    /// What the beam meets at a frame of a scan of `(ny, nx)` positions.
    #[expect(clippy::cast_precision_loss, reason = "numbers of scan positions are small")]
    pub(super) fn at_frame(&self, nav: [u64; 2], frame_idx: u64) -> Spot {
        let longer = nav[0].max(nav[1]) as f64;
        let [y, x] = [frame_idx / nav[1], frame_idx % nav[1]].map(|idx| (idx as f64 + 0.5) / longer);
        self.at(y, x)
    }

    /// What the beam meets at `(y, x)`, both from 0 to at most 1.
    pub(super) fn at(&self, y: f64, x: f64) -> Spot {
        let inside = smooth_step(self.distance_to_hole(y, x), self.blur);
        if inside == 0.0 {
            return Spot::default();
        }
        // How the inner potential, projected, changes along y and x: it refracts the beam.
        let step = 0.5 * self.blur;
        let slope = |dy: f64, dx: f64| self.potential(y + dy, x + dx) - self.potential(y - dy, x - dx);
        let edge = [slope(step, 0.0) / (2.0 * step), slope(0.0, step) / (2.0 * step)];
        let field = self.field(y, x);
        let second_grain = smooth_step(self.distance_to_boundary(y, x), self.blur + 0.012);
        Spot {
            thickness: self.thickness(y, x),
            film: inside * (5.0 + 44.0 * second_grain * (1.0 - second_grain)),
            heavy: self.heavy(y, x),
            second_grain,
            bending: self.bending(y, x),
            tilt: self.tilt(y, x),
            strain: self.strain(y, x),
            deflection: [0, 1].map(|axis| (inside * field[axis] + 1.1e-5 * edge[axis]).clamp(-0.03, 0.03)),
        }
    }

    /// Distance to the edge of the hole, negative inside it.
    fn distance_to_hole(&self, y: f64, x: f64) -> f64 {
        let (dy, dx) = (self.height - y, self.width - x);
        let angle = dy.atan2(dx);
        dy.hypot(dx) - self.shorter() * (0.20 + 0.025 * (5.0 * angle).sin() + 0.012 * (11.0 * angle + 1.0).cos())
    }

    /// Distance to the grain boundary, positive in the second grain.
    fn distance_to_boundary(&self, y: f64, x: f64) -> f64 {
        let v = y / self.height;
        x - self.width * (0.47 + 0.11 * (TAU * 0.75 * v + 0.4).sin() + 0.025 * (TAU * 2.3 * v).sin())
    }

    fn thickness(&self, y: f64, x: f64) -> f64 {
        let hole = self.distance_to_hole(y, x);
        let wedge = 14.0 + 52.0 * (y / self.height) + 34.0 * (x / self.width);
        let mound = 46.0 * self.bump(y, x, (0.72, 0.30), 0.15);
        let thinner = 1.0 - 0.65 * (-hole.max(0.0) / (0.16 * self.shorter())).exp();
        (wedge + mound) * thinner * smooth_step(hole, self.blur)
    }

    fn heavy(&self, y: f64, x: f64) -> f64 {
        PARTICLES
            .iter()
            .map(|&(v, u, radius)| {
                let radius = radius * self.shorter();
                let off = (y - v * self.height).hypot(x - u * self.width);
                // A ball of up to 14 nm; its edge is blurred by the probe.
                let chord = (1.0 - (off / radius).powi(2)).max(0.0).sqrt();
                330.0 * radius.min(0.042) * chord.max(0.35 * smooth_step(radius - off, self.blur))
            })
            .sum()
    }

    /// Inner potential along the beam, in nanometres of the foil's material.
    fn potential(&self, y: f64, x: f64) -> f64 {
        self.thickness(y, x) + 1.5 * self.heavy(y, x)
    }

    /// Bending: a gentle wave over the foil, and the lattice planes that curve around the dislocation.
    fn tilt(&self, y: f64, x: f64) -> [f64; 2] {
        let (v, u) = (y / self.height, x / self.width);
        let [ry, rx, r2] = self.off_dislocation(y, x);
        let lobe = 0.042 * self.shorter() / (r2 + 0.0016 * self.shorter().powi(2));
        [
            0.22 * (PI * (0.9 * u + 0.5 * v) + 0.3).sin() - 0.10 + lobe * rx,
            0.30 * (PI * (1.1 * v - 0.4 * u)).cos() + lobe * ry,
        ]
    }

    /// Two lobes beside the dislocation.
    fn bending(&self, y: f64, x: f64) -> f64 {
        let [_, rx, r2] = self.off_dislocation(y, x);
        let core = 0.0018 * self.shorter().powi(2);
        6.0 * core * (rx * rx + 0.1 * core) / (r2 + core).powi(2)
    }

    /// Edge dislocation in the elastic continuum, with its Burgers vector along x and a rounded core.
    fn strain(&self, y: f64, x: f64) -> [[f64; 2]; 2] {
        const POISSON: f64 = 0.33;
        let [ry, rx, r2] = self.off_dislocation(y, x);
        let rounded = r2 + 0.0009 * self.shorter().powi(2);
        let burgers = 0.022 * self.shorter();
        let scale = burgers / (4.0 * PI * (1.0 - POISSON) * rounded * rounded);
        let xx = -scale * ry * ((3.0 - 2.0 * POISSON) * rx * rx + (1.0 - 2.0 * POISSON) * ry * ry);
        let yy = scale * ry * ((1.0 + 2.0 * POISSON) * rx * rx - (1.0 - 2.0 * POISSON) * ry * ry);
        let shear = scale * rx * (rx * rx - ry * ry);
        let turn = burgers * rx / (2.0 * PI * rounded);
        [[yy, shear - turn], [shear + turn, xx]]
    }

    fn field(&self, y: f64, x: f64) -> [f64; 2] {
        // The junction runs across the second grain and ends at the boundary.
        let across = y / self.height - 0.66 - 0.07 * (TAU * x / self.width).sin();
        let in_second = smooth_step(self.distance_to_boundary(y, x), 0.05);
        let junction = 0.016 * in_second * (-(across / 0.045).powi(2)).exp();
        // The charge is screened by the foil.
        let [dy, dx] = [y - CHARGE.0 * self.height, x - CHARGE.1 * self.width];
        let r = dy.hypot(dx) / self.shorter();
        let charge = 0.055 * (-r / 0.10).exp() / (r * r + 0.0030).sqrt() / self.shorter();
        [junction + charge * dy, 0.15 * junction + charge * dx]
    }

    fn off_dislocation(&self, y: f64, x: f64) -> [f64; 3] {
        let (ry, rx) = (y - DISLOCATION.0 * self.height, x - DISLOCATION.1 * self.width);
        [ry, rx, ry * ry + rx * rx]
    }

    fn bump(&self, y: f64, x: f64, centre: (f64, f64), sigma: f64) -> f64 {
        let r = (y - centre.0 * self.height).hypot(x - centre.1 * self.width) / (sigma * self.shorter());
        (-0.5 * r * r).exp()
    }

    fn shorter(&self) -> f64 {
        self.height.min(self.width)
    }
}

/// 0 below `-half`, 1 above `half`, smooth between.
fn smooth_step(value: f64, half: f64) -> f64 {
    let t = (0.5 + 0.5 * value / half).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_corner_is_vacuum_and_the_opposite_one_is_not() {
        let specimen = Specimen::new([40, 64]);
        assert_eq!(specimen.at(0.62, 0.98), Spot::default());
        let spot = specimen.at(0.01, 0.01);
        assert!(spot.thickness > 10.0 && spot.film > 0.0 && spot.second_grain == 0.0);
    }

    #[test]
    fn a_scan_of_one_row_has_finite_values() {
        let specimen = Specimen::new([1, 500]);
        for x in 0..500 {
            let spot = specimen.at(0.001, f64::from(x) / 500.0);
            assert!(spot.thickness.is_finite() && spot.strain.as_flattened().iter().all(|e| e.is_finite()));
            assert!(spot.deflection.iter().chain(&spot.tilt).all(|value| value.abs() < 10.0));
        }
    }
}
