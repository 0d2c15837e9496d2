//! Element types by name at run time, and how they promote. [`Element`](crate::Element) is the same at compile time.

use std::fmt;

/// Element type of tiles, buffers and arrays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dtype {
    /// One byte, 0 or 1: [`Bool`](crate::Bool).
    Bool,
    /// Unsigned 8 bit.
    U8,
    /// Unsigned 16 bit.
    U16,
    /// Unsigned 32 bit.
    U32,
    /// Unsigned 64 bit.
    U64,
    /// Signed 8 bit.
    I8,
    /// Signed 16 bit.
    I16,
    /// Signed 32 bit.
    I32,
    /// Signed 64 bit.
    I64,
    /// IEEE 754 single precision.
    F32,
    /// IEEE 754 double precision.
    F64,
    /// [`Complex<f32>`](crate::Complex) (numpy: complex64).
    C64,
    /// [`Complex<f64>`](crate::Complex) (numpy: complex128).
    C128,
}

/// What sort of number a [`Dtype`] is; the order is that of promotion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DtypeKind {
    /// Logical.
    Bool,
    /// Unsigned integer.
    Unsigned,
    /// Signed integer.
    Signed,
    /// Real.
    Float,
    /// Complex.
    Complex,
}

impl Dtype {
    /// All dtypes.
    pub const ALL: [Self; 13] = [
        Self::Bool,
        Self::U8,
        Self::U16,
        Self::U32,
        Self::U64,
        Self::I8,
        Self::I16,
        Self::I32,
        Self::I64,
        Self::F32,
        Self::F64,
        Self::C64,
        Self::C128,
    ];

    /// All dtypes but the complex ones.
    pub const REAL: [Self; 11] = {
        let [real @ .., Self::C64, Self::C128] = Self::ALL else { unreachable!() };
        real
    };

    /// The name as users write it and numpy has it: `uint16`, `float32`, `complex64`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::U8 => "uint8",
            Self::U16 => "uint16",
            Self::U32 => "uint32",
            Self::U64 => "uint64",
            Self::I8 => "int8",
            Self::I16 => "int16",
            Self::I32 => "int32",
            Self::I64 => "int64",
            Self::F32 => "float32",
            Self::F64 => "float64",
            Self::C64 => "complex64",
            Self::C128 => "complex128",
        }
    }

    /// Bytes of one element.
    pub fn size(self) -> usize {
        match self {
            Self::Bool | Self::U8 | Self::I8 => 1,
            Self::U16 | Self::I16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::U64 | Self::I64 | Self::F64 | Self::C64 => 8,
            Self::C128 => 16,
        }
    }

    /// What sort of number it is.
    pub fn kind(self) -> DtypeKind {
        match self {
            Self::Bool => DtypeKind::Bool,
            Self::U8 | Self::U16 | Self::U32 | Self::U64 => DtypeKind::Unsigned,
            Self::I8 | Self::I16 | Self::I32 | Self::I64 => DtypeKind::Signed,
            Self::F32 | Self::F64 => DtypeKind::Float,
            Self::C64 | Self::C128 => DtypeKind::Complex,
        }
    }

    /// Whether it is [`Dtype::C64`] or [`Dtype::C128`].
    pub fn is_complex(self) -> bool {
        self.kind() == DtypeKind::Complex
    }

    /// The dtype of the real part: `f32` for `c64`, `f64` for `c128`, itself for all others.
    #[must_use]
    pub fn part(self) -> Self {
        match self {
            Self::C64 => Self::F32,
            Self::C128 => Self::F64,
            real => real,
        }
    }

    /// The smallest dtype that holds both, as numpy's `result_type` has it: `u16` and `f32` give `f32`, `u32` and
    /// `f32` give `f64`, `u64` and `i64` give `f64`.
    #[must_use]
    pub fn promote(self, other: Self) -> Self {
        let (low, high) = if self.kind() <= other.kind() { (self, other) } else { (other, self) };
        match (low.kind(), high.kind()) {
            (a, b) if a == b && low.size() > high.size() => low,
            (a, b) if a == b => high,
            (DtypeKind::Bool, _) => high,
            (DtypeKind::Unsigned, DtypeKind::Signed) => match low.size().saturating_mul(2).max(high.size()) {
                2 => Self::I16,
                4 => Self::I32,
                8 => Self::I64,
                _ => Self::F64,
            },
            // Three or more bytes of integer do not fit in the 24 bits of an `f32`.
            (_, DtypeKind::Float) if low.size() > 2 => Self::F64,
            (DtypeKind::Float, _) if low == Self::F64 => Self::C128,
            (DtypeKind::Float, _) | (_, DtypeKind::Float) => high,
            _ if low.size() > 2 => Self::C128,
            _ => high,
        }
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::Dtype::*;

    #[test]
    fn promotion_is_numpys() {
        for (a, b, both) in [
            (U8, F32, F32),
            (I16, F32, F32),
            (U32, F32, F64),
            (I64, F32, F64),
            (F64, F32, F64),
            (C64, F32, C64),
            (C64, F64, C128),
            (C128, F32, C128),
            (Bool, F32, F32),
            (Bool, U8, U8),
            (U8, I8, I16),
            (U16, I8, I32),
            (U32, I64, I64),
            (U64, I8, F64),
            (U8, I32, I32),
            (U16, C64, C64),
            (U32, C64, C128),
            (U8, U64, U64),
        ] {
            assert_eq!(a.promote(b), both, "{a} and {b}");
            assert_eq!(b.promote(a), both, "{b} and {a}");
        }
    }
}
