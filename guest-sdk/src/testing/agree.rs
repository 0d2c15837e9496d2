//! Results that must not depend on how the scan is cut.

use crate::{Complex, Dtype, Element, Error, Numbers, Result, Udf, Usage, tile::unravel};

use super::{Results, Scan, results::Outcome};

impl Scan {
    /// Runs `U` in many partitions and tiles, these in both orders, whose results must agree: to the last bit where they are whole numbers,
    /// else to what may come from adding in another order. Gives those of the scan as it is.
    ///
    /// # Errors
    ///
    /// What the UDF returns, and where two runs disagree: in which buffer, and how the scan was cut.
    pub fn run_every_way<U: Udf>(&self) -> Result<Results> {
        let expected = self.run::<U>()?;
        let n_frames = self.n_frames();
        let row_len = self.sig_shape.last().copied().unwrap_or(1);
        for n_partitions in [1, 2, 3, n_frames] {
            for tiles in [(usize::MAX, usize::MAX), (1, usize::MAX), (2, row_len), (usize::MAX, 1), (1, 1)] {
                for backwards in [false, true] {
                    let way = self.clone().partitions(n_partitions.min(n_frames)).tiles(tiles.0, tiles.1);
                    let way = Self { backwards, ..way };
                    let got = way.run::<U>().map_err(|error| error.context(way.in_words()))?;
                    if let Some(difference) = expected.difference(&got) {
                        return Err(Error::new(format!("{}, {difference}", way.in_words())));
                    }
                }
            }
        }
        Ok(expected)
    }

    /// How it is cut.
    fn in_words(&self) -> String {
        let tiles = match (self.depth, self.block_len) {
            (usize::MAX, usize::MAX) => "whole partitions".to_owned(),
            (depth, usize::MAX) => format!("{depth} whole frame(s)"),
            (usize::MAX, block_len) => format!("{block_len} pixel(s) of all frames"),
            (depth, block_len) => format!("{block_len} pixel(s) of {depth} frame(s)"),
        };
        let order = if self.backwards { ", the last one first" } else { "" };
        format!("in {} partition(s), in tiles of {tiles}{order}", self.n_partitions)
    }
}

impl Results {
    /// Where results of another run differ from these.
    fn difference(&self, other: &Self) -> Option<String> {
        let visible = |outcome: &&Outcome| outcome.usage != Usage::Private;
        self.buffers.iter().zip(&other.buffers).filter(|(outcome, _)| visible(outcome)).find_map(|(expected, got)| {
            if expected.shape != got.shape || expected.values().dtype() != got.values().dtype() {
                let of = |outcome: &Outcome| format!("{:?} of {}", outcome.shape, outcome.values().dtype());
                return Some(format!("`{}` is {}, expected {}", expected.name, of(got), of(expected)));
            }
            if expected.mask != got.mask {
                return Some(format!("`{}` has other elements that are valid", expected.name));
            }
            let idx = crate::each_dtype!(expected.values(), |numbers| first_difference(numbers, got.values()))?;
            Some(format!(
                "`{}`{:?} is {}, expected {}",
                expected.name,
                unravel(idx, &expected.shape),
                got.number(idx),
                expected.number(idx)
            ))
        })
    }
}

/// The first element that differs by more than the order of additions explains.
#[expect(clippy::float_cmp, reason = "infinity equals infinity")]
fn first_difference<T: Element>(expected: &[T], got: Numbers<'_>) -> Option<usize> {
    let got = got.as_slice::<T>()?;
    let tolerance = match T::DTYPE.part() {
        Dtype::F32 => 1e-4,
        Dtype::F64 => 1e-10,
        _ => 0.0,
    };
    let parts = |number: &T| {
        let Complex { re, im } = number.to_complex();
        [re, im]
    };
    // Small numbers may be what is left of big ones.
    let finite = expected.iter().flat_map(parts).filter(|part| part.is_finite());
    let biggest = finite.fold(0.0, |biggest, part| part.abs().max(biggest));
    let agree = |expected: &T, got: &T| {
        let is_near = |(expected, got): (f64, f64)| {
            expected.is_nan() && got.is_nan() || expected == got || (expected - got).abs() <= tolerance * biggest
        };
        expected == got || tolerance > 0.0 && parts(expected).into_iter().zip(parts(got)).all(is_near)
    };
    expected.iter().zip(got).position(|(expected, got)| !agree(expected, got))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Buffer, Manifest, Merge, Meta, Params, Partial, Tile, manifest};

    /// Counts tiles or pixels of each frame.
    struct Count<const TILES: bool>;

    impl<const TILES: bool> Udf for Count<TILES> {
        fn manifest() -> Manifest {
            manifest!("count", "")
        }

        fn new(_: &Params, _: &Meta) -> Result<Self> {
            Ok(Self)
        }

        fn buffers(&self, _: Dtype) -> Result<Vec<Buffer>> {
            Ok(vec![Buffer::nav("n", Dtype::U64), Buffer::single("all", Dtype::F32).merge(Merge::Sum)])
        }

        fn process(&mut self, tile: &Tile, out: &mut Partial) -> Result<()> {
            let n_counted = if TILES { 1 } else { tile.block_len() };
            out.nav::<u64>("n", tile)?.iter_mut().for_each(|n| *n += n_counted as u64);
            out.whole::<f32>("all")?[0] += 0.1;
            out.whole::<f32>("all")?[0] -= 0.1;
            Ok(())
        }
    }

    #[test]
    fn what_depends_on_tiles_is_named() {
        let scan = Scan::new(&[2, 2], &[2, 3], &[0_u8; 24]);
        assert_eq!(scan.run_every_way::<Count<false>>().unwrap().get::<u64>("n"), [6; 4]);
        let error = scan.run_every_way::<Count<true>>().unwrap_err();
        let expected = "in 1 partition(s), in tiles of 3 pixel(s) of 2 frame(s), `n`[0] is 2, expected 1";
        assert_eq!(error.message(), expected);
    }

    #[test]
    fn numbers_agree_as_far_as_their_dtype_goes() {
        assert_eq!(first_difference(&[1.0_f32, 1000.0], Numbers::F32(&[1.05, 1000.0])), None);
        assert_eq!(first_difference(&[1.0_f32, 1000.0], Numbers::F32(&[1.0, 1001.0])), Some(1));
        assert_eq!(first_difference(&[f64::NAN, f64::INFINITY], Numbers::F64(&[f64::NAN, f64::INFINITY])), None);
        assert_eq!(first_difference(&[f64::NAN, f64::INFINITY], Numbers::F64(&[f64::NAN, 1.0])), Some(1));
        assert_eq!(first_difference(&[u64::MAX], Numbers::U64(&[u64::MAX - 1])), Some(0));
    }
}
