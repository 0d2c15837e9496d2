//! From many frames one: the sum, the smallest, the largest of each pixel.

use std::ops::Range;

use super::{
    CHUNK,
    passes::{Pass, take_all},
};
use crate::{Element, Pixel, Real};

/// Adds every frame of a tile to `acc`: `pixels` has shape `(n_frames, acc.len())`.
pub fn add_frames<T: Element>(acc: &mut [T], pixels: &[T]) {
    fold_own(acc, pixels, T::plus);
}

/// As [`add_frames`]; counts are added up eight frames at a time, exactly, before they become `A`.
pub fn add_frames_as<A: Element, P: Pixel<A>>(acc: &mut [A], pixels: &[P]) {
    fold_frames(acc, pixels, Added);
}

/// Leaves in `acc` the smaller number of itself and each frame of a tile; NaN wins.
pub fn minimum<T: Real>(acc: &mut [T], pixels: &[T]) {
    fold_own(acc, pixels, T::lesser);
}

/// As [`minimum`], of counts, too.
pub fn minimum_as<A: Real, P: Pixel<A> + Real>(acc: &mut [A], pixels: &[P]) {
    fold_frames(acc, pixels, Selected { of_two: P::lesser, with: A::lesser });
}

/// Leaves in `acc` the larger number of itself and each frame of a tile; NaN wins.
pub fn maximum<T: Real>(acc: &mut [T], pixels: &[T]) {
    fold_own(acc, pixels, T::greater);
}

/// As [`maximum`], of counts, too.
pub fn maximum_as<A: Real, P: Pixel<A> + Real>(acc: &mut [A], pixels: &[P]) {
    fold_frames(acc, pixels, Selected { of_two: P::greater, with: A::greater });
}

/// What becomes of a pixel's numbers in several frames.
trait Fold<A, P> {
    type Group: Copy;

    /// Of the first frame.
    fn start(&self, first: P) -> Self::Group;

    fn next(&self, group: Self::Group, pixel: P) -> Self::Group;

    fn end(&self, acc: A, group: Self::Group) -> A;
}

struct Added;

impl<A: Element, P: Pixel<A>> Fold<A, P> for Added {
    type Group = P::Sum;

    #[inline]
    fn start(&self, first: P) -> P::Sum {
        first.added(P::NO_SUM)
    }

    #[inline]
    fn next(&self, group: P::Sum, pixel: P) -> P::Sum {
        pixel.added(group)
    }

    #[inline]
    fn end(&self, acc: A, group: P::Sum) -> A {
        acc.plus(P::total(group))
    }
}

struct Selected<F, G> {
    of_two: F,
    with: G,
}

impl<A: Element, P: Pixel<A>, F: Fn(P, P) -> P, G: Fn(A, A) -> A> Fold<A, P> for Selected<F, G> {
    type Group = P;

    #[inline]
    fn start(&self, first: P) -> P {
        first
    }

    #[inline]
    fn next(&self, group: P, pixel: P) -> P {
        (self.of_two)(group, pixel)
    }

    #[inline]
    fn end(&self, acc: A, group: P) -> A {
        (self.with)(acc, group.value())
    }
}

/// Folds frames into what it has.
struct Folding<'a, A, F> {
    acc: &'a mut [A],
    fold: F,
}

impl<A: Element, P: Element, F: Fold<A, P>> Pass<P> for Folding<'_, A, F> {
    #[inline]
    fn take<const N: usize>(&mut self, block: Range<usize>, _: usize, frames: [&[P]; N]) {
        let fold = &self.fold;
        let (acc, acc_rest) = self.acc[block].as_chunks_mut::<CHUNK>();
        let chunks = frames.map(|frame| &frame.as_chunks::<CHUNK>().0[..acc.len()]);
        let rest = CHUNK * acc.len();
        for (at, acc) in acc.iter_mut().enumerate() {
            let mut group = chunks[0][at].map(|pixel| fold.start(pixel));
            for frame in &chunks[1..] {
                let frame = &frame[at];
                for i in 0..CHUNK {
                    group[i] = fold.next(group[i], frame[i]);
                }
            }
            for i in 0..CHUNK {
                acc[i] = fold.end(acc[i], group[i]);
            }
        }
        for (at, acc) in (rest..).zip(acc_rest) {
            let group = frames[1..].iter().fold(fold.start(frames[0][at]), |group, frame| fold.next(group, frame[at]));
            *acc = fold.end(*acc, group);
        }
    }
}

#[inline]
fn fold_frames<A: Element, P: Element>(acc: &mut [A], pixels: &[P], fold: impl Fold<A, P>) {
    let len = acc.len();
    take_all(pixels, len, &mut Folding { acc, fold });
}

/// Folds frames of its own type into what it has, four at a time.
struct Own<'a, T, F> {
    acc: &'a mut [T],
    fold: F,
}

impl<T: Element, F: Fn(T, T) -> T + Copy> Pass<T> for Own<'_, T, F> {
    #[inline]
    fn take<const N: usize>(&mut self, block: Range<usize>, _: usize, frames: [&[T]; N]) {
        let acc = &mut self.acc[block];
        let (quads, rest) = frames.as_chunks::<4>();
        for quad in quads {
            fold_four(acc, *quad, self.fold);
        }
        for frame in rest {
            fold_one(acc, frame, self.fold);
        }
    }
}

