//! Numbers lowered straight into a guest's linear memory: the host decodes a tile, or copies a buffer, into the slice
//! that the guest's own allocator returned, behind an ordinary `list<T>` of the contract.
//!
//! This leans on wasmtime's `component::__internal`, which promises no stability: this is the only file that does, and
//! [`Fill::Slice`] is the plain way that a test holds equal to it.

use std::{
    marker::PhantomData,
    mem::MaybeUninit,
    ops::Range,
    sync::atomic::{AtomicUsize, Ordering},
};

use wasmtime::{
    Store, ValRaw,
    component::{
        __internal::{CanonicalAbiInfo, InstanceType, InterfaceType, LowerContext, bad_type_info},
        ComponentNamedList, ComponentType, Func, Lower, TypedFunc,
    },
};

use super::bindings::types;
use crate::shape::Dtype;

/// Writes the elements of a list into guest memory. Gets exactly the bytes of the list.
pub(crate) type Filler<'a> = dyn Fn(&mut [u8]) -> wasmtime::Result<()> + Sync + Send + 'a;

/// Where the elements of a list come from. They are little-endian.
pub(crate) enum Fill<'a> {
    /// Copied.
    Slice(&'a [u8]),
    /// Made in place: this many bytes, by this function.
    With(usize, &'a Filler<'a>),
    /// Copied, and then given up.
    Own(Box<dyn AsRef<[u8]> + Send + Sync>),
    /// This many bytes, which stay as they are; tells where in the guest's memory they begin.
    Later(usize, &'a AtomicUsize),
}

impl Fill<'_> {
    fn n_bytes(&self) -> usize {
        match self {
            Self::Slice(bytes) => bytes.len(),
            Self::Own(bytes) => (**bytes).as_ref().len(),
            Self::With(n_bytes, _) | Self::Later(n_bytes, _) => *n_bytes,
        }
    }
}

/// A `list<T>`, filled in place. `T` is a number.
pub(crate) struct List<'a, T> {
    fill: Fill<'a>,
    element: PhantomData<T>,
}

impl<'a, T> List<'a, T> {
    pub(crate) fn new(fill: Fill<'a>) -> Self {
        Self { fill, element: PhantomData }
    }
}

impl<T: ComponentType> List<'_, T> {
    /// Allocates the list in the guest and fills it. Returns where it is and how many elements it has.
    fn lower<S: 'static>(&self, cx: &mut LowerContext<'_, S>) -> wasmtime::Result<(u32, u32)> {
        let n_bytes = self.fill.n_bytes();
        let start = cx.realloc(0, 0, T::ALIGN32, n_bytes)?;
        // The guest ran: memory may have grown and moved, so the slice is taken only now.
        let list = start
            .checked_add(n_bytes)
            .and_then(|stop| cx.as_slice_mut().get_mut(start..stop))
            .ok_or_else(|| wasmtime::Error::msg("the plugin's allocator returned memory that it does not have"))?;
        match &self.fill {
            Fill::Slice(bytes) => list.copy_from_slice(bytes),
            Fill::Own(bytes) => list.copy_from_slice((**bytes).as_ref()),
            Fill::With(_, filler) => filler(list)?,
            Fill::Later(_, place) => place.store(start, Ordering::Relaxed),
        }
        Ok((u32::try_from(start)?, u32::try_from(n_bytes / T::SIZE32)?))
    }
}

#[expect(unsafe_code, reason = "the only way to hand memory over without an intermediate copy")]
// SAFETY: everything is delegated to `[T]`, whose representation in a component is the same list.
unsafe impl<T: ComponentType> ComponentType for List<'_, T> {
    type Lower = [ValRaw; 2];

    const ABI: CanonicalAbiInfo = CanonicalAbiInfo::POINTER_PAIR;

    fn typecheck(ty: &InterfaceType, types: &InstanceType<'_>) -> wasmtime::Result<()> {
        <[T] as ComponentType>::typecheck(ty, types)
    }
}

