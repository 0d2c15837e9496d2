//! Arithmetic on elements whose dtype is known at run time: what merging needs.

/// A number as it lies in a buffer. Integers wrap around; NaN wins in `min` and `max`; complex numbers have no order.
pub(crate) trait Element: Copy {
    /// Bytes of one element.
    const SIZE: usize;
    /// From little-endian bytes, `SIZE` of them.
    fn read(bytes: &[u8]) -> Self;
    /// To little-endian bytes, `SIZE` of them.
    fn write(self, bytes: &mut [u8]);
    /// Sum; or, for bool.
    fn add(self, other: Self) -> Self;
    /// Product; and, for bool.
    fn mul(self, other: Self) -> Self;
    /// The smaller one.
    fn min(self, other: Self) -> Self;
    /// The larger one.
    fn max(self, other: Self) -> Self;
}

/// A logical value: one byte, 0 or 1.
#[derive(Clone, Copy)]
pub(crate) struct Bool(u8);

/// A complex number.
#[derive(Clone, Copy)]
pub(crate) struct Complex<T>(T, T);

macro_rules! integers {
    ($($t:ty),*) => {$(
        impl Element for $t {
            const SIZE: usize = size_of::<$t>();
            fn read(bytes: &[u8]) -> Self {
                Self::from_le_bytes(bytes.try_into().expect("a whole element"))
            }
            fn write(self, bytes: &mut [u8]) {
                bytes.copy_from_slice(&self.to_le_bytes());
            }
            fn add(self, other: Self) -> Self {
                self.wrapping_add(other)
            }
            fn mul(self, other: Self) -> Self {
                self.wrapping_mul(other)
            }
            fn min(self, other: Self) -> Self {
                Ord::min(self, other)
            }
            fn max(self, other: Self) -> Self {
                Ord::max(self, other)
            }
        }
    )*};
}

macro_rules! floats {
    ($($t:ty),*) => {$(
        impl Element for $t {
            const SIZE: usize = size_of::<$t>();
            fn read(bytes: &[u8]) -> Self {
                Self::from_le_bytes(bytes.try_into().expect("a whole element"))
            }
            fn write(self, bytes: &mut [u8]) {
                bytes.copy_from_slice(&self.to_le_bytes());
            }
            fn add(self, other: Self) -> Self {
                self + other
            }
            fn mul(self, other: Self) -> Self {
                self * other
            }
            fn min(self, other: Self) -> Self {
                if self.is_nan() || self < other { self } else { other }
            }
            fn max(self, other: Self) -> Self {
                if self.is_nan() || self > other { self } else { other }
            }
        }

        impl Element for Complex<$t> {
            const SIZE: usize = 2 * size_of::<$t>();
            fn read(bytes: &[u8]) -> Self {
                let (re, im) = bytes.split_at(size_of::<$t>());
                Self(<$t>::read(re), <$t>::read(im))
            }
            fn write(self, bytes: &mut [u8]) {
                let (re, im) = bytes.split_at_mut(size_of::<$t>());
                self.0.write(re);
                self.1.write(im);
            }
            fn add(self, other: Self) -> Self {
                Self(self.0 + other.0, self.1 + other.1)
            }
            fn mul(self, other: Self) -> Self {
                Self(self.0 * other.0 - self.1 * other.1, self.0 * other.1 + self.1 * other.0)
            }
            fn min(self, _other: Self) -> Self {
                self
            }
            fn max(self, _other: Self) -> Self {
                self
            }
        }
    )*};
}

integers!(u8, u16, u32, u64, i8, i16, i32, i64);
floats!(f32, f64);

impl Element for Bool {
    const SIZE: usize = 1;
    fn read(bytes: &[u8]) -> Self {
        Self(u8::from(bytes[0] != 0))
    }
    fn write(self, bytes: &mut [u8]) {
        bytes[0] = self.0;
    }
    fn add(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
    fn mul(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
    fn min(self, other: Self) -> Self {
        self.mul(other)
    }
    fn max(self, other: Self) -> Self {
        self.add(other)
    }
}

/// Expands `$body` with `$t` standing for the element type of a dtype.
macro_rules! for_element {
    ($dtype:expr, $t:ident => $body:expr) => {{
        use $crate::shape::{Complex, Dtype};
        macro_rules! body {
            ($element:ty) => {{
                type $t = $element;
                $body
            }};
        }
        match $dtype {
            Dtype::Bool => body!($crate::shape::Bool),
            Dtype::U8 => body!(u8),
            Dtype::U16 => body!(u16),
            Dtype::U32 => body!(u32),
            Dtype::U64 => body!(u64),
            Dtype::I8 => body!(i8),
            Dtype::I16 => body!(i16),
            Dtype::I32 => body!(i32),
            Dtype::I64 => body!(i64),
            Dtype::F32 => body!(f32),
            Dtype::F64 => body!(f64),
            Dtype::C64 => body!(Complex<f32>),
            Dtype::C128 => body!(Complex<f64>),
        }
    }};
}
pub(crate) use for_element;
