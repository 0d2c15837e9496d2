//! Centre of mass of each frame: where the beam is deflected to, which is the first thing to know about fields in the
//! specimen.
//!
//! Three masks over a disk or a ring give the sum, and the sums weighted by y and by x (`raw_mask_result`, for the
//! UDF alone). All that the user sees derives from them in `results`: the centre of mass, its shift from where the beam
//! would be, and the field that follows from it ([`lthost_guest_sdk::field`] does the mathematics).
#![expect(clippy::cast_precision_loss, reason = "no scan and no detector has 2^53 places")]

use lthost_guest_sdk::{
    Role,
    field::{self, Number, Orientation, Plane, Vector},
    masks::{self, Edge},
    prelude::*,
};

export_udf!(Com);

/// The centre of mass of each frame.
pub struct Com {
    nav_shape: [usize; 2],
    sig_shape: [usize; 2],
    roi: Option<Vec<bool>>,
    /// Where the beam is without a field, `(cy, cx)` in pixels.
    centre: Vector<f64>,
    orientation: Orientation,
    regression: Regression,
    /// Disk or ring, times 1, y and x: shape `(3, sy, sx)`.
    masks: Array,
    /// The same in the host, which multiplies with real numbers.
    matrix: Option<Matrix>,
}

#[derive(Parameters)]
struct Given {
    /// centre of the beam, y; the frame's centre if not given
    #[param(unit = "px")]
    cy: Option<f64>,
    /// centre of the beam, x; the frame's centre if not given
    #[param(unit = "px")]
    cx: Option<f64>,
    /// radius of the disk that counts
    #[param(default = f64::INFINITY, minimum = 0, unit = "px")]
    r: f64,
    /// inner radius, for a ring instead of a disk
    #[param(default = 0.0, minimum = 0, unit = "px")]
    ri: f64,
    /// rotation of the scan against the detector
    #[param(default = 0.0, unit = "deg")]
    scan_rotation: f64,
    /// whether the detector's y axis is upside down
    #[param(default = false)]
    flip_y: bool,
    /// taken away from the field: -1 nothing, 0 its mean, 1 its plane, or coefficients
    #[param(default = -1)]
    regression: Regression,
}

/// What is taken away from the field.
enum Regression {
    Nothing,
    Mean,
    ClosestPlane,
    Given(Plane),
}

impl Udf for Com {
    fn manifest() -> Manifest {
        manifest!("com", "Centre of mass of each frame, and the field that deflects it")
            .parameters::<Given>()
            .with_results()
    }

    fn new(params: &Params, meta: &Meta) -> Result<Self> {
        let nav_shape = plane_of(&meta.nav_shape, "scan (nav)")?;
        let sig_shape = plane_of(&meta.sig_shape, "detector (sig)")?;
        let Given { cy, cx, r, ri, scan_rotation, flip_y, regression } = params.read()?;
        let [middle_y, middle_x] = sig_shape.map(|extent| (extent / 2) as f64);
        let centre = [cy.unwrap_or(middle_y), cx.unwrap_or(middle_x)];
        for (name, given) in [("cy", centre[0]), ("cx", centre[1]), ("scan_rotation", scan_rotation)] {
            if !given.is_finite() {
                return Err(Error::parameter(name, "a finite number", given));
            }
        }
        if meta.dataset_dtype.is_complex() && matches!(regression, Regression::Mean | Regression::ClosestPlane) {
            let given = params.value("regression")?;
            return Err(Error::parameter("regression", "-1 or an array, as the data are complex", given));
        }
        let orientation = Orientation { degrees: scan_rotation, flip_y };
        let masks = masks(meta, sig_shape, centre, ri, r)?;
        let is_in_host = meta.role == Role::Worker && !masks.dtype().is_complex();
        let matrix = if is_in_host { Some(Matrix::of(&masks)?) } else { None };
        Ok(Self { nav_shape, sig_shape, roi: meta.roi.clone(), centre, orientation, regression, masks, matrix })
    }

    fn preferences(&self) -> Preferences {
        if self.masks.dtype().is_complex() { Preferences::default() } else { Matrix::preferences(&self.masks) }
    }

