//! Declares the buffers of a UDF: what it adds up in a partition, and what its user gets.

use crate::{Dtype, Error, Meta, Result};

/// What a buffer's shape follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One entry per frame: `(...nav, ...extra)`.
    Nav,
    /// One entry per detector pixel: `(...sig, ...extra)`.
    Sig,
    /// A shape of its own: `extra`, or `(1,)` where that is empty.
    Single,
}

/// How a partition's buffer enters the merged one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Merge {
    /// It is copied there. What nav buffers do unless told otherwise.
    Assign,
    /// It is added. Integers wrap around; for bool it is the logical or.
    Sum,
    /// It is multiplied. Integers wrap around; for bool it is the logical and.
    Product,
    /// The smaller one stays; NaN wins.
    Min,
    /// The larger one stays; NaN wins.
    Max,
    /// [`Udf::merge`](crate::Udf::merge) or [`Udf::merge_all`](crate::Udf::merge_all) does it.
    Custom,
}

/// Who sees a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Usage {
    /// Filled, merged, and given to the user.
    Result,
    /// Filled and merged, for `merge` and `results`; not given to the user.
    Private,
    /// Made by [`Udf::results`](crate::Udf::results) alone.
    ResultOnly,
}

/// Declares one buffer: `Buffer::nav("intensity", Dtype::F32).extra(&[3]).unit("counts")`.
#[derive(Debug, Clone, PartialEq)]
pub struct Buffer {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) dtype: Dtype,
    pub(crate) extra_shape: Vec<usize>,
    pub(crate) usage: Usage,
    pub(crate) merge: Option<Merge>,
    pub(crate) fill: f64,
    pub(crate) unit: String,
    pub(crate) doc: String,
    pub(crate) by_parts: bool,
}

impl Buffer {
    /// One entry per frame. Merges by [`Merge::Assign`] unless told otherwise.
    pub fn nav(name: &str, dtype: Dtype) -> Self {
        Self::new(name, Kind::Nav, dtype)
    }

    /// One entry per detector pixel. Needs [`Buffer::merge`].
    pub fn sig(name: &str, dtype: Dtype) -> Self {
        Self::new(name, Kind::Sig, dtype)
    }

    /// One entry, or the shape that [`Buffer::extra`] gives. Needs [`Buffer::merge`].
    pub fn single(name: &str, dtype: Dtype) -> Self {
        Self::new(name, Kind::Single, dtype)
    }

    fn new(name: &str, kind: Kind, dtype: Dtype) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            dtype,
            extra_shape: Vec::new(),
            usage: Usage::Result,
            merge: None,
            fill: 0.0,
            unit: String::new(),
            doc: String::new(),
            by_parts: false,
        }
    }

    /// Axes that follow those that the kind implies.
    #[must_use]
    pub fn extra(mut self, shape: &[usize]) -> Self {
        self.extra_shape = shape.to_vec();
        self
    }

    /// How partitions become one.
    #[must_use]
    pub fn merge(mut self, merge: Merge) -> Self {
        self.merge = Some(merge);
        self
    }

    /// What every element starts with, instead of 0. Plus or minus infinity mean an integer's largest or smallest.
    #[must_use]
    pub fn fill(mut self, fill: f64) -> Self {
        self.fill = fill;
        self
    }

    /// For `merge` and `results`, not for the user.
    #[must_use]
    pub fn private(mut self) -> Self {
        self.usage = Usage::Private;
        self
    }

    /// Made by [`Udf::results`](crate::Udf::results) alone.
    #[must_use]
    pub fn result_only(mut self) -> Self {
        self.usage = Usage::ResultOnly;
        self
    }

    /// The UDF keeps the numbers itself, and hands them over in [`Udf::end`](crate::Udf::end) with
    /// [`Partial::emit`](crate::Partial::emit). The SDK allocates nothing.
    ///
    /// Of sig and single buffers that merge by [`Merge::Assign`] a partition then emits only what it has; all others
    /// must be emitted completely.
    #[must_use]
    pub fn by_parts(mut self) -> Self {
        self.by_parts = true;
        self
    }

    /// Physical unit, like `px` or `counts`.
    #[must_use]
    pub fn unit(mut self, unit: &str) -> Self {
        unit.clone_into(&mut self.unit);
        self
    }

    /// One line for the user.
    #[must_use]
    pub fn doc(mut self, doc: &str) -> Self {
        doc.clone_into(&mut self.doc);
        self
    }

    /// Name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Element type.
    pub fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// How it merges, stated or implied.
    pub(crate) fn merging(&self) -> Result<Merge> {
        match self.merge {
            Some(merge) => Ok(merge),
            None if self.kind == Kind::Nav || self.usage == Usage::ResultOnly => Ok(Merge::Assign),
            None => Err(Error::new(format!(
                "buffer `{}` does not say how partitions become one: give it `.merge(..)`",
                self.name
            ))),
        }
    }

    /// Whether the SDK holds it while a partition is processed.
    pub(crate) fn is_held(&self) -> bool {
        self.usage != Usage::ResultOnly && !self.by_parts
    }

    /// Elements of one entry.
    pub(crate) fn entry_len(&self) -> Result<usize> {
        self.product(1)
    }

    /// Elements of the whole buffer, where a nav buffer has `n_frames` entries.
    pub(crate) fn len(&self, n_frames: usize, meta: &Meta) -> Result<usize> {
        self.product(match self.kind {
            Kind::Nav => n_frames,
            Kind::Sig => meta.sig_size(),
            Kind::Single => 1,
        })
    }

    fn product(&self, n_entries: usize) -> Result<usize> {
        let size = self.extra_shape.iter().try_fold(n_entries, |size, &extent| size.checked_mul(extent));
        size.ok_or_else(|| {
            Error::new(format!(
                "buffer `{}` of {n_entries} entries of shape {:?} is too big for a 32-bit memory",
                self.name, self.extra_shape
            ))
        })
    }
}
