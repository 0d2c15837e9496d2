//! Whether two results agree, and where they don't.
//!
//! Whole numbers and truth values have to be the same. Real and complex ones may differ by `rtol` times the larger of the two
//! or, where that is more, of the mean size of the buffer's numbers: what cancels out has the error of what it came from.
//! `rtol` is 1e-9, or 1e-4 where the result, or the tiles that it comes from, have single precision. NaN agrees with NaN.

use lthost::{
    buffer::Kind,
    results::ResultBuffer,
    run::UdfOutcome,
    shape::{Dtype, DtypeKind},
};

/// How much two results must agree.
#[derive(Debug, Clone, Copy)]
pub(super) enum Agreement {
    /// Bit for bit.
    Bits,
    /// As far as the order of adding up may change real numbers.
    Close(Tolerance),
}

/// How far real numbers may differ.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tolerance {
    /// Times the number; by dtype if none is given.
    pub(super) rtol: Option<f64>,
    /// In any case.
    pub(super) atol: f64,
}

/// Where two results differ most, of those buffers that differ the first one.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Difference {
    pub(super) buffer: String,
    /// Where, if it is about an element.
    pub(super) index: Option<Vec<u64>>,
    pub(super) expected: String,
    pub(super) found: String,
    /// How many elements differ.
    pub(super) n_different: u64,
    pub(super) n_elements: u64,
}

/// The first buffer that differs. `frames` has a byte for each frame: of nav buffers only those that are not 0 are looked at, and
/// buffers of another shape not at all.
pub(super) fn difference(
    expected: &UdfOutcome,
    found: &UdfOutcome,
    agreement: Agreement,
    frames: Option<&[u8]>,
) -> Option<Difference> {
    let coarsest = [expected.input_dtype, found.input_dtype];
    if let Some(difference) = other_buffers(&expected.results, &found.results) {
        return Some(difference);
    }
    let pairs = expected.results.iter().zip(&found.results);
    let pairs = pairs.filter(|(expected, found)| frames.is_none() || expected.shape == found.shape);
    pairs.into_iter().find_map(|(expected, found)| compare(expected, found, agreement, (coarsest, frames)))
}

/// The first result with a number that is not finite, though it should be.
pub(super) fn not_finite(outcome: &UdfOutcome) -> Option<Difference> {
    outcome.results.iter().find_map(|result| {
        let (re, im) = result.parts();
        let is_bad = |i: usize| is_valid(result, i) && !(re[i].is_finite() && im[i].is_finite());
        let bad: Vec<usize> = (0..re.len()).filter(|&i| is_bad(i)).collect();
        let first = *bad.first()?;
        Some(Difference::at(result, "a finite number".to_owned(), text(result, first), first, bad.len()))
    })
}

/// A buffer that only one side has.
fn other_buffers(expected: &[ResultBuffer], found: &[ResultBuffer]) -> Option<Difference> {
    let names = |results: &[ResultBuffer]| results.iter().map(|result| result.name.clone()).collect::<Vec<_>>();
    let (expected, found) = (names(expected), names(found));
    (expected != found).then(|| Difference::whole("buffers", expected.join(", "), found.join(", ")))
}

/// Holds a result against what it should be. `coarsest` are dtypes of tiles.
pub(super) fn compare(
    expected: &ResultBuffer,
    found: &ResultBuffer,
    agreement: Agreement,
    (tiles, frames): ([Dtype; 2], Option<&[u8]>),
) -> Option<Difference> {
    if expected.shape != found.shape {
        let shape = |result: &ResultBuffer| format!("shape {}", result.shape);
        return Some(Difference::whole(&expected.name, shape(expected), shape(found)));
    }
    let allowed = Allowed::new(expected, found, agreement, tiles);
    let n_elements = expected.data.len() / expected.dtype.size();
    let row =
        frames.filter(|_| expected.kind == Kind::Nav).map(|frames| (frames, (n_elements / frames.len().max(1)).max(1)));
    let counts = |i: usize| row.is_none_or(|(frames, len)| frames[i / len] != 0);
    let excess = |i: usize| match (is_valid(expected, i), is_valid(found, i)) {
        (true, true) => allowed.excess(i),
        (false, false) => None,
        _ => Some(f64::INFINITY),
    };
    let different: Vec<(usize, f64)> =
        (0..n_elements).filter(|&i| counts(i)).filter_map(|i| Some((i, excess(i)?))).collect();
    let worst = different.iter().fold(None, |worst: Option<(usize, f64)>, &one| match worst {
        Some(worst) if worst.1 >= one.1 => Some(worst),
        _ => Some(one),
    })?;
    let shown = |result: &ResultBuffer| {
        if is_valid(result, worst.0) { text(result, worst.0) } else { "masked".to_owned() }
    };
    Some(Difference::at(expected, shown(expected), shown(found), worst.0, different.len()))
}

