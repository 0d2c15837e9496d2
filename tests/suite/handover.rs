//! Tiles decoded in a plugin's memory are the tiles that wasmtime's public means hand over.

use std::{path::Path, sync::Arc};

use lthost::{
    dataset::{self, DatasetOptions},
    plugin::{Engine, Handover, Limits, Plugin},
    run::{Pool, RunConfig, UdfSpec},
    shape::{Array, Dtype, Shape},
};
use lthost_tests::{counts, save, wasm};

/// The elements of the first result.
fn result(plugin: &Plugin, path: &Path, handover: Handover, tile_bytes: u64) -> Vec<u8> {
    let dataset = Arc::new(dataset::open(path, &DatasetOptions::default()).unwrap());
    let spec = UdfSpec { label: None, plugin: plugin.clone(), arguments: Vec::new() };
    let config = RunConfig { handover, tile_bytes: Some(tile_bytes), partitions: Some(3), ..RunConfig::default() };
    let outcome = Pool::new(2).unwrap().run(&dataset, &[spec], &config).unwrap();
    outcome.udfs[0].results[0].data.clone()
}

/// Numbers of any dtype, in the scan's shape `(4, 5, 6, 7)`: every byte pattern is one, but for bool.
fn numbers(dtype: Dtype) -> Array {
    let shape = Shape::new([4, 5, 6, 7]).unwrap();
    let source = counts(&[shape.size() * dtype.size() as u64]).data;
    let n_bytes = usize::try_from(shape.size()).unwrap() * dtype.size();
    let keep = |byte: u8| if dtype == Dtype::Bool { byte & 1 } else { byte };
    Array { dtype, data: source[..n_bytes].iter().map(|byte| keep(*byte)).collect(), shape }
}

#[test]
fn tiles_of_every_dtype_arrive_as_they_are_by_either_way() {
    let dir = tempfile::tempdir().unwrap();
    let pick = Plugin::from_file(&Engine::new(false).unwrap(), &wasm("plugin_pick"), &Limits::default()).unwrap();
    for dtype in Dtype::all() {
        let array = numbers(dtype);
        let path = dir.path().join(format!("{dtype}.npy"));
        save(&path, &array);
        for tile_bytes in [1, 100, 1 << 20] {
            assert_eq!(result(&pick, &path, Handover::InPlace, tile_bytes), array.data, "{dtype} in place");
            assert_eq!(result(&pick, &path, Handover::Copied, tile_bytes), array.data, "{dtype} copied");
        }
    }
}

#[test]
fn converted_tiles_are_the_same_by_either_way() {
    let dir = tempfile::tempdir().unwrap();
    let engine = Engine::new(false).unwrap();
    for dtype in [Dtype::U8, Dtype::U16, Dtype::I32, Dtype::F32, Dtype::C64] {
        let path = dir.path().join(format!("{dtype}.npy"));
        save(&path, &numbers(dtype));
        for name in ["plugin_sum", "plugin_sumsig", "plugin_stddev"] {
            let plugin = Plugin::from_file(&engine, &wasm(name), &Limits::default()).unwrap();
            let of = |handover| result(&plugin, &path, handover, 500);
            assert_eq!(of(Handover::InPlace), of(Handover::Copied), "{name} of {dtype}");
        }
    }
}
