//! Element types of data sets, tiles and buffers, and how they promote. The only file that lists every dtype.

use std::{fmt, str::FromStr};

/// Element type. In memory always little-endian; complex numbers are real part, then imaginary part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dtype {
    /// One byte, 0 or 1.
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
    /// Two `F32` (numpy: complex64).
    C64,
    /// Two `F64` (numpy: complex128).
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

/// Order of the bytes of a number in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ByteOrder {
    /// Least significant byte first.
    Little,
    /// Most significant byte first.
    Big,
}

/// A text that names no dtype.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown dtype `{name}`: write it like `u16`, `uint16` or `<u2` (known: {known})", known = Dtype::names())]
pub struct UnknownDtype {
    /// The text.
    pub name: String,
}

/// Every dtype with its name here, numpy's name, and numpy's type code.
const TABLE: [(Dtype, &str, &str, &str); 13] = [
    (Dtype::Bool, "bool", "bool", "b1"),
    (Dtype::U8, "u8", "uint8", "u1"),
    (Dtype::U16, "u16", "uint16", "u2"),
    (Dtype::U32, "u32", "uint32", "u4"),
    (Dtype::U64, "u64", "uint64", "u8"),
    (Dtype::I8, "i8", "int8", "i1"),
    (Dtype::I16, "i16", "int16", "i2"),
    (Dtype::I32, "i32", "int32", "i4"),
    (Dtype::I64, "i64", "int64", "i8"),
    (Dtype::F32, "f32", "float32", "f4"),
    (Dtype::F64, "f64", "float64", "f8"),
    (Dtype::C64, "c64", "complex64", "c8"),
    (Dtype::C128, "c128", "complex128", "c16"),
];

impl Dtype {
    /// All dtypes.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|row| row.0)
    }

    /// Name in this project: `u16`, `f32`, `c64`.
    pub fn name(self) -> &'static str {
        self.row().1
    }

    /// Name in numpy: `uint16`, `float32`, `complex64`.
    pub fn numpy_name(self) -> &'static str {
        self.row().2
    }

    /// Type string of an `.npy` header for little-endian data: `<u2`, `|u1`.
    pub fn npy_descr(self) -> String {
        let order = if self.size() == 1 { '|' } else { '<' };
        format!("{order}{}", self.row().3)
    }

    /// Parses a name with the byte order that it states, if it states one: `<` little, `>` big; `|` and `=` none.
    ///
    /// After a byte order mark the code is numpy's (`<u8` has eight bytes); without one `u8` has eight bits.
    ///
    /// # Errors
    ///
    /// [`UnknownDtype`].
    pub fn parse_with_order(text: &str) -> Result<(Self, Option<ByteOrder>), UnknownDtype> {
        let unknown = || UnknownDtype { name: text.to_owned() };
        let order = match text.chars().next() {
            Some('<') => Some(ByteOrder::Little),
            Some('>') => Some(ByteOrder::Big),
            Some('|' | '=') => None,
            _ => {
                let found = TABLE.iter().find(|row| row.1 == text || row.2 == text);
                let by_code = || TABLE.iter().find(|row| row.3 == text);
                return found.or_else(by_code).map(|row| (row.0, None)).ok_or_else(unknown);
            }
        };
        let found = TABLE.iter().find(|row| row.3 == &text[1..]).ok_or_else(unknown)?;
        Ok((found.0, order))
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

    /// Bytes that are reversed together when the byte order changes: a complex number has two such parts.
    pub fn word_size(self) -> usize {
        if self.kind() == DtypeKind::Complex { self.size() / 2 } else { self.size() }
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

    /// The smallest dtype that holds both, as numpy's `result_type` has it: `u16` and `f32` give `f32`, `u32` and
    /// `f32` give `f64`, `u64` and `i64` give `f64`.
    #[must_use]
    pub fn promote(self, other: Self) -> Self {
        let (low, high) = if self.kind() <= other.kind() { (self, other) } else { (other, self) };
        match (low.kind(), high.kind()) {
            (a, b) if a == b => {
                if low.size() >= high.size() {
                    low
                } else {
                    high
                }
            }
            (DtypeKind::Bool, _) => high,
            (DtypeKind::Unsigned, DtypeKind::Signed) => match low.size().saturating_mul(2).max(high.size()) {
                2 => Self::I16,
                4 => Self::I32,
                8 => Self::I64,
                _ => Self::F64,
            },
            (_, DtypeKind::Float) => {
                if low.size() > 2 {
                    Self::F64
                } else {
                    high
                }
            }
            (DtypeKind::Float, _) => {
                if low == Self::F64 {
                    Self::C128
                } else {
                    high
                }
            }
            _ => {
                if low.size() > 2 {
                    Self::C128
                } else {
                    high
                }
            }
        }
    }

    /// Whether every value of this dtype is a value of `other` (numpy's `can_cast(.., 'safe')`).
    pub fn fits_in(self, other: Self) -> bool {
        self.promote(other) == other
    }

    fn names() -> String {
        TABLE.map(|row| row.1).join(", ")
    }

    fn row(self) -> &'static (Self, &'static str, &'static str, &'static str) {
        TABLE.iter().find(|row| row.0 == self).expect("the table has every dtype")
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Dtype {
    type Err = UnknownDtype;

    fn from_str(text: &str) -> Result<Self, UnknownDtype> {
        Self::parse_with_order(text).map(|(dtype, _)| dtype)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn promotion_is_numpys() {
        for (a, b, both) in [
            ("u8", "f32", "f32"),
            ("u16", "f32", "f32"),
            ("i16", "f32", "f32"),
            ("u32", "f32", "f64"),
            ("i32", "f32", "f64"),
            ("u64", "f32", "f64"),
            ("i64", "f32", "f64"),
            ("f64", "f32", "f64"),
            ("c64", "f32", "c64"),
            ("c64", "f64", "c128"),
            ("c128", "f32", "c128"),
            ("bool", "f32", "f32"),
            ("u8", "i8", "i16"),
            ("u16", "i8", "i32"),
            ("u32", "i64", "i64"),
            ("u64", "i8", "f64"),
            ("u8", "i32", "i32"),
            ("u16", "c64", "c64"),
            ("u32", "c64", "c128"),
            ("bool", "u8", "u8"),
            ("u8", "u64", "u64"),
        ] {
            let (a, b): (Dtype, Dtype) = (a.parse().unwrap(), b.parse().unwrap());
            assert_eq!(a.promote(b).name(), both, "{a} and {b}");
            assert_eq!(b.promote(a).name(), both, "{b} and {a}");
        }
    }

    #[test]
    fn names_have_bits_and_codes_have_bytes() {
        assert_eq!(Dtype::parse_with_order("u8"), Ok((Dtype::U8, None)));
        assert_eq!(Dtype::parse_with_order("<u8"), Ok((Dtype::U64, Some(ByteOrder::Little))));
        assert_eq!(Dtype::parse_with_order(">c16"), Ok((Dtype::C128, Some(ByteOrder::Big))));
        assert_eq!(Dtype::parse_with_order("uint16"), Ok((Dtype::U16, None)));
        assert_eq!(Dtype::parse_with_order("f4"), Ok((Dtype::F32, None)));
        assert!(Dtype::parse_with_order("<q9").is_err());
        assert!("float".parse::<Dtype>().is_err());
    }
}
