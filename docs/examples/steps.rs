//! How much each frame differs from the one before it, as far as both are in the same partition.

use lthost_guest_sdk::prelude::*;

export_udf!(Steps);

struct Steps;

impl Udf for Steps {
    fn manifest() -> Manifest {
        manifest!("steps", "Mean difference of each frame from the one before it").by_partition()
    }

    fn new(_: &Params, _: &Meta) -> Result<Self> {
        Ok(Self)
    }

    fn buffers(&self, _: Dtype) -> Result<Vec<Buffer>> {
        let step = Buffer::nav("step", Dtype::F64).fill(f64::NAN).unit("counts");
        Ok(vec![step.doc("mean difference from the frame before; NaN for the first of a partition")])
    }

    fn process(&mut self, tile: &Tile, out: &mut Partial) -> Result<()> {
        each_real!(tile.pixels(), |pixels| {
            let frames: Vec<_> = tile.rows(pixels).collect();
            let mut step = out.nav::<f64>("step", tile)?;
            for (step, pair) in step.iter_mut().skip(1).zip(frames.windows(2)) {
                let pixels = pair[0].iter().zip(pair[1]);
                let difference: f64 = pixels.map(|(a, b)| (a.to_f64() - b.to_f64()).abs()).sum();
                *step = difference / tile.block_len() as f64;
            }
        })
    }
}

#[test]
fn the_first_frame_of_a_partition_has_none_before_it() {
    use lthost_guest_sdk::testing::Scan;

    let results = Scan::new(&[3], &[2], &[1_u16, 1, 1, 4, 3, 0]).run::<Steps>().unwrap();
    assert_eq!(results.get::<f64>("step")[1..], [1.5, 3.0]);
    assert!(results.get::<f64>("step")[0].is_nan());
}
