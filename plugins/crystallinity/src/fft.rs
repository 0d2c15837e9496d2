//! Fourier transforms of any length, of many columns at once.
//!
//! The numbers of a column lie one below the other, so that one step of the transform does the same to whole
//! rows, which the compiler turns into vector instructions. Real and imaginary parts are kept apart for that.
//!
//! The length is taken apart into factors of 4 and into primes. Each factor is a *stage*: of a column with `radix * m`
//! rows, rows `p`, `p + m`, `p + 2m` and so on are combined into `radix` new ones, which are rows `radix * p` and
//! following of the next stage (Stockham's scheme: the result comes in natural order). What is left then are `radix`
//! columns of `m` rows each, lying side by side like columns that were there from the start. A stage takes as much
//! work as its factor is large, so that big primes are slow.

use std::{f64::consts::TAU, mem};

use lthost_guest_sdk::{Complex, Part};

/// Columns in a turn of a loop. There must be a multiple of that many.
pub(crate) const LANES: usize = 8;

/// Complex numbers, real and imaginary parts apart: shape `(n_rows, width)` each, and possibly more behind.
#[derive(Debug, Clone)]
pub(crate) struct Planes<T> {
    pub(crate) re: Vec<T>,
    pub(crate) im: Vec<T>,
}

/// The Fourier transform of columns of one length.
#[derive(Debug, Clone)]
pub(crate) struct Fft<T> {
    /// Powers of the root of unity: entry `k` is `exp(-2 pi i k / len)`; as many as rows.
    roots: Vec<Complex<T>>,
    /// What the length is the product of.
    radices: Vec<usize>,
}

/// Real and imaginary parts of a row.
type Row<'a, T> = (&'a [[T; LANES]], &'a [[T; LANES]]);

/// Where a stage finds its rows.
#[derive(Debug, Clone, Copy)]
struct Stage {
    radix: usize,
    /// Rows of a column once this stage is done: `m`.
    n_rows: usize,
    /// Columns that the stages before made of each one.
    n_columns: usize,
    /// Numbers in a row.
    row_len: usize,
}

impl<T: Part> Planes<T> {
    pub(crate) fn zeros(len: usize) -> Self {
        Self { re: vec![T::ZERO; len], im: vec![T::ZERO; len] }
    }
}

impl<T: Part> Fft<T> {
    #[expect(clippy::cast_precision_loss, reason = "no column has 2^53 rows")]
    pub(crate) fn new(len: usize) -> Self {
        let root = |k: usize| {
            let (sin, cos) = (-TAU * k as f64 / len as f64).sin_cos();
            Complex::new(T::from_f64(cos), T::from_f64(sin))
        };
        Self { roots: (0..len).map(root).collect(), radices: radices(len) }
    }

    /// Transforms each of the `width` columns of `data`; `spare` has the same size, and is written over.
    pub(crate) fn transform(&self, data: &mut Planes<T>, spare: &mut Planes<T>, width: usize) {
        let mut n_columns = 1;
        for &radix in &self.radices {
            let n_rows = self.roots.len() / n_columns / radix;
            let stage = Stage { radix, n_rows, n_columns, row_len: n_columns * width };
            for p in 0..n_rows {
                match radix {
                    4 => self.four(stage, p, data, spare),
                    2 => self.two(stage, p, data, spare),
                    _ => self.odd(stage, p, data, spare),
                }
            }
            mem::swap(data, spare);
            n_columns *= radix;
        }
    }

    /// The part of a stage of radix 4 that starts with row `p`.
    fn four(&self, stage: Stage, p: usize, from: &Planes<T>, to: &mut Planes<T>) {
        let [w1, w2, w3] = [1, 2, 3].map(|j| self.roots[j * p * stage.n_columns]);
        let rows = [0, 1, 2, 3].map(|k| stage.row(from, p, k));
        let (to_re, to_im) = (stage.output(&mut to.re, p), stage.output(&mut to.im, p));
        let n_chunks = to_re.len() / 4;
        for at in 0..n_chunks {
            let [a_re, b_re, c_re, d_re] = rows.map(|(re, _)| re[at]);
            let [a_im, b_im, c_im, d_im] = rows.map(|(_, im)| im[at]);
            let mut out_re = [[T::ZERO; LANES]; 4];
            let mut out_im = [[T::ZERO; LANES]; 4];
            for i in 0..LANES {
                let a = Complex::new(a_re[i], a_im[i]);
                let b = Complex::new(b_re[i], b_im[i]);
                let c = Complex::new(c_re[i], c_im[i]);
                let d = Complex::new(d_re[i], d_im[i]);
                let (even, odd) = (b + d, b - d);
                // The odd ones times -i.
                let turned = Complex::new(odd.im, -odd.re);
                let out = [a + c + even, (a - c + turned) * w1, (a + c - even) * w2, (a - c - turned) * w3];
                for (j, number) in out.iter().enumerate() {
                    (out_re[j][i], out_im[j][i]) = (number.re, number.im);
                }
            }
            for j in 0..4 {
                to_re[j * n_chunks + at] = out_re[j];
                to_im[j * n_chunks + at] = out_im[j];
            }
        }
    }

