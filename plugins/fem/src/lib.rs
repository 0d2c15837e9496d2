//! Fluctuation electron microscopy: how uneven each frame is within a ring around the beam.
//!
//! The result is the standard deviation of the pixels of the ring: the square root of their mean squared distance from
//! their mean. Of complex numbers the distance is the absolute value. A pixel belongs to the ring if it is further than
//! `rad_in` from the centre, and not further than `rad_out`.

#![expect(clippy::cast_precision_loss, reason = "no detector has 2^53 pixels")]

use std::ops::Range;

use lthost_guest_sdk::prelude::*;

export_udf!(Fem);

/// The standard deviation within a ring.
pub struct Fem {
    /// The ring: runs of pixels of the flat frame.
    runs: Vec<Range<usize>>,
    preferences: Preferences,
}

#[derive(Parameters)]
struct Ring {
    /// centre of the ring, (y, x)
    #[param(unit = "px")]
    center: [f64; 2],
    /// the ring starts further out than this
    #[param(minimum = 0, unit = "px")]
    rad_in: f64,
    /// the ring ends here, inclusive
    #[param(minimum = 0, unit = "px")]
    rad_out: f64,
}

impl Udf for Fem {
    fn manifest() -> Manifest {
        manifest!("fem", "Standard deviation of each frame within a ring (fluctuation electron microscopy)")
            .by_frame()
            .parameters::<Ring>()
    }

    fn new(params: &Params, meta: &Meta) -> Result<Self> {
        let &[height, width] = meta.sig_shape.as_slice() else {
            let given = &meta.sig_shape;
            return Err(Error::new(format!("fem needs frames of two dimensions, and these have shape {given:?}")));
        };
        let Ring { center: [cy, cx], rad_in, rad_out } = params.read()?;
        let is_inside = |pixel: usize| {
            let (y, x) = ((pixel / width) as f64, (pixel % width) as f64);
            let distance_sqr = (y - cy).powi(2) + (x - cx).powi(2);
            rad_in * rad_in < distance_sqr && distance_sqr <= rad_out * rad_out
        };
        let runs = runs(height * width, is_inside);
        if runs.is_empty() {
            let expected = format!("a radius that leaves pixels of the frame between `rad_in`, {rad_in}, and itself");
            return Err(Error::parameter("rad_out", expected, rad_out));
        }
        Ok(Self { runs, preferences: meta.counts_or(Preferences::default()) })
    }

    fn preferences(&self) -> Preferences {
        self.preferences
    }

    fn buffers(&self, _: Dtype) -> Result<Vec<Buffer>> {
        let intensity = Buffer::nav("intensity", Dtype::F32);
        Ok(vec![intensity.unit("counts").doc("standard deviation of the pixels of the ring")])
    }

    fn process(&mut self, tile: &Tile, out: &mut Partial) -> Result<()> {
        match tile.pixels() {
            pixels @ (Numbers::F64(_) | Numbers::C64(_) | Numbers::C128(_)) => {
                each_float!(pixels, |pixels| self.measure(tile, pixels, out)?)
            }
            pixels => each_pixel!(pixels, f32, |pixels| self.measure::<f32, _>(tile, pixels, out)?),
        }
    }
}

impl Fem {
    fn measure<T: Float, P: Pixel<T>>(&self, tile: &Tile, pixels: &[P], out: &mut Partial) -> Result<()> {
        let mut ring: Vec<T> = Vec::new();
        for (intensity, frame) in out.nav::<f32>("intensity", tile)?.iter_mut().zip(tile.rows(pixels)) {
            ring.clear();
            self.runs.iter().for_each(|run| ring.extend(frame[run.clone()].iter().map(|pixel| pixel.value())));
            *intensity = f32::narrow(standard_deviation(&mut ring));
        }
        Ok(())
    }
}

/// Population standard deviation of `numbers`, which are moved so that their mean is 0.
fn standard_deviation<T: Float>(numbers: &mut [T]) -> f64 {
    let n_numbers = numbers.len() as f64;
    let mean = T::from_complex(kernels::sum(numbers).to_complex() / n_numbers);
    // Much work a turn, which keeps the loop fast: see the SDK's kernels.
    let (chunks, rest) = numbers.as_chunks_mut::<32>();
    for chunk in chunks {
        for number in chunk {
            *number = *number - mean;
        }
    }
    for number in rest {
        *number = *number - mean;
    }
    let parts = T::parts(numbers);
    let [squares] = kernels::dot(parts, [parts]);
    (squares.to_complex().re / n_numbers).sqrt()
}

