//! Vectors of sixteen bytes, for the loops in which the compiler does not find them, or not the instructions that are best.
//!
//! In a plugin a function here is one instruction, or two. Elsewhere arrays stand for vectors, and give the same bits.
#![expect(clippy::inline_always, reason = "a call takes longer than the few instructions of any of these")]

use std::convert::identity;

use super::passes::unrolled;

#[cfg(not(target_arch = "wasm32"))]
pub(crate) use arrays::*;
#[cfg(target_arch = "wasm32")]
pub(crate) use instructions::*;

/// A number of which a vector has [`Lane::LANES`].
pub(crate) trait Lane: Copy {
    /// As many of them as there are in sixteen bytes.
    type Vector: Copy;

    const LANES: usize = 16 / size_of::<Self>();

    /// The first numbers of a slice.
    fn load(numbers: &[Self]) -> Self::Vector;

    /// Writes over the first numbers of a slice.
    fn store(vector: Self::Vector, numbers: &mut [Self]);

    /// The same number in each lane.
    fn splat(number: Self) -> Self::Vector;

    /// The sum in each lane. Integers wrap around.
    fn summed(a: Self::Vector, b: Self::Vector) -> Self::Vector;

    /// Adds to the first numbers of a slice.
    #[inline(always)]
    fn add_to(numbers: &mut [Self], vector: Self::Vector) {
        Self::store(Self::summed(Self::load(numbers), vector), numbers);
    }
}

/// A number that has a type of twice its size.
pub(crate) trait Half: Lane {
    type Whole: Lane;

    /// The numbers of the first half, and of the second.
    fn widen(vector: Self::Vector) -> [<Self::Whole as Lane>::Vector; 2];
}

/// A count, or what becomes of one on its way.
pub(crate) trait Narrow: Half {
    /// The sums of neighbours.
    fn pairs(vector: Self::Vector) -> <Self::Whole as Lane>::Vector;

    /// Lanes of two vectors in turn.
    fn zip(a: Self::Vector, b: Self::Vector) -> [Self::Vector; 2];
}

/// What is compared.
pub(crate) trait Ordered: Lane {
    /// In each lane `b` where it is smaller, else `a`.
    fn least(a: Self::Vector, b: Self::Vector) -> Self::Vector;

    /// In each lane `b` where it is larger, else `a`.
    fn most(a: Self::Vector, b: Self::Vector) -> Self::Vector;
}

/// A count of 8 or 16 bits.
pub(crate) trait Counting: Narrow + Ordered {
    /// Sums of few of them.
    type Sums: Copy;

    fn no_sums() -> Self::Sums;

    /// Adds two vectors to the sums.
    fn add_two(sums: &mut Self::Sums, a: Self::Vector, b: Self::Vector);

    /// Four sums that are together that of `numbers`, with [`Count::MIDDLE`](crate::Count) taken off each. They are so few
    /// that 32 bits are enough, and of counts of 8 bits, 16 for sums of eight parts.
    fn sums_of<const LEN: usize>(numbers: &[Self; LEN]) -> <i32 as Lane>::Vector;

    /// Calls `take` with the lane of the first of four sums, and these.
    fn each_four_sums(sums: Self::Sums, take: impl FnMut(usize, <i32 as Lane>::Vector));

    /// As [`Counting::each_four_sums`], of the counts themselves.
    fn each_four(vector: Self::Vector, take: impl FnMut(usize, <i32 as Lane>::Vector));
}

