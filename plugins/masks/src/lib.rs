//! Products of each frame with a stack of masks: virtual detectors of any shape and weight.
//!
//! Entry `k` of a frame is the sum over all pixels of pixel times mask `k`. A tile holds some pixels of a frame, and
//! adds their share. Masks may have any dtype, complex ones are not conjugated.
//!
//! Masks are given as an array, `factors`, or computed from a `shape`. Radial Fourier analysis is the shape
//! `radial_fourier`: entry `(bin, order)` is the sum over ring `bin`, from the innermost, of pixel times
//! `exp(i * order * angle)`, where the angle runs from x towards y; order 0 is the sum over the ring.
//!
//! The host multiplies with masks of real numbers. For all others the UDF asks for tiles in the dtype of the result, so that
//! pixels and masks meet as the same type. Complex masks on real data are taken as two real masks each, which is half the
//! work. Of masks that are mostly zero only the rest is multiplied.
//!
//! A pixel where a mask is zero does not count, whatever it holds: a dead one that is not a number spoils only the masks
//! that see it. So it is for given masks as for computed ones, and however many zeros there are.
//!
//! Masks may be moved, all by the same distance or for each frame by its own: then whole frames are asked for, and each
//! is moved the other way.
//!
//! Integers wrap around where the user asks for them by `preferred_dtype`; if that can happen there is a warning.

mod factors;
mod given;
mod overflow;
mod shape;
mod shift;

use factors::Factors;
use lthost_guest_sdk::{Role, prelude::*};
use shift::{Shifts, moved};

export_udf!(Masks);

/// The products with masks.
pub struct Masks {
    /// Axes of an entry: the number of masks, or bins and orders.
    extra: Vec<usize>,
    /// What the result is.
    dtype: Dtype,
    /// The masks in the dtype of the tiles. Complex masks on real data are two masks each: real and imaginary part.
    factors: Factors,
    /// The same in the host, if it multiplies.
    matrix: Option<Matrix>,
    shifts: Shifts,
    sig_shape: Vec<usize>,
    preferences: Preferences,
}

impl Udf for Masks {
    fn manifest() -> Manifest {
        let factors = Parameter::array("factors", &[Axis::Any, Axis::Sig]);
        let mask_count = Parameter::integer("mask_count").minimum(1.0);
        let mask_dtype = Parameter::dtype("mask_dtype");
        let shifts = Parameter::array("shifts", &[Axis::Fixed(2)]).or_aux(Dtype::F64, &[2]);
        let preferred_dtype = Parameter::dtype("preferred_dtype").default(Dtype::F32);
        let manifest = manifest!("masks", "Products of each frame with masks")
            .parameter(factors.doc(
                "stack of masks, shape (n_masks, ...sig), instead of `shape`; where a mask is 0 pixels do not count, whatever \
                 they hold",
            ));
        manifest
            .parameters::<shape::Given>()
            .parameter(mask_count.doc("number of masks, checked against what is given"))
            .parameter(mask_dtype.doc(
                "dtype that masks are converted to, their own if not given; one of integers must hold them as they are",
            ))
            .parameter(shifts.unit("px").doc(
                "how far masks are moved down and right: two numbers, or two for each frame; cut to whole pixels, 1.9 to 1",
            ))
            .parameter(preferred_dtype.doc(
                "the result is of the smallest dtype that holds the numbers of this one, of the data and of the masks; if \
                 these are all integers, sums beyond it wrap around",
            ))
            .parameter(factors::use_sparse())
    }

    fn new(params: &Params, meta: &Meta) -> Result<Self> {
        let masks = masks(params, meta)?;
        let extra = masks.shape()[..masks.shape().len() - meta.sig_shape.len()].to_vec();
        let n_masks: usize = extra.iter().product();
        let masks = masks.reshaped(&[&[n_masks], meta.sig_shape.as_slice()].concat())?;
        check_count(params.get("mask_count")?, n_masks)?;
        let mask_dtype = params.get::<Option<Dtype>>("mask_dtype")?.unwrap_or(masks.dtype());
        if masks.dtype().is_complex() && !mask_dtype.is_complex() {
            return Err(Error::parameter("mask_dtype", "a complex dtype, as the masks are complex", mask_dtype));
        }
        let input = meta.input_dtype(&Preferences::at_least(params.get("preferred_dtype")?));
        let dtype = input.promote(mask_dtype);
        given::check_kept(&masks, mask_dtype)?;
        let masks = if masks.dtype() == mask_dtype {
            masks
        } else {
            let masks = masks.converted(mask_dtype);
            // A number that is finite may be infinite in a smaller dtype.
            given::check_finite(&masks)?;
            masks
        };
        let masks = if input.is_complex() { masks } else { split(masks)? };
        let masks = converted(masks, if input.is_complex() { dtype } else { dtype.part() });
        if meta.role == Role::Main {
            overflow::warn(&masks, meta.dataset_dtype);
        }
        let factors = Factors::new(masks, params.value("use_sparse")?)?;
        let shifts = Shifts::new("shifts", params, meta)?;
        let own = Preferences::exactly(factors.dtype());
        let is_for_host = shifts.is_none() && !meta.dataset_dtype.is_complex();
        let for_host = factors.for_host().filter(|_| is_for_host);
        let preferences = match for_host {
            Some(masks) => Matrix::preferences(masks),
            None if shifts.is_none() => own,
            None => own.by_frame(),
        };
        let matrix = for_host.filter(|_| meta.role == Role::Worker).map(Matrix::of).transpose()?;
        Ok(Self { extra, dtype, factors, matrix, shifts, sig_shape: meta.sig_shape.clone(), preferences })
    }