#[inline]
fn fold_own<T: Element>(acc: &mut [T], pixels: &[T], fold: impl Fn(T, T) -> T + Copy) {
    let len = acc.len();
    take_all(pixels, len, &mut Own { acc, fold });
}

#[inline]
fn fold_four<T: Element>(acc: &mut [T], frames: [&[T]; 4], fold: impl Fn(T, T) -> T + Copy) {
    let (acc, acc_rest) = acc.as_chunks_mut::<CHUNK>();
    let [a, b, c, d] = frames.map(|frame| frame.as_chunks::<CHUNK>());
    for ((((acc, a), b), c), d) in acc.iter_mut().zip(a.0).zip(b.0).zip(c.0).zip(d.0) {
        for i in 0..CHUNK {
            acc[i] = fold(acc[i], fold(fold(a[i], b[i]), fold(c[i], d[i])));
        }
    }
    for ((((acc, a), b), c), d) in acc_rest.iter_mut().zip(a.1).zip(b.1).zip(c.1).zip(d.1) {
        *acc = fold(*acc, fold(fold(*a, *b), fold(*c, *d)));
    }
}

#[inline]
fn fold_one<T: Element>(acc: &mut [T], frame: &[T], fold: impl Fn(T, T) -> T + Copy) {
    let (acc, acc_rest) = acc.as_chunks_mut::<CHUNK>();
    let (frame, frame_rest) = frame.as_chunks::<CHUNK>();
    for (acc, frame) in acc.iter_mut().zip(frame) {
        for i in 0..CHUNK {
            acc[i] = fold(acc[i], frame[i]);
        }
    }
    for (acc, pixel) in acc_rest.iter_mut().zip(frame_rest) {
        *acc = fold(*acc, *pixel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Bool, kernels::samples::numbers};

    #[test]
    fn every_number_of_frames_and_pixels_is_added() {
        for n_frames in [0, 1, 3, 4, 5, 8, 11] {
            for len in [1, 31, 32, 33, 100] {
                let pixels: Vec<u8> = numbers(n_frames * len, 255.0);
                let mut acc = vec![3_u8; len];
                add_frames(&mut acc, &pixels);
                for (i, sum) in acc.iter().enumerate() {
                    let naive = pixels.chunks_exact(len).fold(3_u8, |sum, frame| sum.wrapping_add(frame[i]));
                    assert_eq!(*sum, naive, "pixel {i} of {len}, {n_frames} frames");
                }
            }
        }
    }

    #[test]
    #[expect(clippy::float_cmp, reason = "sums of counts are exact")]
    fn counts_are_folded_as_what_they_are() {
        fn check<P: Pixel<f32> + Real + Into<i32>>(scale: f64) {
            for n_frames in [0, 1, 3, 4, 5, 8, 11, 13] {
                for len in [1, 31, 32, 33, 100] {
                    let pixels: Vec<P> = numbers(n_frames * len, scale);
                    let (mut sum, mut low, mut high) = (vec![3.0_f32; len], vec![5.0_f32; len], vec![5.0_f32; len]);
                    add_frames_as(&mut sum, &pixels);
                    minimum_as(&mut low, &pixels);
                    maximum_as(&mut high, &pixels);
                    for i in 0..len {
                        let column = || pixels.chunks_exact(len).map(|frame| frame[i].into());
                        let total: i32 = column().sum();
                        assert_eq!(f64::from(sum[i]), f64::from(3 + total), "pixel {i} of {len}, {n_frames} frames");
                        assert_eq!(f64::from(low[i]), f64::from(column().fold(5, i32::min)));
                        assert_eq!(f64::from(high[i]), f64::from(column().fold(5, i32::max)));
                    }
                }
            }
        }
        check::<u8>(255.0);
        check::<i8>(127.0);
        check::<u16>(65_535.0);
        check::<i16>(32_767.0);
    }

    #[test]
    fn nan_wins_wherever_it_is() {
        for at in 0..6 {
            let mut pixels = vec![1.0_f32; 6];
            pixels[at] = f32::NAN;
            let (mut low, mut high) = ([f32::INFINITY], [f32::NEG_INFINITY]);
            minimum(&mut low, &pixels);
            maximum(&mut high, &pixels);
            assert!(low[0].is_nan() && high[0].is_nan(), "frame {at}");
        }
    }

    #[test]
    fn extremes_are_found_in_every_place() {
        let pixels: Vec<i16> = numbers(7 * 70, 30_000.0);
        let (mut low, mut high) = (vec![i16::MAX; 70], vec![i16::MIN; 70]);
        minimum(&mut low, &pixels);
        maximum(&mut high, &pixels);
        for i in 0..70 {
            let column = || pixels.chunks_exact(70).map(|frame| frame[i]);
            assert_eq!((Some(low[i]), Some(high[i])), (column().min(), column().max()));
        }
    }

    #[test]
    fn truth_is_added_by_or() {
        let mut acc = [Bool::FALSE, Bool::TRUE];
        add_frames(&mut acc, &[Bool::FALSE, Bool::FALSE, Bool::TRUE, Bool::FALSE]);
        assert_eq!(acc, [Bool::TRUE, Bool::TRUE]);
    }
}