#[expect(unsafe_code, reason = "the only way to hand memory over without an intermediate copy")]
// SAFETY: on success both functions have written the whole pointer-length pair, as lists are represented; the memory
// it points at was allocated by the guest, checked to be in bounds, and holds numbers, for which every bit pattern is
// valid.
unsafe impl<T: ComponentType> Lower for List<'_, T> {
    fn linear_lower_to_flat<S: 'static>(
        &self,
        cx: &mut LowerContext<'_, S>,
        ty: InterfaceType,
        dst: &mut MaybeUninit<[ValRaw; 2]>,
    ) -> wasmtime::Result<()> {
        if !matches!(ty, InterfaceType::List(_)) {
            bad_type_info::<()>();
        }
        let (start, n_elements) = self.lower(cx)?;
        dst.write([ValRaw::i64(i64::from(start)), ValRaw::i64(i64::from(n_elements))]);
        Ok(())
    }

    fn linear_lower_to_memory<S: 'static>(
        &self,
        cx: &mut LowerContext<'_, S>,
        ty: InterfaceType,
        offset: usize,
    ) -> wasmtime::Result<()> {
        if !matches!(ty, InterfaceType::List(_)) {
            bad_type_info::<()>();
        }
        let (start, n_elements) = self.lower(cx)?;
        *cx.get(offset) = start.to_le_bytes();
        *cx.get(offset + 4) = n_elements.to_le_bytes();
        Ok(())
    }
}

/// A tile in a guest's window: the position, a `u32`. Nothing is allocated: the tile is put there meanwhile.
pub(crate) struct InWindow<'a> {
    /// Where the tile is in the guest's memory.
    pub(crate) memory: Range<usize>,
    /// Where it is in the window.
    pub(crate) position: u32,
    pub(crate) fill: &'a Filler<'a>,
}

impl InWindow<'_> {
    fn put<S: 'static>(&self, cx: &mut LowerContext<'_, S>) -> wasmtime::Result<()> {
        // Memory never shrinks, and the window was in it.
        let memory = cx.as_slice_mut().get_mut(self.memory.clone());
        (self.fill)(memory.ok_or_else(|| wasmtime::Error::msg("the plugin's window is not in its memory"))?)
    }
}

#[expect(unsafe_code, reason = "the only way to hand memory over without an intermediate copy")]
// SAFETY: everything is delegated to `u32`.
unsafe impl ComponentType for InWindow<'_> {
    type Lower = <u32 as ComponentType>::Lower;

    const ABI: CanonicalAbiInfo = <u32 as ComponentType>::ABI;

    fn typecheck(ty: &InterfaceType, types: &InstanceType<'_>) -> wasmtime::Result<()> {
        <u32 as ComponentType>::typecheck(ty, types)
    }
}

#[expect(unsafe_code, reason = "the only way to hand memory over without an intermediate copy")]
// SAFETY: everything is delegated to `u32`; what is written before is within the window.
unsafe impl Lower for InWindow<'_> {
    fn linear_lower_to_flat<S: 'static>(
        &self,
        cx: &mut LowerContext<'_, S>,
        ty: InterfaceType,
        dst: &mut MaybeUninit<Self::Lower>,
    ) -> wasmtime::Result<()> {
        self.put(cx)?;
        self.position.linear_lower_to_flat(cx, ty, dst)
    }

    fn linear_lower_to_memory<S: 'static>(
        &self,
        cx: &mut LowerContext<'_, S>,
        ty: InterfaceType,
        offset: usize,
    ) -> wasmtime::Result<()> {
        self.put(cx)?;
        self.position.linear_lower_to_memory(cx, ty, offset)
    }
}

