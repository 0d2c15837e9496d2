//! Adds all frames to a sum that there is already, as that of an earlier scan.

use lthost_guest_sdk::prelude::*;

export_udf!(Onto);

struct Onto {
    start: Array,
}

impl Udf for Onto {
    fn manifest() -> Manifest {
        manifest!("onto", "Sum of all frames, added to an earlier one")
            .parameter(Parameter::array("start", &[Axis::Sig]).required().unit("counts").doc("the earlier sum"))
            .with_preprocess()
    }

    fn new(params: &Params, _: &Meta) -> Result<Self> {
        Ok(Self { start: params.get("start")? })
    }

    fn preferences(&self) -> Preferences {
        Preferences::exactly(Dtype::F64)
    }

    fn buffers(&self, _: Dtype) -> Result<Vec<Buffer>> {
        Ok(vec![Buffer::sig("sum", Dtype::F64).merge(Merge::Sum).unit("counts")])
    }

    fn preprocess(&self, out: &mut Output) -> Result<()> {
        out.put("sum", &self.start.to_vec::<f64>())
    }

    fn process(&mut self, tile: &Tile, out: &mut Partial) -> Result<()> {
        let Numbers::F64(pixels) = tile.pixels() else { return Err(Error::new("expected float64")) };
        kernels::add_frames(&mut out.sig("sum", tile)?, pixels);
        Ok(())
    }
}

#[test]
fn the_start_counts_once_however_many_partitions_there_are() {
    use lthost_guest_sdk::testing::Scan;

    for n_partitions in 1..4 {
        let scan = Scan::new(&[3], &[2], &[1_u8, 2, 1, 2, 1, 2]).partitions(n_partitions);
        let scan = scan.param("start", Array::new(&[2], &[100_u16, 200]).unwrap());
        assert_eq!(scan.run::<Onto>().unwrap().get::<f64>("sum"), [103.0, 206.0]);
    }
}
