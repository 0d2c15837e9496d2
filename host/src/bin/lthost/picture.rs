//! Pictures of results: an array of numbers to colours, and to a PNG file, for a look and not for measuring.
//!
//! Colours come from the Oklab space, in which equal steps look equal. The range is robust: the darkest and brightest
//! half percent don't set it. A value that is not a number (no data) is grey, a colour that no map has. Small arrays are
//! enlarged by a whole number, one square per value.

use std::f64::consts::PI;

use anyhow::{Context as _, ensure};

/// How values become colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// Black over purple and orange to pale yellow: amounts.
    Intensity,
    /// Blue for negative, white for zero, red for positive, the same distance both ways: shifts, slopes, differences.
    Signed,
}

/// Red, green and blue, as sRGB has them.
pub(crate) type Rgb = [u8; 3];

/// What no value has.
pub(crate) const NO_DATA: Rgb = [128; 3];
/// The longer side of a picture has at least so many pixels.
const MIN_SIDE: usize = 256;
/// Share of the values, at either end, that doesn't set the range.
const TAIL: f64 = 0.005;

/// Rows of colours from top to bottom, one colour for each value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Picture {
    pub(crate) height: usize,
    pub(crate) width: usize,
    /// `(height, width)`, C order.
    pub(crate) pixels: Vec<Rgb>,
}

impl Picture {
    /// The picture of `values`, shape `(height, width)` in C order, NaN for no data.
    ///
    /// # Errors
    ///
    /// If the number of values does not fit the shape.
    pub(crate) fn of(values: &[f64], height: usize, width: usize, style: Style) -> anyhow::Result<Self> {
        check(values.len(), height, width)?;
        let range = robust_range(values.iter().copied());
        let pixels = match style {
            Style::Intensity => {
                let map: Vec<Rgb> = (0..=255).map(|step| intensity_colour(f64::from(step) / 255.0)).collect();
                // Halves, so that no difference overflows.
                let (low, high) = range;
                values.iter().map(|&value| pick(&map, (0.5 * value - 0.5 * low) / (0.5 * high - 0.5 * low))).collect()
            }
            Style::Signed => {
                let map: Vec<Rgb> = (0..=254).map(|step| signed_colour(f64::from(step) / 127.0 - 1.0)).collect();
                let limit = range.0.abs().max(range.1.abs());
                values.iter().map(|&value| pick(&map, 0.5 + 0.5 * value / limit)).collect()
            }
        };
        Ok(Self { height, width, pixels })
    }

    /// The picture of a field of vectors with components `y` (down) and `x` (right), each of shape `(height, width)` in C
    /// order: the hue is the direction, the brightness the length. Right is red, down yellow, left green, up blue; zero is
    /// black, and no data in either component is grey.
    ///
    /// # Errors
    ///
    /// As [`Picture::of`].
    pub(crate) fn of_vectors(y: &[f64], x: &[f64], height: usize, width: usize) -> anyhow::Result<Self> {
        for component in [y, x] {
            check(component.len(), height, width)?;
        }
        let vectors = || y.iter().zip(x).map(|(y, x)| (*y, *x));
        let (_, longest) = robust_range(vectors().map(|(y, x)| y.hypot(x)));
        let pixels = vectors().map(|(y, x)| vector_colour(y / longest, x / longest)).collect();
        Ok(Self { height, width, pixels })
    }

    /// Small pictures by a whole factor, one square per value.
    pub(crate) fn enlarged(&self) -> Self {
        let factor = MIN_SIDE.div_ceil(self.height.max(self.width));
        let mut pixels = Vec::with_capacity(factor * factor * self.pixels.len());
        for row in self.pixels.chunks_exact(self.width) {
            let wide: Vec<Rgb> = row.iter().flat_map(|&colour| std::iter::repeat_n(colour, factor)).collect();
            for _ in 0..factor {
                pixels.extend_from_slice(&wide);
            }
        }
        Self { height: self.height * factor, width: self.width * factor, pixels }
    }

    /// The bytes of a PNG file.
    pub(crate) fn png(&self) -> anyhow::Result<Vec<u8>> {
        let side = |extent: usize| u32::try_from(extent).context("too large for a picture");
        let mut bytes = Vec::new();
        let mut encoder = ::png::Encoder::new(&mut bytes, side(self.width)?, side(self.height)?);
        encoder.set_color(::png::ColorType::Rgb);
        encoder.set_depth(::png::BitDepth::Eight);
        let mut writer = encoder.write_header()?;
        writer.write_image_data(self.pixels.as_flattened())?;
        writer.finish()?;
        Ok(bytes)
    }
}

