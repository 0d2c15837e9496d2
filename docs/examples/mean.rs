//! Mean of all frames: a sum and a number, merged, and divided at the end.

use lthost_guest_sdk::prelude::*;

export_udf!(Mean);

struct Mean;

impl Udf for Mean {
    fn manifest() -> Manifest {
        manifest!("mean", "Mean of all frames").with_results()
    }

    fn new(_: &Params, _: &Meta) -> Result<Self> {
        Ok(Self)
    }

    fn preferences(&self) -> Preferences {
        Preferences::exactly(Dtype::F64)
    }

    fn buffers(&self, _: Dtype) -> Result<Vec<Buffer>> {
        Ok(vec![
            Buffer::sig("sum", Dtype::F64).merge(Merge::Sum).private(),
            Buffer::single("n_frames", Dtype::F64).merge(Merge::Sum).private(),
            Buffer::sig("mean", Dtype::F64).result_only().unit("counts").doc("mean of each pixel"),
        ])
    }

    fn process(&mut self, tile: &Tile, out: &mut Partial) -> Result<()> {
        let Numbers::F64(pixels) = tile.pixels() else { return Err(Error::new("expected float64")) };
        kernels::add_frames(&mut out.sig("sum", tile)?, pixels);
        // The frames come once for each block: they are counted with the first one.
        if tile.sig_index() == 0 {
            out.whole::<f64>("n_frames")?[0] += tile.n_frames() as f64;
        }
        Ok(())
    }

    fn results(&self, merged: &Buffers, _: &[bool], out: &mut Output) -> Result<()> {
        let (sum, n_frames) = (merged.read::<f64>("sum")?, merged.read::<f64>("n_frames")?);
        let mean: Vec<f64> = sum.iter().map(|sum| sum / n_frames[0]).collect();
        out.put("mean", &mean)
    }
}

#[test]
fn frames_that_are_left_out_do_not_count() {
    use lthost_guest_sdk::testing::Scan;

    let scan = Scan::new(&[3], &[2], &[1_u8, 2, 90, 90, 3, 6]).partitions(2).tiles(1, 1);
    assert_eq!(scan.roi(&[true, false, true]).run::<Mean>().unwrap().get::<f64>("mean"), [2.0, 4.0]);
}
