//! What a plugin has the host compute, as imports: sums and moments, products with matrices, and Fourier transforms.

mod fourier;
mod matrix;
mod moments;
mod packed;
mod pixels;
mod product;
mod reduce;
mod sums;

use std::{collections::BTreeMap, time::Instant};

use wasmtime::{
    StoreContextMut,
    component::{Linker, LinkerInstance, Resource, ResourceType, WasmList},
};

use super::{
    bindings::{self, types},
    convert, lower,
    state::{State, broken, sample},
};
use fourier::{Direction, Fourier, FourierError};
use matrix::{Matrix, MatrixError, Zeros};
use moments::PixelMoments;
use reduce::{PerPixel, ReduceError};
use sums::PixelSums;

pub(crate) use pixels::HostTile;

/// Matrices that one instance may have at a time, and as many of each other thing.
const MAX_KEPT: usize = 1000;
/// Bytes of what was added up that can always be read at once.
const READ: usize = 8 << 20;

/// What the host keeps for an instance.
#[derive(Debug, Default)]
pub(super) struct Kept {
    matrices: Numbered<Matrix>,
    fouriers: Numbered<Fourier>,
    pixel_sums: Numbered<PixelSums>,
    pixel_moments: Numbered<PixelMoments>,
    /// Of them all.
    n_bytes: usize,
}

/// By number, as handles are.
#[derive(Debug)]
struct Numbered<T> {
    next: u32,
    all: BTreeMap<u32, T>,
}

impl<T> Default for Numbered<T> {
    fn default() -> Self {
        Self { next: 0, all: BTreeMap::new() }
    }
}

impl<T: 'static> Numbered<T> {
    /// A handle for one more; `what` they are.
    fn add(&mut self, one: T, what: &str) -> Result<Resource<T>, String> {
        if self.all.len() >= MAX_KEPT {
            return Err(format!("keeps more than {MAX_KEPT} {what} in the host"));
        }
        let number = self.next;
        self.next = number.wrapping_add(1);
        self.all.insert(number, one);
        Ok(Resource::new_own(number))
    }

    fn get(&self, handle: &Resource<T>) -> wasmtime::Result<&T> {
        self.all.get(&handle.rep()).ok_or_else(missing)
    }

    fn get_mut(&mut self, handle: &Resource<T>) -> wasmtime::Result<&mut T> {
        self.all.get_mut(&handle.rep()).ok_or_else(missing)
    }

    /// Takes one out, for as long as the rest of the state is looked at.
    fn take(&mut self, handle: &Resource<T>) -> wasmtime::Result<T> {
        self.all.remove(&handle.rep()).ok_or_else(missing)
    }

    fn put_back(&mut self, handle: &Resource<T>, one: T) {
        self.all.insert(handle.rep(), one);
    }
}

fn missing() -> wasmtime::Error {
    wasmtime::Error::msg("there is nothing behind this handle")
}

type Store<'a> = StoreContextMut<'a, State>;

/// Lets plugins import the kernels.
pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let mut kernels = linker.instance(bindings::KERNELS)?;
    link_frame_sums(&mut kernels)?;
    link_per_pixel(&mut kernels, |kept| &mut kept.pixel_sums)?;
    link_per_pixel(&mut kernels, |kept| &mut kept.pixel_moments)?;
    link_matrix(&mut kernels)?;
    link_fourier(&mut kernels)
}

fn link_frame_sums(kernels: &mut LinkerInstance<'_, State>) -> wasmtime::Result<()> {
    kernels.func_wrap(
        "frame-sums",
        |mut store: Store<'_>, (dtype,): (types::Dtype,)| -> wasmtime::Result<(Vec<f64>,)> {
            let dtype = convert::dtype(dtype);
            let sums = of_tile(&mut store, |state, tile, goes_on| sums::of_frames(tile, dtype, left(state), goes_on))?;
            reduced(&mut store, sums).map(|sums| (sums,))
        },
    )
}

