//! Products of each frame with a stack of masks: virtual detectors of any shape and weight.
//!
//! Entry `k` of a frame is the sum over all pixels of pixel times mask `k`. A tile holds some pixels of a frame, and
//! adds their share. Masks may have any dtype, complex ones are not conjugated.
//!
//! The UDF asks for tiles in the dtype of the result, so that pixels and masks meet as the same type. Complex masks on
//! real data are taken as two real masks each, which is half the work.
//!
//! Masks may be moved, all by the same distance or for each frame by its own: then whole frames are asked for, and each
//! is moved the other way.

mod shift;

use lthost_guest_sdk::prelude::*;
use shift::{Shifts, moved};

export_udf!(Masks);

/// The products with masks.
pub struct Masks {
    /// How many there are.
    count: usize,
    /// Pixels of a frame and so of each mask.
    sig_size: usize,
    /// What the result is.
    dtype: Dtype,
    /// The masks in the dtype of the tiles. Complex masks on real data are two masks each: real and imaginary part.
    factors: Array,
    shifts: Shifts,
    sig_shape: Vec<usize>,
}

impl Udf for Masks {
    fn manifest() -> Manifest {
        let factors = Parameter::array("factors", &[Axis::Any, Axis::Sig]).required();
        let mask_count = Parameter::integer("mask_count").minimum(1.0);
        let preferred_dtype = Parameter::dtype("preferred_dtype").default(Dtype::F32);
        manifest!("masks", "Products of each frame with masks")
            .parameter(factors.doc("stack of masks, shape (n_masks, ...sig)"))
            .parameter(mask_count.doc("number of masks, checked against the stack"))
            .parameter(Parameter::dtype("mask_dtype").doc("dtype that masks are converted to; their own if not given"))
            .parameter(
                Parameter::array("shifts", &[Axis::Fixed(2)]).or_aux(Dtype::F64, &[2]).unit("px").doc(
                    "how far masks are moved down and right: two numbers, or two for each frame; cut to whole pixels",
                ),
            )
            .parameter(preferred_dtype.doc("frames are multiplied in this dtype, or a bigger one if they need it"))
    }

    fn new(params: &Params, meta: &Meta) -> Result<Self> {
        let factors: Array = params.get("factors")?;
        let count = check_shape(&factors, params.get("mask_count")?, meta)?;
        let mask_dtype = params.get::<Option<Dtype>>("mask_dtype")?.unwrap_or(factors.dtype());
        if factors.dtype().is_complex() && !mask_dtype.is_complex() {
            return Err(Error::parameter("mask_dtype", "a complex dtype, as the masks are complex", mask_dtype));
        }
        let input = meta.input_dtype(&Preferences::at_least(params.get("preferred_dtype")?));
        let dtype = input.promote(mask_dtype);
        let factors = factors.converted(mask_dtype);
        let factors =
            if input.is_complex() { factors.converted(dtype) } else { split(&factors)?.converted(dtype.part()) };
        let shifts = Shifts::new("shifts", params, meta)?;
        Ok(Self { count, sig_size: meta.sig_size(), dtype, factors, shifts, sig_shape: meta.sig_shape.clone() })
    }

    fn preferences(&self) -> Preferences {
        let preferences = Preferences::exactly(self.factors.dtype());
        if self.shifts.is_none() { preferences } else { preferences.by_frame() }
    }

    fn buffers(&self, _: Dtype) -> Result<Vec<Buffer>> {
        let intensity = Buffer::nav("intensity", self.dtype).extra(&[self.count]);
        Ok(vec![intensity.unit("counts").doc("sum of pixel times mask, for each mask")])
    }

    fn process(&mut self, tile: &Tile, out: &mut Partial) -> Result<()> {
        each_dtype!(tile.pixels(), |pixels| self.add(tile, pixels, out))
    }
}

impl Masks {
    fn add<T: Element>(&self, tile: &Tile, pixels: &[T], out: &mut Partial) -> Result<()> {
        let masks = self.factors.as_slice::<T>().ok_or_else(|| Error::new("tiles and masks differ in dtype"))?;
        let stack = kernels::Stack { masks, mask_len: self.sig_size, start: tile.sig_start() };
        let mut intensity = out.nav_parts("intensity", tile)?;
        if self.shifts.is_none() {
            kernels::add_dots(&mut intensity, pixels, tile.block_len(), stack);
            return Ok(());
        }
        let shape = [self.sig_shape[0], self.sig_shape[1]];
        let n_masks = masks.len() / self.sig_size;
        let mut seen = vec![T::ZERO; self.sig_size];
        let frames = tile.rows(pixels).zip(self.shifts.of("shifts", tile)?);
        for ((frame, shift), intensity) in frames.zip(intensity.chunks_exact_mut(n_masks)) {
            moved(frame, shape, shift, &mut seen);
            kernels::add_dots(intensity, &seen, self.sig_size, stack);
        }
        Ok(())
    }
}

