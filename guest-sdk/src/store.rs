//! Buffers with their numbers: what a merge is made of, and results are made from.

use std::{
    cell::{Ref, RefCell, RefMut},
    rc::Rc,
};

use crate::{
    Array, Buffer, Dtype, Element, Error, Numbers, Result, Usage, bindings::Values, cast, host, numbers::no_values,
};

/// Buffers with their numbers, by name.
///
/// Several can be looked at and written at once, each one only by one at a time.
#[derive(Debug)]
pub struct Buffers {
    pub(crate) declared: Rc<Vec<Buffer>>,
    /// As many as are declared; none for a buffer whose numbers are elsewhere, or not there yet.
    pub(crate) slots: Vec<Option<RefCell<Values>>>,
}

impl Buffers {
    /// The numbers of buffer `name`.
    ///
    /// # Errors
    ///
    /// Where there is no such buffer, its dtype is not `T`, or it is being written.
    pub fn read<T: Element>(&self, name: &str) -> Result<Ref<'_, [T]>> {
        let values = self.slot(name)?.try_borrow().map_err(|_| in_use(name))?;
        Ref::filter_map(values, |values| Numbers::of(values).as_slice())
            .map_err(|values| wrong_dtype::<T>(name, &values))
    }

    /// The numbers of buffer `name`, for writing.
    ///
    /// # Errors
    ///
    /// Where there is no such buffer, its dtype is not `T`, or it is being read or written.
    pub fn write<T: Element>(&self, name: &str) -> Result<RefMut<'_, [T]>> {
        let values = self.slot(name)?.try_borrow_mut().map_err(|_| in_use(name))?;
        RefMut::filter_map(values, T::of_mut).map_err(|values| wrong_dtype::<T>(name, &values))
    }

    /// The numbers of buffer `name`, converted to `T`.
    ///
    /// # Errors
    ///
    /// Where there is no such buffer, or it is being written.
    pub fn to_vec<T: Element>(&self, name: &str) -> Result<Vec<T>> {
        let values = self.slot(name)?.try_borrow().map_err(|_| in_use(name))?;
        Ok(Numbers::of(&values).to_vec())
    }

    /// Replaces the numbers of buffer `name` by `numbers`, converted to its dtype.
    ///
    /// # Errors
    ///
    /// Where there is no such buffer, it is being read or written, or the number of numbers differs.
    pub fn set<T: Element>(&self, name: &str, numbers: &[T]) -> Result<()> {
        let mut values = self.slot(name)?.try_borrow_mut().map_err(|_| in_use(name))?;
        let len = Numbers::of(&values).len();
        if len != numbers.len() {
            return Err(wrong_len(name, len, numbers.len()));
        }
        *values = converted(Numbers::of(&values).dtype(), numbers);
        Ok(())
    }

    /// What the elements of buffer `name` are.
    ///
    /// # Errors
    ///
    /// Where there is no such buffer.
    pub fn dtype(&self, name: &str) -> Result<Dtype> {
        Ok(self.declared[position(&self.declared, name)?].dtype)
    }

    /// Takes what the host hands over: the buffers that are not `result-only`, in the order of declaration.
    pub(crate) fn received(declared: &Rc<Vec<Buffer>>, arrays: Vec<Array>) -> Result<Self> {
        let n_arrays = arrays.len();
        let mut arrays = arrays.into_iter();
        let merged = |buffer: &Buffer| buffer.usage != Usage::ResultOnly;
        let slots: Vec<_> = declared
            .iter()
            .map(|buffer| merged(buffer).then(|| arrays.next()).flatten())
            .map(|array| array.map(|array| RefCell::new(array.into_values())))
            .collect();
        if slots.iter().flatten().count() != n_arrays || slots.len() < n_arrays {
            return Err(host::fault("the number of buffers to merge is not the number declared"));
        }
        Ok(Self { declared: Rc::clone(declared), slots })
    }

    /// Buffers with nothing in them yet.
    pub(crate) fn held(declared: &Rc<Vec<Buffer>>) -> Self {
        let slot = |buffer: &Buffer| buffer.is_held().then(|| RefCell::new(no_values(buffer.dtype)));
        Self { declared: Rc::clone(declared), slots: declared.iter().map(slot).collect() }
    }

    /// Emits buffer `idx` whole, if its numbers are here.
    pub(crate) fn emit(&self, idx: usize) -> Result<()> {
        let Some(slot) = &self.slots[idx] else { return Ok(()) };
        let values = slot.try_borrow().map_err(|_| in_use(&self.declared[idx].name))?;
        crate::each_dtype!(Numbers::of(&values), |numbers| host::emit(idx, 0, cast::bytes(numbers)));
        Ok(())
    }

    pub(crate) fn slot(&self, name: &str) -> Result<&RefCell<Values>> {
        let slot = &self.slots[position(&self.declared, name)?];
        slot.as_ref().ok_or_else(|| {
            Error::new(format!("buffer `{name}` has no numbers here: it is result-only, or the UDF emits it by parts"))
        })
    }
}

