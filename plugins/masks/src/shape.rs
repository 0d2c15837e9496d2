//! Masks that are computed from a few numbers: disk, ring, point, and Fourier series over rings.

use lthost_guest_sdk::{
    masks::{self, Edge, Ellipse, RadialBins},
    prelude::*,
};

/// The shapes, and the parameters that each takes.
const SHAPES: [(&str, &[&str]); 4] = [
    ("disk", &["cx", "cy", "r"]),
    ("ring", &["cx", "cy", "ri", "ro"]),
    ("point", &["cx", "cy"]),
    ("radial_fourier", &["cx", "cy", "ri", "ro", "n_bins", "max_order"]),
];

/// What a shape is made from, as it was given.
#[derive(Parameters)]
pub(crate) struct Given {
    /// shape of computed masks, instead of `factors`; they have sharp edges, `radial_fourier` smooth ones; pixels outside
    /// do not count, whatever they hold
    #[param(choices = SHAPES.map(|(shape, _)| shape))]
    pub(crate) shape: Option<String>,
    /// centre of the shape, x; sx / 2 if not given
    #[param(unit = "px")]
    cx: Option<f64>,
    /// centre of the shape, y; sy / 2 if not given
    #[param(unit = "px")]
    cy: Option<f64>,
    /// disk: radius; 0.3 times half the shorter side if not given
    #[param(minimum = 0, unit = "px")]
    r: Option<f64>,
    /// ring, `radial_fourier`: inner radius; 0.8 ro and 0 if not given
    #[param(minimum = 0, unit = "px")]
    ri: Option<f64>,
    /// ring, `radial_fourier`: outer radius; half the shorter side, whole frame if not given
    #[param(minimum = 0, unit = "px")]
    ro: Option<f64>,
    /// `radial_fourier`: number of rings; 1 if not given
    #[param(minimum = 1)]
    n_bins: Option<i64>,
    /// `radial_fourier`: largest order; 24 if not given
    #[param(minimum = 0)]
    max_order: Option<i64>,
}

/// Refuses a parameter that does not belong to `shape`, or that belongs to a shape where none is given.
pub(crate) fn check_parameters(params: &Params, shape: Option<&str>) -> Result<()> {
    let own = SHAPES.iter().find(|(name, _)| Some(*name) == shape).map_or(&[][..], |(_, own)| own);
    for name in ["cx", "cy", "r", "ri", "ro", "n_bins", "max_order"] {
        if *params.value(name)? != Value::Absent && !own.contains(&name) {
            let but = match shape {
                Some(shape) => format!("shape `{shape}`, which takes {}", own.join(", ")),
                None => "`factors`: it is for a `shape`".to_owned(),
            };
            return Err(Error::new(format!("parameter `{name}` does not belong to {but}")));
        }
    }
    Ok(())
}

/// The masks of `shape`: `(n_masks, sy, sx)`, or `(n_bins, n_orders, sy, sx)` for radial Fourier.
pub(crate) fn computed(shape: &str, given: &Given, meta: &Meta) -> Result<Array> {
    let wrong = |_| {
        let n_axes = meta.sig_shape.len();
        Error::new(format!("shape `{shape}` needs frames with two axes, and these have {n_axes}"))
    };
    let sig_shape = <[usize; 2]>::try_from(meta.sig_shape.as_slice()).map_err(wrong)?;
    let centre = given.centre(sig_shape)?;
    let masks = match shape {
        "disk" => real(sig_shape, &given.disk(sig_shape, centre)?)?,
        "ring" => real(sig_shape, &given.ring(sig_shape, centre)?)?,
        "point" => real(sig_shape, &point(sig_shape, centre)?)?,
        _ => given.radial_fourier(sig_shape, centre)?,
    };
    let is_empty = each_dtype!(masks.numbers(), |weights| weights.iter().all(|weight| *weight == Element::ZERO));
    if is_empty {
        let [cy, cx] = centre;
        let where_to = format!("around (cy, cx) = ({cy}, {cx}) covers no pixel of frames of shape {sig_shape:?}");
        return Err(Error::new(format!("shape `{shape}` {where_to}")));
    }
    Ok(masks)
}

impl Given {
    fn centre(&self, sig_shape: [usize; 2]) -> Result<[f64; 2]> {
        let centre = [self.cy.unwrap_or(middle(sig_shape[0])), self.cx.unwrap_or(middle(sig_shape[1]))];
        match ["cy", "cx"].into_iter().zip(centre).find(|(_, at)| !at.is_finite()) {
            Some((name, at)) => Err(Error::parameter(name, "a finite number", at)),
            None => Ok(centre),
        }
    }

