//! What the system is told of files changes no result.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use lthost::{
    dataset::{self, DatasetOptions},
    plugin::{Engine, EngineConfig, Limits, Plugin},
    run::{PageCache, Pool, RunConfig, UdfSpec},
    shape::{Array, ByteOrder, Dtype, Shape},
};
use lthost_tests::{counts, wasm};

/// 600 frames of 32 x 48 counts, 3 MB: the file's own pages are handed over.
fn raw(dir: &Path) -> (PathBuf, DatasetOptions) {
    let path = dir.join("scan.raw");
    fs::write(&path, counts(&[20, 30, 32, 48]).data).unwrap();
    let options = DatasetOptions {
        nav_shape: Some(vec![20, 30]),
        sig_shape: Some(vec![32, 48]),
        dtype: Some((Dtype::U16, None)),
        ..DatasetOptions::default()
    };
    (path, options)
}

/// As many such frames in seven files, each after a header: they are decoded.
fn mib(dir: &Path) -> (PathBuf, DatasetOptions) {
    let pixels = counts(&[20, 30, 32, 48]).data;
    let frames: Vec<_> = (1..).zip(pixels.chunks(32 * 48 * 2)).collect();
    for (file, frames) in (0..).zip(frames.chunks(90)) {
        let mut bytes = Vec::new();
        for (number, frame) in frames {
            let end = bytes.len() + 384;
            let shape = "00384,01,0048,0032,U16,   1x1,01";
            bytes.extend(format!("MQ1,{number:06},{shape},2024-01-01 12:00:00,0.001,0,0,0,1.0E+2,").bytes());
            bytes.resize(end, 0);
            bytes.extend_from_slice(frame);
        }
        fs::write(dir.join(format!("scan{file}.mib")), bytes).unwrap();
    }
    (dir.join("scan3.mib"), DatasetOptions { nav_shape: Some(vec![20, 30]), ..DatasetOptions::default() })
}

#[test]
fn advice_changes_no_bit() {
    let dir = tempfile::tempdir().unwrap();
    let engine = Engine::new(EngineConfig::default()).unwrap();
    let udfs: Vec<UdfSpec> = ["plugin_pick", "plugin_sum", "plugin_stddev", "plugin_sumsig"]
        .map(|name| Plugin::from_file(&engine, &wasm(name), &Limits::default()).unwrap())
        .map(|plugin| UdfSpec { label: None, plugin, arguments: Vec::new() })
        .into();
    let (file, options) = raw(dir.path());
    let big = DatasetOptions { byte_order: Some(ByteOrder::Big), ..options.clone() };
    let later = DatasetOptions { sync_offset: -7, ..options.clone() };
    let earlier = DatasetOptions { sync_offset: 7, ..options.clone() };
    let datasets =
        [(file.clone(), options), (file.clone(), big), (file.clone(), later), (file, earlier), mib(dir.path())];
    let odd = (0..600).map(|frame| u8::from(frame % 3 != 1 && !(100..200).contains(&frame))).collect();
    let odd = Array { dtype: Dtype::Bool, shape: Shape::new([20, 30]).unwrap(), data: odd };
    for (path, options) in datasets {
        let dataset = Arc::new(dataset::open(&path, &options).unwrap());
        let all = |n_workers: usize, config: &RunConfig| {
            let outcome = Pool::new(n_workers).unwrap().run(&dataset, &udfs[..], config).unwrap();
            outcome.udfs.into_iter().flat_map(|udf| udf.results).map(|result| result.data).collect::<Vec<_>>()
        };
        for (roi, partitions, backwards) in [(None, 5, false), (Some(&odd), 4, false), (None, 3, true)] {
            let config =
                RunConfig { roi: roi.cloned(), partitions: Some(partitions), backwards, ..RunConfig::default() };
            let expected = all(1, &config);
            for (read_ahead, keep_bytes) in [(true, u64::MAX), (false, 0), (true, 0)] {
                let page_cache = PageCache { read_ahead: Some(read_ahead), keep_bytes: Some(keep_bytes) };
                let config = RunConfig { page_cache, ..config.clone() };
                assert!(all(2, &config) == expected, "{} with {config:?}", path.display());
            }
        }
    }
}
