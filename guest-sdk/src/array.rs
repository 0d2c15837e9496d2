//! Arrays of any number of dimensions: parameters like a stack of masks.

use std::sync::Arc;

use crate::{
    Dtype, Element, Error, Numbers, Result,
    bindings::Values,
    numbers::{no_values, refill},
};

/// An array in C order (last axis fastest). A clone has the same elements in memory, until one of them is written to.
#[derive(Debug, Clone)]
pub struct Array {
    shape: Vec<usize>,
    values: Arc<Values>,
}

impl Array {
    /// A copy of `numbers` as an array.
    ///
    /// # Errors
    ///
    /// Where there are more or fewer numbers than `shape` has room for.
    pub fn new<T: Element>(shape: &[usize], numbers: &[T]) -> Result<Self> {
        Self::from_values(shape.to_vec(), T::values(numbers))
    }

    /// An array of zeros.
    ///
    /// # Errors
    ///
    /// Where `shape` has more elements than can be counted.
    pub fn zeros(shape: &[usize], dtype: Dtype) -> Result<Self> {
        let mut array = Self { shape: Vec::new(), values: Arc::new(no_values(dtype)) };
        array.reset(shape, dtype)?;
        Ok(array)
    }

    /// Becomes an array of zeros, in the memory that it has if it is of this dtype already.
    ///
    /// # Errors
    ///
    /// Where `shape` has more elements than can be counted.
    pub fn reset(&mut self, shape: &[usize], dtype: Dtype) -> Result<()> {
        let len = shape.iter().try_fold(1_usize, |size, &extent| size.checked_mul(extent));
        let len = len.ok_or_else(|| Error::new(format!("an array of shape {shape:?} is too big for any memory")))?;
        if self.dtype() != dtype || Arc::get_mut(&mut self.values).is_none() {
            self.values = Arc::new(no_values(dtype));
        }
        refill(Arc::make_mut(&mut self.values), len, 0.0);
        self.shape = shape.to_vec();
        Ok(())
    }

    /// The same elements with other axes.
    ///
    /// # Errors
    ///
    /// Where `shape` has room for more or fewer.
    pub fn reshaped(self, shape: &[usize]) -> Result<Self> {
        check_len(shape, self.numbers().len())?;
        Ok(Self { shape: shape.to_vec(), ..self })
    }

    /// An array of one axis.
    pub fn list<T: Element>(numbers: &[T]) -> Self {
        Self { shape: vec![numbers.len()], values: Arc::new(T::values(numbers)) }
    }

    pub(crate) fn from_values(shape: Vec<usize>, values: Values) -> Result<Self> {
        check_len(&shape, Numbers::of(&values).len())?;
        Ok(Self { shape, values: Arc::new(values) })
    }

    /// Extent of each axis.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// What its elements are.
    pub fn dtype(&self) -> Dtype {
        self.numbers().dtype()
    }

    /// Its elements.
    pub fn numbers(&self) -> Numbers<'_> {
        Numbers::of(&self.values)
    }

    /// Its elements as they are stored, if they are `T`.
    pub fn as_slice<T: Element>(&self) -> Option<&[T]> {
        self.numbers().as_slice()
    }

    /// Its elements for writing, if they are `T`.
    pub fn as_mut_slice<T: Element>(&mut self) -> Option<&mut [T]> {
        T::of_mut(Arc::make_mut(&mut self.values))
    }

    /// Its elements, converted to `T`.
    pub fn to_vec<T: Element>(&self) -> Vec<T> {
        self.numbers().to_vec()
    }

    /// The same array with elements of `dtype`.
    #[must_use]
    pub fn converted(&self, dtype: Dtype) -> Self {
        fn to<T: Element>(_: &[T], array: &Array) -> Values {
            T::values(&array.to_vec::<T>())
        }
        let values = crate::each_dtype!(Numbers::none(dtype), |none| to(none, self));
        Self { shape: self.shape.clone(), values: Arc::new(values) }
    }

    pub(crate) fn into_values(self) -> Values {
        Arc::unwrap_or_clone(self.values)
    }
}

fn check_len(shape: &[usize], len: usize) -> Result<()> {
    if shape.iter().try_fold(1_usize, |size, &extent| size.checked_mul(extent)) == Some(len) {
        return Ok(());
    }
    Err(Error::new(format!("an array of shape {shape:?} cannot have {len} elements")))
}

impl PartialEq for Array {
    fn eq(&self, other: &Self) -> bool {
        self.shape == other.shape && self.numbers() == other.numbers()
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these numbers are exact")]
mod tests {
    use super::*;

    #[test]
    fn shape_and_elements_must_fit() {
        let array = Array::new(&[2, 3], &[1_u16, 2, 3, 4, 5, 6]).unwrap();
        assert_eq!((array.shape(), array.dtype()), ([2, 3].as_slice(), Dtype::U16));
        assert_eq!(array.to_vec::<f64>()[5], 6.0);
        assert_eq!(array.clone().reshaped(&[6]).unwrap().shape(), [6]);
        assert!(array.reshaped(&[7]).is_err());
        assert!(Array::new(&[2, 2], &[1_u8, 2, 3]).is_err());
        assert!(Array::new::<u8>(&[usize::MAX, 2], &[]).is_err(), "the product overflows");
    }

    #[test]
    fn a_clone_is_another_array() {
        let array = Array::new(&[3], &[1_u16, 2, 3]).unwrap();
        let (mut written, mut reset) = (array.clone(), array.clone());
        written.as_mut_slice::<u16>().unwrap()[1] = 7;
        reset.reset(&[2], Dtype::U16).unwrap();
        assert_eq!(array.to_vec::<u16>(), [1, 2, 3]);
        assert_eq!(written.to_vec::<u16>(), [1, 7, 3]);
        assert_eq!(reset.to_vec::<u16>(), [0, 0]);
    }
}