    fn buffers(&self, input: Dtype) -> Result<Vec<Buffer>> {
        let nav = |name| Buffer::nav(name, input.promote(Dtype::F32));
        let derived = |name, doc| nav(name).result_only().doc(doc);
        let pair = |name, doc| derived(name, doc).extra(&[2]).unit("px");
        let regression = Buffer::single("regression", Dtype::F64).extra(&[3, 2]).result_only();
        Ok(vec![
            nav("raw_mask_result").extra(&[3]).private().doc("sum, sum of y times pixel, sum of x times pixel"),
            pair("raw_com", "centre of mass, (y, x)"),
            pair("raw_shifts", "centre of mass minus (cy, cx), (y, x)"),
            pair("field", "shift in coordinates of the scan, without what regression takes away, (y, x)"),
            derived("field_y", "y of field").unit("px"),
            derived("field_x", "x of field").unit("px"),
            derived("magnitude", "length of field").unit("px"),
            derived("divergence", "divergence of field"),
            derived("curl", "curl of field"),
            regression.doc("what was taken away: constant, slope along y, slope along x, each (y, x)"),
        ])
    }

    fn process(&mut self, tile: &Tile, out: &mut Partial) -> Result<()> {
        let Some(matrix) = &self.matrix else {
            return each_float!(tile.pixels(), |pixels| self.add(tile, pixels, out)?);
        };
        if self.masks.dtype() == Dtype::F32 {
            matrix.add_products(&mut out.nav::<f32>("raw_mask_result", tile)?, tile)
        } else {
            matrix.add_products(&mut out.nav::<f64>("raw_mask_result", tile)?, tile)
        }
    }

    fn results(&self, merged: &Buffers, valid: &[bool], out: &mut Output) -> Result<()> {
        if merged.dtype("raw_mask_result")?.is_complex() {
            self.derive::<Complex<f64>>(merged, valid, out)
        } else {
            self.derive::<f64>(merged, valid, out)
        }
    }
}

impl Com {
    /// Adds a tile's share to the three sums of its frames.
    fn add<T: Float>(&self, tile: &Tile, pixels: &[T], out: &mut Partial) -> Result<()> {
        let masks = self.masks.as_slice::<T>().ok_or_else(|| Error::new("tiles and masks differ in dtype"))?;
        let mask_len = self.sig_shape[0] * self.sig_shape[1];
        let stack = kernels::Stack { masks, mask_len, start: tile.sig_start() };
        kernels::add_dots(&mut out.nav("raw_mask_result", tile)?, pixels, tile.block_len(), stack);
        Ok(())
    }

    /// Everything that the user sees.
    fn derive<T: Number>(&self, merged: &Buffers, valid: &[bool], out: &mut Output) -> Result<()> {
        let sums = merged.to_vec::<T>("raw_mask_result")?;
        // What derives from the centres derives from them as the user gets them, in the dtype of their buffer.
        let dtype = merged.dtype("raw_mask_result")?;
        let origin = self.centre.map(|centre| as_stored(T::from_f64(centre), dtype));
        let centre = |sums: &[T]| centre_of_mass(sums, origin).map(|number| as_stored(number, dtype));
        let centres: Vec<Vector<T>> = sums.chunks_exact(3).map(centre).collect();
        let shift = |[y, x]: &Vector<T>| [*y - origin[0], *x - origin[1]].map(|number| as_stored(number, dtype));
        let shifts: Vec<Vector<T>> = centres.iter().map(shift).collect();

        let frames = self.selected();
        let places: Vec<Vector<f64>> = frames.iter().map(|&frame| self.place(frame)).collect();
        let turned: Vec<Vector<T>> = shifts.iter().map(|&shift| self.orientation.apply(shift)).collect();
        let plane = self.plane(&places, &turned, valid);
        let subtracted = places.iter().zip(&turned).map(|(&place, &value)| field::subtract(value, place, &plane));
        let field: Vec<Vector<T>> = subtracted.collect();

        out.put("raw_com", centres.as_flattened())?;
        out.put("raw_shifts", shifts.as_flattened())?;
        out.put("field", field.as_flattened())?;
        out.put("field_y", &column(&field, 0))?;
        out.put("field_x", &column(&field, 1))?;
        out.put("magnitude", &field.iter().map(|&value| field::magnitude(value)).collect::<Vec<_>>())?;
        out.put("regression", plane.as_flattened())?;
        self.put_slopes(&frames, &field, valid, out)
    }