/// `all` are those that are kept.
fn link_per_pixel<T: PerPixel>(
    kernels: &mut LinkerInstance<'_, State>,
    all: fn(&mut Kept) -> &mut Numbered<T>,
) -> wasmtime::Result<()> {
    kernels.resource(T::NAME, ResourceType::host::<T>(), move |mut store: Store<'_>, number| {
        let kept = &mut store.data_mut().kept;
        if let Some(one) = all(kept).all.remove(&number) {
            kept.n_bytes -= one.n_bytes();
        }
        Ok(())
    })?;
    kernels.func_wrap(
        &format!("[constructor]{}", T::NAME),
        move |mut store: Store<'_>, (dtype, n_pixels): (types::Dtype, u64)| -> wasmtime::Result<(Resource<T>,)> {
            let one = T::new(convert::dtype(dtype), n_pixels, left(store.data()));
            let one = reduced(&mut store, one)?;
            let n_bytes = room(store.data(), one.n_bytes());
            let handle = n_bytes.and_then(|n_bytes| {
                let handle = all(&mut store.data_mut().kept).add(one, T::NAME)?;
                store.data_mut().kept.n_bytes = n_bytes;
                Ok(handle)
            });
            handle.map(|handle| (handle,)).map_err(|what| broken(&mut store, what))
        },
    )?;
    kernels.func_wrap(
        &format!("[method]{}.add-tile", T::NAME),
        move |mut store: Store<'_>, (handle,): (Resource<T>,)| -> wasmtime::Result<()> {
            let mut one = all(&mut store.data_mut().kept).take(&handle)?;
            let added = of_tile(&mut store, |_, tile, goes_on| one.add(tile, goes_on));
            all(&mut store.data_mut().kept).put_back(&handle, one);
            added.and_then(|added| reduced(&mut store, added))
        },
    )?;
    kernels.func_wrap(
        &format!("[method]{}.read", T::NAME),
        move |mut store: Store<'_>, (handle, start, len): (Resource<T>, u64, u64)| {
            let limit = left(store.data()).max(READ);
            let read = all(&mut store.data_mut().kept).get(&handle)?.read(start, len, limit);
            let read = reduced(&mut store, read)?;
            wasmtime::Result::Ok((lower::List::<u8>::new(lower::Fill::Own(Box::new(read))),))
        },
    )?;
    kernels.func_wrap(
        &format!("[method]{}.clear", T::NAME),
        move |mut store: Store<'_>, (handle,): (Resource<T>,)| -> wasmtime::Result<()> {
            all(&mut store.data_mut().kept).get_mut(&handle)?.clear();
            Ok(())
        },
    )
}

fn link_matrix(kernels: &mut LinkerInstance<'_, State>) -> wasmtime::Result<()> {
    kernels.resource("matrix", ResourceType::host::<Matrix>(), |mut store: Store<'_>, number| {
        let kept = &mut store.data_mut().kept;
        if let Some(matrix) = kept.matrices.all.remove(&number) {
            kept.n_bytes -= matrix.n_bytes(0);
        }
        Ok(())
    })?;
    kernels.func_wrap(
        "[constructor]matrix",
        |mut store: Store<'_>, (dtype, n_columns): (types::Dtype, u64)| -> wasmtime::Result<(Resource<Matrix>,)> {
            let matrix = Matrix::new(convert::dtype(dtype), n_columns).map_err(|error| error.to_string());
            let handle = matrix.and_then(|matrix| store.data_mut().kept.matrices.add(matrix, "matrices"));
            handle.map(|handle| (handle,)).map_err(|what| broken(&mut store, what))
        },
    )?;
    kernels.func_wrap(
        "[method]matrix.append",
        |mut store: Store<'_>, (handle, numbers): (Resource<Matrix>, WasmList<u8>)| {
            let matrix = store.data().kept.matrices.get(&handle)?;
            let n_new = matrix.n_bytes(numbers.as_le_slice(&store).len()) - matrix.n_bytes(0);
            let n_bytes = room(store.data(), n_new);
            let n_bytes = n_bytes.map_err(|what| broken(&mut store, what))?;
            let mut matrix = store.data_mut().kept.matrices.take(&handle)?;
            let appended = matrix.append(numbers.as_le_slice(&store));
            store.data_mut().kept.matrices.put_back(&handle, matrix);
            appended.map_err(|error| broken(&mut store, error.to_string()))?;
            store.data_mut().kept.n_bytes = n_bytes;
            Ok(())
        },
    )?;
    for (name, zeros) in
        [("[method]matrix.tile-products", Zeros::Multiplied), ("[method]matrix.masked-tile-products", Zeros::LeftOut)]
    {
        kernels.func_wrap(
            name,
            move |mut store: Store<'_>, (matrix,): (Resource<Matrix>,)| -> wasmtime::Result<(Vec<f64>,)> {
                tile_products(&mut store, &matrix, zeros).map(|products| (products,))
            },
        )?;
    }
    Ok(())
}

