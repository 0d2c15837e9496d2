//! Sum of the logarithms of all frames: weak reflections show up beside strong ones.
//!
//! Each frame is shifted so that its smallest pixel is 1. That takes whole frames, which is what the UDF asks for.

use kernels::LogSums;
use lthost_guest_sdk::prelude::*;

export_udf!(LogSum);

/// The sum of logarithms.
pub struct LogSum {
    preferences: Preferences,
    sums: Sums,
}

/// In which type logarithms are taken.
enum Sums {
    F32(LogSums<f32>),
    F64(LogSums<f64>),
}

impl Udf for LogSum {
    fn manifest() -> Manifest {
        manifest!("logsum", "Sum over all frames of log(frame - min(frame) + 1)").by_frame()
    }

    fn new(_: &Params, meta: &Meta) -> Result<Self> {
        let sums = match meta.input_dtype(&Preferences::default()) {
            Dtype::F64 => Sums::F64(LogSums::new(meta.sig_size())),
            _ => Sums::F32(LogSums::new(meta.sig_size())),
        };
        Ok(Self { preferences: meta.counts_or(Preferences::default()), sums })
    }

    fn preferences(&self) -> Preferences {
        self.preferences
    }

    fn buffers(&self, input: Dtype) -> Result<Vec<Buffer>> {
        if input.is_complex() {
            return Err(Error::new(format!("logsum needs real numbers: {input} has no smallest one")));
        }
        Ok(vec![Buffer::sig("logsum", Dtype::F32).merge(Merge::Sum).doc("sum of the natural logarithms")])
    }

    fn begin(&mut self, _: &Partition, _: &mut Partial) -> Result<()> {
        match &mut self.sums {
            Sums::F32(sums) => sums.clear(),
            Sums::F64(sums) => sums.clear(),
        }
        Ok(())
    }

    fn process(&mut self, tile: &Tile, out: &mut Partial) -> Result<()> {
        let mut logsum = out.sig("logsum", tile)?;
        match &mut self.sums {
            Sums::F32(sums) => each_pixel!(tile.pixels(), f32, |pixels| sums.add_logs(&mut logsum, pixels)),
            Sums::F64(sums) => each_pixel!(tile.pixels(), f64, |pixels| sums.add_logs(&mut logsum, pixels)),
        }
    }

    fn end(&mut self, out: &mut Partial) -> Result<()> {
        let mut logsum = out.whole("logsum")?;
        match &mut self.sums {
            Sums::F32(sums) => sums.end(&mut logsum),
            Sums::F64(sums) => sums.end(&mut logsum),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lthost_guest_sdk::testing::Scan;

    #[test]
    fn logarithms_start_at_the_smallest_pixel() {
        // Smallest pixels 5 and 0: what remains is 1, 2, 3 and 3, 1, 2.
        let results = Scan::new(&[2], &[3], &[5_u16, 6, 7, 2, 0, 1]).tiles(1, 1).run::<LogSum>().unwrap();
        let expected = [3_f32.ln(), 2_f32.ln(), 3_f32.ln() + 2_f32.ln()];
        for (sum, expected) in results.get::<f32>("logsum").iter().zip(expected) {
            assert!((sum - expected).abs() < 1e-6, "{sum} is not {expected}");
        }
    }

    #[test]
    fn complex_data_are_refused() {
        assert!(Scan::new(&[1], &[1], &[Complex::new(1.0_f32, 0.0)]).run::<LogSum>().is_err());
    }
}