/// `types.values`.
#[derive(ComponentType, Lower)]
#[component(variant)]
pub(crate) enum Values<'a> {
    #[component(name = "bool")]
    Bool(List<'a, u8>),
    #[component(name = "u8")]
    U8(List<'a, u8>),
    #[component(name = "u16")]
    U16(List<'a, u16>),
    #[component(name = "u32")]
    U32(List<'a, u32>),
    #[component(name = "u64")]
    U64(List<'a, u64>),
    #[component(name = "i8")]
    I8(List<'a, i8>),
    #[component(name = "i16")]
    I16(List<'a, i16>),
    #[component(name = "i32")]
    I32(List<'a, i32>),
    #[component(name = "i64")]
    I64(List<'a, i64>),
    #[component(name = "f32")]
    F32(List<'a, f32>),
    #[component(name = "f64")]
    F64(List<'a, f64>),
    #[component(name = "c64")]
    C64(List<'a, f32>),
    #[component(name = "c128")]
    C128(List<'a, f64>),
}

impl<'a> Values<'a> {
    /// Numbers of `dtype`. `fill` must give a whole number of them.
    pub(crate) fn new(dtype: Dtype, fill: Fill<'a>) -> Self {
        match dtype {
            Dtype::Bool => Self::Bool(List::new(fill)),
            Dtype::U8 => Self::U8(List::new(fill)),
            Dtype::U16 => Self::U16(List::new(fill)),
            Dtype::U32 => Self::U32(List::new(fill)),
            Dtype::U64 => Self::U64(List::new(fill)),
            Dtype::I8 => Self::I8(List::new(fill)),
            Dtype::I16 => Self::I16(List::new(fill)),
            Dtype::I32 => Self::I32(List::new(fill)),
            Dtype::I64 => Self::I64(List::new(fill)),
            Dtype::F32 => Self::F32(List::new(fill)),
            Dtype::F64 => Self::F64(List::new(fill)),
            Dtype::C64 => Self::C64(List::new(fill)),
            Dtype::C128 => Self::C128(List::new(fill)),
        }
    }
}

/// `types.array`.
#[derive(ComponentType, Lower)]
#[component(record)]
pub(crate) struct Array<'a> {
    pub(crate) shape: &'a [u64],
    pub(crate) data: Values<'a>,
}

/// `types.value`.
#[derive(ComponentType, Lower)]
#[component(variant)]
pub(crate) enum Value<'a> {
    #[component(name = "absent")]
    Absent,
    #[component(name = "flag")]
    Flag(bool),
    #[component(name = "integer")]
    Integer(i64),
    #[component(name = "number")]
    Number(f64),
    #[component(name = "text")]
    Text(&'a str),
    #[component(name = "dtype")]
    Dtype(types::Dtype),
    #[component(name = "array")]
    Array(Array<'a>),
}

/// `types.argument`.
#[derive(ComponentType, Lower)]
#[component(record)]
pub(crate) struct Argument<'a> {
    pub(crate) name: &'a str,
    pub(crate) value: Value<'a>,
}

/// `types.csr-data`.
#[derive(ComponentType, Lower)]
#[component(record)]
pub(crate) struct CsrData<'a> {
    pub(crate) indptr: &'a [u32],
    pub(crate) indices: &'a [u32],
    pub(crate) values: Values<'a>,
}

/// `types.tile-data`.
#[derive(ComponentType, Lower)]
#[component(variant)]
pub(crate) enum TileData<'a> {
    #[component(name = "dense")]
    Dense(Values<'a>),
    #[component(name = "bytes")]
    Bytes(List<'a, u8>),
    #[component(name = "csr")]
    Csr(CsrData<'a>),
    #[component(name = "in-host")]
    InHost,
    #[component(name = "window")]
    Window(InWindow<'a>),
}

/// `types.frames`.
#[derive(ComponentType, Lower)]
#[component(variant)]
pub(crate) enum Frames<'a> {
    #[component(name = "consecutive")]
    Consecutive(u64),
    #[component(name = "listed")]
    Listed(&'a [u64]),
}

/// `types.tile`.
#[derive(ComponentType, Lower)]
#[component(record)]
pub(crate) struct Tile<'a> {
    #[component(name = "roi-start")]
    pub(crate) roi_start: u64,
    #[component(name = "n-frames")]
    pub(crate) n_frames: u64,
    pub(crate) frames: Frames<'a>,
    #[component(name = "sig-start")]
    pub(crate) sig_start: u64,
    #[component(name = "sig-origin")]
    pub(crate) sig_origin: &'a [u64],
    #[component(name = "sig-shape")]
    pub(crate) sig_shape: &'a [u64],
    #[component(name = "sig-index")]
    pub(crate) sig_index: u64,
    pub(crate) aux: &'a [Array<'a>],
    pub(crate) data: TileData<'a>,
}

/// `udf.partial`.
#[derive(ComponentType, Lower)]
#[component(record)]
pub(crate) struct Partial<'a> {
    pub(crate) partition: types::Partition,
    pub(crate) buffers: Vec<Array<'a>>,
}

/// Calls a plugin's function that returns `result<_, error>`, with arguments that are lowered in place.
///
/// The caller has held `P` against the function's type once, by `Func::typed`.
pub(crate) fn call<S: 'static, P: ComponentNamedList + Lower>(
    func: &Func,
    store: &mut Store<S>,
    parameters: P,
) -> wasmtime::Result<Result<(), types::Error>> {
    #[expect(unsafe_code, reason = "a `TypedFunc` with borrowed arguments can't be kept, and the check is not cheap")]
    // SAFETY: `Instance::check_methods` holds the same types, but for lifetimes, against this function; lifetimes have
    // no part in how a value is lowered.
    let func = unsafe { TypedFunc::<P, (Result<(), types::Error>,)>::new_unchecked(*func) };
    func.call(store, parameters).map(|(outcome,)| outcome)
}
