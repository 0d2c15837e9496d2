//! How crystalline each frame is: the sum of its Fourier transform's absolute values within half a ring.
//!
//! Lattice planes show up as bright rings or spots away from zero frequency. The direct beam would add to them, so
//! that a disk around it can be blanked before the transform.
//!
//! Frames are real, so half of the transform tells everything: frequencies `kx` from 0 to `sx / 2`, rounded down, count,
//! once each, with all `ky`. So the sum is a bit more than half of that over the whole ring: `kx` of 0, and of `sx / 2`
//! where `sx` is even, have no other half.
//!
//! The ring is LiberTEM's: its centre is at `(sy / 2, sx / 2)` of the picture with zero frequency in the middle, which for
//! an odd extent is half a pixel beside zero frequency. Along such an axis frequency `k` counts as `k + 1/2` away from the
//! centre, negative ones as `|k| - 1/2`: of `kx` all are half a pixel further out than they are, and zero frequency is
//! itself within a ring that starts at 0, which it never is where both extents are even.

#![expect(clippy::cast_precision_loss, reason = "no detector has 2^53 pixels")]

mod spectrum;

use std::ops::Range;

use lthost_guest_sdk::prelude::*;

use crate::spectrum::Spectrum;

export_udf!(Crystallinity);

/// The sum over a ring of the Fourier transform.
pub struct Crystallinity(Precision);

/// The transform, in the dtype of the tiles.
enum Precision {
    Single(Spectrum<f32>),
    Double(Spectrum<f64>),
}

/// The ring in Fourier space, and the disk of the frame.
#[derive(Parameters)]
struct Given {
    /// the ring in Fourier space starts further out than this; its centre is zero frequency, for odd extents half a
    /// pixel beside it, as in LiberTEM
    #[param(minimum = 0, unit = "px")]
    rad_in: f64,
    /// the ring in Fourier space ends here, inclusive
    #[param(minimum = 0, unit = "px")]
    rad_out: f64,
    /// centre (y, x) of a disk of the frame that is blanked; with `real_rad`
    #[param(unit = "px")]
    real_center: Option<[f64; 2]>,
    /// radius of that disk, inclusive
    #[param(minimum = 0, unit = "px")]
    real_rad: Option<f64>,
}

impl Udf for Crystallinity {
    fn manifest() -> Manifest {
        manifest!("crystallinity", "Sum over half a ring of the absolute values of each frame's Fourier transform")
            .by_frame()
            .real_only()
            .parameters::<Given>()
    }

    fn new(params: &Params, meta: &Meta) -> Result<Self> {
        let &[height, width] = meta.sig_shape.as_slice() else {
            let given = &meta.sig_shape;
            return Err(Error::new(format!(
                "crystallinity needs frames of two dimensions, and these have shape {given:?}"
            )));
        };
        let input = meta.input_dtype(&Preferences::default());
        let Given { rad_in, rad_out, real_center, real_rad } = params.read()?;
        if rad_in >= rad_out {
            return Err(Error::parameter("rad_out", format!("more than `rad_in`, which is {rad_in}"), rad_out));
        }
        let shape = [height, width];
        let blanked = blanked(real_center, real_rad, shape)?;
        let ring = |ky, kx| {
            let distance_sqr = offset(ky, height).powi(2) + offset(kx, width).powi(2);
            rad_in * rad_in < distance_sqr && distance_sqr <= rad_out * rad_out
        };
        Ok(Self(match input {
            Dtype::F64 => Precision::Double(Spectrum::new(shape, blanked, ring)?),
            _ => Precision::Single(Spectrum::new(shape, blanked, ring)?),
        }))
    }

    fn buffers(&self, _: Dtype) -> Result<Vec<Buffer>> {
        let intensity = Buffer::nav("intensity", Dtype::F32);
        Ok(vec![intensity.unit("counts").doc("sum of the absolute values within the ring, kx >= 0 only")])
    }

    fn process(&mut self, tile: &Tile, out: &mut Partial) -> Result<()> {
        let mut intensity = out.nav::<f32>("intensity", tile)?;
        match (&mut self.0, tile.pixels()) {
            (Precision::Single(spectrum), Numbers::F32(pixels)) => sums(spectrum, tile.rows(pixels), &mut intensity),
            (Precision::Double(spectrum), Numbers::F64(pixels)) => sums(spectrum, tile.rows(pixels), &mut intensity),
            (_, other) => Err(Error::new(format!("crystallinity did not expect {}", other.dtype()))),
        }
    }
}

/// One number for each frame.
fn sums<'a, T: Part>(
    spectrum: &mut Spectrum<T>,
    frames: impl Iterator<Item = &'a [T]>,
    intensity: &mut [f32],
) -> Result<()> {
    for (to, frame) in intensity.iter_mut().zip(frames) {
        *to = spectrum.ring_sum(frame)?;
    }
    Ok(())
}

/// How far frequency `k` of `extent` is from the centre of the ring, along one axis.
fn offset(k: usize, extent: usize) -> f64 {
    // Where it is with zero frequency in the middle.
    let place = (k + extent.div_ceil(2)) % extent;
    place as f64 - extent as f64 / 2.0
}

