//! Variance, standard deviation and mean of each pixel over all frames, numerically stable.
//!
//! For each pixel the UDF carries the number of frames, their sum, and the sum of their squared differences from the
//! mean (`varsum`). Two such triples become one by the usual parallel rule: besides the two `varsum`, the
//! distance of the two means counts. That is the `merge` of this UDF; `results` divides by the number of frames.
//!
//! Of complex numbers the difference is the absolute value. Real and imaginary parts are then just two numbers whose
//! `varsum` add up, so that they are processed as twice as many real pixels.

#![expect(clippy::cast_precision_loss, reason = "no scan has 2^53 frames")]

use lthost_guest_sdk::prelude::*;

export_udf!(StdDev);

/// The moments of each pixel.
pub struct StdDev {
    /// In which `varsum` and what follows from it are stored.
    dtype: Dtype,
    preferences: Preferences,
    sig_size: usize,
    /// Sum of each pixel over the frames of the partition; real and imaginary parts in turn.
    sum: Vec<f64>,
    /// Sum of squared differences from the mean; real and imaginary parts in turn.
    varsum: Vec<f64>,
    /// Frames that each block of the detector has seen so far, by number of the block.
    n_frames: Vec<u64>,
}

impl Udf for StdDev {
    fn manifest() -> Manifest {
        let dtype = Parameter::dtype("dtype").default(Dtype::F64);
        manifest!("stddev", "Variance, standard deviation and mean of each pixel over all frames")
            .parameter(dtype.doc("dtype of the variance: float32 or float64"))
            .with_merge()
            .with_results()
    }

    fn new(params: &Params, meta: &Meta) -> Result<Self> {
        let dtype = params.get("dtype")?;
        if !matches!(dtype, Dtype::F32 | Dtype::F64) {
            return Err(Error::parameter("dtype", "float32 or float64", dtype));
        }
        let (preferences, sig_size) = (meta.counts_or(Preferences::default()), meta.sig_size());
        Ok(Self { dtype, preferences, sig_size, sum: Vec::new(), varsum: Vec::new(), n_frames: Vec::new() })
    }

    fn preferences(&self) -> Preferences {
        self.preferences
    }

    fn buffers(&self, input: Dtype) -> Result<Vec<Buffer>> {
        let sum_dtype = input.promote(self.dtype);
        let sig = |name, dtype| Buffer::sig(name, dtype).merge(Merge::Custom);
        let num_frames = Buffer::single("num_frames", Dtype::I64).merge(Merge::Custom);
        Ok(vec![
            sig("varsum", self.dtype).by_parts().doc("sum of the squared differences from the mean"),
            num_frames.by_parts().doc("number of frames"),
            sig("sum", sum_dtype).by_parts().unit("counts").doc("sum of the frames"),
            sig("var", self.dtype).result_only().doc("variance: varsum / num_frames"),
            sig("std", self.dtype).result_only().unit("counts").doc("standard deviation: square root of var"),
            sig("mean", sum_dtype).result_only().unit("counts").doc("mean: sum / num_frames"),
        ])
    }

    fn begin(&mut self, _: &Partition, out: &mut Partial) -> Result<()> {
        let n_parts = if out.dtype("sum")?.is_complex() { 2 } else { 1 };
        for moments in [&mut self.sum, &mut self.varsum] {
            moments.clear();
            moments.resize(self.sig_size * n_parts, 0.0);
        }
        self.n_frames.clear();
        Ok(())
    }

    fn process(&mut self, tile: &Tile, _: &mut Partial) -> Result<()> {
        let n_parts = self.sum.len() / self.sig_size.max(1);
        let block = tile.sig_start() * n_parts..(tile.sig_start() + tile.block_len()) * n_parts;
        let (sum, varsum) = (&mut self.sum[block.clone()], &mut self.varsum[block]);
        if self.n_frames.len() <= tile.sig_index() {
            self.n_frames.resize(tile.sig_index() + 1, 0);
        }
        let n_before = &mut self.n_frames[tile.sig_index()];
        match tile.pixels().parts() {
            Numbers::F64(pixels) => kernels::add_moments(sum, varsum, *n_before, pixels),
            pixels => each_pixel!(pixels, f32, |pixels| kernels::add_moments(sum, varsum, *n_before, pixels))?,
        }
        *n_before += tile.n_frames() as u64;
        Ok(())
    }

    fn end(&mut self, out: &mut Partial) -> Result<()> {
        // At the end all blocks have seen all frames.
        let n_frames = self.n_frames.first().copied().unwrap_or(0);
        out.emit("num_frames", 0, &[n_frames.cast_signed()])?;
        if out.dtype("sum")?.is_complex() {
            let varsum: Vec<f64> = self.varsum.chunks_exact(2).map(|parts| parts[0] + parts[1]).collect();
            out.emit("varsum", 0, &varsum)?;
            out.emit("sum", 0, Complex::<f64>::from_parts(&self.sum))
        } else {
            out.emit("varsum", 0, &self.varsum)?;
            out.emit("sum", 0, &self.sum)
        }
    }