fn check(n_values: usize, height: usize, width: usize) -> anyhow::Result<()> {
    ensure!(height > 0 && width > 0, "a picture of {height} x {width} values is empty");
    ensure!(height.checked_mul(width) == Some(n_values), "{n_values} values are not {height} x {width}");
    Ok(())
}

/// The range that colours span: first below last, both finite, whatever the values.
fn robust_range(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let mut finite: Vec<f64> = values.filter(|value| value.is_finite()).collect();
    if finite.is_empty() {
        return (0.0, 1.0);
    }
    let last = finite.len() - 1;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "an index near the end will do, and the product is no larger than the length"
    )]
    let skip = (TAIL * last as f64) as usize;
    let (low, high) = (quantile(&mut finite, skip), quantile(&mut finite, last - skip));
    if low < high {
        return (low, high);
    }
    // All but a few values are the same: the few are what there is to see.
    let (low, high) = (quantile(&mut finite, 0), quantile(&mut finite, last));
    if low < high { (low, high) } else { (low - 0.5 * low.abs().max(1e-300), low + 0.5 * low.abs().max(1e-300)) }
}

fn quantile(values: &mut [f64], rank: usize) -> f64 {
    *values.select_nth_unstable_by(rank, f64::total_cmp).1
}

/// The colour at `part` of the map, from 0 to 1; beyond the ends the colour of the end.
fn pick(map: &[Rgb], part: f64) -> Rgb {
    if part.is_nan() {
        return NO_DATA;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "from 0 to the length of a map of 256 colours"
    )]
    let step = (part.clamp(0.0, 1.0) * (map.len() - 1) as f64).round() as usize;
    map[step]
}

/// Lightness grows evenly; the hue turns from blue over red to yellow.
fn intensity_colour(part: f64) -> Rgb {
    let lightness = lifted(0.02 + 0.95 * part);
    let hue = -75.0 + 182.0 * part;
    let chroma = 0.19 * (PI * part.powf(0.85)).sin().powf(0.75) + 0.03 * part;
    in_gamut(lightness, chroma, hue)
}

/// From -1, blue, over 0, nearly white, to 1, red: both sides equally light.
fn signed_colour(value: f64) -> Rgb {
    let hue = if value < 0.0 { 258.0 } else { 27.0 };
    let size = value.abs();
    in_gamut(0.97 - 0.55 * size, 0.20 * size.powf(0.9), hue)
}

fn vector_colour(y: f64, x: f64) -> Rgb {
    let length = y.hypot(x);
    if length.is_nan() {
        return NO_DATA;
    }
    let size = length.min(1.0);
    let hue = y.atan2(x).to_degrees() + 25.0;
    in_gamut(lifted(0.76 * size), 0.19 * size, hue)
}

/// Lightness as people grade it, to Oklab's, in which dark colours are too dark (Ottosson's own correction).
fn lifted(lightness: f64) -> f64 {
    const K1: f64 = 0.206;
    const K2: f64 = 0.03;
    const K3: f64 = (1.0 + K1) / (1.0 + K2);
    (lightness * lightness + K1 * lightness) / (K3 * (lightness + K2))
}

/// A colour by lightness, chroma and hue in degrees (Oklab), with less chroma where a screen can't show it.
fn in_gamut(lightness: f64, chroma: f64, hue: f64) -> Rgb {
    let (sin, cos) = hue.to_radians().sin_cos();
    let (mut low, mut high) = (0.0, chroma);
    let linear = |chroma: f64| oklab_to_linear(lightness, chroma * cos, chroma * sin);
    let shown = |chroma: f64| linear(chroma).iter().all(|part| (-1e-4..=1.0001).contains(part));
    if !shown(high) {
        for _ in 0..12 {
            let middle = 0.5 * (low + high);
            *(if shown(middle) { &mut low } else { &mut high }) = middle;
        }
        high = low;
    }
    linear(high).map(|part| {
        let part = part.clamp(0.0, 1.0);
        let encoded = if part <= 0.003_130_8 { 12.92 * part } else { 1.055 * part.powf(1.0 / 2.4) - 0.055 };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 255")]
        let byte = (255.0 * encoded).round() as u8;
        byte
    })
}

