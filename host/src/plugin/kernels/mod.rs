//! What a plugin has the host compute, as imports: matrices and products with them.

mod matrix;
mod product;

use std::{collections::BTreeMap, time::Instant};

use wasmtime::{
    StoreContextMut,
    component::{Linker, Resource, ResourceType, WasmList},
};

use super::{
    bindings::{self, types},
    convert,
    state::{State, broken},
};
use matrix::{Matrix, MatrixError, Zeros};

pub(crate) use matrix::HostTile;

/// Matrices that one instance may have at a time.
const MAX_MATRICES: usize = 1000;

/// The matrices of an instance, by number.
#[derive(Debug, Default)]
pub(super) struct Matrices {
    next: u32,
    all: BTreeMap<u32, Matrix>,
    /// Of them all.
    n_bytes: usize,
}

type Store<'a> = StoreContextMut<'a, State>;

/// Lets plugins import the kernels.
pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let mut kernels = linker.instance(bindings::KERNELS)?;
    kernels.resource("matrix", ResourceType::host::<Matrix>(), |mut store: Store<'_>, number| {
        if let Some(matrix) = store.data_mut().matrices.all.remove(&number) {
            store.data_mut().matrices.n_bytes -= matrix.n_bytes();
        }
        Ok(())
    })?;
    kernels.func_wrap(
        "[constructor]matrix",
        |mut store: Store<'_>, (dtype, n_columns): (types::Dtype, u64)| -> wasmtime::Result<(Resource<Matrix>,)> {
            let matrix = Matrix::new(convert::dtype(dtype), n_columns);
            let matrix = matrix.map_err(|error| broken(&mut store, error.to_string()))?;
            let matrices = &mut store.data_mut().matrices;
            if matrices.all.len() >= MAX_MATRICES {
                return Err(broken(&mut store, format!("keeps more than {MAX_MATRICES} matrices in the host")));
            }
            let number = matrices.next;
            matrices.next = number.wrapping_add(1);
            matrices.all.insert(number, matrix);
            Ok((Resource::new_own(number),))
        },
    )?;
    kernels.func_wrap(
        "[method]matrix.append",
        |mut store: Store<'_>, (matrix, numbers): (Resource<Matrix>, WasmList<u8>)| {
            let (number, mut matrix) = take(&mut store, &matrix)?;
            let (state, n_new) = (store.data(), numbers.as_le_slice(&store).len());
            let (n_bytes, limit) = (state.matrices.n_bytes.saturating_add(n_new), state.limits.max_memory_bytes);
            if n_bytes > limit {
                let what = format!("keeps {n_bytes} bytes of matrices in the host, at most {limit} are allowed");
                return Err(broken(&mut store, format!("{what} (raise --max-memory)")));
            }
            let appended = matrix.append(numbers.as_le_slice(&store));
            put_back(&mut store, number, matrix);
            store.data_mut().matrices.n_bytes = n_bytes;
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

/// The products of the current tile.
fn tile_products(store: &mut Store<'_>, matrix: &Resource<Matrix>, zeros: Zeros) -> wasmtime::Result<Vec<f64>> {
    let Some(tile) = store.data().tile.clone() else {
        return Err(broken(store, "asked for products with a tile outside of `process`".to_owned()));
    };
    let (number, matrix) = take(store, matrix)?;
    let (state, mut is_late) = (store.data(), false);
    let products = matrix.products(&*tile, zeros, state.limits.max_memory_bytes, || {
        is_late = Instant::now() >= state.deadline;
        !is_late && !state.cancel.is_cancelled()
    });
    put_back(store, number, matrix);
    store.data_mut().timed_out |= is_late;
    products.map_err(|error| match error {
        MatrixError::Stopped | MatrixError::Unread(_) => wasmtime::Error::new(error),
        error => broken(store, error.to_string()),
    })
}

/// The matrix behind a handle, and its number, for as long as the rest of the state is looked at.
fn take(store: &mut Store<'_>, handle: &Resource<Matrix>) -> wasmtime::Result<(u32, Matrix)> {
    let number = handle.rep();
    let matrix = store.data_mut().matrices.all.remove(&number);
    matrix.map(|matrix| (number, matrix)).ok_or_else(|| wasmtime::Error::msg("there is no such matrix"))
}

fn put_back(store: &mut Store<'_>, number: u32, matrix: Matrix) {
    store.data_mut().matrices.all.insert(number, matrix);
}
