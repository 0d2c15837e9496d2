//! `lthost run --frame`: everything that plugins make of one frame, as text.

use std::io::{self, Write};

use lthost::{
    buffer::Kind,
    dataset::Dataset,
    results::ResultBuffer,
    run::Outcome,
    shape::{Array, Dtype, DtypeKind, Shape},
};

use crate::Usage;

/// Numbers of a result that are printed; of more than these, the first ones.
const MAX_NUMBERS: usize = 4096;

/// A frame as the command line names it: its number, or its place in the scan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FrameAt(Vec<u64>);

/// `7` or `1,2`.
pub(crate) fn frame_at(text: &str) -> Result<FrameAt, String> {
    let numbers = text.split(',').map(str::parse).collect::<Result<_, _>>();
    numbers.map(FrameAt).map_err(|_| "expected a frame's number, like 7, or its place in the scan, like 1,2".to_owned())
}

impl FrameAt {
    /// The number of the frame in a scan.
    pub(crate) fn index(&self, nav: &Shape) -> Result<u64, Usage> {
        let Self(at) = self;
        let outside = || Usage(format!("--frame {self}: the scan has shape {nav}"));
        match at[..] {
            [index] if index < nav.size() => Ok(index),
            [_] => Err(outside()),
            _ if at.len() != nav.n_axes() || at.iter().zip(nav.axes()).any(|(at, extent)| at >= extent) => {
                Err(outside())
            }
            _ => Ok(at.iter().zip(nav.axes()).fold(0, |index, (at, extent)| index * extent + at)),
        }
    }

    /// A ROI of this frame alone.
    pub(crate) fn roi(&self, nav: &Shape) -> Result<Array, Usage> {
        let index = self.index(nav)?;
        let data = (0..nav.size()).map(|frame| u8::from(frame == index)).collect();
        Ok(Array { dtype: Dtype::Bool, shape: nav.clone(), data })
    }
}

impl std::fmt::Display for FrameAt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let numbers: Vec<String> = self.0.iter().map(u64::to_string).collect();
        f.write_str(&numbers.join(","))
    }
}

/// Prints what all UDFs made of the frame.
pub(crate) fn print(out: &mut impl Write, dataset: &Dataset, index: u64, outcome: &Outcome) -> io::Result<()> {
    let nav = dataset.nav();
    let mut at = Vec::new();
    nav.axes().iter().rev().fold(index, |rest, extent| {
        at.insert(0, (rest % extent).to_string());
        rest / extent
    });
    writeln!(out, "frame {index} at ({}) of {nav}", at.join(", "))?;
    let is_there = |damage: &Array| usize::try_from(index).is_ok_and(|index| damage.data[index] == 1);
    if !is_there(&outcome.damage) && outcome.failures.is_empty() {
        writeln!(out, "the frame is not in the file")?;
    }
    for udf in &outcome.udfs {
        writeln!(out, "{} ({} {}), tiles of {}", udf.label, udf.manifest.name, udf.manifest.version, udf.input_dtype)?;
        if udf.results.is_empty() || !is_there(outcome.damage_of(udf)) {
            writeln!(out, "  the frame is not in its results")?;
            continue;
        }
        for result in &udf.results {
            print_result(out, nav, index, result)?;
        }
    }
    Ok(())
}

/// Of a nav buffer the frame's entry, of others all.
fn print_result(out: &mut impl Write, nav: &Shape, index: u64, result: &ResultBuffer) -> io::Result<()> {
    let unit = if result.unit.is_empty() { String::new() } else { format!(" {}", result.unit) };
    let axes: &[u64] =
        if result.kind == Kind::Nav { &result.shape.axes()[nav.n_axes()..] } else { result.shape.axes() };
    let shape: Vec<String> = axes.iter().map(u64::to_string).collect();
    writeln!(out, "  {} {} ({}){unit}", result.name, result.dtype, shape.join(", "))?;
    let (re, im) = numbers(result);
    let n_entry: usize = axes.iter().product::<u64>().try_into().unwrap_or(usize::MAX);
    let start = if result.kind == Kind::Nav { usize::try_from(index).unwrap_or(0) * n_entry } else { 0 };
    let row = axes.last().map_or(1, |&extent| usize::try_from(extent).unwrap_or(1)).max(1);
    let n_shown = n_entry.min(MAX_NUMBERS);
    for first in (0..n_shown).step_by(row) {
        let numbers = (first..(first + row).min(n_shown)).map(|i| match &im {
            Some(im) => format!("{}{:+}j", re[start + i], im[start + i]),
            None => re[start + i].to_string(),
        });
        writeln!(out, "    {}", numbers.collect::<Vec<_>>().join(" "))?;
    }
    if n_shown < n_entry {
        writeln!(out, "    … {} more: -o writes them all", n_entry - n_shown)?;
    }
    Ok(())
}

/// Real parts, and imaginary ones if there are any.
fn numbers(result: &ResultBuffer) -> (Vec<f64>, Option<Vec<f64>>) {
    let (re, im) = result.parts();
    (re, (result.dtype.kind() == DtypeKind::Complex).then_some(im))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_has_a_number_and_a_place() {
        let nav = Shape::new([4, 5]).unwrap();
        assert_eq!(frame_at("7").unwrap().index(&nav).ok(), Some(7));
        assert_eq!(frame_at("1,2").unwrap().index(&nav).ok(), Some(7));
        assert_eq!(frame_at("1,2").unwrap().roi(&nav).unwrap().data.iter().position(|&byte| byte == 1), Some(7));
        for outside in ["20", "4,0", "0,5", "1,2,3"] {
            assert!(frame_at(outside).unwrap().index(&nav).is_err(), "{outside}");
        }
        assert!(frame_at("a").is_err() && frame_at("-1").is_err());
    }
}