/// `numbers` in the form of arrays of `dtype`.
fn converted<T: Element>(dtype: Dtype, numbers: &[T]) -> Values {
    fn to<T: Element, U: Element>(_: &[U], numbers: &[T]) -> Values {
        let converted: Vec<U> = numbers.iter().map(|number| U::from_complex(number.to_complex())).collect();
        U::values(&converted)
    }
    if dtype == T::DTYPE {
        T::values(numbers)
    } else {
        crate::each_dtype!(Numbers::none(dtype), |slice| to(slice, numbers))
    }
}

/// Emits `numbers` as part of buffer `idx`, converted to its dtype.
pub(crate) fn emit<T: Element>(dtype: Dtype, idx: usize, offset: u64, numbers: &[T]) {
    if dtype == T::DTYPE {
        host::emit(idx, offset, cast::bytes(numbers));
    } else {
        let values = converted(dtype, numbers);
        crate::each_dtype!(Numbers::of(&values), |numbers| host::emit(idx, offset, cast::bytes(numbers)));
    }
}

/// Place of buffer `name` in the order of declaration.
pub(crate) fn position(declared: &[Buffer], name: &str) -> Result<usize> {
    declared.iter().position(|buffer| buffer.name == name).ok_or_else(|| {
        let names: Vec<_> = declared.iter().map(|buffer| format!("`{}`", buffer.name)).collect();
        Error::new(format!("the UDF declares no buffer `{name}` (declared: {})", names.join(", ")))
    })
}

pub(crate) fn in_use(name: &str) -> Error {
    Error::new(format!("buffer `{name}` is in use: drop the view that was taken before"))
}

pub(crate) fn wrong_dtype<T: Element>(name: &str, values: &Values) -> Error {
    let declared = Numbers::of(values).dtype();
    Error::new(format!("buffer `{name}` is declared as {declared}, and was used as {}", T::DTYPE))
}

pub(crate) fn wrong_len(name: &str, declared: usize, given: usize) -> Error {
    Error::new(format!("buffer `{name}` has {declared} elements, and {given} were given"))
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these numbers are exact")]
mod tests {
    use super::*;
    use crate::Complex;

    fn buffers() -> Buffers {
        let declared = vec![
            Buffer::sig("a", Dtype::U16),
            Buffer::sig("b", Dtype::C64).result_only(),
            Buffer::single("c", Dtype::C128),
        ];
        let arrays =
            vec![Array::new(&[2], &[1_u16, 2]).unwrap(), Array::new(&[1], &[Complex::new(1.0_f64, 2.0)]).unwrap()];
        Buffers::received(&Rc::new(declared), arrays).unwrap()
    }

    #[test]
    fn views_are_typed_and_one_at_a_time() {
        let buffers = buffers();
        let mut a = buffers.write::<u16>("a").unwrap();
        a[0] = 7;
        assert!(buffers.read::<u16>("a").unwrap_err().message().contains("in use"));
        assert_eq!(buffers.read::<Complex<f64>>("c").unwrap()[0].im, 2.0, "another one is free");
        drop(a);
        assert_eq!(*buffers.read::<u16>("a").unwrap(), [7, 2]);
        assert_eq!(
            buffers.read::<f32>("a").unwrap_err().message(),
            "buffer `a` is declared as uint16, and was used as float32"
        );
    }

    #[test]
    fn an_unknown_name_lists_the_known_ones() {
        let error = buffers().read::<u16>("x").unwrap_err();
        assert_eq!(error.message(), "the UDF declares no buffer `x` (declared: `a`, `b`, `c`)");
        assert!(buffers().read::<u16>("b").unwrap_err().message().contains("result-only"));
    }

    #[test]
    fn set_converts() {
        let buffers = buffers();
        buffers.set("a", &[3.0_f64, 4.0]).unwrap();
        assert_eq!(*buffers.read::<u16>("a").unwrap(), [3, 4]);
        assert!(buffers.set("a", &[3.0_f64]).is_err());
    }
}