/// The disk that is blanked: runs of pixels of the flat frame.
fn blanked(center: Option<[f64; 2]>, radius: Option<f64>, [height, width]: [usize; 2]) -> Result<Vec<Range<usize>>> {
    let (center, radius) = match (center, radius) {
        (Some(center), Some(radius)) => (center, radius),
        (None, None) => return Ok(Vec::new()),
        (Some(_), None) => return Err(Error::parameter("real_rad", "a radius, as `real_center` is given", "nothing")),
        (None, Some(_)) => return Err(Error::parameter("real_center", "(y, x), as `real_rad` is given", "nothing")),
    };
    if center.iter().any(|place| !place.is_finite()) {
        return Err(Error::parameter("real_center", "finite numbers, (y, x)", format!("{center:?}")));
    }
    let is_inside =
        |y: usize, x: usize| (y as f64 - center[0]).powi(2) + (x as f64 - center[1]).powi(2) <= radius * radius;
    // A row cuts a disk in one piece.
    let run = |y: usize| {
        let first = (0..width).find(|&x| is_inside(y, x))?;
        let last = (first..width).rfind(|&x| is_inside(y, x))?;
        Some(y * width + first..y * width + last + 1)
    };
    Ok((0..height).filter_map(run).collect())
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "halves are exact")]
mod tests {
    use super::*;
    use lthost_guest_sdk::testing::Scan;

    /// Two frames of 4 x 4 pixels: one bright pixel, whose transform has that absolute value everywhere; and stripes
    /// `2 + cos(pi x / 2)`, which are 4 * 4 * 2 at zero frequency and 8 at `kx` = 1.
    const FRAMES: [f32; 32] = [
        0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 5.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, //
        3.0, 2.0, 1.0, 2.0, 3.0, 2.0, 1.0, 2.0, 3.0, 2.0, 1.0, 2.0, 3.0, 2.0, 1.0, 2.0,
    ];

    fn close(got: &[f32], expected: &[f32]) {
        let is_close = got.iter().zip(expected).all(|(got, expected)| (got - expected).abs() < 1e-4);
        assert!(is_close && got.len() == expected.len(), "{got:?} is not {expected:?}");
    }

    #[test]
    fn a_ring_counts_half_of_the_frequencies() {
        // At distance 1 from zero are (0, 1), (1, 0), (-1, 0); and (0, -1), which is the other half.
        let scan = Scan::new(&[2], &[4, 4], &FRAMES).param("rad_in", 0.5).param("rad_out", 1.0);
        for (n_partitions, depth) in [(1, 2), (1, 1), (2, 2)] {
            let results = scan.clone().partitions(n_partitions).tiles(depth, 1).run::<Crystallinity>().unwrap();
            close(results.get::<f32>("intensity"), &[15.0, 8.0]);
        }
        let doubles = FRAMES.map(f64::from);
        let scan = Scan::new(&[2], &[4, 4], &doubles).param("rad_in", 0.5).param("rad_out", 1.0);
        close(scan.run::<Crystallinity>().unwrap().get::<f32>("intensity"), &[15.0, 8.0]);
    }

    #[test]
    fn the_blanked_disk_is_not_seen() {
        let center = Array::new(&[2], &[1_u8, 2]).unwrap();
        let scan = Scan::new(&[2], &[4, 4], &FRAMES).param("rad_in", 0.5).param("rad_out", 9.0);
        let results = scan.param("real_center", center).param("real_rad", 0.0).run::<Crystallinity>().unwrap();
        // The first frame is dark then. The second one lacks a pixel of 1: that takes away a number of absolute value
        // 1 everywhere, from 8 at kx = 1 it is 1 * exp(-i pi (1 * 2) / 2) = -1; all others were 0.
        close(results.get::<f32>("intensity"), &[0.0, 9.0 + 10.0]);
    }

    #[test]
    fn the_ring_of_an_odd_extent_is_half_a_pixel_off() {
        assert_eq!([0, 1, 2, 3].map(|k| offset(k, 4)), [0.0, 1.0, -2.0, -1.0]);
        assert_eq!([0, 1, 2, 3, 4].map(|k| offset(k, 5)), [0.5, 1.5, -2.5, -1.5, -0.5]);
    }

    #[test]
    fn zero_frequency_is_in_the_ring_of_an_odd_extent_only() {
        // Of a constant frame all is at zero frequency.
        let sum = |shape: [usize; 2], rad_in: f64, rad_out: f64| {
            let frame = vec![1.0_f32; shape[0] * shape[1]];
            let scan = Scan::new(&[1], &shape, &frame).param("rad_in", rad_in).param("rad_out", rad_out);
            scan.run::<Crystallinity>().unwrap().get::<f32>("intensity")[0]
        };
        for (shape, expected) in [([4, 4], 0.0), ([4, 5], 20.0), ([5, 4], 20.0), ([5, 5], 25.0)] {
            close(&[sum(shape, 0.0, 9.0)], &[expected]);
        }
        close(&[sum([4, 5], 0.4, 0.5), sum([4, 5], 0.5, 9.0), sum([5, 5], 0.7, 0.71)], &[20.0, 0.0, 25.0]);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let refusal = |scan: Scan| match scan.run::<Crystallinity>() {
            Ok(_) => String::new(),
            Err(error) => error.to_string(),
        };
        let ring = |scan: Scan| scan.param("rad_in", 1.0).param("rad_out", 2.0);
        let dark = || Scan::new(&[1], &[2, 2], &[0_u8; 4]);
        assert_eq!(
            refusal(dark().param("rad_in", 2.0).param("rad_out", 2.0)),
            "parameter `rad_out`: expected more than `rad_in`, which is 2, given 2"
        );
        assert_eq!(
            refusal(ring(dark()).param("real_rad", 2.0)),
            "parameter `real_center`: expected (y, x), as `real_rad` is given, given nothing"
        );
        assert!(refusal(ring(Scan::new(&[1], &[4], &[0_u8; 4]))).contains("two dimensions"));
        assert_eq!(
            refusal(ring(Scan::new(&[1], &[1, 1], &[Complex::new(1.0_f32, 0.0)]))),
            "crystallinity needs real numbers, and the frames are complex64"
        );
    }
}