macro_rules! counting {
    ($($count:ident: $take:ident, $add_two:ident, $signed:path;)*) => { $(
        impl Counting for $count {
            type Sums = [<<Self as Half>::Whole as Lane>::Vector; 2];

            #[inline(always)]
            fn no_sums() -> Self::Sums {
                [<<Self as Half>::Whole as Lane>::splat(0); 2]
            }

            #[inline(always)]
            fn add_two(sums: &mut Self::Sums, a: Self::Vector, b: Self::Vector) {
                $add_two::<Self>(sums, a, b);
            }

            #[inline(always)]
            fn sums_of<const LEN: usize>(numbers: &[Self; LEN]) -> <i32 as Lane>::Vector {
                counting!(@ $take, sums, numbers, $signed);
                sums
            }

            #[inline(always)]
            fn each_four_sums(sums: Self::Sums, mut take: impl FnMut(usize, <i32 as Lane>::Vector)) {
                counting!(@ $take, sums, take);
            }

            #[inline(always)]
            fn each_four(vector: Self::Vector, take: impl FnMut(usize, <i32 as Lane>::Vector)) {
                Self::each_four_sums(Self::widen(vector), take);
            }
        }
    )* };
    (@ words, $sums:ident, $numbers:ident, $signed:path) => {
        let mut $sums = i32::splat(0);
        unrolled!(at, Self::LANES, LEN, {
            $sums = i32::summed($sums, dot($signed(Self::load(&$numbers[at..])), i16::splat(1)));
        });
    };
    (@ bytes, $sums:ident, $numbers:ident, $signed:path) => {
        let mut pairs = i16::splat(0);
        unrolled!(at, Self::LANES, LEN, {
            pairs = i16::summed(pairs, Self::pairs(Self::load(&$numbers[at..])));
        });
        let $sums = i16::pairs(pairs);
    };
    (@ words, $sums:ident, $take:ident) => {
        $take(0, $sums[0]);
        $take(4, $sums[1]);
    };
    (@ bytes, $sums:ident, $take:ident) => {
        let [first, second] = i16::widen($sums[0]);
        let [third, fourth] = i16::widen($sums[1]);
        $take(0, first);
        $take(4, second);
        $take(8, third);
        $take(12, fourth);
    };
}
counting! {
    u8: bytes, add_pairs, identity;
    i8: bytes, add_pairs, identity;
    u16: words, add_wide, centred;
    i16: words, add_pairs, identity;
}

#[inline(always)]
fn add_pairs<T: Narrow>(sums: &mut [<T::Whole as Lane>::Vector; 2], a: T::Vector, b: T::Vector) {
    let [low, high] = T::zip(a, b);
    sums[0] = T::Whole::summed(sums[0], T::pairs(low));
    sums[1] = T::Whole::summed(sums[1], T::pairs(high));
}

/// Where neighbours are not added in one instruction.
#[inline(always)]
fn add_wide<T: Half>(sums: &mut [<T::Whole as Lane>::Vector; 2], a: T::Vector, b: T::Vector) {
    let ([low, high], [other_low, other_high]) = (T::widen(a), T::widen(b));
    sums[0] = T::Whole::summed(T::Whole::summed(sums[0], low), other_low);
    sums[1] = T::Whole::summed(T::Whole::summed(sums[1], high), other_high);
}

/// `f32` or `f64`.
pub(crate) trait Double: Ordered {
    /// The first four numbers of a slice.
    fn load_doubles(numbers: &[Self]) -> [<f64 as Lane>::Vector; 2];

    /// Adds four whole numbers to the first of a slice.
    fn add_counts(numbers: &mut [Self], counts: <i32 as Lane>::Vector);

    /// Leaves the smaller ones of four whole numbers and the first of a slice.
    fn keep_least(numbers: &mut [Self], counts: <i32 as Lane>::Vector);

    /// Leaves the larger ones.
    fn keep_most(numbers: &mut [Self], counts: <i32 as Lane>::Vector);
}

impl Double for f32 {
    #[inline(always)]
    fn load_doubles(numbers: &[Self]) -> [<f64 as Lane>::Vector; 2] {
        Self::widen(Self::load(numbers))
    }

    #[inline(always)]
    fn add_counts(numbers: &mut [Self], counts: <i32 as Lane>::Vector) {
        Self::add_to(numbers, to_f32(counts));
    }

    #[inline(always)]
    fn keep_least(numbers: &mut [Self], counts: <i32 as Lane>::Vector) {
        Self::store(Self::least(Self::load(numbers), to_f32(counts)), numbers);
    }

    #[inline(always)]
    fn keep_most(numbers: &mut [Self], counts: <i32 as Lane>::Vector) {
        Self::store(Self::most(Self::load(numbers), to_f32(counts)), numbers);
    }
}

impl Double for f64 {
    #[inline(always)]
    fn load_doubles(numbers: &[Self]) -> [<f64 as Lane>::Vector; 2] {
        [Self::load(numbers), Self::load(&numbers[2..])]
    }

    #[inline(always)]
    fn add_counts(numbers: &mut [Self], counts: <i32 as Lane>::Vector) {
        let [first, second] = to_f64(counts);
        Self::add_to(numbers, first);
        Self::add_to(&mut numbers[2..], second);
    }

    #[inline(always)]
    fn keep_least(numbers: &mut [Self], counts: <i32 as Lane>::Vector) {
        let [first, second] = to_f64(counts);
        Self::store(Self::least(Self::load(numbers), first), numbers);
        Self::store(Self::least(Self::load(&numbers[2..]), second), &mut numbers[2..]);
    }

