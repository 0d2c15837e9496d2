//! Smallest and largest number of each pixel over all frames: shows dead and hot pixels, and where peaks ever were.
//!
//! The buffers start with infinity, so that the first number replaces it whatever it is. NaN wins over all numbers.

use lthost_guest_sdk::prelude::*;

export_udf!(Extrema);

/// The extrema of each pixel.
pub struct Extrema {
    dtype: Dtype,
    preferences: Preferences,
}

impl Udf for Extrema {
    fn manifest() -> Manifest {
        let dtype = Parameter::dtype("dtype").default(Dtype::F32);
        manifest!("extrema", "Smallest and largest number of each pixel over all frames")
            .parameter(dtype.doc("frames are compared in this dtype, or a bigger one if the data need it"))
    }

    fn new(params: &Params, meta: &Meta) -> Result<Self> {
        let dtype = params.get("dtype")?;
        let preferences = Preferences::at_least(dtype);
        let takes_counts = dtype == Dtype::F32;
        Ok(Self { dtype, preferences: if takes_counts { meta.counts_or(preferences) } else { preferences } })
    }

    fn preferences(&self) -> Preferences {
        self.preferences
    }

    fn buffers(&self, input: Dtype) -> Result<Vec<Buffer>> {
        if input.is_complex() {
            return Err(Error::new(format!("extrema needs real numbers: {input} has no smallest and no largest one")));
        }
        let dtype = input.promote(self.dtype);
        let min = Buffer::sig("min", dtype).merge(Merge::Min).fill(f64::INFINITY);
        let max = Buffer::sig("max", dtype).merge(Merge::Max).fill(f64::NEG_INFINITY);
        Ok(vec![
            min.unit("counts").doc("smallest number of each pixel"),
            max.unit("counts").doc("largest number of each pixel"),
        ])
    }

    fn process(&mut self, tile: &Tile, out: &mut Partial) -> Result<()> {
        if out.dtype("min")? == Dtype::F32 && tile.pixels().dtype() != Dtype::F32 {
            let (mut min, mut max) = (out.sig::<f32>("min", tile)?, out.sig::<f32>("max", tile)?);
            return each_count!(tile.pixels(), |pixels| kernels::extremes_of_counts(&mut min, &mut max, pixels));
        }
        each_real!(tile.pixels(), |pixels| {
            kernels::extremes(&mut out.sig("min", tile)?, &mut out.sig("max", tile)?, pixels);
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lthost_guest_sdk::testing::Scan;

    #[test]
    fn the_extremes_of_three_frames() {
        let frames = [3_i16, -5, 1, 7, 2, -9];
        for n_partitions in 1..4 {
            let results = Scan::new(&[3], &[2], &frames).partitions(n_partitions).run::<Extrema>().unwrap();
            assert_eq!(results.get::<f32>("min"), [1.0, -9.0]);
            assert_eq!(results.get::<f32>("max"), [3.0, 7.0]);
        }
    }

    #[test]
    fn nan_wins() {
        let results = Scan::new(&[2], &[1], &[f32::NAN, 1.0]).partitions(2).run::<Extrema>().unwrap();
        assert!(results.get::<f32>("min")[0].is_nan() && results.get::<f32>("max")[0].is_nan());
    }

    #[test]
    fn integers_may_stay_what_they_are() {
        let scan = Scan::new(&[2], &[1], &[u64::MAX, u64::MAX - 1]).param("dtype", Dtype::Bool);
        let results = scan.run::<Extrema>().unwrap();
        assert_eq!((results.get::<u64>("min")[0], results.get::<u64>("max")[0]), (u64::MAX - 1, u64::MAX));
    }

    #[test]
    fn complex_data_are_refused() {
        let error = Scan::new(&[1], &[1], &[Complex::new(1.0_f32, 0.0)]).run::<Extrema>().unwrap_err();
        assert_eq!(error.message(), "extrema needs real numbers: complex64 has no smallest and no largest one");
    }
}
