//! Fourier transforms that the host computes.

use std::{fmt, marker::PhantomData, ops::Deref};

use crate::{Element, Error, Float, Result, cast};

/// Fourier transforms of arrays of one shape, along all axes. They are computed outside of the sandbox with all that the
/// processor can do, from the array where it lies.
///
/// As numpy's `fftn` and `ifftn` are, and for real numbers `rfftn` and `irfftn`: the inverse one is divided by the numbers of an
/// array; of the transform along a last axis of `n` real numbers the first `n / 2 + 1` are kept, which tell all others. With
/// `--deterministic` they are the same bits on any machine on which sine and cosine have the same.
#[derive(Debug)]
pub struct Fourier<E: Float> {
    shape: Vec<usize>,
    kept: imp::Kept,
    element: PhantomData<E>,
}

/// What a transform gave: a slice of numbers.
pub struct Transformed<E>(Memory<E>);

enum Memory<E> {
    /// As the host wrote them, where numbers of this type may lie.
    #[cfg_attr(not(target_arch = "wasm32"), expect(dead_code, reason = "there is no host"))]
    Bytes(Vec<u8>),
    Numbers(Vec<E>),
}

impl<E: Float> Fourier<E> {
    /// Transforms for arrays of `shape`, of 1 to 8 axes.
    ///
    /// # Errors
    ///
    /// Where arrays have no axis or too many, or one of them has no numbers, or more than 2^20.
    pub fn new(shape: &[usize]) -> Result<Self> {
        let is_possible = (1..=8).contains(&shape.len()) && shape.iter().all(|extent| (1..=1 << 20).contains(extent));
        if !is_possible {
            let what = format!("there are no Fourier transforms of arrays of shape {shape:?}: they have 1 to 8 axes");
            return Err(Error::new(format!("{what} of 1 to 2^20 numbers")));
        }
        Ok(Self { shape: shape.to_vec(), kept: imp::Kept::new(E::DTYPE, shape), element: PhantomData })
    }

    /// Shape of a transform: that of the array, but for real numbers `n / 2 + 1` along the last axis.
    pub fn transformed_shape(&self) -> Vec<usize> {
        let mut shape = self.shape.clone();
        if let Some(extent) = shape.last_mut().filter(|_| is_real::<E>()) {
            *extent = *extent / 2 + 1;
        }
        shape
    }

    /// The transforms of arrays that lie one after the other: shape `(n, ...shape)`, C order. They have shape
    /// `(n, ...transformed_shape)`.
    ///
    /// # Errors
    ///
    /// Where `arrays` are no whole arrays.
    pub fn forward(&self, arrays: &[E]) -> Result<Transformed<E::Complex>> {
        let shape = self.transformed_shape();
        whole(arrays.len(), &self.shape)?;
        Ok(self.kept.forward(arrays, [&self.shape, &shape]))
    }

    /// The arrays whose transforms lie one after the other, the inverse of [`Fourier::forward`]. Of real ones, only so much of
    /// the transforms counts as real arrays have.
    ///
    /// # Errors
    ///
    /// Where `transforms` are no whole transforms.
    pub fn inverse(&self, transforms: &[E::Complex]) -> Result<Transformed<E>> {
        let shape = self.transformed_shape();
        whole(transforms.len(), &shape)?;
        Ok(self.kept.inverse(transforms, [&self.shape, &shape]))
    }
}

/// Whether numbers of this type are real.
fn is_real<E: Float>() -> bool {
    E::DTYPE == <E::Part as Element>::DTYPE
}

fn whole(len: usize, shape: &[usize]) -> Result<()> {
    if len.is_multiple_of(shape.iter().product()) {
        Ok(())
    } else {
        Err(Error::new(format!("{len} numbers are no whole arrays of shape {shape:?}")))
    }
}

impl<E: Float> Deref for Transformed<E> {
    type Target = [E];

    fn deref(&self) -> &[E] {
        match &self.0 {
            Memory::Bytes(bytes) => cast::numbers(bytes).expect("looked at when they came"),
            Memory::Numbers(numbers) => numbers,
        }
    }
}

impl<E: Float> fmt::Debug for Transformed<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self[..].fmt(f)
    }
}

#[cfg(target_arch = "wasm32")]
mod imp {
    //! The import. The host does not lie: it gives as many numbers as the contract says.

    use super::{Memory, Transformed};
    use crate::{Dtype, Float, bindings::lthost::udf::kernels, cast};

    /// Bytes that are transformed in one call, unless an array has more.
    const TRANSFORMED: usize = 4 << 20;

    #[derive(Debug)]
    pub(super) struct Kept(kernels::Fourier);

