//! Extents of the axes of an array, with a size that is known not to overflow.

use std::fmt;

/// Extents of the axes of an array, slow axis first. Their product fits in `u64`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Shape {
    axes: Vec<u64>,
    size: u64,
}

/// Extents that make no shape.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShapeError {
    /// The product is too large.
    #[error("shape {} has more elements than can be counted", list(axes))]
    Overflow {
        /// The extents.
        axes: Vec<u64>,
    },
    /// An extent of zero, or no axis at all, where data are needed.
    #[error("shape {} is empty: every extent must be at least 1", list(axes))]
    Empty {
        /// The extents.
        axes: Vec<u64>,
    },
}

impl Shape {
    /// Checks that the product of `axes` fits in `u64`. Zeros are allowed, and so is an empty list (a scalar).
    ///
    /// # Errors
    ///
    /// [`ShapeError::Overflow`].
    pub fn new(axes: impl Into<Vec<u64>>) -> Result<Self, ShapeError> {
        let axes = axes.into();
        let mut size: u64 = 1;
        for &extent in &axes {
            size = size.checked_mul(extent).ok_or_else(|| ShapeError::Overflow { axes: axes.clone() })?;
        }
        Ok(Self { axes, size })
    }

    /// As [`Shape::new`], and there is at least one axis and no extent is zero.
    ///
    /// # Errors
    ///
    /// [`ShapeError::Overflow`], [`ShapeError::Empty`].
    pub fn non_empty(axes: impl Into<Vec<u64>>) -> Result<Self, ShapeError> {
        let axes = axes.into();
        if axes.is_empty() || axes.contains(&0) {
            return Err(ShapeError::Empty { axes });
        }
        Self::new(axes)
    }

    /// The extents.
    pub fn axes(&self) -> &[u64] {
        &self.axes
    }

    /// Number of axes.
    pub fn n_axes(&self) -> usize {
        self.axes.len()
    }

    /// Number of elements.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// This shape with the axes of `inner` appended.
    ///
    /// # Errors
    ///
    /// [`ShapeError::Overflow`].
    pub fn join(&self, inner: &[u64]) -> Result<Self, ShapeError> {
        Self::new([&self.axes, inner].concat())
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&list(&self.axes))
    }
}

/// `(4, 5, 6)`; `(4,)` for a single axis.
fn list(axes: &[u64]) -> String {
    match axes {
        [only] => format!("({only},)"),
        _ => format!("({})", axes.iter().map(u64::to_string).collect::<Vec<_>>().join(", ")),
    }
}