    fn merge(&self, _: &Partition, dest: &Buffers, src: &Buffers, _: &[bool]) -> Result<()> {
        let (n_dest, n_src) = (dest.read::<i64>("num_frames")?[0], src.read::<i64>("num_frames")?[0]);
        if n_src == 0 {
            return Ok(());
        }
        let (n0, n1) = (n_dest as f64, n_src as f64);
        let weight = n0 * n1 / (n0 + n1);
        let (mut sum, added_sum) = (dest.to_vec::<Complex<f64>>("sum")?, src.to_vec::<Complex<f64>>("sum")?);
        let (mut varsum, added_varsum) = (dest.to_vec::<f64>("varsum")?, src.to_vec::<f64>("varsum")?);
        for (sums, varsums) in sum.iter_mut().zip(added_sum).zip(varsum.iter_mut().zip(added_varsum)) {
            let ((sum, added_sum), (varsum, added_varsum)) = (sums, varsums);
            if n_dest > 0 {
                let distance = added_sum * (1.0 / n1) - *sum * (1.0 / n0);
                *varsum += distance.norm_sqr() * weight;
            }
            *varsum += added_varsum;
            *sum = *sum + added_sum;
        }
        dest.set("num_frames", &[n_dest + n_src])?;
        dest.set("varsum", &varsum)?;
        dest.set("sum", &sum)
    }

    fn results(&self, merged: &Buffers, _: &[bool], out: &mut Output) -> Result<()> {
        // Without any frame this divides 0 by 0: no variance and no mean.
        let n_frames = merged.read::<i64>("num_frames")?[0] as f64;
        let var: Vec<f64> = merged.to_vec::<f64>("varsum")?.iter().map(|varsum| varsum / n_frames).collect();
        let std: Vec<f64> = var.iter().map(|var| var.sqrt()).collect();
        let mean: Vec<_> = merged.to_vec::<Complex<f64>>("sum")?.into_iter().map(|sum| sum / n_frames).collect();
        out.put("var", &var)?;
        out.put("std", &std)?;
        out.put("mean", &mean)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lthost_guest_sdk::testing::{Results, Scan};

    /// Pixel 0 is 2, 4, 6, 8: mean 5, squared differences 9, 1, 1, 9. Pixel 1 is always 7.
    fn run(n_partitions: usize, depth: usize, block_len: usize) -> Results {
        let scan = Scan::new(&[4], &[2], &[2_u16, 7, 4, 7, 6, 7, 8, 7]);
        scan.partitions(n_partitions).tiles(depth, block_len).run::<StdDev>().unwrap()
    }

    #[test]
    fn hand_computed_moments_in_any_cut() {
        for n_partitions in 1..5 {
            for (depth, block_len) in [(4, 2), (3, 1), (1, 2)] {
                let results = run(n_partitions, depth, block_len);
                assert_eq!(results.get::<i64>("num_frames"), [4]);
                assert_eq!(results.get::<f64>("sum"), [20.0, 28.0]);
                assert_eq!(results.get::<f64>("varsum"), [20.0, 0.0]);
                assert_eq!(results.get::<f64>("var"), [5.0, 0.0]);
                assert_eq!(results.get::<f64>("std"), [5_f64.sqrt(), 0.0]);
                assert_eq!(results.get::<f64>("mean"), [5.0, 7.0]);
            }
        }
    }

    #[test]
    fn complex_numbers_spread_in_the_plane() {
        // Mean 0; both are 5 away from it.
        let frames = [Complex::new(3.0_f32, 4.0), Complex::new(-3.0, -4.0)];
        for n_partitions in 1..3 {
            let results = Scan::new(&[2], &[1], &frames).partitions(n_partitions).run::<StdDev>().unwrap();
            assert_eq!(results.get::<f64>("std"), [5.0]);
            assert_eq!(results.get::<Complex<f64>>("mean"), [Complex::new(0.0, 0.0)]);
        }
    }

    #[test]
    fn no_frames_have_no_mean() {
        let results = Scan::new(&[2], &[1], &[1.0_f32, 2.0]).roi(&[false, false]).run::<StdDev>().unwrap();
        assert_eq!(results.get::<i64>("num_frames"), [0]);
        assert!(["var", "std", "mean"].iter().all(|name| results.get::<f64>(name)[0].is_nan()));
    }

    #[test]
    fn the_variance_is_a_float() {
        let scan = Scan::new(&[1], &[1], &[1_u8]);
        let error = scan.param("dtype", Dtype::I16).run::<StdDev>().unwrap_err();
        assert_eq!(error.message(), "parameter `dtype`: expected float32 or float64, given int16");
    }
}
