//! Numbers of one dtype and byte order into little-endian numbers of another, as numpy's `astype` does it.
//!
//! Loops are over whole slices, for the compiler to vectorise.

#![expect(
    clippy::cast_lossless,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::float_cmp,
    reason = "a user who asks for another dtype asks for its losses; `as` has them as numpy has them"
)]

use bytemuck::Pod;

use super::{ByteOrder, Dtype, DtypeKind};

/// Converts all numbers of the first slice into the second, which has room for as many. Neither need be aligned.
pub(crate) type Kernel = fn(&[u8], &mut [u8]);

/// Whether numbers of dtype `from` can be had as `to`.
///
/// All but complex to real. Integers wrap, real numbers lose what is behind the point and saturate, and `bool` is true
/// for what is not zero.
pub fn convertible(from: Dtype, to: Dtype) -> bool {
    from.kind() != DtypeKind::Complex || matches!(to.kind(), DtypeKind::Complex | DtypeKind::Bool)
}

/// The conversion, if it is [`convertible`].
pub(crate) fn kernel(from: Dtype, order: ByteOrder, to: Dtype) -> Option<Kernel> {
    let order = if from.word_size() == 1 { ByteOrder::Little } else { order };
    // A boolean byte in a file may be any number.
    if from == to && order == ByteOrder::Little && from != Dtype::Bool {
        return Some(|from, to| to.copy_from_slice(from));
    }
    Some(match from {
        Dtype::Bool => from_real::<Bit>(order, to),
        Dtype::U8 => from_real::<u8>(order, to),
        Dtype::U16 => from_real::<u16>(order, to),
        Dtype::U32 => from_real::<u32>(order, to),
        Dtype::U64 => from_real::<u64>(order, to),
        Dtype::I8 => from_real::<i8>(order, to),
        Dtype::I16 => from_real::<i16>(order, to),
        Dtype::I32 => from_real::<i32>(order, to),
        Dtype::I64 => from_real::<i64>(order, to),
        Dtype::F32 => from_real::<f32>(order, to),
        Dtype::F64 => from_real::<f64>(order, to),
        Dtype::C64 => from_complex::<[f32; 2]>(order, to)?,
        Dtype::C128 => from_complex::<[f64; 2]>(order, to)?,
    })
}

/// Converts numbers that lie in memory, little-endian.
///
/// # Panics
///
/// If the numbers are not [`convertible`].
pub(crate) fn cast(from: Dtype, data: &[u8], to: Dtype, out: &mut [u8]) {
    let kernel = kernel(from, ByteOrder::Little, to).expect("the caller converts what can be converted");
    kernel(data, out);
}

fn from_real<S: ToReal + ToComplex>(order: ByteOrder, to: Dtype) -> Kernel {
    match to {
        Dtype::Bool => pair::<S, Bit>(order),
        Dtype::U8 => pair::<S, u8>(order),
        Dtype::U16 => pair::<S, u16>(order),
        Dtype::U32 => pair::<S, u32>(order),
        Dtype::U64 => pair::<S, u64>(order),
        Dtype::I8 => pair::<S, i8>(order),
        Dtype::I16 => pair::<S, i16>(order),
        Dtype::I32 => pair::<S, i32>(order),
        Dtype::I64 => pair::<S, i64>(order),
        Dtype::F32 => pair::<S, f32>(order),
        Dtype::F64 => pair::<S, f64>(order),
        Dtype::C64 => pair::<S, [f32; 2]>(order),
        Dtype::C128 => pair::<S, [f64; 2]>(order),
    }
}

fn from_complex<S: ToComplex>(order: ByteOrder, to: Dtype) -> Option<Kernel> {
    match to {
        Dtype::Bool => Some(pair::<S, Bit>(order)),
        Dtype::C64 => Some(pair::<S, [f32; 2]>(order)),
        Dtype::C128 => Some(pair::<S, [f64; 2]>(order)),
        _ => None,
    }
}

fn pair<S: Number + To<T>, T: Number>(order: ByteOrder) -> Kernel {
    match order {
        ByteOrder::Little => fastest::<S, T, false>(),
        ByteOrder::Big => fastest::<S, T, true>(),
    }
}

