//! The UDF around a function.

use std::{fmt::Debug, marker::PhantomData, ops::Range};

use super::{Call, Take, frame::Place};
use crate::{
    Array, Buffer, Dtype, DtypeKind, Element, Error, Input, Manifest, Merge, Meta, Numbers, Parameter, Params, Partial,
    Partition, Preferences, Result, Tile, Udf, tile::unravel,
};

const RESULT: &str = "result";
const MONITOR: &str = "monitor";

/// A function of a frame, as [`export_map!`](crate::export_map) describes it.
pub trait Function: Debug + 'static {
    /// What it is, and its arguments as parameters.
    fn manifest() -> Manifest;

    /// In which dtype it wants its frames.
    fn input() -> Input;

    /// Calls it, and hands what it returns to `take`.
    ///
    /// # Errors
    ///
    /// What the function and `take` return.
    fn call(call: &Call<'_>, take: &mut Take<'_>) -> Result<()>;
}

/// The UDF that maps a function over all frames: `Auto<row_sums>`, if `row_sums` is in `export_map!`.
#[derive(Debug)]
pub struct Auto<F> {
    params: Params,
    form: Form,
    is_monitored: bool,
    /// The last frame of the partition so far, as ROI index.
    last: Option<usize>,
    function: PhantomData<F>,
}

/// What every result is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Form {
    shape: Vec<usize>,
    dtype: Dtype,
}

impl<F: Function> Udf for Auto<F> {
    fn manifest() -> Manifest {
        let monitor = Parameter::flag(MONITOR).default(false);
        F::manifest().by_frame().parameter(monitor.doc("give the result of the last frame once more, as `monitor`"))
    }

    fn new(params: &Params, meta: &Meta) -> Result<Self> {
        Ok(Self {
            params: params.clone(),
            form: form_of::<F>(params, meta)?,
            is_monitored: params.get(MONITOR)?,
            last: None,
            function: PhantomData,
        })
    }

    fn preferences(&self) -> Preferences {
        preferences::<F>()
    }

    fn buffers(&self, _: Dtype) -> Result<Vec<Buffer>> {
        let Form { shape, dtype } = &self.form;
        let result = Buffer::nav(RESULT, *dtype).extra(shape).doc("what the function returned for each frame");
        let mut buffers = vec![result];
        if self.is_monitored {
            // Partitions merge in order: the last one that has frames stays.
            let monitor = Buffer::single(MONITOR, *dtype).extra(shape).merge(Merge::Assign).by_parts();
            let none = if dtype.kind() < DtypeKind::Float { 0.0 } else { f64::NAN };
            buffers.push(monitor.fill(none).doc("what the function returned for the last frame"));
        }
        Ok(buffers)
    }

    fn begin(&mut self, _: &Partition, _: &mut Partial) -> Result<()> {
        self.last = None;
        Ok(())
    }

    fn process(&mut self, tile: &Tile, out: &mut Partial) -> Result<()> {
        let (params, meta) = (&self.params, &tile.meta);
        for (i, frame_idx) in tile.frame_indices().enumerate() {
            let place = Place { sig_shape: &meta.sig_shape, nav_shape: &meta.nav_shape, frame_idx };
            let call = Call { params, pixels: part(tile.pixels(), i, tile.n_frames()), place };
            F::call(&call, &mut |shape, numbers| {
                self.form.check(shape, numbers.dtype(), &place)?;
                crate::each_dtype!(numbers, |numbers| store(numbers, i, &mut out.nav(RESULT, tile)?));
                Ok(())
            })?;
        }
        self.last = self.last.max(tile.n_frames().checked_sub(1).map(|last| tile.roi_start() + last));
        Ok(())
    }

    fn end(&mut self, out: &mut Partial) -> Result<()> {
        let Some(last) = self.last.filter(|_| self.is_monitored) else { return Ok(()) };
        let last = last - out.partition().roi_start;
        crate::each_dtype!(Numbers::none(self.form.dtype), |none| monitor(none, last, out))
    }
}

impl Form {
    /// Holds another result against the first one.
    fn check(&self, shape: &[usize], dtype: Dtype, place: &Place<'_>) -> Result<()> {
        if self.shape == shape && self.dtype == dtype {
            return Ok(());
        }
        Err(Error::new(format!(
            "the result for frame {} at {:?} has shape {shape:?} and dtype {dtype}, expected {:?} and {} as for a frame \
             of ones: all results must have the same",
            place.frame_idx,
            unravel(place.frame_idx, place.nav_shape),
            self.shape,
            self.dtype
        )))
    }
}

fn preferences<F: Function>() -> Preferences {
    match F::input() {
        Input::Native => Preferences::native(),
        Input::AtLeast(dtype) => Preferences::at_least(dtype),
        Input::Exactly(dtype) => Preferences::exactly(dtype),
    }
}

/// What the function returns for a frame of ones.
fn form_of<F: Function>(params: &Params, meta: &Meta) -> Result<Form> {
    fn ones<T: Element>(_: &[T], shape: &[usize]) -> Result<Array> {
        Array::new(shape, &vec![T::from_f64(1.0); shape.iter().product()])
    }
    let dtype = meta.input_dtype(&preferences::<F>());
    let ones = crate::each_dtype!(Numbers::none(dtype), |none| ones(none, &meta.sig_shape))?;
    let place = Place { sig_shape: &meta.sig_shape, nav_shape: &meta.nav_shape, frame_idx: 0 };
    let mut form = None;
    let called = F::call(&Call { params, pixels: ones.numbers(), place }, &mut |shape, numbers| {
        form = Some(Form { shape: shape.to_vec(), dtype: numbers.dtype() });
        Ok(())
    });
    let nothing = || Error::new("the function returned nothing");
    called.and_then(|()| form.ok_or_else(nothing)).map_err(|error| {
        error.context(
            "the function is first called for a frame of ones, to find shape and dtype of its results, and failed",
        )
    })
}

/// Part `i` of `n_parts` equal ones.
fn part(numbers: Numbers<'_>, i: usize, n_parts: usize) -> Numbers<'_> {
    crate::each_dtype!(numbers, |numbers| Element::numbers(&numbers[range(i, numbers.len() / n_parts.max(1))]))
}

/// Where entry `i` is, among entries of `len` elements.
fn range(i: usize, len: usize) -> Range<usize> {
    i * len..(i + 1) * len
}

/// Writes entry `i`.
fn store<T: Element>(entry: &[T], i: usize, entries: &mut [T]) {
    entries[range(i, entry.len())].copy_from_slice(entry);
}

/// Emits entry `last` of the partition's results as what is monitored.
fn monitor<T: Element>(_: &[T], last: usize, out: &Partial) -> Result<()> {
    let entries = out.whole::<T>(RESULT)?;
    let len = entries.len() / out.partition().n_roi_frames().max(1);
    out.emit(MONITOR, 0, &entries[range(last, len)])
}
