//! Sum of all frames: the mean diffraction pattern, up to a factor. The simplest UDF, to start from.
//!
//! Tiles hold pixels of many frames. Each tile is added to the part of `intensity` where its pixels are; the host then
//! adds the partitions up, since the buffer says that it merges by `sum`. Where sums are real numbers with a point, the host adds
//! up the tiles, too, and they need not come here.

use lthost_guest_sdk::prelude::*;

export_udf!(Sum);

/// The sum of all frames.
pub struct Sum {
    dtype: Dtype,
    preferences: Preferences,
    /// In which the host adds up, if it does.
    in_host: Option<Dtype>,
    /// Those of the partition.
    sums: Option<PixelSums>,
    sig_size: usize,
}

impl Udf for Sum {
    fn manifest() -> Manifest {
        let dtype = Parameter::dtype("dtype").default(Dtype::F32);
        manifest!("sum", "Sum of all frames")
            .parameter(dtype.doc("frames are added in this dtype, or a bigger one if the data need it; integers wrap"))
    }

    fn new(params: &Params, meta: &Meta) -> Result<Self> {
        let dtype = params.get("dtype")?;
        let preferences = Preferences::at_least(dtype);
        let in_host = Some(meta.input_dtype(&preferences)).filter(|dtype| matches!(dtype, Dtype::F32 | Dtype::F64));
        let preferences = if in_host.is_some() { Preferences::native().in_host() } else { preferences };
        Ok(Self { dtype, preferences, in_host, sums: None, sig_size: meta.sig_size() })
    }

    fn preferences(&self) -> Preferences {
        self.preferences
    }

    fn buffers(&self, input: Dtype) -> Result<Vec<Buffer>> {
        let intensity = Buffer::sig("intensity", input.promote(self.dtype)).merge(Merge::Sum);
        let intensity = if self.in_host.is_some() { intensity.by_parts() } else { intensity };
        Ok(vec![intensity.unit("counts").doc("sum of each pixel")])
    }

    fn begin(&mut self, _: &Partition, _: &mut Partial) -> Result<()> {
        if let (Some(dtype), None) = (self.in_host, &self.sums) {
            self.sums = Some(PixelSums::new(dtype, self.sig_size)?);
        }
        Ok(())
    }

    fn process(&mut self, tile: &Tile, out: &mut Partial) -> Result<()> {
        if let Some(sums) = &mut self.sums {
            return sums.add(tile);
        }
        each_dtype!(tile.pixels(), |pixels| kernels::add_frames(&mut out.sig("intensity", tile)?, pixels));
        Ok(())
    }

    fn end(&mut self, out: &mut Partial) -> Result<()> {
        self.sums.as_mut().map_or(Ok(()), |sums| sums.emit("intensity", out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lthost_guest_sdk::testing::Scan;

    /// Three frames of two pixels.
    fn scan() -> Scan {
        Scan::new(&[3], &[2], &[1_u8, 200, 2, 100, 3, 0])
    }

    #[test]
    fn frames_add_up_in_any_cut() {
        for n_partitions in 1..4 {
            for block_len in 1..3 {
                let results = scan().partitions(n_partitions).tiles(2, block_len).run::<Sum>().unwrap();
                assert_eq!(results.get::<f32>("intensity"), [6.0, 300.0]);
            }
        }
    }

    #[test]
    fn narrow_integers_wrap() {
        let results = scan().param("dtype", Dtype::U8).run::<Sum>().unwrap();
        assert_eq!(results.get::<u8>("intensity"), [6, 44]);
    }

    #[test]
    fn only_the_roi_counts() {
        let results = scan().roi(&[true, false, true]).run::<Sum>().unwrap();
        assert_eq!(results.get::<f32>("intensity"), [4.0, 200.0]);
    }
}