    impl Kept {
        pub(super) fn new(dtype: Dtype, shape: &[usize]) -> Self {
            let shape: Vec<u64> = shape.iter().map(|&extent| extent as u64).collect();
            Self(kernels::Fourier::new(dtype.into(), &shape))
        }

        pub(super) fn forward<E: Float>(&self, arrays: &[E], [shape, _]: [&[usize]; 2]) -> Transformed<E::Complex> {
            in_portions(arrays, shape, |bytes| self.0.forward(bytes))
        }

        pub(super) fn inverse<E: Float>(&self, transforms: &[E::Complex], [_, shape]: [&[usize]; 2]) -> Transformed<E> {
            in_portions(transforms, shape, |bytes| self.0.inverse(bytes))
        }
    }

    /// Some arrays at a time.
    fn in_portions<E: Float, T: Float>(
        arrays: &[E],
        shape: &[usize],
        transform: impl Fn(&[u8]) -> Vec<u8>,
    ) -> Transformed<T> {
        let size: usize = shape.iter().product();
        let portion = size * (TRANSFORMED / size_of::<E>() / size).max(1);
        if arrays.len() > portion {
            let portions = arrays.chunks(portion).flat_map(|some| numbers(&transform(cast::bytes(some))));
            return Transformed(Memory::Numbers(portions.collect()));
        }
        let bytes = transform(cast::bytes(arrays));
        let is_aligned = cast::numbers::<T>(&bytes).is_some();
        Transformed(if is_aligned { Memory::Bytes(bytes) } else { Memory::Numbers(numbers(&bytes)) })
    }