    fn disk(&self, sig_shape: [usize; 2], centre: [f64; 2]) -> Result<Vec<f64>> {
        let r = self.r.unwrap_or(half_of_shorter(sig_shape) * 0.3);
        if r >= 0.0 {
            Ok(masks::disk(sig_shape, centre, r, Edge::Sharp))
        } else {
            Err(Error::parameter("r", "a radius of 0 or more", r))
        }
    }

    fn ring(&self, sig_shape: [usize; 2], centre: [f64; 2]) -> Result<Vec<f64>> {
        let ro = self.ro.unwrap_or(half_of_shorter(sig_shape));
        let radii = in_order(self.ri.unwrap_or(ro * 0.8), ro)?;
        Ok(masks::ring(sig_shape, centre, radii, Edge::Sharp))
    }

    /// Mask `(bin, order)` is ring `bin` times `exp(i * order * angle)`.
    fn radial_fourier(&self, sig_shape: [usize; 2], centre: [f64; 2]) -> Result<Array> {
        let ro = self.ro.unwrap_or(bounding_radius(sig_shape, centre));
        let radii = in_order(self.ri.unwrap_or(0.0), ro)?;
        if !ro.is_finite() {
            return Err(Error::parameter("ro", "a finite number", ro));
        }
        let n_bins = count("n_bins", self.n_bins.unwrap_or(1))?;
        let max_order = u32::try_from(self.max_order.unwrap_or(24));
        let max_order =
            max_order.map_err(|_| Error::parameter("max_order", "an order", self.max_order.unwrap_or(24)))?;
        let bins = RadialBins { radii, n_bins: Some(n_bins), normalize: false };
        let weights = masks::radial_bins(sig_shape, centre, bins)?;
        let angles = masks::polar_map(sig_shape, centre, Ellipse::default()).angles;

        let n_orders = max_order as usize + 1;
        let shape = [n_bins, n_orders, sig_shape[0], sig_shape[1]];
        let mut fourier = Array::zeros(&shape, Dtype::C64)?;
        let masks = fourier.as_mut_slice::<Complex<f32>>().unwrap_or_default().chunks_exact_mut(angles.len());
        let rings = weights.chunks_exact(angles.len()).flat_map(|ring| (0..=max_order).map(move |order| (ring, order)));
        for (mask, (ring, order)) in masks.zip(rings) {
            for ((factor, &weight), &angle) in mask.iter_mut().zip(ring).zip(&angles).filter(|((_, w), _)| **w != 0.0) {
                let (sin, cos) = (f64::from(order) * angle).sin_cos();
                *factor = Complex::narrow(Complex::new(weight * cos, weight * sin));
            }
        }
        Ok(fourier)
    }
}

/// One pixel: the centre without what comes after the decimal point.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be within the frame")]
fn point(sig_shape: [usize; 2], centre: [f64; 2]) -> Result<Vec<f64>> {
    for ((name, at), extent) in ["cy", "cx"].into_iter().zip(centre).zip(sig_shape) {
        if !(0.0 <= at && at < 2.0 * middle(extent)) {
            return Err(Error::parameter(name, format!("a pixel from 0 to less than {extent}"), at));
        }
    }
    let mut mask = vec![0.0; sig_shape[0] * sig_shape[1]];
    mask[centre[0] as usize * sig_shape[1] + centre[1] as usize] = 1.0;
    Ok(mask)
}

/// One mask in single precision.
fn real([height, width]: [usize; 2], mask: &[f64]) -> Result<Array> {
    Ok(Array::new(&[1, height, width], mask)?.converted(Dtype::F32))
}

fn in_order(ri: f64, ro: f64) -> Result<[f64; 2]> {
    if 0.0 <= ri && ri < ro {
        Ok([ri, ro])
    } else {
        Err(Error::parameter("ri", format!("a radius from 0 to less than `ro`, which is {ro}"), ri))
    }
}

fn count(name: &str, given: i64) -> Result<usize> {
    let count = usize::try_from(given).ok().filter(|count| *count > 0);
    count.ok_or_else(|| Error::parameter(name, "a number of 1 or more", given))
}

#[expect(clippy::cast_precision_loss, reason = "no detector has 2^53 pixels on an axis")]
fn middle(extent: usize) -> f64 {
    extent as f64 / 2.0
}

fn half_of_shorter([height, width]: [usize; 2]) -> f64 {
    middle(height.min(width))
}

