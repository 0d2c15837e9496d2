//! The same memory, seen as another type: with `kernels::vector`, the only `unsafe` of this crate that is written by hand.
#![expect(unsafe_code, reason = "a tile is never copied, so pairs of floats are looked at as complex numbers in place")]

use std::slice;

use crate::{Bool, Complex, Element, Part};

/// Real and imaginary parts in turn, as complex numbers. An odd last element is left out.
pub(crate) fn complex<T: Part>(parts: &[T]) -> &[Complex<T>] {
    // SAFETY: `Complex<T>` is `repr(C)` with two `T`: the alignment of `T`, twice its size, no padding. The length
    // in pairs stays within the slice, whose lifetime and shared borrow the result inherits.
    unsafe { slice::from_raw_parts(parts.as_ptr().cast(), parts.len() / 2) }
}

/// Like [`complex`], for writing.
pub(crate) fn complex_mut<T: Part>(parts: &mut [T]) -> &mut [Complex<T>] {
    // SAFETY: as in `complex`; the borrow is exclusive, and is handed on.
    unsafe { slice::from_raw_parts_mut(parts.as_mut_ptr().cast(), parts.len() / 2) }
}

/// Complex numbers as their real and imaginary parts in turn.
pub(crate) fn parts<T: Part>(numbers: &[Complex<T>]) -> &[T] {
    // SAFETY: as in `complex`. Twice the length cannot overflow, as it counts elements that are in memory.
    unsafe { slice::from_raw_parts(numbers.as_ptr().cast(), numbers.len() * 2) }
}

/// Like [`parts`], for writing.
pub(crate) fn parts_mut<T: Part>(numbers: &mut [Complex<T>]) -> &mut [T] {
    // SAFETY: as in `parts`; the borrow is exclusive, and is handed on.
    unsafe { slice::from_raw_parts_mut(numbers.as_mut_ptr().cast(), numbers.len() * 2) }
}

/// Bytes as truth values.
pub(crate) fn bools(bytes: &[u8]) -> &[Bool] {
    // SAFETY: `Bool` is `repr(transparent)` over `u8`, and every byte is a valid one.
    unsafe { slice::from_raw_parts(bytes.as_ptr().cast(), bytes.len()) }
}

/// Like [`bools`], for writing.
pub(crate) fn bools_mut(bytes: &mut [u8]) -> &mut [Bool] {
    // SAFETY: as in `bools`; the borrow is exclusive, and every `Bool` is a valid byte.
    unsafe { slice::from_raw_parts_mut(bytes.as_mut_ptr().cast(), bytes.len()) }
}

/// Numbers as their bytes in memory, which are little-endian on every machine that wasm runs on.
pub(crate) fn bytes<T: Element>(numbers: &[T]) -> &[u8] {
    // SAFETY: `Element` is sealed, and its types are numbers without padding, so every byte is initialised; any
    // address is aligned for `u8`; the size is that of the slice itself.
    unsafe { slice::from_raw_parts(numbers.as_ptr().cast(), size_of_val(numbers)) }
}

/// The inverse of [`bytes`]; none where they are not aligned for `T`, or no whole numbers.
pub(crate) fn numbers<T: Element>(bytes: &[u8]) -> Option<&[T]> {
    // SAFETY: `Element` is sealed, and every pattern of bits is a valid number of its types.
    let (before, numbers, after) = unsafe { bytes.align_to() };
    (before.is_empty() && after.is_empty()).then_some(numbers)
}

/// Like [`bytes`], for writing.
pub(crate) fn bytes_mut<T: Element>(numbers: &mut [T]) -> &mut [u8] {
    let size = size_of_val(numbers);
    // SAFETY: as in `bytes`; the borrow is exclusive, and every pattern of bits is a valid number of these types.
    unsafe { slice::from_raw_parts_mut(numbers.as_mut_ptr().cast(), size) }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these numbers are exact")]
mod tests {
    use super::*;

    #[test]
    fn a_cast_and_back_changes_nothing() {
        let numbers = [1.0_f32, -2.0, 3.0, -4.0];
        let pairs = complex(&numbers);
        assert_eq!(pairs, [Complex { re: 1.0, im: -2.0 }, Complex { re: 3.0, im: -4.0 }]);
        assert_eq!(parts(pairs), numbers);
        assert_eq!(complex(&numbers[..3]).len(), 1, "an odd element is left out");
        let mut numbers = numbers;
        complex_mut(&mut numbers)[1].re = 7.0;
        parts_mut(complex_mut(&mut numbers))[3] = 8.0;
        assert_eq!(numbers, [1.0, -2.0, 7.0, 8.0]);
    }

    #[test]
    fn bytes_are_little_endian() {
        let pair = [0x0102_u16, 0x0304];
        assert_eq!(bytes(&pair), [2, 1, 4, 3]);
        assert_eq!(numbers::<u16>(bytes(&pair)), Some(&pair[..]));
        assert_eq!(numbers::<u16>(&bytes(&pair)[1..3]), None, "not aligned");
        assert_eq!(numbers::<u16>(&bytes(&pair)[..3]), None, "not whole");
        let mut truth = [0, 1];
        bools_mut(&mut truth)[0] = Bool::TRUE;
        assert_eq!(bools(&truth), [Bool::TRUE, Bool::TRUE]);
    }
}
