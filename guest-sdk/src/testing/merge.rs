//! What the host does with emitted bytes, and its standard merges, as plainly as can be.

use std::ops::Range;

use crate::{
    Element, Error, Numbers, Real, Result,
    bindings::{Values, lthost::udf::types::Merge},
};

/// Writes little-endian `bytes` into `values` from element `offset` on. Gives the elements that were written.
pub(super) fn write(values: &mut Values, offset: usize, bytes: &[u8]) -> Result<Range<usize>> {
    let dtype = Numbers::of(values).dtype();
    let range = offset..offset + bytes.len() / dtype.size();
    if range.end > Numbers::of(values).len() || !bytes.len().is_multiple_of(dtype.size()) {
        return Err(Error::new(format!("{} bytes from element {offset} on do not fit in the buffer", bytes.len())));
    }
    macro_rules! copy {
        ($numbers:expr, $type:ty, $per_element:expr) => {
            for (number, bytes) in $numbers[range.start * $per_element..].iter_mut().zip(bytes.as_chunks().0) {
                *number = <$type>::from_le_bytes(*bytes);
            }
        };
    }
    match values {
        Values::Bool(numbers) | Values::U8(numbers) => copy!(numbers, u8, 1),
        Values::U16(numbers) => copy!(numbers, u16, 1),
        Values::U32(numbers) => copy!(numbers, u32, 1),
        Values::U64(numbers) => copy!(numbers, u64, 1),
        Values::I8(numbers) => copy!(numbers, i8, 1),
        Values::I16(numbers) => copy!(numbers, i16, 1),
        Values::I32(numbers) => copy!(numbers, i32, 1),
        Values::I64(numbers) => copy!(numbers, i64, 1),
        Values::F32(numbers) => copy!(numbers, f32, 1),
        Values::F64(numbers) => copy!(numbers, f64, 1),
        Values::C64(parts) => copy!(parts, f32, 2),
        Values::C128(parts) => copy!(parts, f64, 2),
    }
    Ok(range)
}

/// Merges those elements of `src` that are `covered` into the elements of `dest` from `start` on.
pub(super) fn merge(how: Merge, dest: &mut Values, start: usize, src: &Values, covered: &[bool]) -> Result<()> {
    let src = Numbers::of(src);
    match how {
        Merge::Custom => Ok(()),
        Merge::Assign => crate::each_dtype!(src, |src| fold(dest, start, src, covered, |_, new| new)),
        Merge::Sum => crate::each_dtype!(src, |src| fold(dest, start, src, covered, Element::plus)),
        Merge::Product => crate::each_dtype!(src, |src| fold(dest, start, src, covered, Element::times)),
        Merge::Min => crate::each_real!(src, |src| fold(dest, start, src, covered, Real::lesser))?,
        Merge::Max => crate::each_real!(src, |src| fold(dest, start, src, covered, Real::greater))?,
    }
}

fn fold<T: Element>(
    dest: &mut Values,
    start: usize,
    src: &[T],
    covered: &[bool],
    fold: impl Fn(T, T) -> T,
) -> Result<()> {
    let dest = T::of_mut(dest).and_then(|dest| dest.get_mut(start..start + src.len()));
    let dest = dest.ok_or_else(|| Error::new("a partial buffer does not fit in the merged one"))?;
    for ((dest, &src), _) in dest.iter_mut().zip(src).zip(covered).filter(|(_, covered)| **covered) {
        *dest = fold(*dest, src);
    }
    Ok(())
}
