//! Declarations of buffers, checked before anything is allocated by them.

use crate::shape::{Dtype, DtypeKind, Shape, ShapeError};

/// What a buffer's shape follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// One entry per frame: `(n-roi-frames, ...extra)` in memory, `(...nav, ...extra)` as result.
    Nav,
    /// One entry per detector pixel: `(...sig, ...extra)`.
    Sig,
    /// `extra`, or `(1,)` where that is empty.
    Single,
}

/// How a partial buffer enters the merged one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Merge {
    /// `dest = src` where `src` was emitted.
    Assign,
    /// `dest += src`; or, for bool.
    Sum,
    /// `dest *= src`; and, for bool.
    Product,
    /// The smaller one; NaN wins.
    Min,
    /// The larger one; NaN wins.
    Max,
    /// The plugin does it.
    Custom,
}

/// Who sees a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Usage {
    /// Partial, merged and result.
    Result,
    /// Partial and merged, not given to the user.
    Private,
    /// Made at the end only.
    ResultOnly,
}

/// One declared buffer.
#[derive(Debug, Clone)]
pub struct Declaration {
    /// Unique within the UDF; safe as a file name.
    pub name: String,
    /// What its shape follows.
    pub kind: Kind,
    /// Element type.
    pub dtype: Dtype,
    /// Axes after those that `kind` implies.
    pub extra_shape: Shape,
    /// Who sees it.
    pub usage: Usage,
    /// How partials become one.
    pub merge: Merge,
    /// Initial value of every element.
    pub fill: f64,
    /// Physical unit, or empty.
    pub unit: String,
    /// One line for the user.
    pub doc: String,
}

/// Why declarations can't be taken.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum DeclarationError {
    /// Too many.
    #[error("declares {n_buffers} buffers, at most {limit} are allowed (raise --max-buffers)")]
    TooMany {
        /// How many.
        n_buffers: usize,
        /// The limit.
        limit: u64,
    },
    /// A name that is empty, or has other characters than letters, digits, `_` and `-`.
    #[error("buffer name {name:?} is not made of letters, digits, `_` and `-`")]
    Name {
        /// The name.
        name: String,
    },
    /// The same name twice.
    #[error("declares two buffers `{name}`")]
    Duplicate {
        /// The name.
        name: String,
    },
    /// An impossible shape.
    #[error("buffer `{name}`: {source}")]
    Shape {
        /// The buffer.
        name: String,
        /// Why.
        source: ShapeError,
    },
    /// All buffers together are too large.
    #[error(
        "its buffers need {n_bytes} bytes with buffer `{name}`, at most {limit} are allowed (raise --max-result-bytes)"
    )]
    TooLarge {
        /// The buffer at which the sum passed the limit.
        name: String,
        /// Bytes of the buffers up to here; `u64::MAX` if that many can't be counted.
        n_bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// A fill value that the dtype doesn't have.
    #[error("buffer `{name}`: fill value {fill} is no {dtype}")]
    Fill {
        /// The buffer.
        name: String,
        /// The value.
        fill: f64,
        /// The dtype.
        dtype: Dtype,
    },
    /// Complex numbers have no order.
    #[error("buffer `{name}`: complex numbers have no minimum or maximum")]
    Unordered {
        /// The buffer.
        name: String,
    },
    /// `custom` without the capability.
    #[error("buffer `{name}` merges by `custom`, but the plugin has neither capability `merge` nor `merge-all`")]
    NoMerge {
        /// The buffer.
        name: String,
    },
    /// A result-only buffer without the capability.
    #[error("buffer `{name}` is result-only, but the plugin does not have capability `results`")]
    NoResults {
        /// The buffer.
        name: String,
    },
}

/// What the buffers of one UDF may be.
#[derive(Debug, Clone, Copy)]
pub struct DeclarationLimits {
    /// How many.
    pub max_buffers: u64,
    /// Bytes of all.
    pub max_bytes: u64,
}

