//! Which pictures a result gives: one for each two-dimensional slice of it.

use std::path::Path;

use lthost::{
    buffer::Kind,
    results::{Output, ResultBuffer},
    shape::{DtypeKind, Shape},
};

use crate::picture::{self, Style};

/// Slices of a result that get a picture of their own; a stack of more is better looked at elsewhere.
const MAX_PICTURES: usize = 32;

/// Stages pictures of a result: `LABEL/NAME.png`, or `LABEL/NAME_0.png` and so on for a stack.
///
/// Nav results give pictures of the scan, sig results pictures of the detector, on a logarithmic scale. Two numbers for each scan position
/// are taken for a vector `(y, x)`, and give one picture more, in colours. What has no two axes gives none.
pub(crate) fn stage(
    output: &Output,
    label: &str,
    result: &ResultBuffer,
    (nav, sig): (&Shape, &Shape),
) -> anyhow::Result<()> {
    let image = match result.kind {
        Kind::Nav => nav,
        Kind::Sig => sig,
        Kind::Single => return Ok(()),
    };
    let Some((height, width)) = plane(image) else { return Ok(()) };
    let values = if result.dtype.kind() == DtypeKind::Complex { result.magnitude() } else { result.to_f64() };
    let n_slices = values.len() / (height * width);
    if n_slices > MAX_PICTURES {
        return Ok(());
    }
    // Extra axes are the fast ones.
    let slice = |i: usize| -> Vec<f64> { values.iter().skip(i).step_by(n_slices).copied().collect() };
    let write = |name: String, png: Vec<u8>| output.stage(&Path::new(label).join(name), |out| out.write_all(&png));
    for i in 0..n_slices {
        let mut values = slice(i);
        let is_signed = values.iter().any(|&value| value < 0.0);
        if result.kind == Kind::Sig && !is_signed {
            // On a linear scale the central disc is all that would be seen of a diffraction pattern.
            for value in &mut values {
                *value = value.ln_1p();
            }
        }
        let style = if is_signed { Style::Signed } else { Style::Intensity };
        let name = if n_slices == 1 { format!("{}.png", result.name) } else { format!("{}_{i}.png", result.name) };
        write(name, picture::png(&values, height, width, style)?)?;
    }
    if result.kind == Kind::Nav && n_slices == 2 {
        write(format!("{}.png", result.name), picture::vector_png(&slice(0), &slice(1), height, width)?)?;
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
