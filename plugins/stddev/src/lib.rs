//! Variance, standard deviation and mean of each pixel over all frames, numerically stable.
//!
//! For each pixel the UDF carries the number of frames, their sum, and the sum of their squared differences from the
//! mean (`varsum`). Two such triples become one by the usual parallel rule: besides the two `varsum`, the
//! distance of the two means counts. That is the `merge` of this UDF; `results` divides by the number of frames.
//!
//! Of complex numbers the difference is the absolute value. Real and imaginary parts are then just two numbers whose
//! `varsum` add up, so that they are processed as twice as many real pixels. Real pixels are added up by the host, and need not come
//! here.

#![expect(clippy::cast_precision_loss, reason = "no scan has 2^53 frames")]

mod sums;

use lthost_guest_sdk::prelude::*;
use sums::Sums;

export_udf!(StdDev);

/// Pixels whose moments are handed over at once.
const BLOCK: usize = 1 << 11;

/// The moments of each pixel.
pub struct StdDev {
    /// In which `varsum` and what follows from it are stored.
    dtype: Dtype,
    /// Of the pixels as they come.
    input: Dtype,
    sig_size: usize,
    /// Those of the partition.
    sums: Option<Sums>,
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
        let input = meta.input_dtype(&Preferences::native());
        Ok(Self { dtype, input, sig_size: meta.sig_size(), sums: None, n_frames: Vec::new() })
    }

    fn preferences(&self) -> Preferences {
        let preferences = Preferences::native();
        if self.input.is_complex() { preferences } else { preferences.in_host() }
    }

    fn buffers(&self, input: Dtype) -> Result<Vec<Buffer>> {
        let sum_dtype = input.promote(Dtype::F32).promote(self.dtype);
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

    fn begin(&mut self, _: &Partition, _: &mut Partial) -> Result<()> {
        self.n_frames.clear();
        match &mut self.sums {
            Some(sums) => sums.clear(),
            sums => *sums = Some(Sums::new(self.input, self.sig_size)?),
        }
        Ok(())
    }

    fn process(&mut self, tile: &Tile, _: &mut Partial) -> Result<()> {
        if self.n_frames.len() <= tile.sig_index() {
            self.n_frames.resize(tile.sig_index() + 1, 0);
        }
        self.n_frames[tile.sig_index()] += tile.n_frames() as u64;
        if let Some(sums) = &mut self.sums {
            sums.add(tile)?;
        }
        Ok(())
    }

    fn end(&mut self, out: &mut Partial) -> Result<()> {
        // At the end all blocks have seen all frames.
        let n_frames = self.n_frames.first().copied().unwrap_or(0);
        out.emit("num_frames", 0, &[n_frames.cast_signed()])?;
        let is_complex = out.dtype("sum")?.is_complex();
        let n_parts = if is_complex { 2 } else { 1 };
        let Some(sums) = &self.sums else { return Ok(()) };
        let len = n_parts * self.sig_size;
        for start in (0..len).step_by(BLOCK) {
            let (sum, varsum) = sums.moments(start..len.min(start + BLOCK), n_frames);
            let offset = (start / n_parts) as u64;
            if is_complex {
                let varsum: Vec<f64> = varsum.chunks_exact(2).map(|parts| parts[0] + parts[1]).collect();
                out.emit("varsum", offset, &varsum)?;
                out.emit("sum", offset, Complex::<f64>::from_parts(&sum))?;
            } else {
                out.emit("varsum", offset, &varsum)?;
                out.emit("sum", offset, &sum)?;
            }
        }
        Ok(())
    }

    fn merge(&self, _: &Partition, dest: &Buffers, src: &Buffers, _: &[bool]) -> Result<()> {
        match dest.dtype("sum")? {
            Dtype::F32 => self.merge_sums::<f32>(dest, src),
            Dtype::F64 => self.merge_sums::<f64>(dest, src),
            Dtype::C64 => self.merge_sums::<Complex<f32>>(dest, src),
            _ => self.merge_sums::<Complex<f64>>(dest, src),
        }
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

impl StdDev {
    fn merge_sums<S: Float>(&self, dest: &Buffers, src: &Buffers) -> Result<()> {
        match self.dtype {
            Dtype::F32 => merge_moments::<S, f32>(dest, src),
            _ => merge_moments::<S, f64>(dest, src),
        }
    }
}

/// Pixels in a turn of a loop.
const TURN: usize = 16;

/// Adds moments to those of some pixels; `n0` frames made these, `n1` are added.
#[inline]
fn merge_turn<S: Float, V: Part, const LEN: usize>(
    [n0, n1]: [f64; 2],
    sum: &mut [S; LEN],
    varsum: &mut [V; LEN],
    added_sum: &[S; LEN],
    added_varsum: &[V; LEN],
) {
    let n_parts = size_of::<S>() / size_of::<S::Part>();
    let (sum, added_sum) = (S::parts_mut(sum), S::parts(added_sum));
    for i in 0..LEN {
        let mut distance_square = 0.0;
        for part in n_parts * i..n_parts * (i + 1) {
            let (before, added) = (sum[part].to_f64(), added_sum[part].to_f64());
            let distance = added * (1.0 / n1) - before * (1.0 / n0);
            distance_square += distance * distance;
            sum[part] = S::Part::from_f64(before + added);
        }
        let squares = varsum[i].to_f64() + added_varsum[i].to_f64();
        varsum[i] = V::from_f64(squares + distance_square * (n0 * n1 / (n0 + n1)));
    }
}

/// Adds the moments in `src` to those in `dest`.
fn merge_moments<S: Float, V: Part>(dest: &Buffers, src: &Buffers) -> Result<()> {
    let mut n_frames = dest.write::<i64>("num_frames")?;
    let n_added = src.read::<i64>("num_frames")?[0];
    let (mut sum, added_sum) = (dest.write::<S>("sum")?, src.read::<S>("sum")?);
    let (mut varsum, added_varsum) = (dest.write::<V>("varsum")?, src.read::<V>("varsum")?);
    if n_frames[0] == 0 {
        sum.copy_from_slice(&added_sum);
        varsum.copy_from_slice(&added_varsum);
    } else if n_added > 0 {
        let weights = [n_frames[0] as f64, n_added as f64];
        // Much work a turn, which keeps the loop fast: see the SDK's kernels.
        let (sums, sums_rest) = sum.as_chunks_mut::<TURN>();
        let (varsums, varsums_rest) = varsum.as_chunks_mut::<TURN>();
        let (added_sums, added_sums_rest) = added_sum.as_chunks::<TURN>();
        let (added_varsums, added_varsums_rest) = added_varsum.as_chunks::<TURN>();
        for ((sum, varsum), (added_sum, added_varsum)) in
            sums.iter_mut().zip(varsums).zip(added_sums.iter().zip(added_varsums))
        {
            merge_turn(weights, sum, varsum, added_sum, added_varsum);
        }
        for ((sum, varsum), (added_sum, added_varsum)) in
            sums_rest.iter_mut().zip(varsums_rest).zip(added_sums_rest.iter().zip(added_varsums_rest))
        {
            use std::array;
            let (sum, varsum) = (array::from_mut(sum), array::from_mut(varsum));
            merge_turn(weights, sum, varsum, array::from_ref(added_sum), array::from_ref(added_varsum));
        }
    }
    n_frames[0] += n_added;
    Ok(())
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