/// What may differ, with the numbers at hand.
struct Allowed<'a> {
    expected: &'a ResultBuffer,
    found: &'a ResultBuffer,
    /// Real and imaginary parts.
    numbers: [(Vec<f64>, Vec<f64>); 2],
    rtol: f64,
    atol: f64,
    /// Mean size of the numbers.
    scale: f64,
    is_exact: bool,
}

impl<'a> Allowed<'a> {
    fn new(expected: &'a ResultBuffer, found: &'a ResultBuffer, agreement: Agreement, tiles: [Dtype; 2]) -> Self {
        let is_whole = |result: &ResultBuffer| result.dtype.kind() < DtypeKind::Float;
        let numbers = [expected.parts(), found.parts()];
        let is_same_dtype = expected.dtype == found.dtype;
        let (rtol, atol, is_exact) = match agreement {
            Agreement::Bits => (0.0, 0.0, true),
            Agreement::Close(_) if is_same_dtype && is_whole(expected) => (0.0, 0.0, true),
            // What came in whole numbers may have been rounded, either way.
            Agreement::Close(_) if is_whole(expected) || is_whole(found) => (1e-9, 1.0, false),
            Agreement::Close(Tolerance { rtol, atol }) => {
                let results = [expected.dtype, found.dtype];
                (rtol.unwrap_or_else(|| default_rtol(results.into_iter().chain(tiles))), atol, false)
            }
        };
        let sizes =
            || numbers[0].0.iter().zip(&numbers[0].1).map(|(re, im)| re.hypot(*im)).filter(|size| size.is_finite());
        #[expect(clippy::cast_precision_loss, reason = "a mean of some numbers")]
        let scale = sizes().sum::<f64>() / sizes().count().max(1) as f64;
        Self { expected, found, numbers, rtol, atol, scale, is_exact }
    }

    /// By how much element `i` differs; none if that is allowed.
    fn excess(&self, i: usize) -> Option<f64> {
        let [(a_re, a_im), (b_re, b_im)] = &self.numbers;
        let (a, b) = ((a_re[i], a_im[i]), (b_re[i], b_im[i]));
        let same = |a: f64, b: f64| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan());
        if self.is_exact && self.expected.dtype == self.found.dtype && self.expected.dtype.kind() < DtypeKind::Float {
            // Longer than `f64` can tell.
            let at = i * self.expected.dtype.size()..(i + 1) * self.expected.dtype.size();
            return (self.expected.data[at.clone()] != self.found.data[at]).then(|| (a.0 - b.0).abs());
        }
        if same(a.0, b.0) && same(a.1, b.1) {
            return None;
        }
        let distance = (a.0 - b.0).hypot(a.1 - b.1);
        if self.is_exact {
            return Some(if distance.is_nan() { f64::INFINITY } else { distance });
        }
        if !distance.is_finite() {
            // Infinite in the same way, or not a number in one of its parts.
            // Whatever the sign of a zero.
            let same = |a: f64, b: f64| same(a + 0.0, b + 0.0);
            return (!(same(a.0, b.0) && same(a.1, b.1))).then_some(f64::INFINITY);
        }
        let size = a.0.hypot(a.1).max(b.0.hypot(b.1)).max(self.scale);
        // Also where all of them are zero but for the sign.
        (distance > self.rtol.mul_add(size, self.atol)).then_some(distance)
    }
}

/// What adding up in another order may change, of results and tiles of these dtypes.
fn default_rtol(dtypes: impl IntoIterator<Item = Dtype>) -> f64 {
    let is_single = |dtype| matches!(dtype, Dtype::F32 | Dtype::C64);
    if dtypes.into_iter().any(is_single) { 1e-4 } else { 1e-9 }
}

fn is_valid(result: &ResultBuffer, i: usize) -> bool {
    result.mask.as_ref().is_none_or(|mask| mask[i] != 0)
}

