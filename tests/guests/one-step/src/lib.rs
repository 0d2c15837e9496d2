//! Merges all partitions at once: what a merge of one after the other could not do. For each pixel it gives the median of
//! what partitions say, which are the brightest numbers of their frames.

use lthost_guest_sdk::prelude::*;

export_udf!(OneStep);

/// The median.
struct OneStep;

impl Udf for OneStep {
    fn manifest() -> Manifest {
        manifest!("one-step", "Median over all partitions of each pixel's largest number").with_merge_all()
    }

    fn new(_: &Params, _: &Meta) -> Result<Self> {
        Ok(Self)
    }

    fn buffers(&self, _: Dtype) -> Result<Vec<Buffer>> {
        Ok(vec![
            Buffer::sig("median", Dtype::F32).merge(Merge::Custom).doc("median over partitions of the largest number"),
            Buffer::single("order", Dtype::I64)
                .extra(&[64])
                .merge(Merge::Custom)
                .fill(-1.0)
                .doc("partitions as they came"),
        ])
    }

    fn preferences(&self) -> Preferences {
        Preferences::exactly(Dtype::F32)
    }

    fn process(&mut self, tile: &Tile, out: &mut Partial) -> Result<()> {
        let Numbers::F32(pixels) = tile.pixels() else { return Err(Error::new("expected float32")) };
        kernels::maximum(&mut out.sig("median", tile)?, pixels);
        Ok(())
    }

    fn merge_all(&self, partials: &[(Partition, Buffers)], out: &mut Output) -> Result<()> {
        let columns = partials.iter().map(|(_, buffers)| buffers.read::<f32>("median")).collect::<Result<Vec<_>>>()?;
        let n_pixels = columns.first().map_or(0, |column| column.len());
        let median = |pixel: usize| {
            let mut numbers: Vec<f32> = columns.iter().map(|column| column[pixel]).collect();
            numbers.sort_by(f32::total_cmp);
            numbers[numbers.len() / 2]
        };
        out.put("median", &(0..n_pixels).map(median).collect::<Vec<_>>())?;
        let mut order = vec![-1; 64];
        for (entry, (partition, _)) in order.iter_mut().zip(partials) {
            *entry = i64::try_from(partition.index).unwrap_or(i64::MAX);
        }
        out.put("order", &order)
    }
}
