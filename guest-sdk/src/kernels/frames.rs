//! From many frames one: the sum, the smallest, the largest of each pixel.

use super::{
    CHUNK,
    passes::{BLOCK, Pass, kept, take_all, unrolled},
    vector::{Lane, Ordered},
};
use crate::{Count, Element, Part, Pixel, Real};

/// Adds every frame of a tile to `acc`: `pixels` has shape `(n_frames, acc.len())`.
pub fn add_frames<T: Element>(acc: &mut [T], pixels: &[T]) {
    fold_own(acc, pixels, T::plus);
}

/// As [`add_frames`]; counts are added up eight frames at a time, exactly, before they become `A`.
pub fn add_frames_as<A: Element, P: Pixel<A>>(acc: &mut [A], pixels: &[P]) {
    let len = acc.len();
    take_all(pixels, len, &mut Sums { acc });
}

/// Leaves in `acc` the smaller number of itself and each frame of a tile; NaN wins.
pub fn minimum<T: Real>(acc: &mut [T], pixels: &[T]) {
    fold_own(acc, pixels, T::lesser);
}

/// Leaves in `acc` the larger number of itself and each frame of a tile; NaN wins.
pub fn maximum<T: Real>(acc: &mut [T], pixels: &[T]) {
    fold_own(acc, pixels, T::greater);
}

/// [`minimum`] and [`maximum`] in one pass.
pub fn extremes<T: Real>(min: &mut [T], max: &mut [T], pixels: &[T]) {
    let len = min.len().min(max.len());
    take_all(pixels, len, &mut Extremes { min, max });
}

/// As [`extremes`], of counts as other numbers.
pub fn extremes_of_counts<A: Part, P: Count>(min: &mut [A], max: &mut [A], pixels: &[P]) {
    let len = min.len().min(max.len());
    take_all(pixels, len, &mut CountExtremes { min, max });
}

struct Sums<'a, A> {
    acc: &'a mut [A],
}

impl<A: Element, P: Pixel<A>> Pass<P> for Sums<'_, A> {
    fn take<const N: usize, const LEN: usize>(&mut self, at: usize, _: usize, frames: [&[P; LEN]; N]) {
        P::add_all(kept(self.acc, at), &frames);
    }
}

/// Adds the sum of frames, with the first one added to zero.
#[inline(never)]
pub(crate) fn add_all<T: Element, const N: usize, const LEN: usize>(acc: &mut [T; LEN], frames: &[&[T; LEN]; N]) {
    for i in 0..LEN {
        acc[i] = acc[i].plus(frames.iter().fold(T::ZERO, |sum, frame| sum.plus(frame[i])));
    }
}

/// As [`add_all`], in vectors.
#[inline(never)]
pub(crate) fn add_all_vectors<T: Lane + Element, const N: usize, const LEN: usize>(
    acc: &mut [T; LEN],
    frames: &[&[T; LEN]; N],
) {
    unrolled!(at, T::LANES, LEN, {
        let mut sum = T::splat(T::ZERO);
        unrolled!(n, 1, N, {
            sum = T::summed(sum, T::load(&frames[n][at..]));
        });
        T::add_to(&mut acc[at..], sum);
    });
    for i in LEN - LEN % T::LANES..LEN {
        acc[i] = acc[i].plus(frames.iter().fold(T::ZERO, |sum, frame| sum.plus(frame[i])));
    }
}

/// As [`add_all`], of counts.
#[inline(never)]
pub(crate) fn add_all_counts<A: Part, P: Count, const N: usize, const LEN: usize>(
    acc: &mut [A; LEN],
    frames: &[&[P; LEN]; N],
) {
    unrolled!(at, P::LANES, LEN, {
        let mut sums = P::no_sums();
        unrolled!(n, 1, N, {
            if n % 2 == 0 {
                let second = if n + 1 < N { P::load(&frames[n + 1][at..]) } else { P::splat(P::ZERO) };
                P::add_two(&mut sums, P::load(&frames[n][at..]), second);
            }
        });
        P::each_four_sums(sums, |i, sums| A::add_counts(&mut acc[at + i..], sums));
    });
    for i in LEN - LEN % P::LANES..LEN {
        let sum: i32 = frames.iter().map(|frame| frame[i].into()).sum();
        acc[i] = acc[i].plus(A::from_f64(sum.into()));
    }
}

struct Extremes<'a, T> {
    min: &'a mut [T],
    max: &'a mut [T],
}

impl<T: Real> Pass<T> for Extremes<'_, T> {
    fn take<const N: usize, const LEN: usize>(&mut self, at: usize, _: usize, frames: [&[T; LEN]; N]) {
        T::select(kept(self.min, at), kept(self.max, at), &frames);
    }
}

/// Leaves in `min` and `max` the extremes of themselves and of frames.
#[inline(never)]
pub(crate) fn select<T: Real, const N: usize, const LEN: usize>(
    min: &mut [T; LEN],
    max: &mut [T; LEN],
    frames: &[&[T; LEN]; N],
) {
    for i in 0..LEN {
        min[i] = frames.iter().fold(min[i], |min, frame| min.lesser(frame[i]));
        max[i] = frames.iter().fold(max[i], |max, frame| max.greater(frame[i]));
    }
}