/// The pixels that are inside, of `n_pixels`, as runs.
fn runs(n_pixels: usize, is_inside: impl Fn(usize) -> bool) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    for pixel in (0..n_pixels).filter(|&pixel| is_inside(pixel)) {
        match runs.last_mut() {
            Some(run) if run.end == pixel => run.end += 1,
            _ => runs.push(pixel..pixel + 1),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;
    use lthost_guest_sdk::testing::Scan;

    /// Frames of 3 x 3 pixels. Around the middle, from 0 to 1 px, are the four neighbours.
    fn scan<T: Element>(frames: &[T], rad_in: f64, rad_out: f64) -> Scan {
        let center = Array::new(&[2], &[1_i64, 1]).unwrap();
        let scan = Scan::new(&[frames.len() / 9], &[3, 3], frames);
        scan.param("center", center).param("rad_in", rad_in).param("rad_out", rad_out)
    }

    #[test]
    fn only_the_ring_counts() {
        // The ring has 2, 4, 6, 8: mean 5, squared distances 9, 1, 1, 9. In the second frame it is even.
        let frames = [9_u16, 2, 0, 4, 99, 6, 0, 8, 7, 1, 3, 2, 3, 4, 3, 5, 3, 6];
        for (n_partitions, depth) in [(1, 2), (1, 1), (2, 1)] {
            let results = scan(&frames, 0.0, 1.0).partitions(n_partitions).tiles(depth, 2).run::<Fem>().unwrap();
            assert_eq!(results.get::<f32>("intensity"), [5_f32.sqrt(), 0.0]);
        }
    }

    #[test]
    fn radii_are_exclusive_inside_and_inclusive_outside() {
        // The corners, at the square root of 2: 1, 1, 1, 5 have mean 2, squared distances 1, 1, 1, 9.
        let frame = [1.0_f64, 9.0, 1.0, 9.0, 9.0, 9.0, 1.0, 9.0, 5.0];
        let results = scan(&frame, 1.0, 1.5).run::<Fem>().unwrap();
        assert_eq!(results.get::<f32>("intensity"), [3_f32.sqrt()]);
    }

    #[test]
    fn the_center_is_y_then_x() {
        let center = Array::new(&[2], &[0.0, 2.0]).unwrap();
        let scan = Scan::new(&[1], &[2, 3], &[0_u8, 10, 0, 0, 0, 30]).param("center", center);
        let results = scan.param("rad_in", 0.5).param("rad_out", 1.0).run::<Fem>().unwrap();
        assert_eq!(results.get::<f32>("intensity"), [10.0], "10 and 30");
    }

    #[test]
    fn complex_numbers_spread_in_the_plane() {
        let mut frame = [Complex::new(100.0_f32, 0.0); 9];
        (frame[1], frame[3]) = (Complex::new(3.0, 4.0), Complex::new(-3.0, -4.0));
        (frame[5], frame[7]) = (Complex::new(4.0, -3.0), Complex::new(-4.0, 3.0));
        assert_eq!(scan(&frame, 0.0, 1.0).run::<Fem>().unwrap().get::<f32>("intensity"), [5.0]);
    }

    #[test]
    fn a_ring_without_pixels_is_refused() {
        let error = scan(&[0_u8; 9], 1.0, 1.2).run::<Fem>().unwrap_err();
        assert_eq!(
            error.message(),
            "parameter `rad_out`: expected a radius that leaves pixels of the frame between `rad_in`, 1, and itself, \
             given 1.2"
        );
        let line = Scan::new(&[1], &[3], &[0_u8; 3]).param("center", Array::new(&[2], &[0_u8; 2]).unwrap());
        let error = line.param("rad_in", 0.0).param("rad_out", 1.0).run::<Fem>().unwrap_err();
        assert_eq!(error.message(), "fem needs frames of two dimensions, and these have shape [3]");
    }
}
