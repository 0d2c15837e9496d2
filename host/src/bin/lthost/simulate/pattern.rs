//! The expected diffraction pattern at one position of the scan: Bragg discs, and what is scattered diffusely. A pattern
//! adds up to at most 1; what is missing left the detector.
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "pixel indices and intensities are far below 2^24, and indices are clamped before they are converted"
)]

use std::f64::consts::PI;

use super::{
    bragg::{DirectBeam, Disc, Grain},
    optics::Optics,
    specimen::{GRAIN_ANGLES, GRAIN_TILTS, Spot},
};

/// Radial profiles are known at steps of 1/4 pixel.
const STEPS_PER_PIXEL: f32 = 4.0;

/// Makes patterns.
#[derive(Debug)]
pub(super) struct Patterns {
    optics: Optics,
    grains: [Grain; 2],
    diffuse: [Diffuse; 4],
}

/// Space that a thread uses again and again.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    profile: Vec<f32>,
}

/// One sort of diffuse scattering by the distance to the beam; its sum over an unlimited detector is 1.
#[derive(Debug)]
struct Diffuse {
    profile: Vec<f32>,
}

impl Patterns {
    pub(super) fn new(optics: Optics) -> Self {
        let reach = 0.75 * optics.sig[0].max(optics.sig[1]) as f64 / optics.spacing;
        let short = optics.short;
        let diffuse = [
            // Energy losses: close to the beam.
            Diffuse::new(&optics, |r| (1.0 + (r / (0.045 * short)).powi(2)).powf(-1.6)),
            // Thermal diffuse: nothing forward, a broad maximum, a tail to high angles.
            Diffuse::new(&optics, |r| {
                let q2 = (r / (0.20 * short)).powi(2);
                (1.0 - (-q2).exp() + 0.05) / (1.0 + q2).powi(2)
            }),
            // Heavy atoms: Rutherford's tail.
            Diffuse::new(&optics, |r| (1.0 + (r / (0.30 * short)).powi(2)).powi(-2)),
            // Amorphous film: two rings on a falling background.
            Diffuse::new(&optics, |r| {
                let ring = |at: f64, width: f64| (-0.5 * ((r / short - at) / width).powi(2)).exp();
                ring(0.118, 0.017) + 0.38 * ring(0.208, 0.026) + 0.35 * (1.0 + (r / (0.10 * short)).powi(2)).powi(-2)
            }),
        ];
        let grain = |nth: usize| Grain::new(GRAIN_ANGLES[nth], GRAIN_TILTS[nth], reach);
        Self { optics, grains: [grain(0), grain(1)], diffuse }
    }

    /// Writes the pattern at `spot` to `out`, shape `(sy, sx)`.
    pub(super) fn expected(&self, spot: &Spot, scratch: &mut Scratch, out: &mut [f32]) {
        let lost = [spot.thickness / 230.0, spot.heavy / 16.0, spot.film / 40.0];
        let elastic = (-lost.iter().sum::<f64>()).exp();
        let [crystal, heavy, film] = lost.map(|part| (1.0 - elastic) * part / lost.iter().sum::<f64>().max(1e-12));
        let weights = [0.45 * crystal + 0.20 * heavy + 0.10 * film, 0.55 * crystal, 0.80 * heavy, 0.90 * film];

        let beam = [0, 1].map(|axis| self.optics.centre[axis] + self.optics.short * spot.deflection[axis]);
        self.paint_diffuse(weights, beam, scratch, out);
        for (grain, share) in self.grains.iter().zip([1.0 - spot.second_grain, spot.second_grain]) {
            if share > 0.0 {
                self.paint_discs(
                    &grain.discs(spot, self.optics.radius / self.optics.spacing),
                    beam,
                    elastic * share,
                    out,
                );
            }
        }
    }

    fn paint_diffuse(&self, weights: [f64; 4], beam: [f64; 2], scratch: &mut Scratch, out: &mut [f32]) {
        scratch.profile.clear();
        scratch.profile.resize(self.diffuse[0].profile.len(), 0.0);
        for (diffuse, weight) in self.diffuse.iter().zip(weights) {
            for (sum, value) in scratch.profile.iter_mut().zip(&diffuse.profile) {
                *sum += weight as f32 * value;
            }
        }
        let last = scratch.profile.len() - 2;
        for (y, row) in out.chunks_exact_mut(self.optics.sig[1]).enumerate() {
            let dy2 = (y as f32 - beam[0] as f32).powi(2);
            for (x, pixel) in row.iter_mut().enumerate() {
                let dx = x as f32 - beam[1] as f32;
                let at = (dy2 + dx * dx).sqrt() * STEPS_PER_PIXEL;
                let step = (at as usize).min(last);
                let part = at - step as f32;
                *pixel = scratch.profile[step] + part * (scratch.profile[step + 1] - scratch.profile[step]);
            }
        }
    }