    #[inline(always)]
    fn keep_most(numbers: &mut [Self], counts: <i32 as Lane>::Vector) {
        let [first, second] = to_f64(counts);
        Self::store(Self::most(Self::load(numbers), first), numbers);
        Self::store(Self::most(Self::load(&numbers[2..]), second), &mut numbers[2..]);
    }
}

#[cfg(target_arch = "wasm32")]
mod instructions {
    //! What wasm has.
    #![expect(unsafe_code, reason = "a vector is read and written at once")]

    use std::arch::wasm32::*;

    use super::*;

    macro_rules! lanes {
        ($($lane:ident $splat:ident $plus:ident;)*) => { $(
            impl Lane for $lane {
                type Vector = v128;

                #[inline(always)]
                fn load(numbers: &[Self]) -> v128 {
                    let numbers = &numbers[..Self::LANES];
                    // SAFETY: these are sixteen bytes, which need not be aligned.
                    unsafe { v128_load(numbers.as_ptr().cast()) }
                }

                #[inline(always)]
                fn store(vector: v128, numbers: &mut [Self]) {
                    let numbers = &mut numbers[..Self::LANES];
                    // SAFETY: as above; every pattern of bits is a number.
                    unsafe { v128_store(numbers.as_mut_ptr().cast(), vector) }
                }

                #[inline(always)]
                fn splat(number: Self) -> v128 {
                    $splat(number)
                }

                #[inline(always)]
                fn summed(a: v128, b: v128) -> v128 {
                    $plus(a, b)
                }
            }
        )* };
    }
    lanes! {
        u8 u8x16_splat u8x16_add;
        i8 i8x16_splat i8x16_add;
        u16 u16x8_splat u16x8_add;
        i16 i16x8_splat i16x8_add;
        u32 u32x4_splat u32x4_add;
        i32 i32x4_splat i32x4_add;
        u64 u64x2_splat u64x2_add;
        i64 i64x2_splat i64x2_add;
        f32 f32x4_splat f32x4_add;
        f64 f64x2_splat f64x2_add;
    }

    macro_rules! halves {
        ($($half:ident $whole:ident $low:ident $high:ident;)*) => { $(
            impl Half for $half {
                type Whole = $whole;

                #[inline(always)]
                fn widen(vector: v128) -> [v128; 2] {
                    [$low(vector), $high(vector)]
                }
            }
        )* };
    }
    halves! {
        u8 i16 i16x8_extend_low_u8x16 i16x8_extend_high_u8x16;
        i8 i16 i16x8_extend_low_i8x16 i16x8_extend_high_i8x16;
        u16 i32 i32x4_extend_low_u16x8 i32x4_extend_high_u16x8;
        i16 i32 i32x4_extend_low_i16x8 i32x4_extend_high_i16x8;
        u32 u64 i64x2_extend_low_u32x4 i64x2_extend_high_u32x4;
        i32 i64 i64x2_extend_low_i32x4 i64x2_extend_high_i32x4;
        f32 f64 f64x2_promote_low_f32x4 promote_high;
    }

    #[inline(always)]
    fn promote_high(vector: v128) -> v128 {
        f64x2_promote_low_f32x4(i64x2_shuffle::<1, 1>(vector, vector))
    }

    macro_rules! narrow {
        ($($lane:ident $pairs:ident $low:ident $high:ident;)*) => { $(
            impl Narrow for $lane {
                #[inline(always)]
                fn pairs(vector: v128) -> v128 {
                    $pairs(vector)
                }

                #[inline(always)]
                fn zip(a: v128, b: v128) -> [v128; 2] {
                    [$low(a, b), $high(a, b)]
                }
            }
        )* };
    }
    narrow! {
        u8 i16x8_extadd_pairwise_u8x16 low_bytes high_bytes;
        i8 i16x8_extadd_pairwise_i8x16 low_bytes high_bytes;
        u16 i32x4_extadd_pairwise_u16x8 low_words high_words;
        i16 i32x4_extadd_pairwise_i16x8 low_words high_words;
    }

    #[inline(always)]
    fn low_bytes(a: v128, b: v128) -> v128 {
        i8x16_shuffle::<0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23>(a, b)
    }

    #[inline(always)]
    fn high_bytes(a: v128, b: v128) -> v128 {
        i8x16_shuffle::<8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31>(a, b)
    }

