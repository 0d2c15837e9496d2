//! Moments of many numbers, kept while their frames come in.

use std::ops::Range;

use super::{add_distances, add_squares, spreads, spreads_of_counts};
use crate::{Dtype, Numbers, Part, Real, Result, each_count, each_real};

/// What the mean and the spread of each of many numbers over the frames are made of. Of counts (whole numbers of 8 or 16 bits) it is
/// exact; of all others distances are taken from the first frame, or from zero where that has no finite number.
///
/// Of complex numbers, give real and imaginary parts as twice as many real ones. [`PixelMoments`](crate::PixelMoments) has the host
/// do the same, faster.
#[derive(Debug)]
pub struct Moments(Kept);

#[derive(Debug)]
enum Kept {
    Counts {
        sums: Vec<i64>,
        squares: Vec<u64>,
    },
    /// `origins` are NaN as long as there is no frame.
    Distances {
        origins: Vec<f64>,
        sums: Vec<f64>,
        squares: Vec<f64>,
    },
}

impl Moments {
    /// Of no frame yet, for frames of `len` real numbers that are `dtype`.
    pub fn new(dtype: Dtype, len: usize) -> Self {
        Self(if is_count(dtype) {
            Kept::Counts { sums: vec![0; len], squares: vec![0; len] }
        } else {
            Kept::Distances { origins: vec![f64::NAN; len], sums: vec![0.0; len], squares: vec![0.0; len] }
        })
    }

    /// Adds every frame of a tile: `numbers` are those in `block` of each, shape `(n_frames, block.len())`. The
    /// blocks of any two tiles are the same, or do not overlap.
    ///
    /// # Errors
    ///
    /// Where these are complex, or no counts and such were announced.
    ///
    /// # Panics
    ///
    /// Where there is no such block.
    pub fn add(&mut self, block: Range<usize>, numbers: Numbers<'_>) -> Result<()> {
        match &mut self.0 {
            Kept::Counts { sums, squares } => {
                let (sums, squares) = (&mut sums[block.clone()], &mut squares[block]);
                each_count!(numbers, |numbers| add_squares(sums, squares, numbers))
            }
            Kept::Distances { origins, sums, squares } => {
                let (origins, sums) = (&mut origins[block.clone()], &mut sums[block.clone()]);
                let squares = &mut squares[block];
                match numbers {
                    Numbers::F32(numbers) => from_first(origins, sums, squares, numbers),
                    Numbers::F64(numbers) => from_first(origins, sums, squares, numbers),
                    other => each_real!(other, |numbers| {
                        let numbers: Vec<f64> = numbers.iter().map(|number| number.to_f64()).collect();
                        from_first(origins, sums, squares, &numbers);
                    })?,
                }
                Ok(())
            }
        }
    }

    /// Of the numbers in `block` the sums over `n_frames` frames, as many as were added, and the sums of the squared distances from
    /// their mean.
    ///
    /// # Panics
    ///
    /// Where there is no such block.
    pub fn read(&self, block: Range<usize>, n_frames: u64) -> (Vec<f64>, Vec<f64>) {
        match &self.0 {
            Kept::Counts { sums, squares } => of_counts(n_frames, &sums[block.clone()], &squares[block]),
            Kept::Distances { origins, sums, squares } => {
                of_distances(n_frames, &origins[block.clone()], &sums[block.clone()], &squares[block])
            }
        }
    }

    /// As if there had been no frame.
    pub fn clear(&mut self) {
        match &mut self.0 {
            Kept::Counts { sums, squares } => {
                sums.fill(0);
                squares.fill(0);
            }
            Kept::Distances { origins, sums, squares } => {
                origins.fill(f64::NAN);
                sums.fill(0.0);
                squares.fill(0.0);
            }
        }
    }
}

pub(crate) fn is_count(dtype: Dtype) -> bool {
    matches!(dtype, Dtype::U8 | Dtype::I8 | Dtype::U16 | Dtype::I16)
}

/// Sums and spreads of counts.
#[expect(clippy::cast_precision_loss, reason = "rounded once")]
pub(crate) fn of_counts(n_frames: u64, sums: &[i64], squares: &[u64]) -> (Vec<f64>, Vec<f64>) {
    let mut out = vec![0.0; sums.len()];
    spreads_of_counts(n_frames, sums, squares, &mut out);
    (sums.iter().map(|&sum| sum as f64).collect(), out)
}

/// Sums and spreads of numbers by their distances from `origins`.
#[expect(clippy::cast_precision_loss, reason = "no scan has 2^53 frames")]
pub(crate) fn of_distances(n_frames: u64, origins: &[f64], sums: &[f64], squares: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let mut out = vec![0.0; sums.len()];
    spreads(n_frames, sums, squares, &mut out);
    let origins = origins.iter().map(|origin| if n_frames > 0 { origin * n_frames as f64 } else { 0.0 });
    (sums.iter().zip(origins).map(|(sum, origin)| sum + origin).collect(), out)
}

fn from_first<T: Part>(origins: &mut [f64], sums: &mut [f64], squares: &mut [f64], numbers: &[T]) {
    // All numbers of a block see the same frames.
    if origins.first().is_some_and(|origin| origin.is_nan()) {
        for (origin, number) in origins.iter_mut().zip(numbers) {
            let number = number.to_f64();
            *origin = if number.is_finite() { number } else { 0.0 };
        }
    }
    add_distances(origins, sums, squares, numbers);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_added_and_read_each_for_itself() {
        let (whole, counts) = ([2.0_f32, 7.0, 4.0, 7.0, 6.0, 7.0], [2_u16, 7, 4, 7, 6, 7]);
        let expected = (vec![12.0, 21.0], vec![8.0, 0.0]);
        for numbers in [Numbers::F32(&whole), Numbers::U16(&counts)] {
            let mut moments = Moments::new(numbers.dtype(), 4);
            for _ in 0..2 {
                moments.add(2..4, numbers).unwrap();
                assert_eq!(moments.read(2..4, 3), expected);
                moments.clear();
                assert_eq!(moments.read(0..4, 0), (vec![0.0; 4], vec![0.0; 4]));
            }
        }
        assert!(Moments::new(Dtype::U8, 2).add(0..2, Numbers::F32(&whole)).is_err());
    }

    #[test]
    fn a_first_frame_that_is_no_number_is_no_origin() {
        let mut moments = Moments::new(Dtype::F64, 2);
        moments.add(0..2, Numbers::F64(&[f64::INFINITY, 1.0, 3.0, 2.0])).unwrap();
        let (sums, spreads) = moments.read(0..2, 2);
        assert!(sums[0].is_infinite() && (sums[1], spreads[1]) == (3.0, 0.5));
    }
}
