//! How far each frame is from its own inversion through the middle: 0 for one that obeys Friedel's law.

use lthost_guest_sdk::prelude::*;

export_udf!(Friedel);

struct Friedel;

impl Udf for Friedel {
    fn manifest() -> Manifest {
        manifest!("friedel", "Difference of each frame from its inversion through the middle").by_frame()
    }

    fn new(_: &Params, _: &Meta) -> Result<Self> {
        Ok(Self)
    }

    fn buffers(&self, _: Dtype) -> Result<Vec<Buffer>> {
        Ok(vec![Buffer::nav("asymmetry", Dtype::F64).doc("sum of the differences over sum of the frame")])
    }

    fn process(&mut self, tile: &Tile, out: &mut Partial) -> Result<()> {
        each_real!(tile.pixels(), |pixels| {
            let mut asymmetry = out.nav::<f64>("asymmetry", tile)?;
            for (asymmetry, frame) in asymmetry.iter_mut().zip(tile.rows(pixels)) {
                // A whole frame, read from its end, is the frame inverted through its middle.
                let pairs = frame.iter().zip(frame.iter().rev());
                let differences: f64 = pairs.map(|(a, b)| (a.to_f64() - b.to_f64()).abs()).sum();
                *asymmetry = differences / frame.iter().map(|pixel| pixel.to_f64()).sum::<f64>();
            }
        })
    }
}

#[test]
fn a_frame_that_equals_its_inversion_has_no_asymmetry() {
    use lthost_guest_sdk::testing::Scan;

    let results = Scan::new(&[2], &[2, 2], &[1_u16, 2, 2, 1, 4, 0, 0, 0]).run::<Friedel>().unwrap();
    assert_eq!(results.get::<f64>("asymmetry"), [0.0, 2.0]);
}