    fn preferences(&self) -> Preferences {
        self.preferences
    }

    fn buffers(&self, _: Dtype) -> Result<Vec<Buffer>> {
        let intensity = Buffer::nav("intensity", self.dtype).extra(&self.extra);
        Ok(vec![intensity.unit("counts").doc("sum of pixel times mask, for each mask; (bin, order) of radial_fourier")])
    }

    fn process(&mut self, tile: &Tile, out: &mut Partial) -> Result<()> {
        if let Some(matrix) = &self.matrix {
            return if self.factors.dtype() == Dtype::F32 {
                matrix.add_masked_products(&mut out.nav_parts::<f32>("intensity", tile)?, tile)
            } else {
                matrix.add_masked_products(&mut out.nav_parts::<f64>("intensity", tile)?, tile)
            };
        }
        each_dtype!(tile.pixels(), |pixels| self.add(tile, pixels, out))
    }
}

impl Masks {
    fn add<T: Element>(&self, tile: &Tile, pixels: &[T], out: &mut Partial) -> Result<()> {
        let mut intensity = out.nav_parts("intensity", tile)?;
        if self.shifts.is_none() {
            return self.factors.add_products(&mut intensity, pixels, tile.block_len(), tile.sig_start());
        }
        let shape = [self.sig_shape[0], self.sig_shape[1]];
        let sig_size = shape[0] * shape[1];
        let mut seen = vec![T::ZERO; sig_size];
        let frames = tile.rows(pixels).zip(self.shifts.of("shifts", tile)?);
        for ((frame, shift), intensity) in frames.zip(intensity.chunks_exact_mut(self.factors.n_masks())) {
            moved(frame, shape, shift, &mut seen);
            self.factors.add_products(intensity, &seen, sig_size, 0)?;
        }
        Ok(())
    }
}

/// The masks as given or computed, with the axes of an entry before those of a frame.
fn masks(params: &Params, meta: &Meta) -> Result<Array> {
    let computed: shape::Given = params.read()?;
    let shape = computed.shape.as_deref();
    shape::check_parameters(params, shape)?;
    match (params.get::<Option<Array>>("factors")?, shape) {
        (Some(factors), None) => {
            given::check_shape(&factors, meta)?;
            given::check_finite(&factors)?;
            Ok(factors)
        }
        (None, Some(shape)) => shape::computed(shape, &computed, meta),
        (Some(_), Some(_)) => Err(Error::new("parameters `factors` and `shape`: give one of them, not both")),
        (None, None) => Err(Error::new(
            "parameters `factors` and `shape`: give one of them, a stack of masks or the shape of computed ones",
        )),
    }
}

fn check_count(expected: Option<i64>, n_masks: usize) -> Result<()> {
    match expected {
        Some(count) if usize::try_from(count) != Ok(n_masks) => {
            Err(Error::parameter("mask_count", format!("{n_masks}, the number of masks"), count))
        }
        _ => Ok(()),
    }
}

/// In `dtype`; without a copy where they are.
fn converted(masks: Array, dtype: Dtype) -> Array {
    if masks.dtype() == dtype { masks } else { masks.converted(dtype) }
}