impl PartialEq for Declaration {
    /// A fill value of NaN is the same as another.
    fn eq(&self, other: &Self) -> bool {
        let Self { name, kind, dtype, extra_shape, usage, merge, fill, unit, doc } = self;
        (name, kind, dtype, extra_shape, usage)
            == (&other.name, &other.kind, &other.dtype, &other.extra_shape, &other.usage)
            && (merge, fill.to_bits(), unit, doc) == (&other.merge, other.fill.to_bits(), &other.unit, &other.doc)
    }
}

impl Declaration {
    /// Shape with `n_rows` frames on the nav axis.
    ///
    /// # Errors
    ///
    /// [`ShapeError::Overflow`].
    pub fn shape(&self, n_rows: u64, sig: &Shape) -> Result<Shape, ShapeError> {
        match self.kind {
            Kind::Nav => Shape::new([n_rows])?.join(self.extra_shape.axes()),
            Kind::Sig => sig.join(self.extra_shape.axes()),
            Kind::Single if self.extra_shape.n_axes() == 0 => Shape::new([1]),
            Kind::Single => Ok(self.extra_shape.clone()),
        }
    }

    /// Elements with `n_rows` frames on the nav axis.
    ///
    /// # Panics
    ///
    /// If that overflows: not for rows up to those that [`check_declarations`] saw.
    pub fn n_elements(&self, n_rows: u64, sig: &Shape) -> u64 {
        self.shape(n_rows, sig).expect("checked with the declarations").size()
    }

    /// Whether a partition may emit a part of it only.
    pub fn is_emitted_by_parts(&self) -> bool {
        self.merge == Merge::Assign && self.kind != Kind::Nav
    }

    /// `n_elements` elements of the fill value, little-endian.
    ///
    /// # Panics
    ///
    /// If the declaration is not one that [`check_declarations`] took.
    pub fn filled(&self, n_elements: u64) -> Vec<u8> {
        let n_elements = usize::try_from(n_elements).expect("checked with the declarations");
        let element = fill_bytes(self.dtype, self.fill).expect("checked with the declarations");
        if element.iter().all(|&byte| byte == 0) {
            return vec![0; n_elements * element.len()];
        }
        element.repeat(n_elements)
    }

    fn check(&self, has_merge: bool, has_results: bool) -> Result<(), DeclarationError> {
        let name = || self.name.clone();
        // It becomes the name of a file.
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if self.name.is_empty() || !self.name.chars().all(is_plain) {
            return Err(DeclarationError::Name { name: name() });
        }
        if fill_bytes(self.dtype, self.fill).is_none() {
            return Err(DeclarationError::Fill { name: name(), fill: self.fill, dtype: self.dtype });
        }
        if matches!(self.merge, Merge::Min | Merge::Max) && self.dtype.kind() == DtypeKind::Complex {
            return Err(DeclarationError::Unordered { name: name() });
        }
        if self.merge == Merge::Custom && self.usage != Usage::ResultOnly && !has_merge {
            return Err(DeclarationError::NoMerge { name: name() });
        }
        if self.usage == Usage::ResultOnly && !has_results {
            return Err(DeclarationError::NoResults { name: name() });
        }
        Ok(())
    }
}

/// Checks what a plugin declared, for a nav axis of `n_rows` frames.
///
/// # Errors
///
/// [`DeclarationError`].
pub fn check_declarations(
    declarations: &[Declaration],
    (has_merge, has_results): (bool, bool),
    (n_rows, sig): (u64, &Shape),
    limits: DeclarationLimits,
) -> Result<(), DeclarationError> {
    if declarations.len() as u64 > limits.max_buffers {
        return Err(DeclarationError::TooMany { n_buffers: declarations.len(), limit: limits.max_buffers });
    }
    let mut n_bytes: u64 = 0;
    for (i, declaration) in declarations.iter().enumerate() {
        declaration.check(has_merge, has_results)?;
        let name = || declaration.name.clone();
        if declarations[..i].iter().any(|other| other.name == declaration.name) {
            return Err(DeclarationError::Duplicate { name: name() });
        }
        let shape =
            declaration.shape(n_rows, sig).map_err(|source| DeclarationError::Shape { name: name(), source })?;
        n_bytes = n_bytes.saturating_add(shape.size().saturating_mul(declaration.dtype.size() as u64));
        if n_bytes > limits.max_bytes {
            return Err(DeclarationError::TooLarge { name: name(), n_bytes, limit: limits.max_bytes });
        }
    }
    Ok(())
}