    /// Divergence and curl, which need the neighbours: over the whole scan, then only where the ROI is.
    fn put_slopes<T: Number>(
        &self,
        frames: &[usize],
        field: &[Vector<T>],
        valid: &[bool],
        out: &mut Output,
    ) -> Result<()> {
        let mut whole = vec![[T::from_f64(f64::NAN); 2]; self.nav_shape[0] * self.nav_shape[1]];
        for ((&frame, &value), _) in frames.iter().zip(field).zip(valid).filter(|(_, is_valid)| **is_valid) {
            whole[frame] = value;
        }
        let of_frames = |slopes: Vec<T>| -> Vec<T> { frames.iter().map(|&frame| slopes[frame]).collect() };
        let divergence = of_frames(field::divergence(&whole, self.nav_shape));
        let curl = of_frames(field::curl(&whole, self.nav_shape));
        out.put("divergence", &divergence)?;
        out.put("curl", &curl)
    }

    /// What `regression` takes away.
    fn plane<T: Number>(&self, places: &[Vector<f64>], field: &[Vector<T>], valid: &[bool]) -> Plane {
        let known = || (0..places.len()).filter(|&i| valid[i]);
        let real = |i: usize| field[i].map(|number| number.to_complex().re);
        match &self.regression {
            Regression::Nothing => [[0.0; 2]; 3],
            Regression::Given(plane) => *plane,
            Regression::Mean => field::mean(&known().map(real).collect::<Vec<_>>()),
            Regression::ClosestPlane => {
                let (at, values): (Vec<_>, Vec<_>) = known().map(|i| (places[i], real(i))).unzip();
                field::closest_plane(&at, &values)
            }
        }
    }

    /// The frames of the ROI, by frame index.
    fn selected(&self) -> Vec<usize> {
        let is_selected = |frame: &usize| self.roi.as_ref().is_none_or(|roi| roi[*frame]);
        (0..self.nav_shape[0] * self.nav_shape[1]).filter(is_selected).collect()
    }

    /// Where a frame is in the scan, `(y, x)`.
    fn place(&self, frame: usize) -> Vector<f64> {
        [(frame / self.nav_shape[1]) as f64, (frame % self.nav_shape[1]) as f64]
    }
}

impl FromValue for Regression {
    const EXPECTED: &str = "-1, 0, 1 or an array of shape (3, 2)";
    type Literal = i64;

    fn declare(name: &str) -> Parameter {
        Parameter::integer(name).or_array(&[Axis::Fixed(3), Axis::Fixed(2)]).dtypes(&Dtype::REAL).required()
    }

    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Integer(-1) => Some(Self::Nothing),
            Value::Integer(0) => Some(Self::Mean),
            Value::Integer(1) => Some(Self::ClosestPlane),
            Value::Array(array) if array.shape() == [3, 2] && !array.dtype().is_complex() => {
                let rows: Vec<f64> = array.to_vec();
                Some(Self::Given([[rows[0], rows[1]], [rows[2], rows[3]], [rows[4], rows[5]]]))
            }
            _ => None,
        }
    }
}

/// Centre of mass from the three sums; of a frame that is dark, where the beam would be.
fn centre_of_mass<T: Number>(sums: &[T], origin: Vector<T>) -> Vector<T> {
    if sums[0] == T::ZERO { origin } else { [sums[1] / sums[0], sums[2] / sums[0]] }
}

/// A number as a buffer of `dtype` holds it: with less digits, if that is of single precision.
fn as_stored<T: Number>(number: T, dtype: Dtype) -> T {
    if dtype.part() == Dtype::F64 {
        return number;
    }
    T::from_complex(Complex::<f32>::from_complex(number.to_complex()).to_complex())
}

/// The two extents of a plane, if it is one.
fn plane_of(shape: &[usize], what: &str) -> Result<[usize; 2]> {
    let is_plane = <[usize; 2]>::try_from(shape);
    is_plane.map_err(|_| Error::new(format!("com needs a {what} of two dimensions, and this one has shape {shape:?}")))
}

/// Disk or ring around `centre`, times 1, y and x, in the dtype that tiles will have.
fn masks(meta: &Meta, sig_shape: [usize; 2], centre: Vector<f64>, ri: f64, r: f64) -> Result<Array> {
    if !(0.0 <= ri && ri < r) {
        return Err(Error::parameter("ri", format!("a radius from 0 to less than `r`, which is {r}"), ri));
    }
    let shape = if ri == 0.0 {
        masks::disk(sig_shape, centre, r, Edge::Sharp)
    } else {
        masks::ring(sig_shape, centre, [ri, r], Edge::Sharp)
    };
    let times = |coordinate: Vec<f64>| shape.iter().zip(coordinate).map(|(weight, at)| weight * at).collect::<Vec<_>>();
    let (y, x) = (times(masks::gradient_y(sig_shape)), times(masks::gradient_x(sig_shape)));
    let masks = Array::new(&[3, sig_shape[0], sig_shape[1]], &[shape, y, x].concat())?;
    Ok(masks.converted(meta.input_dtype(&Preferences::default())))
}