/// Complex masks as a real and an imaginary one each, real masks as they are: shape `(n_real_masks, mask_len)`.
fn split(masks: Array) -> Result<Array> {
    fn planes<T: Float<Part = T>>(parts: &[T], mask_len: usize) -> Vec<T> {
        let planes = parts.chunks_exact(2 * mask_len).flat_map(|mask| [mask, &mask[1..]]);
        planes.flat_map(|parts| parts.iter().step_by(2).copied()).collect()
    }
    let n_masks = masks.shape()[0];
    let mask_len = masks.numbers().len() / n_masks;
    let shape = [2 * n_masks, mask_len];
    match masks.numbers() {
        Numbers::C64(numbers) => Array::new(&shape, &planes(Float::parts(numbers), mask_len)),
        Numbers::C128(numbers) => Array::new(&shape, &planes(Float::parts(numbers), mask_len)),
        _ => Ok(masks),
    }
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
    fn shifts_that_are_no_distance_are_refused() {
        let message = |scan: Scan| scan.run::<Masks>().unwrap_err().to_string();
        let expected = "parameter `shifts`: expected finite numbers, down and right, given ";
        for (down, shown) in [(f64::NAN, "[NaN, 1.0]"), (f64::NEG_INFINITY, "[-inf, 1.0]")] {
            let shifts = Array::new(&[2], &[down, 1.0]).unwrap();
            assert_eq!(message(scan(&[1.0_f32; 4]).param("shifts", shifts)), format!("{expected}{shown}"));
        }
        let aux = scan(&[1.0_f32; 4]).aux("shifts", &[2, 2], &[0.0, 1.0, 0.0, f64::NAN]);
        assert_eq!(message(aux.clone()), format!("{expected}[0.0, NaN] for frame 1, at [1] of the scan"));
        aux.roi(&[true, false]).run::<Masks>().unwrap();
    }

    #[test]
    fn sparse_masks_give_what_dense_ones_give() {
        let zero = Complex::new(0.0_f32, 0.0);
        let one = [Complex::new(0.0, 1.0), zero, zero, Complex::new(0.5, 0.0), zero, zero, zero, zero];
        for use_sparse in [false, true] {
            let sparse = || scan(&one).param("use_sparse", use_sparse);
            let results = sparse().tiles(1, 2).run::<Masks>().unwrap();
            let expected = [Complex::new(2.0, 1.0), zero, Complex::new(20.0, 10.0), zero];
            assert_eq!(results.get::<Complex<f32>>("intensity"), expected);
            let results = sparse().aux("shifts", &[2, 2], &[0.0, 1.0, 0.0, 0.0]).run::<Masks>().unwrap();
            let moved = [Complex::new(0.0, 2.0), zero, Complex::new(20.0, 10.0), zero];
            assert_eq!(results.get::<Complex<f32>>("intensity"), moved);
        }
    }

    #[test]
    fn a_dead_pixel_spoils_only_the_masks_that_see_it() {
        let mut frame = [1.0_f32; 64];
        frame[0] = f32::NAN;
        for (shape, use_sparse) in [("disk", "auto"), ("disk", "false"), ("disk", "true"), ("ring", "auto")] {
            let scan = Scan::new(&[1], &[8, 8], &frame).param("shape", shape).param("use_sparse", use_sparse);
            let sum = scan.run::<Masks>().unwrap().get::<f32>("intensity")[0];
            assert!(sum >= 4.0, "{shape}, {use_sparse}: {sum}");
        }
        let scan = Scan::new(&[1], &[8, 8], &frame).param("shape", "radial_fourier").param("n_bins", 3_i64);
        let results = scan.param("ro", 6.0).run::<Masks>().unwrap();
        let is_spoiled = |bin: &[Complex<f32>]| bin.iter().any(|entry| entry.re.is_nan() || entry.im.is_nan());
        let bins: Vec<bool> = results.get("intensity").chunks_exact(25).map(is_spoiled).collect();
        assert_eq!(bins, [false, false, true]);
    }

    #[test]
    fn masks_that_an_integer_can_not_hold_are_refused() {
        let error = scan(&[0.0, 0.0, 1.0, 0.5]).param("mask_dtype", Dtype::I8).run::<Masks>().unwrap_err();
        let expected = "parameter `mask_dtype`: expected a dtype that keeps the masks as they are, given int8, which \
                        makes 0 of 0.5 at mask 0, pixel (1, 1)";
        assert_eq!(error.message(), expected);
        let results = scan(&[0.0, 0.0, 1.0, -3.0]).param("mask_dtype", Dtype::I8).run::<Masks>().unwrap();
        assert_eq!(results.get::<f32>("intensity"), [-9.0, -90.0]);
    }

    #[test]
    fn masks_are_given_or_computed() {
        let message = |scan: Scan| scan.run::<Masks>().unwrap_err().to_string();
        let both = message(scan(&[1.0_f32; 4]).param("shape", "disk"));
        assert_eq!(both, "parameters `factors` and `shape`: give one of them, not both");
        let neither = message(Scan::new(&[1], &[2, 2], &[0_u8; 4]));
        assert!(neither.starts_with("parameters `factors` and `shape`: give one of them, a stack"));
    }

    #[test]
    fn what_is_not_finite_is_refused() {
        let message = |scan: Scan| scan.run::<Masks>().unwrap_err().to_string();
        let expected = "parameter `factors`: expected finite numbers, given inf at mask 0, pixel (1, 0)";
        assert_eq!(message(scan(&[0.0, 0.0, f64::INFINITY, 0.0])), expected);
        assert_eq!(message(scan(&[0.0, 0.0, 1e300, 0.0]).param("mask_dtype", Dtype::F32)), expected);
    }

    #[test]
    fn a_stack_that_does_not_fit_is_refused() {
        let error = scan(&[1.0_f32; 4]).param("mask_count", 3_i64).run::<Masks>().unwrap_err();
        assert_eq!(error.message(), "parameter `mask_count`: expected 1, the number of masks, given 3");
        let factors = Array::new(&[1, 2, 3], &[1.0_f32; 6]).unwrap();
        let error = Scan::new(&[1], &[2, 2], &[0_u8; 4]).param("factors", factors).run::<Masks>().unwrap_err();
        assert_eq!(
            error.message(),
            "parameter `factors`: an array of shape [1, 2, 3] and dtype float32 is of no type that it takes"
        );
    }
}