    #[inline(always)]
    fn low_words(a: v128, b: v128) -> v128 {
        i16x8_shuffle::<0, 8, 1, 9, 2, 10, 3, 11>(a, b)
    }

    #[inline(always)]
    fn high_words(a: v128, b: v128) -> v128 {
        i16x8_shuffle::<4, 12, 5, 13, 6, 14, 7, 15>(a, b)
    }

    macro_rules! ordered {
        ($($lane:ident $lesser:ident $greater:ident;)*) => { $(
            impl Ordered for $lane {
                #[inline(always)]
                fn least(a: v128, b: v128) -> v128 {
                    $lesser(a, b)
                }

                #[inline(always)]
                fn most(a: v128, b: v128) -> v128 {
                    $greater(a, b)
                }
            }
        )* };
    }
    ordered! {
        u8 u8x16_min u8x16_max;
        i8 i8x16_min i8x16_max;
        u16 u16x8_min u16x8_max;
        i16 i16x8_min i16x8_max;
        f32 f32x4_pmin f32x4_pmax;
        f64 f64x2_pmin f64x2_pmax;
    }

    /// What is the sum of two products of neighbours.
    #[inline(always)]
    pub(crate) fn dot(a: v128, b: v128) -> v128 {
        i32x4_dot_i16x8(a, b)
    }

    /// Less 2^15.
    #[inline(always)]
    pub(crate) fn centred(vector: v128) -> v128 {
        v128_xor(vector, i16x8_splat(i16::MIN))
    }

    /// The same bits, without sign.
    #[inline(always)]
    pub(crate) fn unsigned(vector: v128) -> v128 {
        vector
    }

    /// Adds numbers of 32 bits without sign, and does not wrap around.
    #[derive(Clone, Copy)]
    pub(crate) struct WideSums {
        /// Of two neighbours, the second one times 2^32.
        both: v128,
        second: v128,
    }

    impl WideSums {
        #[inline(always)]
        pub(crate) fn none() -> Self {
            Self { both: u64x2_splat(0), second: u64x2_splat(0) }
        }

        #[inline(always)]
        pub(crate) fn add(&mut self, vector: v128) {
            self.both = u64x2_add(self.both, vector);
            self.second = u64x2_add(self.second, u64x2_shr(vector, 32));
        }

        /// Of the first two, and of the last two.
        #[inline(always)]
        pub(crate) fn sums(self) -> [v128; 2] {
            let first = u64x2_sub(self.both, u64x2_shl(self.second, 32));
            [u64x2_shuffle::<0, 2>(first, self.second), u64x2_shuffle::<1, 3>(first, self.second)]
        }
    }

    /// Times 2^16.
    #[inline(always)]
    pub(crate) fn shifted(vector: v128) -> v128 {
        i64x2_shl(vector, 16)
    }

    #[inline(always)]
    pub(crate) fn minus(a: v128, b: v128) -> v128 {
        f64x2_sub(a, b)
    }

    #[inline(always)]
    pub(crate) fn times(a: v128, b: v128) -> v128 {
        f64x2_mul(a, b)
    }

    /// Rounded.
    #[inline(always)]
    pub(crate) fn to_f32(vector: v128) -> v128 {
        f32x4_convert_i32x4(vector)
    }

