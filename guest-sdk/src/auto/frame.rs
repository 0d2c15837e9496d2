//! The frame that a function gets.

use std::{ops::Index, slice::ChunksExact};

use crate::{Element, tile::unravel};

/// A whole frame, in C order (last axis fastest). `frame[[y, x]]` is a pixel.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a, T> {
    pixels: &'a [T],
    place: Place<'a>,
}

/// Where a frame is, and its shape.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) sig_shape: &'a [usize],
    pub(super) nav_shape: &'a [usize],
    /// Its place among all frames of the scan.
    pub(super) frame_idx: usize,
}

impl<'a, T: Element> Frame<'a, T> {
    /// `pixels` has as many as `place.sig_shape` has room for.
    pub(super) fn new(pixels: &'a [T], place: Place<'a>) -> Self {
        Self { pixels, place }
    }

    /// Its pixels: shape `sig_shape()`.
    pub fn pixels(&self) -> &'a [T] {
        self.pixels
    }

    /// Extents of the detector axes, slow axis first: `(sy, sx)`. At least one.
    pub fn sig_shape(&self) -> &'a [usize] {
        self.place.sig_shape
    }

    /// Its rows: slices of pixels over the last axis.
    pub fn rows(&self) -> ChunksExact<'a, T> {
        self.pixels.chunks_exact(self.place.sig_shape.last().map_or(1, |&extent| extent.max(1)))
    }

    /// Frame index: its place among all frames of the scan. 0 for the frame of ones that tells the shape of the result.
    pub fn frame_idx(&self) -> usize {
        self.place.frame_idx
    }

    /// Where it is in the scan: an index for each nav axis, `[y, x]`.
    pub fn at(&self) -> Vec<usize> {
        unravel(self.place.frame_idx, self.place.nav_shape)
    }
}

impl<T, const N: usize> Index<[usize; N]> for Frame<'_, T> {
    type Output = T;

    /// The pixel with these indices, one for each sig axis.
    ///
    /// # Panics
    ///
    /// Where there are more or fewer axes, or an index is outside of the frame.
    fn index(&self, index: [usize; N]) -> &T {
        let shape = self.place.sig_shape;
        let is_inside = shape.len() == N && index.iter().zip(shape).all(|(at, extent)| at < extent);
        assert!(is_inside, "pixel {index:?} is outside of a frame of shape {shape:?}");
        &self.pixels[index.iter().zip(shape).fold(0, |flat, (at, extent)| flat * extent + at)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_are_found_by_index_and_by_row() {
        let pixels: Vec<u16> = (0..24).collect();
        let place = Place { sig_shape: &[2, 3, 4], nav_shape: &[5, 7], frame_idx: 16 };
        let frame = Frame::new(&pixels, place);
        assert_eq!(frame[[1, 2, 3]], 23);
        assert_eq!(frame[[1, 0, 1]], 13);
        assert_eq!(frame.rows().nth(4), Some(&pixels[16..20]));
        assert_eq!((frame.at(), frame.frame_idx()), (vec![2, 2], 16));
    }
}