    fn paint_discs(&self, discs: &[Disc], beam: [f64; 2], share: f64, out: &mut [f32]) {
        let Optics { radius, spacing, .. } = self.optics;
        let direct = DirectBeam::new(discs, (radius / spacing) as f32);
        let density = (share / (PI * radius * radius)) as f32;
        self.paint_disc(beam, out, |k| density * direct.share(k));
        for disc in discs {
            let at = [0, 1].map(|axis| beam[axis] + spacing * disc.g[axis]);
            self.paint_disc(at, out, |k| density * direct.share(k) * disc.intensity(k));
        }
    }

    /// Adds a disc around `at`; `intensity` is asked for the angle of each pixel within the disc.
    fn paint_disc(&self, at: [f64; 2], out: &mut [f32], intensity: impl Fn([f32; 2]) -> f32) {
        let radius = self.optics.radius as f32;
        let unit = 1.0 / self.optics.spacing as f32;
        let range = |axis: usize| {
            let (low, high) = (at[axis] - self.optics.radius - 1.0, at[axis] + self.optics.radius + 2.0);
            let extent = self.optics.sig[axis] as f64;
            low.clamp(0.0, extent) as usize..high.clamp(0.0, extent) as usize
        };
        let columns = range(1);
        for y in range(0) {
            let dy = y as f32 - at[0] as f32;
            let row = &mut out[y * self.optics.sig[1]..][columns.clone()];
            for (x, pixel) in columns.clone().zip(row) {
                let dx = x as f32 - at[1] as f32;
                let covered = radius + 0.5 - (dy * dy + dx * dx).sqrt();
                if covered > 0.0 {
                    *pixel += covered.min(1.0) * intensity([dy * unit, dx * unit]);
                }
            }
        }
    }
}

impl Diffuse {
    fn new(optics: &Optics, shape: impl Fn(f64) -> f64) -> Self {
        let [sy, sx] = optics.sig.map(|extent| extent as f64);
        let n_steps = (0.8 * sy.hypot(sx) * f64::from(STEPS_PER_PIXEL)) as usize + 8;
        let values: Vec<f64> = (0..n_steps).map(|step| shape(step as f64 / f64::from(STEPS_PER_PIXEL))).collect();
        // Unlimited means: to the shorter side of the detector, twice as far as its inner circle.
        let pixel = 1.0 / f64::from(STEPS_PER_PIXEL);
        let rings = (0..).map(|step| (f64::from(step) + 0.5) * pixel).take_while(|r| *r < optics.short);
        let sum: f64 = rings.map(|r| 2.0 * PI * r * pixel * shape(r)).sum();
        Self { profile: values.iter().map(|value| (value / sum) as f32).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::specimen::Specimen;

    fn pattern(spot: &Spot, sig: [usize; 2]) -> Vec<f32> {
        let mut out = vec![0.0; sig[0] * sig[1]];
        Patterns::new(Optics::new(sig)).expected(spot, &mut Scratch::default(), &mut out);
        out
    }

    #[test]
    fn in_vacuum_all_of_the_beam_is_in_its_disc() {
        let out = pattern(&Spot::default(), [128, 96]);
        assert!((out.iter().sum::<f32>() - 1.0).abs() < 0.01);
        let lit = out.iter().filter(|value| **value > 0.0).count();
        assert!(lit < 120, "{lit} pixels for a disc of 87");
    }

    #[test]
    fn the_foil_loses_little_and_invents_nothing() {
        for (y, x) in [(0.1, 0.1), (0.5, 0.22), (0.4, 0.83), (0.7, 0.3), (0.9, 0.5)] {
            let out = pattern(&Specimen::new([64, 64]).at(y, x), [128, 128]);
            let sum: f32 = out.iter().sum();
            assert!((0.75..1.002).contains(&sum), "{sum} at {y}, {x}");
            assert!(out.iter().all(|value| *value >= 0.0 && value.is_finite()));
        }
    }

    #[test]
    fn deflection_moves_the_centre_of_mass() {
        let sig = [64, 80];
        let out = pattern(&Spot { deflection: [0.02, -0.03], ..Spot::default() }, sig);
        let mean = |axis: usize| -> f32 {
            let places = (0..out.len()).map(|pixel| if axis == 0 { pixel / sig[1] } else { pixel % sig[1] });
            places.zip(&out).map(|(at, value)| at as f32 * value).sum::<f32>() / out.iter().sum::<f32>()
        };
        assert!((mean(0) - 33.28).abs() < 0.05 && (mean(1) - 38.08).abs() < 0.05, "{} {}", mean(0), mean(1));
    }

    #[test]
    fn a_tiny_detector_works() {
        let out = pattern(&Specimen::new([8, 8]).at(0.3, 0.3), [8, 9]);
        assert!(out.iter().all(|value| value.is_finite()));
    }
}
