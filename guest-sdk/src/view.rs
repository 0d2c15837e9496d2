//! Tiles, buffers and arrays as views of the crate `ndarray`.

use std::cell::RefMut;

use ndarray::{ArrayViewD, ArrayViewMutD, IxDyn, ShapeError};

use crate::{Array, Element, Error, Partial, Result, Tile, store::position};

impl Tile {
    /// The pixels as `T`, for a UDF that asks for exactly this dtype: shape `(n_frames, ...sig_shape)`. Its
    /// `outer_iter()` goes over the frames.
    ///
    /// A loop over slices is often faster than one over views, as the compiler sees that pixels lie side by side: for what
    /// takes most of the time there are `as_slice()` and [`kernels`](crate::kernels).
    ///
    /// # Errors
    ///
    /// If they are of another dtype.
    pub fn view<T: Element>(&self) -> Result<ArrayViewD<'_, T>> {
        let shape = [&[self.n_frames()], self.sig_shape()].concat();
        ArrayViewD::from_shape(shape, self.pixels_as()?).map_err(misfit)
    }
}

impl Array {
    /// The array, if its elements are `T`.
    ///
    /// # Errors
    ///
    /// If they are not.
    pub fn view<T: Element>(&self) -> Result<ArrayViewD<'_, T>> {
        let other = || Error::new(format!("the array is of {}, and was used as {}", self.dtype(), T::DTYPE));
        ArrayViewD::from_shape(self.shape(), self.as_slice().ok_or_else(other)?).map_err(misfit)
    }
}

impl Partial {
    /// Like [`Partial::nav`], as an array of shape `(n_frames, ...extra)`.
    ///
    /// # Errors
    ///
    /// As [`Partial::nav`].
    pub fn nav_array<T: Element>(&self, name: &str, tile: &Tile) -> Result<Entries<'_, T>> {
        Entries::new(self.nav(name, tile)?, &[tile.n_frames()], self.extra(name)?)
    }

    /// Like [`Partial::sig`], as an array of shape `(...tile.sig_shape(), ...extra)`.
    ///
    /// # Errors
    ///
    /// As [`Partial::sig`].
    pub fn sig_array<T: Element>(&self, name: &str, tile: &Tile) -> Result<Entries<'_, T>> {
        Entries::new(self.sig(name, tile)?, tile.sig_shape(), self.extra(name)?)
    }

    fn extra(&self, name: &str) -> Result<&[usize]> {
        let declared = self.declared();
        Ok(&declared[position(declared, name)?].extra_shape)
    }
}

/// Part of a buffer, with its axes.
#[derive(Debug)]
pub struct Entries<'a, T> {
    shape: IxDyn,
    numbers: RefMut<'a, [T]>,
}

impl<'a, T> Entries<'a, T> {
    fn new(numbers: RefMut<'a, [T]>, axes: &[usize], extra: &[usize]) -> Result<Self> {
        let shape = IxDyn(&[axes, extra].concat());
        ArrayViewD::from_shape(shape.clone(), &numbers).map_err(misfit)?;
        Ok(Self { shape, numbers })
    }

    /// For writing.
    ///
    /// # Panics
    ///
    /// Never: numbers and axes were held against each other before.
    pub fn view_mut(&mut self) -> ArrayViewMutD<'_, T> {
        ArrayViewMutD::from_shape(self.shape.clone(), &mut self.numbers).expect("the shape was tried")
    }
}

fn misfit(error: ShapeError) -> Error {
    Error::from(error).context("the numbers do not have the shape that was stated")
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Axis, s};

    use crate::{Buffer, Dtype, Manifest, Merge, Meta, Params, Preferences, Udf, manifest, testing::Scan};

    /// Sums over the columns of each frame, and the most that each pixel has, twice.
    struct Rows;

    impl Udf for Rows {
        fn manifest() -> Manifest {
            manifest!("rows", "")
        }

        fn new(_: &Params, _: &Meta) -> Result<Self> {
            Ok(Self)
        }

        fn buffers(&self, _: Dtype) -> Result<Vec<Buffer>> {
            Ok(vec![
                Buffer::nav("columns", Dtype::F64).extra(&[2]),
                Buffer::sig("most", Dtype::F64).extra(&[2]).merge(Merge::Max),
            ])
        }

        fn preferences(&self) -> Preferences {
            Preferences::exactly(Dtype::F64)
        }

        fn process(&mut self, tile: &Tile, out: &mut Partial) -> Result<()> {
            let pixels = tile.view::<f64>()?;
            let (mut columns, mut most) = (out.nav_array("columns", tile)?, out.sig_array("most", tile)?);
            let (mut columns, mut most) = (columns.view_mut(), most.view_mut());
            let seen = tile.sig_origin()[1]..tile.sig_origin()[1] + tile.sig_shape()[1];
            for (mut columns, frame) in columns.outer_iter_mut().zip(pixels.outer_iter()) {
                let mut columns = columns.slice_mut(s![seen.clone()]);
                columns += &frame.sum_axis(Axis(0));
                for (mut most, pixel) in most.lanes_mut(Axis(2)).into_iter().zip(&frame) {
                    most.map_inplace(|most: &mut f64| *most = most.max(*pixel));
                }
            }
            Ok(())
        }
    }

    #[test]
    fn views_have_the_shapes_of_tiles_and_entries() {
        let scan = Scan::new(&[2], &[3, 2], &[1_u16, 2, 3, 4, 5, 6, 6, 5, 4, 3, 2, 1]);
        let results = scan.run_every_way::<Rows>().unwrap();
        assert_eq!(results.get::<f64>("columns"), [9.0, 12.0, 12.0, 9.0]);
        assert_eq!(results.get::<f64>("most"), [6.0, 6.0, 5.0, 5.0, 4.0, 4.0, 4.0, 4.0, 5.0, 5.0, 6.0, 6.0]);
    }

    #[test]
    fn an_array_is_seen_as_what_it_is() {
        let array = Array::new(&[2, 1], &[1_u8, 2]).unwrap();
        assert_eq!(array.view::<u8>().unwrap()[[1, 0]], 2);
        assert!(array.view::<i8>().unwrap_err().message().contains("uint8"));
    }
}