/// The number of masks, if they fit the data set.
fn check_shape(factors: &Array, mask_count: Option<i64>, meta: &Meta) -> Result<usize> {
    let given = || format!("shape {:?}", factors.shape());
    let Some((&n_masks, sig_shape)) = factors.shape().split_first() else {
        return Err(Error::parameter("factors", "a stack of masks", given()));
    };
    if sig_shape != meta.sig_shape || n_masks == 0 {
        let expected = format!("one or more masks of shape {:?}, like the frames", meta.sig_shape);
        return Err(Error::parameter("factors", expected, given()));
    }
    match mask_count {
        Some(count) if usize::try_from(count) != Ok(n_masks) => {
            Err(Error::parameter("mask_count", format!("{n_masks}, the number of masks"), count))
        }
        _ => Ok(n_masks),
    }
}

/// Complex masks as a real and an imaginary one each, real masks as they are.
fn split(factors: &Array) -> Result<Array> {
    if !factors.dtype().is_complex() {
        return Ok(factors.clone());
    }
    let n_masks = factors.shape()[0];
    let masks = factors.to_vec::<Complex<f64>>();
    let mut parts = Vec::with_capacity(2 * masks.len());
    for mask in masks.chunks_exact(masks.len() / n_masks) {
        parts.extend(mask.iter().map(|factor| factor.re));
        parts.extend(mask.iter().map(|factor| factor.im));
    }
    Array::new(&[2 * n_masks, masks.len() / n_masks], &parts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use lthost_guest_sdk::testing::Scan;

    /// Two frames of 2 x 2 pixels: 1, 2, 3, 4 and 10, 20, 30, 40.
    fn scan<T: Element>(factors: &[T]) -> Scan {
        let frames = [1_u16, 2, 3, 4, 10, 20, 30, 40];
        let factors = Array::new(&[factors.len() / 4, 2, 2], factors).unwrap();
        Scan::new(&[2], &[2, 2], &frames).param("factors", factors)
    }

    #[test]
    fn each_mask_has_its_own_sum() {
        let factors = [1.0_f32, 1.0, 1.0, 1.0, 0.5, 0.0, 0.0, -1.0];
        for (depth, block_len) in [(2, 4), (1, 2), (2, 1)] {
            let results = scan(&factors).tiles(depth, block_len).run::<Masks>().unwrap();
            assert_eq!(results.shape("intensity"), [2, 2]);
            assert_eq!(results.get::<f32>("intensity"), [10.0, -3.5, 100.0, -35.0]);
        }
    }

    #[test]
    fn complex_masks_are_not_conjugated() {
        let i = Complex::new(0.0_f32, 1.0);
        let one = Complex::new(1.0, 0.0);
        let results = scan(&[i, one, one, i]).run::<Masks>().unwrap();
        let expected = [Complex::new(5.0, 5.0), Complex::new(50.0, 50.0)];
        assert_eq!(results.get::<Complex<f32>>("intensity"), expected);
        let frame = Scan::new(&[1], &[1], &[i]);
        let factors = Array::new(&[1, 1], &[i]).unwrap();
        let results = frame.param("factors", factors).run::<Masks>().unwrap();
        assert_eq!(results.get::<Complex<f32>>("intensity"), [Complex::new(-1.0, 0.0)]);
    }

    #[test]
    fn the_result_holds_pixels_and_masks() {
        let dtype = |scan: Scan| scan.run::<Masks>().unwrap().dtype("intensity");
        assert_eq!(dtype(scan(&[1_u8; 4])), Dtype::F32);
        assert_eq!(dtype(scan(&[1_i32; 4])), Dtype::F64);
        assert_eq!(dtype(scan(&[1_i32; 4]).param("preferred_dtype", Dtype::Bool)), Dtype::I32);
        assert_eq!(dtype(scan(&[1.0_f64; 4])), Dtype::F64);
        assert_eq!(dtype(scan(&[1.0_f64; 4]).param("mask_dtype", Dtype::F32)), Dtype::F32);
        assert_eq!(dtype(scan(&[Complex::new(1.0_f64, 0.0); 4])), Dtype::C128);
    }

    #[test]
    fn moved_masks_see_another_part_of_the_frame() {
        let down = Array::new(&[2], &[1_i64, 0]).unwrap();
        let corner = [1.0_f32, 0.0, 0.0, 0.0];
        let results = scan(&corner).param("shifts", down).run::<Masks>().unwrap();
        assert_eq!(results.get::<f32>("intensity"), [3.0, 30.0]);
        let results = scan(&corner).aux("shifts", &[2, 2], &[0.0, 1.9, 5.0, 0.0]).run::<Masks>().unwrap();
        assert_eq!(results.get::<f32>("intensity"), [2.0, 0.0]);
    }

    #[test]
    fn a_stack_that_does_not_fit_is_refused() {
        let error = scan(&[1.0_f32; 4]).param("mask_count", 3_i64).run::<Masks>().unwrap_err();
        assert_eq!(error.message(), "parameter `mask_count`: expected 1, the number of masks, given 3");
        let factors = Array::new(&[1, 2, 3], &[1.0_f32; 6]).unwrap();
        let error = Scan::new(&[1], &[2, 2], &[0_u8; 4]).param("factors", factors).run::<Masks>().unwrap_err();
        assert_eq!(
            error.message(),
            "parameter `factors`: expected one or more masks of shape [2, 2], like the frames, given shape [1, 2, 3]"
        );
    }
}
