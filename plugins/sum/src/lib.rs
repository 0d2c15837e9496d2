//! Sum of all frames: the mean diffraction pattern, up to a factor. The simplest UDF, to start from.
//!
//! Tiles hold pixels of many frames. Each tile is added to the part of `intensity` where its pixels are; the host then
//! adds the partitions up, since the buffer says that it merges by `sum`.

use lthost_guest_sdk::prelude::*;

export_udf!(Sum);

/// The sum of all frames.
pub struct Sum {
    dtype: Dtype,
    preferences: Preferences,
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
        let takes_counts = matches!(dtype, Dtype::F32 | Dtype::F64);
        Ok(Self { dtype, preferences: if takes_counts { meta.counts_or(preferences) } else { preferences } })
    }

    fn preferences(&self) -> Preferences {
        self.preferences
    }

    fn buffers(&self, input: Dtype) -> Result<Vec<Buffer>> {
        let dtype = input.promote(self.dtype);
        Ok(vec![Buffer::sig("intensity", dtype).merge(Merge::Sum).unit("counts").doc("sum of each pixel")])
    }

    fn process(&mut self, tile: &Tile, out: &mut Partial) -> Result<()> {
        match out.dtype("intensity")? {
            Dtype::F32 => {
                let mut intensity = out.sig::<f32>("intensity", tile)?;
                each_pixel!(tile.pixels(), f32, |pixels| kernels::add_frames_as(&mut intensity, pixels))
            }
            Dtype::F64 => {
                let mut intensity = out.sig::<f64>("intensity", tile)?;
                each_pixel!(tile.pixels(), f64, |pixels| kernels::add_frames_as(&mut intensity, pixels))
            }
            // All others come as what they are added in.
            _ => {
                each_dtype!(tile.pixels(), |pixels| kernels::add_frames(&mut out.sig("intensity", tile)?, pixels));
                Ok(())
            }
        }
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