    /// The first two, and the last two.
    #[inline(always)]
    pub(crate) fn to_f64(vector: v128) -> [v128; 2] {
        [f64x2_convert_low_i32x4(vector), f64x2_convert_low_i32x4(i64x2_shuffle::<1, 1>(vector, vector))]
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod arrays {
    //! The same with arrays.

    use std::array::from_fn;

    use super::{Half, Lane, Narrow, Ordered};
    use crate::Element;

    macro_rules! lanes {
        ($($lane:ident $n:literal;)*) => { $(
            impl Lane for $lane {
                type Vector = [$lane; $n];

                #[inline(always)]
                fn load(numbers: &[Self]) -> [$lane; $n] {
                    from_fn(|i| numbers[i])
                }

                #[inline(always)]
                fn store(vector: [$lane; $n], numbers: &mut [Self]) {
                    numbers[..$n].copy_from_slice(&vector);
                }

                #[inline(always)]
                fn splat(number: Self) -> [$lane; $n] {
                    [number; $n]
                }

                #[inline(always)]
                fn summed(a: [$lane; $n], b: [$lane; $n]) -> [$lane; $n] {
                    from_fn(|i| Element::plus(a[i], b[i]))
                }
            }
        )* };
    }
    lanes! { u8 16; i8 16; u16 8; i16 8; u32 4; i32 4; u64 2; i64 2; f32 4; f64 2; }

    macro_rules! halves {
        ($($half:ident $whole:ident $n:literal;)*) => { $(
            impl Half for $half {
                type Whole = $whole;

                #[inline(always)]
                fn widen(vector: [$half; 2 * $n]) -> [[$whole; $n]; 2] {
                    from_fn(|part| from_fn(|i| $whole::from(vector[$n * part + i])))
                }
            }
        )* };
    }
    halves! { u8 i16 8; i8 i16 8; u16 i32 4; i16 i32 4; u32 u64 2; i32 i64 2; f32 f64 2; }

    macro_rules! narrow {
        ($($half:ident $whole:ident $n:literal;)*) => { $(
            impl Narrow for $half {
                #[inline(always)]
                fn pairs(vector: [$half; 2 * $n]) -> [$whole; $n] {
                    from_fn(|i| $whole::from(vector[2 * i]) + $whole::from(vector[2 * i + 1]))
                }

                #[inline(always)]
                fn zip(a: [$half; 2 * $n], b: [$half; 2 * $n]) -> [[$half; 2 * $n]; 2] {
                    from_fn(|part| from_fn(|i| if i % 2 == 0 { a[$n * part + i / 2] } else { b[$n * part + i / 2] }))
                }
            }
        )* };
    }
    narrow! { u8 i16 8; i8 i16 8; u16 i32 4; i16 i32 4; }

    macro_rules! ordered {
        ($($lane:ident $n:literal;)*) => { $(
            impl Ordered for $lane {
                #[inline(always)]
                fn least(a: [$lane; $n], b: [$lane; $n]) -> [$lane; $n] {
                    from_fn(|i| if b[i] < a[i] { b[i] } else { a[i] })
                }

                #[inline(always)]
                fn most(a: [$lane; $n], b: [$lane; $n]) -> [$lane; $n] {
                    from_fn(|i| if a[i] < b[i] { b[i] } else { a[i] })
                }
            }
        )* };
    }
    ordered! { u8 16; i8 16; u16 8; i16 8; f32 4; f64 2; }

    #[inline(always)]
    pub(crate) fn dot(a: [i16; 8], b: [i16; 8]) -> [i32; 4] {
        let product = |i: usize| i32::from(a[i]) * i32::from(b[i]);
        from_fn(|i| product(2 * i).wrapping_add(product(2 * i + 1)))
    }

    #[inline(always)]
    pub(crate) fn centred(vector: [u16; 8]) -> [i16; 8] {
        vector.map(|number| (number ^ 1 << 15).cast_signed())
    }

    #[inline(always)]
    pub(crate) fn unsigned(vector: [i32; 4]) -> [u32; 4] {
        vector.map(i32::cast_unsigned)
    }

    #[derive(Clone, Copy)]
    pub(crate) struct WideSums([[u64; 2]; 2]);

    impl WideSums {
        #[inline(always)]
        pub(crate) fn none() -> Self {
            Self([[0; 2]; 2])
        }

        #[inline(always)]
        pub(crate) fn add(&mut self, vector: [i32; 4]) {
            self.0 = from_fn(|part| from_fn(|i| self.0[part][i] + u64::from(vector[2 * part + i].cast_unsigned())));
        }

        #[inline(always)]
        pub(crate) fn sums(self) -> [[u64; 2]; 2] {
            self.0
        }
    }

    #[inline(always)]
    pub(crate) fn shifted(vector: [i64; 2]) -> [u64; 2] {
        vector.map(|number| (number << 16).cast_unsigned())
    }

    #[inline(always)]
    pub(crate) fn minus(a: [f64; 2], b: [f64; 2]) -> [f64; 2] {
        from_fn(|i| a[i] - b[i])
    }

    #[inline(always)]
    pub(crate) fn times(a: [f64; 2], b: [f64; 2]) -> [f64; 2] {
        from_fn(|i| a[i] * b[i])
    }

    #[expect(clippy::cast_precision_loss, reason = "rounding is what is meant")]
    #[inline(always)]
    pub(crate) fn to_f32(vector: [i32; 4]) -> [f32; 4] {
        vector.map(|number| number as f32)
    }

    #[inline(always)]
    pub(crate) fn to_f64(vector: [i32; 4]) -> [[f64; 2]; 2] {
        from_fn(|part| from_fn(|i| f64::from(vector[2 * part + i])))
    }
}