    /// The part of a stage of radix 2 that starts with row `p`.
    fn two(&self, stage: Stage, p: usize, from: &Planes<T>, to: &mut Planes<T>) {
        let root = self.roots[p * stage.n_columns];
        let [(a_re, a_im), (b_re, b_im)] = [0, 1].map(|k| stage.row(from, p, k));
        let (to_re, to_im) = (stage.output(&mut to.re, p), stage.output(&mut to.im, p));
        let n_chunks = to_re.len() / 2;
        for at in 0..n_chunks {
            for i in 0..LANES {
                let (a, b) = (Complex::new(a_re[at][i], a_im[at][i]), Complex::new(b_re[at][i], b_im[at][i]));
                let (sum, difference) = (a + b, (a - b) * root);
                (to_re[at][i], to_im[at][i]) = (sum.re, sum.im);
                (to_re[n_chunks + at][i], to_im[n_chunks + at][i]) = (difference.re, difference.im);
            }
        }
    }

    /// The part of a stage of an odd radix that starts with row `p`.
    ///
    /// Old rows `k` and `radix - k` enter the new ones with factors that are conjugate to each other, and so do they in
    /// new rows `j` and `radix - j`. Taken in pairs both ways, that is a quarter of the work.
    fn odd(&self, stage: Stage, p: usize, from: &Planes<T>, to: &mut Planes<T>) {
        let Stage { radix, n_columns, .. } = stage;
        let rows: Vec<_> = (0..radix).map(|k| stage.row(from, p, k)).collect();
        let circle: Vec<_> = self.roots.iter().step_by(self.roots.len() / radix).copied().collect();
        let mut pairs = vec![[[T::ZERO; LANES]; 4]; radix / 2];
        let (to_re, to_im) = (stage.output(&mut to.re, p), stage.output(&mut to.im, p));
        let n_chunks = to_re.len() / radix;
        for at in 0..n_chunks {
            for (k, pair) in (1..).zip(&mut pairs) {
                let ((a_re, a_im), (b_re, b_im)) = (rows[k], rows[radix - k]);
                *pair = sums_and_differences([a_re[at], a_im[at], b_re[at], b_im[at]]);
            }
            for j in 0..=radix / 2 {
                let (even, odd) = combine(j, [rows[0].0[at], rows[0].1[at]], &pairs, &circle);
                let mut put = |j: usize, sign: T| {
                    let root = self.roots[j * p * n_columns];
                    for i in 0..LANES {
                        let number = Complex::new(even[0][i] + sign * odd[0][i], even[1][i] + sign * odd[1][i]) * root;
                        (to_re[j * n_chunks + at][i], to_im[j * n_chunks + at][i]) = (number.re, number.im);
                    }
                };
                put(j, T::from_f64(1.0));
                if j > 0 {
                    put(radix - j, T::from_f64(-1.0));
                }
            }
        }
    }
}

/// Real and imaginary parts of some numbers.
type Lanes<T> = [[T; LANES]; 2];

/// Of `a` and `b`: the sum and the difference, real and imaginary parts each.
fn sums_and_differences<T: Part>([a_re, a_im, b_re, b_im]: [[T; LANES]; 4]) -> [[T; LANES]; 4] {
    let mut pair = [[T::ZERO; LANES]; 4];
    for i in 0..LANES {
        (pair[0][i], pair[1][i]) = (a_re[i] + b_re[i], a_im[i] + b_im[i]);
        (pair[2][i], pair[3][i]) = (a_re[i] - b_re[i], a_im[i] - b_im[i]);
    }
    pair
}

