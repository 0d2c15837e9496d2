//! The detector and the beam, in pixels: where the discs are, and the masks that belong to them.

/// Geometry of a pattern on a detector of `(sy, sx)` pixels. Pixel indices are the coordinates of pixel centres.
#[derive(Debug, Clone, Copy)]
pub(super) struct Optics {
    /// Detector shape.
    pub(super) sig: [usize; 2],
    /// The shorter side.
    pub(super) short: f64,
    /// Where the undeflected beam is, (y, x): `s // 2`, as LiberTEM's centre of mass has it by default.
    pub(super) centre: [f64; 2],
    /// Radius of the discs: the convergence angle.
    pub(super) radius: f64,
    /// Length of the shortest lattice vector.
    pub(super) spacing: f64,
}

/// Inner and outer radius, in pixels, of one mask.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ring {
    /// For people.
    pub(super) name: &'static str,
    /// 0 for a disc.
    pub(super) inner: f64,
    /// Within the detector.
    pub(super) outer: f64,
}

impl Optics {
    /// For a detector of `(sy, sx)` pixels.
    #[expect(clippy::cast_precision_loss, reason = "a detector has few pixels")]
    pub(super) fn new(sig: [usize; 2]) -> Self {
        let short = sig[0].min(sig[1]) as f64;
        let centre = sig.map(|extent| (extent / 2) as f64);
        Self { sig, short, centre, radius: 0.055 * short, spacing: 0.155 * short }
    }

    /// Number of pixels.
    pub(super) fn n_pixels(&self) -> usize {
        self.sig[0] * self.sig[1]
    }

    /// What a microscope has as detectors: bright field, annular dark field, high-angle annular dark field.
    pub(super) fn rings(&self) -> [Ring; 3] {
        let ring = |name, inner, outer| Ring { name, inner, outer };
        [
            ring("bright field", 0.0, 1.25 * self.radius),
            ring("annular dark field", 1.6 * self.radius, 0.30 * self.short),
            ring("high-angle annular dark field", 0.37 * self.short, 0.49 * self.short),
        ]
    }

    /// The rings as weights from 0 to 1, shape `(3, sy, sx)`, C order: a pixel at an edge counts by the part inside.
    pub(super) fn masks(&self) -> Vec<f32> {
        let mut out = Vec::with_capacity(3 * self.n_pixels());
        for ring in self.rings() {
            for y in 0..self.sig[0] {
                for x in 0..self.sig[1] {
                    let r = self.distance(y, x);
                    let inner = if ring.inner == 0.0 { 0.0 } else { covered(ring.inner, r) };
                    out.push(covered(ring.outer, r) - inner);
                }
            }
        }
        out
    }

    #[expect(clippy::cast_precision_loss, reason = "a detector has few pixels")]
    fn distance(&self, y: usize, x: usize) -> f64 {
        (y as f64 - self.centre[0]).hypot(x as f64 - self.centre[1])
    }
}

/// How much of a pixel at distance `r` lies within a disc.
#[expect(clippy::cast_possible_truncation, reason = "a weight needs no more digits than f32 has")]
fn covered(radius: f64, r: f64) -> f32 {
    (radius - r + 0.5).clamp(0.0, 1.0) as f32
}

#[cfg(test)]
mod tests {
    use std::f32::consts::PI;

    use super::*;

    #[test]
    fn masks_have_the_area_of_their_rings() {
        let optics = Optics::new([128, 160]);
        let masks = optics.masks();
        assert_eq!(masks.len(), 3 * 128 * 160);
        for (mask, ring) in masks.chunks(128 * 160).zip(optics.rings()) {
            #[expect(clippy::cast_possible_truncation, reason = "compared to a percent")]
            let expected = PI * (ring.outer.powi(2) - ring.inner.powi(2)) as f32;
            let area: f32 = mask.iter().sum();
            assert!((area / expected - 1.0).abs() < 0.01, "{}: {area} for {expected}", ring.name);
        }
        assert_eq!(masks[64 * 160 + 80].to_bits(), 1.0_f32.to_bits());
    }
}
