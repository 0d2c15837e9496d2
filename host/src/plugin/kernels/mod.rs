//! What a plugin has the host compute, as imports: matrices and products with them, and Fourier transforms.

mod fourier;
mod matrix;
mod packed;
mod product;

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

pub(crate) use matrix::HostTile;

/// Matrices that one instance may have at a time, and as many Fourier transforms.
const MAX_KEPT: usize = 1000;

/// What the host keeps for an instance.
#[derive(Debug, Default)]
pub(super) struct Kept {
    matrices: Numbered<Matrix>,
    fouriers: Numbered<Fourier>,
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

impl<T> Numbered<T> {
    /// A handle for one more; `what` they are.
    fn add(&mut self, one: T, what: &str) -> Result<Resource<T>, String>
    where
        T: 'static,
    {
        if self.all.len() >= MAX_KEPT {
            return Err(format!("keeps more than {MAX_KEPT} {what} in the host"));
        }
        let number = self.next;
        self.next = number.wrapping_add(1);
        self.all.insert(number, one);
        Ok(Resource::new_own(number))
    }
}

type Store<'a> = StoreContextMut<'a, State>;

/// Lets plugins import the kernels.
pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let mut kernels = linker.instance(bindings::KERNELS)?;
    link_matrix(&mut kernels)?;
    link_fourier(&mut kernels)
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
        |mut store: Store<'_>, (matrix, numbers): (Resource<Matrix>, WasmList<u8>)| {
            let (number, mut matrix) = take(&mut store, &matrix)?;
            let n_new = matrix.n_bytes(numbers.as_le_slice(&store).len()) - matrix.n_bytes(0);
            let n_bytes = room(store.data(), n_new);
            let n_bytes = n_bytes.map_err(|what| broken(&mut store, what))?;
            let appended = matrix.append(numbers.as_le_slice(&store));
            put_back(&mut store, number, matrix);
            store.data_mut().kept.n_bytes = n_bytes;
            appended.map_err(|error| broken(&mut store, error.to_string()))
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
    let fourier = state.kept.fouriers.all.get(&handle.rep());
    let fourier = fourier.ok_or_else(|| wasmtime::Error::msg("there is no such Fourier transform"))?;
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
fn tile_products(store: &mut Store<'_>, matrix: &Resource<Matrix>, zeros: Zeros) -> wasmtime::Result<Vec<f64>> {
    let Some(tile) = store.data().tile.clone() else {
        return Err(broken(store, "asked for products with a tile outside of `process`".to_owned()));
    };
    let (number, matrix) = take(store, matrix)?;
    let (state, mut is_late) = (store.data(), false);
    let products = matrix.products(&*tile, zeros, left(state), || {
        is_late = Instant::now() >= state.deadline;
        !is_late && !state.cancel.is_cancelled()
    });
    put_back(store, number, matrix);
    store.data_mut().timed_out |= is_late;
    // The time is that of whoever asked.
    sample(store);
    products.map_err(|error| match error {
        MatrixError::Stopped | MatrixError::Unread(_) => wasmtime::Error::new(error),
        error => broken(store, error.to_string()),
    })
}

/// The matrix behind a handle, and its number, for as long as the rest of the state is looked at.
fn take(store: &mut Store<'_>, handle: &Resource<Matrix>) -> wasmtime::Result<(u32, Matrix)> {
    let number = handle.rep();
    let matrix = store.data_mut().kept.matrices.all.remove(&number);
    matrix.map(|matrix| (number, matrix)).ok_or_else(|| wasmtime::Error::msg("there is no such matrix"))
}

fn put_back(store: &mut Store<'_>, number: u32, matrix: Matrix) {
    store.data_mut().kept.matrices.all.insert(number, matrix);
}
