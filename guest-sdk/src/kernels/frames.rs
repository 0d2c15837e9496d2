//! From many frames one: the sum, the smallest, the largest of each pixel.

use super::CHUNK;
use crate::{Element, Real};

/// Adds every frame of a tile to `acc`: `pixels` has shape `(n_frames, acc.len())`.
pub fn add_frames<T: Element>(acc: &mut [T], pixels: &[T]) {
    fold_frames(acc, pixels, T::plus);
}

/// Leaves in `acc` the smaller number of itself and each frame of a tile; NaN wins.
pub fn minimum<T: Real>(acc: &mut [T], pixels: &[T]) {
    fold_frames(acc, pixels, T::lesser);
}

/// Leaves in `acc` the larger number of itself and each frame of a tile; NaN wins.
pub fn maximum<T: Real>(acc: &mut [T], pixels: &[T]) {
    fold_frames(acc, pixels, T::greater);
}

/// Takes four frames in a pass, so that `acc` is read and written only once for the four.
#[inline]
fn fold_frames<T: Element>(acc: &mut [T], pixels: &[T], fold: impl Fn(T, T) -> T + Copy) {
    let len = acc.len();
    if len == 0 {
        return;
    }
    let mut quads = pixels.chunks_exact(4 * len);
    for quad in &mut quads {
        let (first, second) = quad.split_at(2 * len);
        let (a, b) = first.split_at(len);
        let (c, d) = second.split_at(len);
        fold_four(acc, [a, b, c, d], fold);
    }
    for frame in quads.remainder().chunks_exact(len) {
        fold_one(acc, frame, fold);
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
