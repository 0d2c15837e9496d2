//! Largest number of each pixel over all frames: the shortest UDF with a merge of its own.
//!
//! The host knows this merge as `Merge::Max`, which `extrema` uses. Here the plugin does it, to show what a UDF does whose
//! partitions become one in a way that the host does not know: it declares the buffer with [`Merge::Custom`], states
//! `with_merge`, and writes into `dest`.

use lthost_guest_sdk::prelude::*;

export_udf!(Max);

/// The largest number of each pixel.
pub struct Max;

impl Udf for Max {
    fn manifest() -> Manifest {
        manifest!("max", "Largest number of each pixel over all frames").with_merge()
    }

    fn new(_: &Params, _: &Meta) -> Result<Self> {
        Ok(Self)
    }

    fn buffers(&self, input: Dtype) -> Result<Vec<Buffer>> {
        if input.is_complex() {
            return Err(Error::new(format!("max needs real numbers: {input} has no largest one")));
        }
        let max = Buffer::sig("max", input).merge(Merge::Custom).fill(f64::NEG_INFINITY);
        Ok(vec![max.unit("counts").doc("largest number of each pixel")])
    }

    fn process(&mut self, tile: &Tile, out: &mut Partial) -> Result<()> {
        each_real!(tile.pixels(), |pixels| kernels::maximum(&mut out.sig("max", tile)?, pixels))
    }

    fn merge(&self, _: &Partition, dest: &Buffers, src: &Buffers, _: &[bool]) -> Result<()> {
        each_real!(Numbers::none(dest.dtype("max")?), |none| merge_as(none, dest, src)?)
    }
}

/// The merge for the dtype of `_none`. The partition counts as one more frame.
fn merge_as<T: Real>(_none: &[T], dest: &Buffers, src: &Buffers) -> Result<()> {
    kernels::maximum(&mut dest.write::<T>("max")?, &src.read::<T>("max")?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use lthost_guest_sdk::testing::Scan;

    #[test]
    fn the_largest_of_three_frames_in_any_cut() {
        for n_partitions in 1..4 {
            for (depth, block_len) in [(3, 2), (1, 1)] {
                let scan = Scan::new(&[3], &[2], &[3_i16, -5, 1, -7, 2, -9]);
                let results = scan.partitions(n_partitions).tiles(depth, block_len).run::<Max>().unwrap();
                assert_eq!(results.get::<f32>("max"), [3.0, -5.0]);
            }
        }
    }

    #[test]
    fn nan_wins_and_no_frames_have_no_maximum() {
        let scan = Scan::new(&[2], &[1], &[f64::NAN, 1.0]).partitions(2);
        assert!(scan.run::<Max>().unwrap().get::<f64>("max")[0].is_nan());
        let results = scan.roi(&[false, false]).run::<Max>().unwrap();
        assert_eq!(results.get::<f64>("max"), [f64::NEG_INFINITY]);
    }

    #[test]
    fn complex_data_are_refused() {
        let error = Scan::new(&[1], &[1], &[Complex::new(1.0_f32, 0.0)]).run::<Max>().unwrap_err();
        assert_eq!(error.message(), "max needs real numbers: complex64 has no largest one");
    }
}