#[expect(clippy::cast_precision_loss, reason = "no detector has 2^53 pixels on an axis")]
fn bounding_radius(sig_shape: [usize; 2], centre: [f64; 2]) -> f64 {
    masks::bounding_radius(sig_shape, centre) as f64
}

#[cfg(test)]
mod tests {
    use lthost_guest_sdk::testing::Scan;

    use super::*;
    use crate::Masks;

    /// One frame of 4 x 6 pixels, each as bright as its number.
    fn scan(shape: &str) -> Scan {
        Scan::new(&[1], &[4, 6], &(0..24).collect::<Vec<u16>>()).param("shape", shape)
    }

    fn intensity(scan: &Scan) -> Vec<f32> {
        scan.run::<Masks>().unwrap().get::<f32>("intensity").to_vec()
    }

    fn refusal(scan: &Scan) -> String {
        scan.run::<Masks>().unwrap_err().to_string()
    }

    #[test]
    fn shapes_have_defaults() {
        assert_eq!(intensity(&scan("disk")), [15.0]);
        assert_eq!(intensity(&scan("point").param("cx", 1.9)), [13.0]);
        // Radii 1.6 and 2 around (2, 3): four pixels at a distance of 2.
        assert_eq!(intensity(&scan("ring")), [f32::from(3_u8 + 13 + 17)]);
        assert_eq!(intensity(&scan("disk").param("r", f64::INFINITY)), [276.0]);
    }

    #[test]
    fn radial_fourier_has_an_entry_for_each_bin_and_order() {
        let scan = scan("radial_fourier").param("n_bins", 2_i64).param("max_order", 3_i64);
        let results = scan.run::<Masks>().unwrap();
        assert_eq!(results.shape("intensity"), [1, 2, 4]);
        let default = self::scan("radial_fourier").run::<Masks>().unwrap();
        assert_eq!(default.shape("intensity"), [1, 1, 25]);
        let order_0 = default.get::<Complex<f32>>("intensity")[0];
        assert_eq!(order_0, Complex::new(276.0, 0.0), "all of the frame");
    }

    #[test]
    fn order_one_points_to_where_it_is_bright() {
        let mut frame = [0_u16; 25];
        frame[3 * 5 + 2] = 7;
        let scan = Scan::new(&[1], &[5, 5], &frame).param("shape", "radial_fourier").param("max_order", 1_i64);
        let results = scan.param("cx", 2.0).param("cy", 2.0).run::<Masks>().unwrap();
        let down = results.get::<Complex<f32>>("intensity")[1];
        assert!(down.re.abs() < 1e-5 && (down.im - 7.0).abs() < 1e-5, "{down:?}");
    }

    #[test]
    fn impossible_shapes_are_refused() {
        assert_eq!(
            refusal(&scan("ring").param("ri", 2.0).param("ro", 2.0)),
            "parameter `ri`: expected a radius from 0 to less than `ro`, which is 2, given 2"
        );
        assert_eq!(
            refusal(&scan("disk").param("r", 1.0).param("cx", -5.0)),
            "shape `disk` around (cy, cx) = (2, -5) covers no pixel of frames of shape [4, 6]"
        );
        assert_eq!(
            refusal(&scan("point").param("cx", 6.0)),
            "parameter `cx`: expected a pixel from 0 to less than 6, given 6"
        );
        for (shape, name, value) in [("disk", "cy", f64::NAN), ("radial_fourier", "ro", f64::INFINITY)] {
            assert!(refusal(&scan(shape).param(name, value)).starts_with(&format!("parameter `{name}`: expected")));
        }
        let bins = scan("radial_fourier").param("n_bins", 0_i64);
        assert_eq!(refusal(&bins), "parameter `n_bins`: 0 is outside of its limits");
        let line = Scan::new(&[1], &[4], &[0_u8; 4]).param("shape", "disk");
        assert_eq!(refusal(&line), "shape `disk` needs frames with two axes, and these have 1");
    }

    #[test]
    fn a_parameter_of_another_shape_is_refused() {
        assert_eq!(
            refusal(&scan("disk").param("ri", 1.0)),
            "parameter `ri` does not belong to shape `disk`, which takes cx, cy, r"
        );
        let factors = Array::new(&[1, 1], &[1.0]).unwrap();
        assert_eq!(
            refusal(&Scan::new(&[1], &[1], &[0_u8]).param("factors", factors).param("cx", 1.0)),
            "parameter `cx` does not belong to `factors`: it is for a `shape`"
        );
    }
}
