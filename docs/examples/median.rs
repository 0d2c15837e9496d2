//! Median over the partitions of the mean frame of each: a beam that was off for a while does not spoil it.

use lthost_guest_sdk::prelude::*;

export_udf!(Median);

struct Median;

impl Udf for Median {
    fn manifest() -> Manifest {
        manifest!("median", "Median of the mean frames of all partitions").with_merge_all()
    }

    fn new(_: &Params, _: &Meta) -> Result<Self> {
        Ok(Self)
    }

    fn preferences(&self) -> Preferences {
        Preferences::exactly(Dtype::F64)
    }

    fn buffers(&self, _: Dtype) -> Result<Vec<Buffer>> {
        Ok(vec![Buffer::sig("mean", Dtype::F64).merge(Merge::Custom).unit("counts").doc("median of means")])
    }

    fn process(&mut self, tile: &Tile, out: &mut Partial) -> Result<()> {
        let Numbers::F64(pixels) = tile.pixels() else { return Err(Error::new("expected float64")) };
        kernels::add_frames(&mut out.sig("mean", tile)?, pixels);
        Ok(())
    }

    fn end(&mut self, out: &mut Partial) -> Result<()> {
        let n_frames = out.partition().n_roi_frames() as f64;
        out.whole::<f64>("mean")?.iter_mut().for_each(|sum| *sum /= n_frames);
        Ok(())
    }

    fn merge_all(&self, partials: &[(Partition, Buffers)], out: &mut Output) -> Result<()> {
        let means: Vec<_> = partials.iter().map(|(_, buffers)| buffers.read::<f64>("mean")).collect::<Result<_>>()?;
        let n_pixels = means.first().map_or(0, |mean| mean.len());
        let median = |pixel: usize| {
            let mut numbers: Vec<f64> = means.iter().map(|mean| mean[pixel]).collect();
            numbers.sort_by(f64::total_cmp);
            numbers[numbers.len() / 2]
        };
        out.put("mean", &(0..n_pixels).map(median).collect::<Vec<_>>())
    }
}

#[test]
fn one_bad_partition_of_three_does_not_count() {
    use lthost_guest_sdk::testing::Scan;

    let scan = Scan::new(&[6], &[1], &[4_u16, 6, 900, 901, 5, 7]).partitions(3);
    assert_eq!(scan.run::<Median>().unwrap().get::<f64>("mean"), [6.0]);
}