/// Björn Ottosson's Oklab to linear sRGB.
fn oklab_to_linear(lightness: f64, a: f64, b: f64) -> [f64; 3] {
    let long = (lightness + 0.396_337_777_4 * a + 0.215_803_757_3 * b).powi(3);
    let medium = (lightness - 0.105_561_345_8 * a - 0.063_854_172_8 * b).powi(3);
    let short = (lightness - 0.089_484_177_5 * a - 1.291_485_548_0 * b).powi(3);
    [
        4.076_741_662_1 * long - 3.307_711_591_3 * medium + 0.230_969_929_2 * short,
        -1.268_438_004_6 * long + 2.609_757_401_1 * medium - 0.341_319_396_5 * short,
        -0.004_196_086_3 * long - 0.703_418_614_7 * medium + 1.707_614_701_0 * short,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Height, width and pixels of the picture of `values`.
    fn drawn(values: &[f64], height: usize, width: usize, style: Style) -> (u32, u32, Vec<u8>) {
        let file = Picture::of(values, height, width, style).unwrap().enlarged().png().unwrap();
        let mut reader = ::png::Decoder::new(std::io::Cursor::new(file)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        (info.height, info.width, pixels)
    }

    #[test]
    fn no_data_at_all_is_grey() {
        for style in [Style::Intensity, Style::Signed] {
            let (height, width, pixels) = drawn(&[f64::NAN; 12], 3, 4, style);
            assert_eq!((height, width), (192, 256));
            assert!(pixels.iter().all(|byte| *byte == 128));
        }
    }

    #[test]
    fn a_constant_has_one_colour_that_is_not_no_data() {
        for value in [0.0, 1.0, -3e200, 1e-310] {
            for style in [Style::Intensity, Style::Signed] {
                let (_, _, pixels) = drawn(&[value; 6], 2, 3, style);
                assert!(pixels.chunks(3).all(|pixel| pixel == &pixels[..3]), "{value}");
                assert_ne!(pixels[..3], NO_DATA, "{value}");
            }
        }
    }

    #[test]
    fn one_pixel_and_one_row_become_pictures() {
        assert_eq!(drawn(&[5.0], 1, 1, Style::Intensity).0, 256);
        let (height, width, _) = drawn(&[1.0; 300], 1, 300, Style::Signed);
        assert_eq!((height, width), (1, 300));
    }

    #[test]
    fn outliers_and_infinities_are_cut_and_do_not_set_the_range() {
        let mut values: Vec<f64> = (0..1000).map(f64::from).collect();
        values.extend([f64::INFINITY, f64::NEG_INFINITY, 1e9]);
        let (low, high) = robust_range(values.into_iter());
        assert!((5.0..6.0).contains(&low) && (994.0..=996.0).contains(&high), "{low} {high}");
        let rare = [&[0.0; 999][..], &[7.0]].concat();
        assert_eq!(robust_range(rare.into_iter()), (0.0, 7.0));
    }

    #[test]
    fn lightness_rises_all_the_way_and_signs_are_mirrored() {
        let light = |[r, g, b]: Rgb| 0.21 * f64::from(r) + 0.72 * f64::from(g) + 0.07 * f64::from(b);
        let map: Vec<f64> = (0..=64).map(|step| light(intensity_colour(f64::from(step) / 64.0))).collect();
        assert!(map.is_sorted(), "{map:?}");
        let (zero, minus, plus) = (signed_colour(0.0), signed_colour(-1.0), signed_colour(1.0));
        assert!(zero.iter().all(|part| *part > 230) && minus[2] > minus[0] && plus[0] > plus[2]);
    }

    #[test]
    fn no_data_in_either_component_is_grey_and_zero_is_black() {
        assert_eq!(vector_colour(f64::NAN, 0.3), NO_DATA);
        assert_eq!(vector_colour(0.3, f64::NAN), NO_DATA);
        assert_eq!(vector_colour(0.0, 0.0), [0; 3]);
        let right = vector_colour(0.0, 1.0);
        assert!(right[0] > right[1] && right[0] > right[2], "{right:?}");
    }

    #[test]
    fn a_wrong_number_of_values_is_refused() {
        assert!(Picture::of(&[1.0; 5], 2, 3, Style::Intensity).is_err());
        assert!(Picture::of_vectors(&[1.0; 6], &[1.0; 5], 2, 3).is_err());
        assert!(Picture::of(&[], 0, 3, Style::Intensity).is_err());
    }
}