/// The fill value as one element; none if the dtype can't hold it. Infinities become an integer's extremes.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::float_cmp,
    reason = "checked by casting back"
)]
fn fill_bytes(dtype: Dtype, fill: f64) -> Option<Vec<u8>> {
    macro_rules! integer {
        ($t:ty) => {{
            let value = fill as $t;
            // A cast saturates, so that an infinity gives the extreme value.
            (fill.is_infinite() || value as f64 == fill).then(|| value.to_le_bytes().to_vec())
        }};
    }
    #[expect(clippy::cast_precision_loss, clippy::cast_lossless, reason = "checked by casting back")]
    match dtype {
        Dtype::Bool => (fill == 0.0 || fill == 1.0).then(|| vec![u8::from(fill == 1.0)]),
        Dtype::U8 => integer!(u8),
        Dtype::U16 => integer!(u16),
        Dtype::U32 => integer!(u32),
        Dtype::U64 => integer!(u64),
        Dtype::I8 => integer!(i8),
        Dtype::I16 => integer!(i16),
        Dtype::I32 => integer!(i32),
        Dtype::I64 => integer!(i64),
        Dtype::F32 => Some((fill as f32).to_le_bytes().to_vec()),
        Dtype::F64 => Some(fill.to_le_bytes().to_vec()),
        Dtype::C64 => Some([(fill as f32).to_le_bytes(), 0f32.to_le_bytes()].concat()),
        Dtype::C128 => Some([fill.to_le_bytes(), 0f64.to_le_bytes()].concat()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nav(name: &str, dtype: Dtype, fill: f64) -> Declaration {
        Declaration {
            name: name.to_owned(),
            kind: Kind::Nav,
            dtype,
            extra_shape: Shape::new([]).unwrap(),
            usage: Usage::Result,
            merge: Merge::Assign,
            fill,
            unit: String::new(),
            doc: String::new(),
        }
    }

    fn check(declarations: &[Declaration]) -> Result<(), DeclarationError> {
        let sig = Shape::new([6, 7]).unwrap();
        let limits = DeclarationLimits { max_buffers: 4, max_bytes: 1000 };
        check_declarations(declarations, (false, false), (20, &sig), limits)
    }

    #[test]
    fn fill_values_are_representable() {
        assert_eq!(nav("a", Dtype::I16, -3.0).filled(2), [253, 255, 253, 255]);
        assert_eq!(nav("a", Dtype::U8, f64::INFINITY).filled(1), [255]);
        assert_eq!(nav("a", Dtype::I8, f64::NEG_INFINITY).filled(1), [128]);
        assert!(matches!(check(&[nav("a", Dtype::U8, -1.0)]), Err(DeclarationError::Fill { .. })));
        assert!(matches!(check(&[nav("a", Dtype::U8, f64::NAN)]), Err(DeclarationError::Fill { .. })));
    }

    #[test]
    fn absurd_buffers_are_refused() {
        let huge = Declaration { extra_shape: Shape::new([u64::MAX]).unwrap(), ..nav("a", Dtype::F64, 0.0) };
        assert!(matches!(check(&[huge]), Err(DeclarationError::Shape { .. })));
        let large = Declaration { extra_shape: Shape::new([1 << 40]).unwrap(), ..nav("a", Dtype::F64, 0.0) };
        assert!(matches!(check(&[large]), Err(DeclarationError::TooLarge { .. })));
        assert!(matches!(check(&[nav("../x", Dtype::F64, 0.0)]), Err(DeclarationError::Name { .. })));
        let twice = [nav("a", Dtype::F32, 0.0), nav("a", Dtype::F32, 0.0)];
        assert!(matches!(check(&twice), Err(DeclarationError::Duplicate { .. })));
    }
}
