//! Root mean square of each frame, with a loop of its own that the compiler can turn into vector instructions.

use lthost_guest_sdk::prelude::*;

export_udf!(Rms);

struct Rms;

impl Udf for Rms {
    fn manifest() -> Manifest {
        manifest!("rms", "Root mean square of each frame")
    }

    fn new(_: &Params, _: &Meta) -> Result<Self> {
        Ok(Self)
    }

    fn preferences(&self) -> Preferences {
        Preferences::exactly(Dtype::F32)
    }

    fn buffers(&self, _: Dtype) -> Result<Vec<Buffer>> {
        Ok(vec![Buffer::nav("rms", Dtype::F64).unit("counts")])
    }

    fn process(&mut self, tile: &Tile, out: &mut Partial) -> Result<()> {
        let pixels = tile.pixels_as::<f32>()?;
        for (rms, frame) in out.nav::<f64>("rms", tile)?.iter_mut().zip(tile.rows(pixels)) {
            *rms += sum_of_squares(frame);
        }
        Ok(())
    }

    fn end(&mut self, out: &mut Partial) -> Result<()> {
        let n_pixels: usize = out.tiling().blocks.iter().map(|block| block.shape.iter().product::<usize>()).sum();
        out.whole::<f64>("rms")?.iter_mut().for_each(|rms| *rms = (*rms / n_pixels as f64).sqrt());
        Ok(())
    }
}

/// Goes through 32 pixels at once, and keeps a sum for each place among them.
fn sum_of_squares(pixels: &[f32]) -> f64 {
    let (chunks, rest) = pixels.as_chunks::<32>();
    let mut sums = [0.0_f32; 32];
    for chunk in chunks {
        for (sum, pixel) in sums.iter_mut().zip(chunk) {
            *sum += pixel * pixel;
        }
    }
    let rest = rest.iter().map(|pixel| pixel * pixel);
    sums.into_iter().chain(rest).map(f64::from).sum()
}

#[test]
fn every_pixel_counts_in_frames_of_any_size() {
    use lthost_guest_sdk::testing::Scan;

    for len in [1, 31, 32, 33, 100] {
        let results = Scan::new(&[1], &[len], &vec![3_u16; len]).run::<Rms>().unwrap();
        assert_eq!(results.get::<f64>("rms"), [3.0]);
    }
}
