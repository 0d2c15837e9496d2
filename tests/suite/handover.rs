//! Tiles decoded in a plugin's memory are the tiles that wasmtime's public means hand over.

use std::{fs, path::Path, sync::Arc};

use lthost::{
    dataset::{self, DatasetOptions},
    plugin::{Engine, EngineConfig, Handover, Limits, Plugin},
    run::{Pool, RunConfig, UdfSpec},
    shape::{Array, Dtype, Shape},
};
use lthost_tests::{counts, save, wasm};

/// Every way.
const ALL: [Handover; 2] = [Handover::InPlace, Handover::Copied];

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
    let pick =
        Plugin::from_file(&Engine::new(EngineConfig::default()).unwrap(), &wasm("plugin_pick"), &Limits::default())
            .unwrap();
    for dtype in Dtype::all() {
        let array = numbers(dtype);
        let path = dir.path().join(format!("{dtype}.npy"));
        save(&path, &array);
        for tile_bytes in [1, 100, 1 << 20] {
            for handover in ALL {
                assert_eq!(result(&pick, &path, handover, tile_bytes), array.data, "{dtype} {handover:?}");
            }
        }
    }
}

#[test]
fn converted_tiles_are_the_same_by_either_way() {
    let dir = tempfile::tempdir().unwrap();
    let engine = Engine::new(EngineConfig::default()).unwrap();
    for dtype in [Dtype::U8, Dtype::U16, Dtype::I32, Dtype::F32, Dtype::C64] {
        let path = dir.path().join(format!("{dtype}.npy"));
        save(&path, &numbers(dtype));
        for name in ["plugin_sum", "plugin_sumsig", "plugin_stddev"] {
            let plugin = Plugin::from_file(&engine, &wasm(name), &Limits::default()).unwrap();
            let of = |handover| result(&plugin, &path, handover, 500);
            assert!(ALL.iter().all(|&handover| of(handover) == of(Handover::Copied)), "{name} of {dtype}");
        }
    }
}

/// A file that is worth reading: frames of 32 x 32 counts after `n_lead` bytes, all of them different.
fn large(path: &Path, n_lead: usize) -> (Vec<u8>, usize) {
    let (n_frames, frame) = (1500, 32 * 32 * 2);
    let pixels: Vec<u8> = counts(&[n_frames, 32, 32]).data;
    fs::write(path, [vec![0xaa; n_lead], pixels.clone()].concat()).unwrap();
    (pixels, frame)
}

#[test]
fn frames_are_read_wherever_they_begin() {
    let dir = tempfile::tempdir().unwrap();
    let (path, page) = (dir.path().join("frames.raw"), 4096);
    let pick =
        Plugin::from_file(&Engine::new(EngineConfig::default()).unwrap(), &wasm("plugin_pick"), &Limits::default())
            .unwrap();
    let run = |n_lead: usize, config: &RunConfig| {
        let options = DatasetOptions {
            nav_shape: Some(vec![30, 50]),
            sig_shape: Some(vec![32, 32]),
            dtype: Some((Dtype::U16, None)),
            offset: Some(n_lead as u64),
            ..DatasetOptions::default()
        };
        let dataset = Arc::new(dataset::open(&path, &options).unwrap());
        let spec = UdfSpec { label: None, plugin: pick.clone(), arguments: Vec::new() };
        Pool::new(2).unwrap().run(&dataset, &[spec], config).unwrap().udfs.remove(0).results.remove(0).data
    };
    // The last one is not aligned for its numbers.
    for n_lead in [0, 2, 100, page - 2, page, 3 * page + 256, 77] {
        let (pixels, frame) = large(&path, n_lead);
        for config in [
            RunConfig { partitions: Some(3), ..RunConfig::default() },
            RunConfig { partitions: Some(1), tile_bytes: Some(700 << 10), ..RunConfig::default() },
            RunConfig { partitions: Some(2), tile_bytes: Some(3000), ..RunConfig::default() },
            RunConfig { partitions: Some(3), backwards: true, ..RunConfig::default() },
            // Little memory.
            RunConfig { limits: Limits { max_memory_bytes: 6 << 20, ..Limits::default() }, ..RunConfig::default() },
        ] {
            assert!(run(n_lead, &config) == pixels, "{n_lead} bytes before the frames, {config:?}");
        }
        // Long runs of frames, short ones, and single ones.
        let selected = |i: usize| i < 600 || (700..710).contains(&i) || (i > 800 && i.is_multiple_of(3));
        let mask = (0..1500).map(|i| u8::from(selected(i))).collect();
        let roi = Array { dtype: Dtype::Bool, shape: Shape::new([1500]).unwrap(), data: mask };
        let chosen = pixels.chunks(frame).enumerate().filter(|(i, _)| selected(*i));
        let expected: Vec<u8> = chosen.flat_map(|(_, frame)| frame.to_vec()).collect();
        let config = RunConfig { partitions: Some(4), roi: Some(roi), ..RunConfig::default() };
        assert!(run(n_lead, &config) == expected, "{n_lead} bytes before the frames, with a ROI");
    }
}

#[test]
fn frames_that_stay_whole_give_the_bits_of_any_way() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("frames.npy");
    let shape = Shape::new([3, 4, 600, 500]).unwrap();
    let data = counts(&[shape.size()]).data.chunks(2).flat_map(|bytes| f32::from(bytes[0]).to_le_bytes()).collect();
    save(&path, &Array { dtype: Dtype::F32, shape, data });
    let engine = Engine::new(EngineConfig::default()).unwrap();
    for name in ["plugin_sum", "plugin_sumsig", "plugin_stddev"] {
        let plugin = Plugin::from_file(&engine, &wasm(name), &Limits::default()).unwrap();
        let dataset = Arc::new(dataset::open(&path, &DatasetOptions::default()).unwrap());
        let of = |handover| {
            let spec = UdfSpec { label: None, plugin: plugin.clone(), arguments: Vec::new() };
            let config = RunConfig { handover, partitions: Some(2), ..RunConfig::default() };
            let outcome = Pool::new(2).unwrap().run(&dataset, &[spec], &config).unwrap();
            outcome.udfs[0].results.iter().map(|result| result.data.clone()).collect::<Vec<_>>()
        };
        assert!(ALL.iter().all(|&handover| of(handover) == of(Handover::Copied)), "{name}");
    }
}
