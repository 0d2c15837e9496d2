//! What the examples share: a data set, plugins, and how results are printed.
#![expect(clippy::print_stdout, reason = "examples print what they do")]

use std::{env, path::Path, sync::Arc};

use anyhow::Context;
use lthost::{
    dataset::{self, Dataset, DatasetOptions},
    plugin::{Engine, Limits, Plugin},
    run::{Outcome, UdfOutcome, UdfSpec},
};

/// Opens the data set that is named on the command line, or the scan that `scripts/demo` simulates.
///
/// # Errors
///
/// Where there is none.
pub fn open_dataset() -> anyhow::Result<Arc<Dataset>> {
    let demo = root().join("demo-out/scan.npy");
    let path = env::args_os().nth(1).map_or(demo, Into::into);
    let dataset = dataset::open(&path, &DatasetOptions::default());
    Ok(Arc::new(dataset.context("name a data set, or run scripts/demo, which makes one")?))
}

/// Loads a plugin of this repository; `cargo build --release` has built it.
///
/// # Errors
///
/// Where it is not built.
pub fn load(engine: &Engine, name: &str) -> anyhow::Result<UdfSpec> {
    let path = root().join(format!("target/guest/wasm32-unknown-unknown/release/plugin_{name}.wasm"));
    let plugin = Plugin::from_file(engine, &path, &Limits::default()).context("build it: cargo build --release")?;
    Ok(UdfSpec { label: None, plugin, arguments: Vec::new() })
}

/// The results of a UDF in one line: name, kind, dtype and shape of each.
pub fn describe(udf: &UdfOutcome) -> String {
    let results = udf.results.iter().map(|result| {
        let (kind, dtype) = (format!("{:?}", result.kind).to_lowercase(), result.dtype.numpy_name());
        format!("'{}': kind={kind} dtype={dtype} shape={}", result.name, result.shape)
    });
    format!("{{{}}}", results.collect::<Vec<_>>().join(", "))
}

/// Prints the results of several UDFs, a line each.
pub fn print_all<'a>(udfs: impl IntoIterator<Item = &'a UdfOutcome>) {
    let lines: Vec<String> = udfs.into_iter().map(describe).collect();
    println!("({})", lines.join(",\n "));
}

/// How many frames are in a result.
pub fn n_processed<R>(outcome: &Outcome<R>) -> usize {
    outcome.damage.data.iter().map(|&is_merged| usize::from(is_merged)).sum()
}

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}