    /// Numbers wherever they lie.
    fn numbers<T: Float>(bytes: &[u8]) -> Vec<T> {
        let mut numbers = vec![T::default(); bytes.len() / size_of::<T>()];
        cast::bytes_mut(&mut numbers).copy_from_slice(bytes);
        numbers
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod imp {
    //! A stand-in, slow and in `f64`.

    use std::f64::consts::TAU;

    use super::{Memory, Transformed, is_real};
    use crate::{Complex, Dtype, Element, Float};

    #[derive(Debug)]
    pub(super) struct Kept;

    impl Kept {
        pub(super) fn new(_: Dtype, _: &[usize]) -> Self {
            Self
        }

        #[expect(clippy::unused_self, reason = "as the import")]
        pub(super) fn forward<E: Float>(
            &self,
            arrays: &[E],
            [shape, transformed]: [&[usize]; 2],
        ) -> Transformed<E::Complex> {
            let mut all = Vec::new();
            let (width, kept) = (shape[shape.len() - 1], transformed[shape.len() - 1]);
            for array in arrays.chunks_exact(shape.iter().product()) {
                let mut numbers = wide(array);
                (0..shape.len()).for_each(|axis| along(&mut numbers, shape, axis, transform));
                all.extend(
                    numbers
                        .chunks_exact(width)
                        .flat_map(|row| row[..kept].iter().copied().map(E::Complex::from_complex)),
                );
            }
            Transformed(Memory::Numbers(all))
        }

        #[expect(clippy::unused_self, reason = "as the import")]
        pub(super) fn inverse<E: Float>(
            &self,
            transforms: &[E::Complex],
            [shape, transformed]: [&[usize]; 2],
        ) -> Transformed<E> {
            let mut all = Vec::new();
            let (last, width, kept) = (shape.len() - 1, shape[shape.len() - 1], transformed[shape.len() - 1]);
            for array in transforms.chunks_exact(transformed.iter().product()) {
                let mut numbers = wide(array);
                (0..last).for_each(|axis| along(&mut numbers, transformed, axis, inverse));
                for row in numbers.chunks_exact(kept) {
                    let mut row = row.to_vec();
                    if is_real::<E>() {
                        row[0].im = 0.0;
                        if width.is_multiple_of(2) {
                            row[width / 2].im = 0.0;
                        }
                        row.extend((kept..width).map(|k| row[width - k].conj()).collect::<Vec<_>>());
                    }
                    all.extend(inverse(&row).into_iter().map(E::from_complex));
                }
            }
            Transformed(Memory::Numbers(all))
        }
    }

    fn wide<E: Float>(numbers: &[E]) -> Vec<Complex<f64>> {
        numbers.iter().map(|number| number.to_complex()).collect()
    }

    /// Transforms each line of an array along an axis.
    fn along(
        numbers: &mut [Complex<f64>],
        shape: &[usize],
        axis: usize,
        transform: impl Fn(&[Complex<f64>]) -> Vec<Complex<f64>>,
    ) {
        let (extent, width) = (shape[axis], shape[axis + 1..].iter().product::<usize>());
        for plane in numbers.chunks_exact_mut(extent * width) {
            for x in 0..width {
                let line: Vec<_> = plane[x..].iter().step_by(width).copied().collect();
                plane[x..].iter_mut().step_by(width).zip(transform(&line)).for_each(|(to, number)| *to = number);
            }
        }
    }

    /// Taken apart into as many shorter ones as the smallest factor of the length says.
    fn transform(line: &[Complex<f64>]) -> Vec<Complex<f64>> {
        let n = line.len();
        let Some(factor) = (2..=n).find(|factor| n.is_multiple_of(*factor)) else { return line.to_vec() };
        let part = |first: usize| transform(&line[first..].iter().step_by(factor).copied().collect::<Vec<_>>());
        let parts: Vec<_> = (0..factor).map(part).collect();
        let roots: Vec<_> = (0..n).map(|k| root(k, n)).collect();
        let number = |k: usize| {
            let terms = parts.iter().enumerate().map(|(j, part)| part[k % part.len()] * roots[j * k % n]);
            terms.fold(Complex::default(), |sum, term| sum + term)
        };
        (0..n).map(number).collect()
    }

    fn inverse(line: &[Complex<f64>]) -> Vec<Complex<f64>> {
        let turned: Vec<_> = line.iter().map(|number| number.conj()).collect();
        let scale = Complex::new(1.0 / real(line.len()), 0.0);
        transform(&turned).into_iter().map(|number| number.conj() * scale).collect()
    }

    fn root(k: usize, n: usize) -> Complex<f64> {
        let (sin, cos) = (-TAU * real(k) / real(n)).sin_cos();
        Complex::new(cos, sin)
    }

    #[expect(clippy::cast_precision_loss, reason = "no axis has 2^53 numbers")]
    fn real(number: usize) -> f64 {
        number as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Complex, Real};

    fn assert_close<E: Float>(got: &[E], expected: &[E], what: &str) {
        assert_eq!(got.len(), expected.len(), "{what}");
        for (got, expected) in E::parts(got).iter().zip(E::parts(expected)) {
            assert!((got.to_f64() - expected.to_f64()).abs() < 1e-5, "{what}: {got:?} is not {expected:?}");
        }
    }

    #[test]
    fn the_transform_of_four_numbers_by_hand() {
        // 1, 2, 3, 4: the sum; 1 - 3 + i (4 - 2); 1 - 2 + 3 - 4; and the conjugate of the second.
        let real = Fourier::<f32>::new(&[4]).unwrap();
        let numbers = [1.0_f32, 2.0, 3.0, 4.0];
        let half = [(10.0, 0.0), (-2.0, 2.0), (-2.0, 0.0)].map(|(re, im)| Complex::new(re, im));
        assert_eq!(real.transformed_shape(), [3]);
        assert_close(&real.forward(&numbers).unwrap(), &half, "real");
        assert_close(&real.inverse(&half).unwrap(), &numbers, "back");
        let complex = Fourier::<Complex<f32>>::new(&[4]).unwrap();
        let [a, b, c] = half;
        assert_close(
            &complex.forward(&numbers.map(|re| Complex::new(re, 0.0))).unwrap(),
            &[a, b, c, b.conj()],
            "complex",
        );
    }

    #[test]
    fn there_and_back_again_is_what_was_there() {
        for shape in [&[1][..], &[7], &[12], &[4, 6], &[5, 3], &[2, 3, 5], &[3, 1]] {
            let size: usize = shape.iter().product();
            let numbers: Vec<f64> = (0..u32::try_from(3 * size).unwrap()).map(|i| f64::from(i * 37 % 101)).collect();
            let real = Fourier::<f64>::new(shape).unwrap();
            let there = real.forward(&numbers).unwrap();
            assert_eq!(there.len(), 3 * real.transformed_shape().iter().product::<usize>());
            assert_close(&real.inverse(&there).unwrap(), &numbers, "real");
            let numbers: Vec<_> = numbers.iter().map(|&re| Complex::new(re, 50.0 - re)).collect();
            let complex = Fourier::<Complex<f64>>::new(shape).unwrap();
            assert_close(&complex.inverse(&complex.forward(&numbers).unwrap()).unwrap(), &numbers, "complex");
        }
    }

    #[test]
    fn what_can_not_be_transformed_is_refused() {
        assert!(Fourier::<f32>::new(&[]).is_err());
        assert!(Fourier::<f32>::new(&[4, 0]).is_err());
        let error = Fourier::<f32>::new(&[2, 3]).unwrap().forward(&[0.0; 7]).unwrap_err();
        assert_eq!(error.to_string(), "7 numbers are no whole arrays of shape [2, 3]");
    }
}
