//! Sum of each frame for the beam current that was measured with it.

use lthost_guest_sdk::prelude::*;

export_udf!(Dose);

struct Dose;

impl Udf for Dose {
    fn manifest() -> Manifest {
        manifest!("dose", "Sum of each frame over the beam current at its time")
            .parameter(Parameter::aux("current", Dtype::F64, &[]).required().doc("beam current of each frame"))
    }

    fn new(_: &Params, _: &Meta) -> Result<Self> {
        Ok(Self)
    }

    fn buffers(&self, _: Dtype) -> Result<Vec<Buffer>> {
        Ok(vec![Buffer::nav("relative", Dtype::F64).doc("sum of the frame over the current")])
    }

    fn process(&mut self, tile: &Tile, out: &mut Partial) -> Result<()> {
        let current = tile.aux::<f64>("current")?.ok_or_else(|| Error::new("there is no `current`"))?;
        each_real!(tile.pixels(), |pixels| {
            let mut relative = out.nav::<f64>("relative", tile)?;
            for ((relative, frame), current) in relative.iter_mut().zip(tile.rows(pixels)).zip(current) {
                *relative += frame.iter().map(|pixel| pixel.to_f64()).sum::<f64>() / current;
            }
        })
    }
}

#[test]
fn each_frame_has_its_own_current() {
    use lthost_guest_sdk::testing::Scan;

    let scan = Scan::new(&[3], &[2], &[1_u16, 3, 9, 9, 5, 5]).aux("current", &[3], &[2.0, 9.0, 5.0]);
    let scan = scan.roi(&[true, false, true]).tiles(2, 1);
    assert_eq!(scan.run::<Dose>().unwrap().get::<f64>("relative"), [2.0, 2.0]);
}