/// What new rows `j` and `radix - j` have in common, and that by which one is more and the other less. `circle` has the
/// powers of the root of unity of the radix.
fn combine<T: Part>(
    j: usize,
    first: Lanes<T>,
    pairs: &[[[T; LANES]; 4]],
    circle: &[Complex<T>],
) -> (Lanes<T>, Lanes<T>) {
    let (mut even, mut odd) = (first, [[T::ZERO; LANES]; 2]);
    let mut power = 0;
    for [sum_re, sum_im, difference_re, difference_im] in pairs {
        power += j;
        if power >= circle.len() {
            power -= circle.len();
        }
        let Complex { re: cos, im: sin } = circle[power];
        for i in 0..LANES {
            even[0][i] = even[0][i] + sum_re[i] * cos;
            even[1][i] = even[1][i] + sum_im[i] * cos;
            odd[0][i] = odd[0][i] - difference_im[i] * sin;
            odd[1][i] = odd[1][i] + difference_re[i] * sin;
        }
    }
    (even, odd)
}

impl Stage {
    /// Row `p + m * k`, real and imaginary parts.
    fn row<T>(self, planes: &Planes<T>, p: usize, k: usize) -> Row<'_, T> {
        let start = (p + self.n_rows * k) * self.row_len;
        let [re, im] = [&planes.re, &planes.im].map(|plane| plane[start..start + self.row_len].as_chunks().0);
        (re, im)
    }

    /// Rows `radix * p` and following, as many as the radix.
    fn output<T>(self, plane: &mut [T], p: usize) -> &mut [[T; LANES]] {
        let len = self.radix * self.row_len;
        plane[p * len..(p + 1) * len].as_chunks_mut().0
    }
}

/// Factors of `len`: fours, then primes.
fn radices(mut len: usize) -> Vec<usize> {
    let mut radices = Vec::new();
    while len > 0 && len.is_multiple_of(4) {
        radices.push(4);
        len /= 4;
    }
    let mut prime = 2;
    while len > 1 {
        if len.is_multiple_of(prime) {
            radices.push(prime);
            len /= prime;
        } else if prime * prime > len {
            prime = len;
        } else {
            prime += 1;
        }
    }
    radices
}

#[cfg(test)]
#[expect(clippy::cast_precision_loss, reason = "tests are small")]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_taken_apart() {
        assert_eq!(radices(256), [4, 4, 4, 4]);
        assert_eq!(radices(128), [4, 4, 4, 2]);
        assert_eq!(radices(514), [2, 257]);
        assert_eq!(radices(4 * 9 * 35), [4, 3, 3, 5, 7]);
        assert_eq!((radices(1), radices(13)), (vec![], vec![13]));
    }

    #[test]
    fn the_transform_of_four_numbers_by_hand() {
        // 1, 2, 3, 4: the sum; 1 - 3 + i (4 - 2); 1 - 2 + 3 - 4; and the conjugate of the second.
        let mut data = Planes::<f64>::zeros(4 * LANES);
        (0..4).for_each(|row| data.re[row * LANES] = row as f64 + 1.0);
        Fft::new(4).transform(&mut data, &mut Planes::zeros(4 * LANES), LANES);
        let column = |plane: &[f64]| [0, 1, 2, 3].map(|row| plane[row * LANES]);
        let expected = [[10.0, -2.0, -2.0, -2.0], [0.0, 2.0, 0.0, -2.0]];
        for (got, expected) in [column(&data.re), column(&data.im)].as_flattened().iter().zip(expected.as_flattened()) {
            assert!((got - expected).abs() < 1e-14, "{got} is not {expected}");
        }
    }

    #[test]
    fn every_length_equals_the_sum_that_defines_it() {
        let width = 2 * LANES;
        for len in [1, 2, 3, 4, 5, 6, 7, 8, 12, 13, 16, 17, 20, 32, 36, 48, 64, 97, 100, 128, 130] {
            let mut data = Planes::<f64>::zeros(len * width);
            for i in 0..len * width {
                (data.re[i], data.im[i]) = (((i * 37) % 101) as f64 - 50.0, ((i * 53) % 89) as f64 - 44.0);
            }
            let (before, mut spare) = (data.clone(), data.clone());
            Fft::new(len).transform(&mut data, &mut spare, width);
            for (row, column) in (0..len).flat_map(|row| [0, 3, width - 1].map(|column| (row, column))) {
                let sum = (0..len).fold(Complex::new(0.0, 0.0), |sum, k| {
                    let (sin, cos) = (-TAU * (row * k) as f64 / len as f64).sin_cos();
                    let at = k * width + column;
                    sum + Complex::new(before.re[at], before.im[at]) * Complex::new(cos, sin)
                });
                let at = row * width + column;
                let error = Complex::new(data.re[at], data.im[at]) - sum;
                assert!(error.norm_sqr().sqrt() < 1e-11 * len as f64, "row {row} of {len}: off by {error:?}");
            }
        }
    }
}