/// An element as people read it.
fn text(result: &ResultBuffer, i: usize) -> String {
    macro_rules! as_numbers {
        ($($t:ty),*) => {
            $(if let Some(array) = result.array::<$t>() {
                return array.as_slice().map(|numbers| numbers[i].to_string()).unwrap_or_default();
            })*
        };
    }
    as_numbers!(u8, u16, u32, u64, i8, i16, i32, i64, f32, f64);
    let (re, im) = result.parts();
    format!("{}{:+}j", re[i], im[i])
}

impl Difference {
    fn at(result: &ResultBuffer, expected: String, found: String, flat: usize, n_different: usize) -> Self {
        let mut index = Vec::new();
        result.shape.axes().iter().rev().fold(flat as u64, |rest, extent| {
            index.insert(0, rest % extent);
            rest / extent
        });
        Self {
            buffer: result.name.clone(),
            index: Some(index),
            expected,
            found,
            n_different: n_different as u64,
            n_elements: result.shape.size(),
        }
    }

    pub(super) fn whole(what: &str, expected: String, found: String) -> Self {
        Self { buffer: what.to_owned(), index: None, expected, found, n_different: 1, n_elements: 1 }
    }

    /// Which element.
    pub(super) fn place(&self) -> String {
        let index = self.index.as_ref().map(|index| {
            let index: Vec<String> = index.iter().map(u64::to_string).collect();
            format!("[{}]", index.join(", "))
        });
        format!("`{}`{}", self.buffer, index.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use lthost::shape::Shape;

    use super::*;

    fn buffer(dtype: Dtype, data: Vec<u8>) -> ResultBuffer {
        let shape = Shape::new([2, (data.len() / dtype.size()) as u64 / 2]).unwrap();
        let (name, unit, doc) = ("b".to_owned(), String::new(), String::new());
        ResultBuffer { name, kind: Kind::Nav, dtype, shape, data, mask: None, unit, doc }
    }

    fn floats(numbers: &[f64]) -> ResultBuffer {
        buffer(Dtype::F64, numbers.iter().flat_map(|number| number.to_le_bytes()).collect())
    }

    fn close(a: &ResultBuffer, b: &ResultBuffer) -> Option<Difference> {
        compare(a, b, Agreement::Close(Tolerance::default()), ([Dtype::F64; 2], None))
    }

    #[test]
    fn real_numbers_may_differ_by_what_rounding_does() {
        let a = floats(&[1.0, 1000.0, f64::NAN, f64::INFINITY]);
        assert_eq!(close(&a, &floats(&[1.0 + 1e-8, 1000.0, f64::NAN, f64::INFINITY])), None, "beside 1000");
        let difference = close(&a, &floats(&[1.0, 1000.1, 0.0, f64::INFINITY])).unwrap();
        assert_eq!((difference.index.as_deref(), difference.n_different), (Some(&[1, 0][..]), 2), "NaN is the worst");
        assert!(
            compare(&a, &floats(&[1.0, 1000.0, f64::NAN, f64::NEG_INFINITY]), Agreement::Bits, ([Dtype::F64; 2], None))
                .is_some()
        );
    }

    #[test]
    fn whole_numbers_have_to_be_the_same() {
        let large = |number: u64| buffer(Dtype::U64, [number, 0].iter().flat_map(|n| n.to_le_bytes()).collect());
        let difference = close(&large(u64::MAX), &large(u64::MAX - 1)).unwrap();
        assert_eq!((difference.place().as_str(), difference.expected.as_str()), ("`b`[0, 0]", "18446744073709551615"));
        assert_eq!(close(&large(7), &large(7)), None);
    }

    #[test]
    fn of_other_frames_nothing_counts() {
        let (a, b) = (floats(&[1.0, 2.0]), floats(&[1.0, 3.0]));
        let agreement = Agreement::Close(Tolerance::default());
        assert_eq!(compare(&a, &b, agreement, ([Dtype::F64; 2], Some(&[1, 0]))), None);
        assert!(compare(&a, &b, agreement, ([Dtype::F64; 2], Some(&[0, 1]))).is_some());
    }

    #[test]
    fn masked_numbers_may_be_anything() {
        let masked = |number| ResultBuffer { mask: Some(vec![1, 0]), ..floats(&[1.0, number]) };
        assert_eq!(close(&masked(2.0), &masked(3.0)), None);
        assert!(close(&masked(2.0), &floats(&[1.0, 2.0])).is_some());
    }
}