/// As [`select`], in vectors that have no time for NaN: whether there is one shows in the sum of all, which is NaN then, and
/// seldom otherwise.
#[inline(never)]
pub(crate) fn select_floats<T: Ordered + Part, const N: usize, const LEN: usize>(
    min: &mut [T; LEN],
    max: &mut [T; LEN],
    frames: &[&[T; LEN]; N],
) {
    if LEN < T::LANES {
        return select(min, max, frames);
    }
    let mut total = T::splat(T::ZERO);
    unrolled!(at, T::LANES, LEN, {
        let first = T::load(&frames[0][at..]);
        let (mut low, mut high, mut sum) = (first, first, first);
        unrolled!(n, 1, N, {
            if n > 0 {
                let pixels = T::load(&frames[n][at..]);
                low = T::least(low, pixels);
                high = T::most(high, pixels);
                sum = T::summed(sum, pixels);
            }
        });
        T::store(T::least(T::load(&min[at..]), low), &mut min[at..]);
        T::store(T::most(T::load(&max[at..]), high), &mut max[at..]);
        total = T::summed(total, sum);
    });
    let mut lanes = [T::ZERO; 4];
    T::store(total, &mut lanes);
    if lanes.into_iter().fold(T::ZERO, T::plus).to_f64().is_nan() {
        select(min, max, frames);
    }
}

struct CountExtremes<'a, A> {
    min: &'a mut [A],
    max: &'a mut [A],
}

impl<A: Part, P: Count> Pass<P> for CountExtremes<'_, A> {
    fn take<const N: usize, const LEN: usize>(&mut self, at: usize, _: usize, frames: [&[P; LEN]; N]) {
        select_counts(kept(self.min, at), kept(self.max, at), &frames);
    }
}

#[inline(never)]
fn select_counts<A: Part, P: Count, const N: usize, const LEN: usize>(
    min: &mut [A; LEN],
    max: &mut [A; LEN],
    frames: &[&[P; LEN]; N],
) {
    unrolled!(at, P::LANES, LEN, {
        let mut low = P::load(&frames[0][at..]);
        let mut high = low;
        unrolled!(n, 1, N, {
            if n > 0 {
                let pixels = P::load(&frames[n][at..]);
                low = P::least(low, pixels);
                high = P::most(high, pixels);
            }
        });
        P::each_four(low, |i, low| A::keep_least(&mut min[at + i..], low));
        P::each_four(high, |i, high| A::keep_most(&mut max[at + i..], high));
    });
    for i in LEN - LEN % P::LANES..LEN {
        for frame in frames {
            let pixel = A::from_f64(frame[i].to_f64());
            (min[i], max[i]) = (min[i].lesser(pixel), max[i].greater(pixel));
        }
    }
}

/// Folds frames of its own type into what it has, four at a time.
#[inline]
fn fold_own<T: Element>(acc: &mut [T], pixels: &[T], fold: impl Fn(T, T) -> T + Copy) {
    let len = acc.len();
    for start in (0..len).step_by(BLOCK) {
        let block = start..len.min(start + BLOCK);
        let acc = &mut acc[block.clone()];
        for frames in pixels.chunks(4 * len) {
            if frames.len() == 4 * len {
                fold_four(acc, std::array::from_fn(|n| &frames[n * len..][block.clone()]), fold);
            } else {
                frames.chunks_exact(len).for_each(|frame| fold_one(acc, &frame[block.clone()], fold));
            }
        }
    }
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
        fn check<P: Count>(scale: f64) {
            for n_frames in [0, 1, 3, 4, 5, 8, 11, 13] {
                for len in [1, 31, 32, 33, 100] {
                    let pixels: Vec<P> = numbers(n_frames * len, scale);
                    let (mut sum, mut low, mut high) = (vec![3.0_f32; len], vec![5.0_f32; len], vec![5.0_f32; len]);
                    add_frames_as(&mut sum, &pixels);
                    extremes_of_counts(&mut low, &mut high, &pixels);
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
    fn extremes_of_floats_are_those_of_either_kernel() {
        fn check<T: Real>(not_finite: [T; 3]) {
            let len = 197;
            for n_frames in [1, 2, 3, 4, 7, 8, 13] {
                let clean: Vec<T> = numbers(n_frames * len, 100.0);
                for at in [0, 1, 63, 64, 130, 191, 192, 196].map(|pixel| (n_frames - 1) / 2 * len + pixel) {
                    for odd in not_finite {
                        let mut pixels = clean.clone();
                        pixels[at] = odd;
                        let start = [T::from_f64(1.0), T::from_f64(-1.0)].map(|start| vec![start; len]);
                        let ([mut min, mut max], [mut low, mut high]) = (start.clone(), start);
                        extremes(&mut min, &mut max, &pixels);
                        minimum(&mut low, &pixels);
                        maximum(&mut high, &pixels);
                        for (found, expected) in [(min, low), (max, high)] {
                            let is_same = |(a, b): (&T, &T)| a == b || a.to_f64().is_nan() && b.to_f64().is_nan();
                            assert!(found.iter().zip(&expected).all(is_same), "{odd:?} at {at}, {n_frames} frames");
                            assert_eq!(found.iter().any(|one| one.to_f64().is_nan()), odd.to_f64().is_nan());
                        }
                    }
                }
            }
        }
        check([f32::NAN, f32::INFINITY, f32::NEG_INFINITY]);
        check([f64::NAN, f64::INFINITY, f64::NEG_INFINITY]);
    }

    #[test]
    fn extremes_of_counts_are_the_same_in_f64() {
        let pixels: Vec<u16> = numbers(11 * 100, 65_535.0);
        let (mut min, mut max) = ([f64::INFINITY; 100], [f64::NEG_INFINITY; 100]);
        extremes_of_counts(&mut min, &mut max, &pixels);
        for i in 0..100 {
            let column = || pixels.chunks_exact(100).map(|frame| f64::from(frame[i]));
            assert_eq!(min[i].to_bits(), column().fold(f64::INFINITY, f64::min).to_bits());
            assert_eq!(max[i].to_bits(), column().fold(f64::NEG_INFINITY, f64::max).to_bits());
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
