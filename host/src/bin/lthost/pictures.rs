//! Which pictures a result gives: one for each two-dimensional slice of it.

use std::path::Path;

use lthost::{
    buffer::Kind,
    results::{Output, ResultBuffer},
    shape::{Array, Shape},
};

use crate::picture::{Picture, Style};

/// Slices of a result that get a picture of their own; a stack of more is better looked at elsewhere.
const MAX_PICTURES: usize = 32;

/// What results are of.
#[derive(Clone, Copy)]
pub(crate) struct Scene<'a> {
    pub(crate) nav: &'a Shape,
    pub(crate) sig: &'a Shape,
    /// Boolean, of the scan's shape: the frames whose data are in the results.
    pub(crate) damage: &'a Array,
}

impl Scene<'_> {
    /// The numbers of a result, of complex ones the magnitude; NaN for frames whose data are not in it.
    pub(crate) fn values(&self, result: &ResultBuffer) -> impl Iterator<Item = f64> {
        let is_there = &self.damage.data;
        let n_values = result.data.len() / result.dtype.size();
        let n_entries = if result.kind == Kind::Nav { n_values / is_there.len().max(1) } else { 0 };
        (0..).zip(result.magnitudes()).map(move |(i, value): (usize, f64)| {
            let frame = i.checked_div(n_entries).and_then(|frame| is_there.get(frame));
            if frame == Some(&0) { f64::NAN } else { value }
        })
    }
}

/// A result as two-dimensional slices: nav results are pictures of the scan, sig results pictures of the detector.
pub(crate) struct Slices<'a> {
    result: &'a ResultBuffer,
    scene: Scene<'a>,
    pub(crate) height: usize,
    pub(crate) width: usize,
    /// How many there are: entries of the extra axes.
    pub(crate) n: usize,
}

impl<'a> Slices<'a> {
    /// Without the values, which [`Slices::values`] has.
    ///
    /// # Errors
    ///
    /// If it has no two axes: why.
    pub(crate) fn of(result: &'a ResultBuffer, scene: Scene<'a>) -> Result<Self, &'static str> {
        let (image, why_not) = match result.kind {
            Kind::Nav => (scene.nav, "the scan has more than two axes"),
            Kind::Sig => (scene.sig, "a frame has more than two axes"),
            Kind::Single => return Err("it is neither of the scan nor of the detector"),
        };
        let (height, width) = plane(image).ok_or(why_not)?;
        let n = result.data.len() / result.dtype.size() / (height * width);
        if n == 0 { Err("it is empty") } else { Ok(Self { result, scene, height, width, n }) }
    }

    /// Whether two numbers for each scan position are taken for a vector `(y, x)`.
    pub(crate) fn are_vectors(&self) -> bool {
        self.result.kind == Kind::Nav && self.n == 2
    }

    /// All that is drawn.
    pub(crate) fn values(&self) -> Vec<f64> {
        self.scene.values(self.result).collect()
    }

    /// The picture of slice `i` of `values`; of the detector on a logarithmic scale.
    pub(crate) fn picture(&self, values: &[f64], i: usize) -> anyhow::Result<Picture> {
        let mut values = self.slice(values, i);
        let is_signed = values.iter().any(|&value| value < 0.0);
        if self.result.kind == Kind::Sig && !is_signed {
            // On a linear scale the central disc is all that would be seen of a diffraction pattern.
            for value in &mut values {
                *value = value.ln_1p();
            }
        }
        let style = if is_signed { Style::Signed } else { Style::Intensity };
        Picture::of(&values, self.height, self.width, style)
    }

    /// The picture of vectors, in colours.
    pub(crate) fn vectors(&self, values: &[f64]) -> anyhow::Result<Picture> {
        Picture::of_vectors(&self.slice(values, 0), &self.slice(values, 1), self.height, self.width)
    }

    fn slice(&self, values: &[f64], i: usize) -> Vec<f64> {
        // Extra axes are the fast ones.
        values.iter().skip(i).step_by(self.n).copied().collect()
    }
}

/// Stages pictures of a result: `LABEL/NAME.png`, or `LABEL/NAME_0.png` and so on for a stack. Vectors give one picture
/// more. What has no two axes gives none.
pub(crate) fn stage(output: &mut Output, label: &str, result: &ResultBuffer, scene: Scene<'_>) -> anyhow::Result<()> {
    let Ok(slices) = Slices::of(result, scene) else { return Ok(()) };
    if slices.n > MAX_PICTURES {
        return Ok(());
    }
    let mut write = |name: String, picture: &Picture| {
        let png = picture.enlarged().png()?;
        anyhow::Ok(output.stage(&Path::new(label).join(name), |out| out.write_all(&png))?)
    };
    let values = slices.values();
    for i in 0..slices.n {
        let name = if slices.n == 1 { format!("{}.png", result.name) } else { format!("{}_{i}.png", result.name) };
        write(name, &slices.picture(&values, i)?)?;
    }
    if slices.are_vectors() {
        write(format!("{}.png", result.name), &slices.vectors(&values)?)?;
    }
    Ok(())
}

/// Height and width, if all but two axes have extent 1; a single axis is a row.
fn plane(shape: &Shape) -> Option<(usize, usize)> {
    let long: Vec<usize> =
        shape.axes().iter().filter(|&&n| n > 1).map(|&n| usize::try_from(n).ok()).collect::<Option<_>>()?;
    match *long {
        [] => Some((1, 1)),
        [width] => Some((1, width)),
        [height, width] => Some((height, width)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_of_extent_1_do_not_count() {
        let plane = |axes: &[u64]| plane(&Shape::new(axes).unwrap());
        assert_eq!(plane(&[4, 5]), Some((4, 5)));
        assert_eq!(plane(&[4, 1, 5]), Some((4, 5)));
        assert_eq!(plane(&[5]), Some((1, 5)));
        assert_eq!(plane(&[2, 4, 5]), None);
    }
}