fn column<T: Copy>(field: &[Vector<T>], component: usize) -> Vec<T> {
    field.iter().map(|value| value[component]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use lthost_guest_sdk::testing::Scan;

    /// 2 x 2 places; on a detector of 3 x 3 pixels each frame has one bright pixel, at the (y, x) given.
    fn scan(spots: [(usize, usize); 4]) -> Scan {
        let mut frames = vec![0_u16; 4 * 9];
        for (frame, (y, x)) in frames.chunks_exact_mut(9).zip(spots) {
            frame[y * 3 + x] = 5;
        }
        Scan::new(&[2, 2], &[3, 3], &frames)
    }

    const SPOTS: [(usize, usize); 4] = [(1, 1), (1, 2), (2, 1), (2, 2)];

    #[test]
    fn a_spot_is_its_own_centre() {
        for (depth, block_len) in [(4, 9), (1, 3), (2, 2)] {
            let results = scan(SPOTS).partitions(2).tiles(depth, block_len).run::<Com>().unwrap();
            assert_eq!(results.get::<f32>("raw_com"), [1.0, 1.0, 1.0, 2.0, 2.0, 1.0, 2.0, 2.0]);
            assert_eq!(results.get::<f32>("raw_shifts"), [0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0]);
            assert_eq!(results.get::<f32>("field_x"), [0.0, 1.0, 0.0, 1.0]);
            assert_eq!(results.get::<f32>("magnitude"), [0.0, 1.0, 1.0, 2_f32.sqrt()]);
            assert_eq!(results.get::<f32>("divergence"), [2.0; 4]);
            assert_eq!(results.get::<f32>("curl"), [0.0; 4]);
            assert_eq!(results.get::<f64>("regression"), [0.0; 6]);
        }
    }

    #[test]
    fn regression_takes_away_mean_or_plane() {
        let mean = scan(SPOTS).param("regression", 0_i64).run::<Com>().unwrap();
        assert_eq!(mean.get::<f64>("regression"), [0.5, 0.5, 0.0, 0.0, 0.0, 0.0]);
        assert_eq!(mean.get::<f32>("field_y"), [-0.5, -0.5, 0.5, 0.5]);
        let plane = scan(SPOTS).param("regression", 1_i64).run::<Com>().unwrap();
        assert!(plane.get::<f32>("magnitude").iter().all(|length| *length < 1e-6), "the field is a plane");
        let coefficients = Array::new(&[3, 2], &[1_i32, 0, 0, 0, 0, 0]).unwrap();
        let given = scan(SPOTS).param("regression", coefficients).run::<Com>().unwrap();
        assert_eq!(given.get::<f32>("field_y"), [-1.0, -1.0, 0.0, 0.0]);
    }

    #[test]
    fn dark_frames_do_not_shift_and_the_ring_leaves_out_the_middle() {
        let results = scan(SPOTS).param("r", 1.0).param("ri", 0.5).run::<Com>().unwrap();
        assert_eq!(results.get::<f32>("raw_shifts"), [0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0]);
    }

    #[test]
    fn outside_the_roi_there_is_no_slope() {
        let results = scan(SPOTS).roi(&[true, true, true, false]).run::<Com>().unwrap();
        assert_eq!(results.shape("field"), [3, 2]);
        let divergence = results.get::<f32>("divergence");
        assert_eq!(divergence[..1], [2.0]);
        assert!(divergence[1].is_nan() && divergence[2].is_nan());
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let refusal = |scan: Scan| scan.run::<Com>().unwrap_err().to_string();
        assert_eq!(
            refusal(scan(SPOTS).param("ri", 2.0).param("r", 2.0)),
            "parameter `ri`: expected a radius from 0 to less than `r`, which is 2, given 2"
        );
        assert_eq!(
            refusal(Scan::new(&[4], &[3, 3], &[0_u8; 36])),
            "com needs a scan (nav) of two dimensions, and this one has shape [4]"
        );
        assert!(refusal(Scan::new(&[1, 1], &[1, 1, 1], &[0_u8])).contains("detector"));
        assert!(refusal(scan(SPOTS).param("regression", 2_i64)).contains("given 2"));
    }
}