fn link_fourier(kernels: &mut LinkerInstance<'_, State>) -> wasmtime::Result<()> {
    kernels.resource("fourier", ResourceType::host::<Fourier>(), |mut store: Store<'_>, number| {
        let kept = &mut store.data_mut().kept;
        if let Some(fourier) = kept.fouriers.all.remove(&number) {
            kept.n_bytes -= fourier.n_bytes();
        }
        Ok(())
    })?;
    kernels.func_wrap(
        "[constructor]fourier",
        |mut store: Store<'_>, (dtype, shape): (types::Dtype, Vec<u64>)| -> wasmtime::Result<(Resource<Fourier>,)> {
            let state = store.data();
            let fourier = Fourier::new(convert::dtype(dtype), shape, state.deterministic, left(state));
            let handle = fourier.map_err(|error| error.to_string()).and_then(|fourier| {
                let n_bytes = room(store.data(), fourier.n_bytes())?;
                let handle = store.data_mut().kept.fouriers.add(fourier, "Fourier transforms")?;
                store.data_mut().kept.n_bytes = n_bytes;
                Ok(handle)
            });
            handle.map(|handle| (handle,)).map_err(|what| broken(&mut store, what))
        },
    )?;
    for (name, direction) in
        [("[method]fourier.forward", Direction::Forward), ("[method]fourier.inverse", Direction::Inverse)]
    {
        kernels.func_wrap(
            name,
            move |mut store: Store<'_>, (fourier, arrays): (Resource<Fourier>, WasmList<u8>)| {
                transform(&mut store, &fourier, direction, &arrays).map(|transformed| (transformed,))
            },
        )?;
    }
    Ok(())
}

/// Bytes that are kept in the host with so many more, if they may be.
fn room(state: &State, n_new: usize) -> Result<usize, String> {
    let (n_bytes, limit) = (state.kept.n_bytes.saturating_add(n_new), max_kept(state));
    if n_bytes <= limit {
        return Ok(n_bytes);
    }
    Err(format!("keeps {n_bytes} bytes in the host, at most {limit} are allowed (raise --max-memory)"))
}

/// Bytes that may be made beside those that are kept.
fn left(state: &State) -> usize {
    max_kept(state).saturating_sub(state.kept.n_bytes)
}

/// Bytes that may be kept in the host.
fn max_kept(state: &State) -> usize {
    usize::try_from(state.limits.max_memory_bytes).unwrap_or(usize::MAX)
}

/// Transforms of arrays in the guest's memory.
fn transform(
    store: &mut Store<'_>,
    handle: &Resource<Fourier>,
    direction: Direction,
    arrays: &WasmList<u8>,
) -> wasmtime::Result<lower::List<'static, u8>> {
    let (state, mut is_late) = (store.data(), false);
    let limit = left(state);
    let fourier = state.kept.fouriers.get(handle)?;
    let transformed = fourier.transform(direction, arrays.as_le_slice(&*store), limit, &mut || {
        is_late = Instant::now() >= state.deadline;
        !is_late && !state.cancel.is_cancelled()
    });
    store.data_mut().timed_out |= is_late;
    // The time is that of whoever asked.
    sample(store);
    let transformed = transformed.map_err(|error| match error {
        FourierError::Stopped => wasmtime::Error::new(error),
        error => broken(store, error.to_string()),
    })?;
    Ok(lower::List::new(lower::Fill::Own(transformed)))
}

/// The products of the current tile.
fn tile_products(store: &mut Store<'_>, handle: &Resource<Matrix>, zeros: Zeros) -> wasmtime::Result<Vec<f64>> {
    let matrix = store.data_mut().kept.matrices.take(handle)?;
    let products = of_tile(store, |state, tile, goes_on| matrix.products(tile, zeros, left(state), goes_on));
    store.data_mut().kept.matrices.put_back(handle, matrix);
    products?.map_err(|error| match error {
        MatrixError::Stopped | MatrixError::Unread(_) => wasmtime::Error::new(error),
        error => broken(store, error.to_string()),
    })
}

/// What `compute` makes of the current tile. The function that it gets tells whether it goes on.
fn of_tile<T>(
    store: &mut Store<'_>,
    compute: impl FnOnce(&State, &dyn HostTile, &mut dyn FnMut() -> bool) -> T,
) -> wasmtime::Result<T> {
    let Some(tile) = store.data().tile.clone() else {
        return Err(broken(store, "asked the host to compute with a tile outside of `process`".to_owned()));
    };
    let (state, mut is_late) = (store.data(), false);
    let computed = compute(state, &*tile, &mut || {
        is_late = Instant::now() >= state.deadline;
        !is_late && !state.cancel.is_cancelled()
    });
    store.data_mut().timed_out |= is_late;
    // The time is that of whoever asked.
    sample(store);
    Ok(computed)
}

fn reduced<T>(store: &mut Store<'_>, result: Result<T, ReduceError>) -> wasmtime::Result<T> {
    result.map_err(|error| match error {
        ReduceError::Stopped | ReduceError::Unread(_) => wasmtime::Error::new(error),
        error => broken(store, error.to_string()),
    })
}