/// The loop, compiled for what this processor has.
fn fastest<S: Number + To<T>, T: Number, const BIG: bool>() -> Kernel {
    #[cfg(target_arch = "x86_64")]
    if std::is_x86_feature_detected!("avx2") {
        return |from, to| {
            #[expect(unsafe_code, reason = "the compiler can't see what the processor has")]
            // SAFETY: it has AVX2.
            unsafe {
                with_avx2::<S, T, BIG>(from, to);
            }
        };
    }
    convert::<S, T, BIG>
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn with_avx2<S: Number + To<T>, T: Number, const BIG: bool>(from: &[u8], to: &mut [u8]) {
    convert::<S, T, BIG>(from, to);
}

#[expect(clippy::inline_always, reason = "only what is inlined is compiled for more than any processor has")]
#[inline(always)]
fn convert<S: Number + To<T>, T: Number, const BIG: bool>(from: &[u8], to: &mut [u8]) {
    let from: &[S::Bytes] = bytemuck::cast_slice(from);
    let to: &mut [T::Bytes] = bytemuck::cast_slice_mut(to);
    for (to, &from) in to.iter_mut().zip(from) {
        let number = if BIG { S::from_be(from) } else { S::from_le(from) };
        *to = number.to().into_le();
    }
}

/// A boolean.
#[derive(Clone, Copy)]
struct Bit(u8);

/// A number and its bytes.
trait Number: Copy {
    type Bytes: Pod;
    fn from_le(bytes: Self::Bytes) -> Self;
    fn from_be(bytes: Self::Bytes) -> Self;
    fn into_le(self) -> Self::Bytes;
}

/// Conversion to `T`.
trait To<T>: Number {
    fn to(self) -> T;
}

/// All conversions to a real number.
trait ToReal: To<u8> + To<u16> + To<u32> + To<u64> + To<i8> + To<i16> + To<i32> + To<i64> + To<f32> + To<f64> {}

/// The conversions that every number has.
trait ToComplex: To<Bit> + To<[f32; 2]> + To<[f64; 2]> {}

impl Number for Bit {
    type Bytes = [u8; 1];

    fn from_le([byte]: [u8; 1]) -> Self {
        Self(u8::from(byte != 0))
    }

    fn from_be(bytes: [u8; 1]) -> Self {
        Self::from_le(bytes)
    }

    fn into_le(self) -> [u8; 1] {
        [self.0]
    }
}

/// Numbers that are their own bytes: reals, and complex numbers as two reals.
macro_rules! number {
    ($($number:ty),*) => {$(
        impl Number for $number {
            type Bytes = [u8; size_of::<$number>()];

            fn from_le(bytes: Self::Bytes) -> Self {
                Self::from_le_bytes(bytes)
            }

            fn from_be(bytes: Self::Bytes) -> Self {
                Self::from_be_bytes(bytes)
            }

            fn into_le(self) -> Self::Bytes {
                self.to_le_bytes()
            }
        }

        impl Number for [$number; 2] {
            type Bytes = [[u8; size_of::<$number>()]; 2];

            fn from_le(bytes: Self::Bytes) -> Self {
                bytes.map(<$number>::from_le_bytes)
            }

            fn from_be(bytes: Self::Bytes) -> Self {
                bytes.map(<$number>::from_be_bytes)
            }

            fn into_le(self) -> Self::Bytes {
                self.map(<$number>::to_le_bytes)
            }
        }
    )*};
}

/// The conversions of one real number to those in the list, to complex and to `bool`; and from `bool`.
macro_rules! casts {
    ($from:ty => $($to:ty),*) => {
        $(impl To<$to> for $from {
            fn to(self) -> $to {
                self as $to
            }
        })*

        impl To<[f32; 2]> for $from {
            fn to(self) -> [f32; 2] {
                [self as f32, 0.0]
            }
        }

        impl To<[f64; 2]> for $from {
            fn to(self) -> [f64; 2] {
                [self as f64, 0.0]
            }
        }

        impl To<Bit> for $from {
            fn to(self) -> Bit {
                Bit(u8::from(self != <$from>::default()))
            }
        }

        impl To<$from> for Bit {
            fn to(self) -> $from {
                self.0 as $from
            }
        }
    };
}

macro_rules! real {
    ($($from:ty),*) => {
        $(casts!($from => u8, u16, u32, u64, i8, i16, i32, i64, f32, f64);)*
    };
}

number!(u8, u16, u32, u64, i8, i16, i32, i64, f32, f64);
real!(u8, u16, u32, u64, i8, i16, i32, i64, f32, f64);

impl To<Bit> for Bit {
    fn to(self) -> Bit {
        self
    }
}

impl To<[f32; 2]> for Bit {
    fn to(self) -> [f32; 2] {
        [f32::from(self.0), 0.0]
    }
}

impl To<[f64; 2]> for Bit {
    fn to(self) -> [f64; 2] {
        [f64::from(self.0), 0.0]
    }
}

impl<P: Copy + PartialEq + Default> To<Bit> for [P; 2]
where
    [P; 2]: Number,
{
    fn to(self) -> Bit {
        Bit(u8::from(self != [P::default(); 2]))
    }
}

impl<P: To<f32>> To<[f32; 2]> for [P; 2]
where
    [P; 2]: Number,
{
    fn to(self) -> [f32; 2] {
        self.map(To::<f32>::to)
    }
}

impl<P: To<f64>> To<[f64; 2]> for [P; 2]
where
    [P; 2]: Number,
{
    fn to(self) -> [f64; 2] {
        self.map(To::<f64>::to)
    }
}

impl<T> ToReal for T where
    T: To<u8> + To<u16> + To<u32> + To<u64> + To<i8> + To<i16> + To<i32> + To<i64> + To<f32> + To<f64>
{
}

impl<T: To<Bit> + To<[f32; 2]> + To<[f64; 2]>> ToComplex for T {}

#[cfg(test)]
mod tests {
    use std::{any::type_name, io::Write as _};

    use super::*;

    fn run(from: Dtype, order: ByteOrder, to: Dtype, bytes: &[u8]) -> Vec<u8> {
        let mut out = vec![0xAA; bytes.len() / from.size() * to.size()];
        kernel(from, order, to).unwrap()(bytes, &mut out);
        out
    }

    #[test]
    fn all_pairs_keep_small_numbers() {
        let small = [0_u8, 1, 1, 0];
        for from in Dtype::all() {
            let start = run(Dtype::U8, ByteOrder::Little, from, &small);
            for to in Dtype::all() {
                assert_eq!(kernel(from, ByteOrder::Big, to).is_some(), convertible(from, to), "{from} to {to}");
                if convertible(from, to) {
                    let expected = run(Dtype::U8, ByteOrder::Little, to, &small);
                    assert_eq!(run(from, ByteOrder::Little, to, &start), expected, "{from} to {to}");
                    let mut swapped = start.clone();
                    swapped.chunks_exact_mut(from.word_size()).for_each(<[u8]>::reverse);
                    assert_eq!(run(from, ByteOrder::Big, to, &swapped), expected, "{from} to {to}, big-endian");
                }
            }
        }
    }

    #[test]
    fn numbers_are_converted_as_numpy_does() {
        let le = ByteOrder::Little;
        assert_eq!(run(Dtype::U16, ByteOrder::Big, Dtype::F32, &[1, 2]), 258_f32.to_le_bytes());
        assert_eq!(run(Dtype::U16, le, Dtype::U8, &300_u16.to_le_bytes()), [44]);
        assert_eq!(run(Dtype::I8, le, Dtype::U32, &[0xFF]), u32::MAX.to_le_bytes());
        assert_eq!(run(Dtype::F64, le, Dtype::I16, &(-2.9_f64).to_le_bytes()), (-2_i16).to_le_bytes());
        assert_eq!(run(Dtype::F32, le, Dtype::Bool, &0.25_f32.to_le_bytes()), [1]);
        assert_eq!(run(Dtype::F32, le, Dtype::Bool, &f32::NAN.to_le_bytes()), [1]);
        assert_eq!(run(Dtype::Bool, le, Dtype::Bool, &[0, 7]), [0, 1]);
        assert_eq!(run(Dtype::Bool, le, Dtype::F32, &[9]), 1_f32.to_le_bytes());
        assert_eq!(run(Dtype::C64, le, Dtype::Bool, &[0_f32, 2.0].map(f32::to_le_bytes).concat()), [1]);
        let parts = [1.5_f32, -2.0].map(f32::to_be_bytes).concat();
        let expected = [1.5_f64, -2.0].map(f64::to_le_bytes).concat();
        assert_eq!(run(Dtype::C64, ByteOrder::Big, Dtype::C128, &parts), expected);
    }

    /// Numbers of every kind, as `f32` and `f64` have them; to others they are any bits.
    fn special() -> Vec<u8> {
        let doubles = [
            [0.0, -0.0, 1.0, -1.5, f64::NAN, -f64::NAN, f64::INFINITY, f64::NEG_INFINITY],
            [f64::MIN, f64::MAX, f64::EPSILON, f64::MIN_POSITIVE, 5e-324, -5e-324, 2.2e-308, 1e-45],
            [127.5, 128.0, -128.9, 255.9, 256.0, 32767.5, -32769.0, 65535.9],
            [2_147_483_648.0, -2_147_483_649.0, 4_294_967_296.0, 9.3e18, -9.3e18, 1.8e19, 1.9e19, 3.5e38],
        ];
        let doubles = doubles.as_flattened();
        let floats = doubles.iter().map(|&number| number as f32);
        let floats = floats.chain([f32::MIN, f32::MAX, f32::MIN_POSITIVE, 1e-45, -1e-45, 1e-40, 16_777_217.0]);
        let integers =
            [0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 1 << 24, (1 << 24) + 1, 1 << 31, (1 << 53) + 1, 1 << 63];
        let integers = integers.into_iter().flat_map(|number: u64| [number, !number, number.wrapping_neg()]);
        let bytes = doubles.iter().flat_map(|number| number.to_le_bytes());
        // A signalling NaN at the end.
        let bytes = bytes.chain(floats.flat_map(f32::to_le_bytes)).chain(0x7FA0_0001_u32.to_le_bytes());
        bytes.chain(integers.flat_map(u64::to_le_bytes)).collect()
    }

    /// Special numbers at all places, and random bits between them.
    fn many(word_size: usize, is_big: bool) -> Vec<u8> {
        let (mut bytes, mut state) = (Vec::new(), 1_u64);
        for n_between in [0, 16, 48, 112, 16, 80] {
            bytes.extend(special());
            bytes.extend((0..n_between).map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 56) as u8
            }));
            bytes.resize(bytes.len().next_multiple_of(16), 0xC3);
        }
        if is_big {
            bytes.chunks_exact_mut(word_size).for_each(<[u8]>::reverse);
        }
        bytes
    }

    /// Holds the loop that this processor gets against the one that every processor can run.
    fn check<S: Number + To<T>, T: Number, const BIG: bool>(word_size: usize) {
        let (size, to_size) = (size_of::<S::Bytes>(), size_of::<T::Bytes>());
        let numbers = many(word_size, BIG);
        let n_all = numbers.len() / size;
        for n in (0..=33).chain([63, 64, 65, n_all]) {
            // At the start and at the end, which the loops come to in another way.
            for first in [0, (n_all - n) / 3, n_all - n] {
                for offset in [0, 1, 5] {
                    let (mut from, mut slow, mut fast) = (vec![0; offset], vec![0xAA; offset], vec![0xAA; offset]);
                    from.extend(&numbers[first * size..(first + n) * size]);
                    slow.resize(offset + n * to_size, 0xAA);
                    fast.resize(offset + n * to_size, 0xAA);
                    convert::<S, T, BIG>(&from[offset..], &mut slow[offset..]);
                    fastest::<S, T, BIG>()(&from[offset..], &mut fast[offset..]);
                    let (from, to) = (type_name::<S>(), type_name::<T>());
                    assert!(slow == fast, "{from} to {to}, big-endian {BIG}: {n} from the {first}th on, at {offset}");
                }
            }
        }
    }

    fn check_to<S: Number + To<T>, T: Number>(word_size: usize) {
        check::<S, T, false>(word_size);
        check::<S, T, true>(word_size);
    }

    fn check_real<S: ToReal + ToComplex>() {
        let size = size_of::<S::Bytes>();
        check_to::<S, u8>(size);
        check_to::<S, u16>(size);
        check_to::<S, u32>(size);
        check_to::<S, u64>(size);
        check_to::<S, i8>(size);
        check_to::<S, i16>(size);
        check_to::<S, i32>(size);
        check_to::<S, i64>(size);
        check_to::<S, f32>(size);
        check_to::<S, f64>(size);
        check_complex::<S>(size);
    }

    fn check_complex<S: ToComplex>(word_size: usize) {
        check_to::<S, Bit>(word_size);
        check_to::<S, [f32; 2]>(word_size);
        check_to::<S, [f64; 2]>(word_size);
    }

    fn has_two_loops() -> bool {
        #[cfg(target_arch = "x86_64")]
        let has_avx2 = std::is_x86_feature_detected!("avx2");
        #[cfg(not(target_arch = "x86_64"))]
        let has_avx2 = false;
        has_avx2
    }

    #[test]
    fn vectors_give_what_plain_loops_give() {
        if !has_two_loops() {
            let _nobody_listens = writeln!(std::io::stderr(), "skipped: without AVX2 there is only one loop");
            return;
        }
        check_real::<Bit>();
        check_real::<u8>();
        check_real::<u16>();
        check_real::<u32>();
        check_real::<u64>();
        check_real::<i8>();
        check_real::<i16>();
        check_real::<i32>();
        check_real::<i64>();
        check_real::<f32>();
        check_real::<f64>();
        check_complex::<[f32; 2]>(4);
        check_complex::<[f64; 2]>(8);
    }
}
