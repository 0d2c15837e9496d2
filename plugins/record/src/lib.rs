//! The data set itself, as one array: to convert a format, to bake in another scan shape or a sync offset.
//!
//! The result has the shape of scan and frame, and so it is as big as the data: `--max-result-bytes` says how big a plugin's
//! results may be. Frames that are not in the file are zero.

use lthost_guest_sdk::prelude::*;

export_udf!(Record);

/// All frames.
pub struct Record {
    dtype: Option<Dtype>,
    sig_shape: Vec<usize>,
}

impl Udf for Record {
    fn manifest() -> Manifest {
        manifest!("record", "The data set itself, as an array")
            .parameter(Parameter::dtype("dtype").doc("dtype to convert to; the data set's own if not given"))
    }

    fn new(params: &Params, meta: &Meta) -> Result<Self> {
        Ok(Self { dtype: params.get("dtype")?, sig_shape: meta.sig_shape.clone() })
    }

    fn preferences(&self) -> Preferences {
        self.dtype.map_or_else(Preferences::native, Preferences::exactly)
    }

    fn buffers(&self, input: Dtype) -> Result<Vec<Buffer>> {
        Ok(vec![Buffer::nav("data", input).extra(&self.sig_shape).unit("counts").doc("the frames")])
    }

    fn process(&mut self, tile: &Tile, out: &mut Partial) -> Result<()> {
        each_dtype!(tile.pixels(), |pixels| self.keep(tile, pixels, out))
    }
}

impl Record {
    /// Copies the block of each frame to its place.
    fn keep<T: Element>(&self, tile: &Tile, pixels: &[T], out: &mut Partial) -> Result<()> {
        let mut data = out.nav::<T>("data", tile)?;
        let sig_size: usize = self.sig_shape.iter().product();
        for (frame, block) in data.chunks_exact_mut(sig_size.max(1)).zip(tile.rows(pixels)) {
            frame[tile.sig_start()..tile.sig_start() + block.len()].copy_from_slice(block);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lthost_guest_sdk::testing::Scan;

    #[test]
    fn frames_come_out_as_they_went_in() {
        let frames: Vec<u16> = (0..24).collect();
        for (depth, block_len) in [(9, 9), (1, 3), (2, 1)] {
            let scan = Scan::new(&[2, 2], &[2, 3], &frames).partitions(3).tiles(depth, block_len);
            let results = scan.run::<Record>().unwrap();
            assert_eq!(results.get::<u16>("data"), frames);
        }
    }

    #[test]
    fn they_may_become_another_dtype() {
        let results = Scan::new(&[1], &[2], &[1_u16, 300]).param("dtype", Dtype::U8).run::<Record>().unwrap();
        assert_eq!(results.dtype("data"), Dtype::U8);
    }
}
