//! Plugins in Python: built by `scripts/guest-py`, and run. To compile one takes seconds: each is loaded as rarely as can be.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use lthost::{
    dataset::{self, Dataset, DatasetOptions},
    plugin::{Argument, Engine, EngineConfig, Limits, Plugin},
    run::{Outcome, Pool, RunConfig, UdfSpec},
    shape::{Array, Dtype, Shape, npy},
};
use lthost_tests::{counts, root};
use serde_json::{Value as Json, json};

use crate::{
    program::{Folder, SCAN},
    vector_files::numbers,
};

const N_FRAMES: usize = 20;
const N_PIXELS: usize = 42;
/// For the examples: what is bright.
const LEVEL: u16 = 500;
const LEAST: u16 = 980;

/// Whether plugins can be built here. Without a network nobody can fetch the tool: then a test says that it skips, and why.
fn is_tool_there() -> bool {
    let found = Command::new(root().join("scripts/guest-py")).output().unwrap();
    if !found.status.success() {
        // Past the test runner, which shows what a test prints only if it fails.
        let _nobody_listens = write!(std::io::stderr(), "skipped: {}", String::from_utf8_lossy(&found.stderr));
    }
    found.status.success()
}

/// Builds a plugin of a Python file of the project's.
fn build(folder: &Folder, file: &str) -> PathBuf {
    let (file, wasm) = (root().join(file), folder.path("plugin.wasm").with_file_name(file.replace('/', "-") + ".wasm"));
    let built = Command::new(root().join("scripts/guest-py")).arg(file).arg("-o").arg(&wasm).output().unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    wasm
}

fn load(wasm: &Path) -> Plugin {
    Plugin::from_file(&Engine::new(EngineConfig::default()).unwrap(), wasm, &Limits::default()).unwrap()
}

fn udf(plugin: &Plugin, arguments: &[(&str, Json)]) -> UdfSpec {
    let arguments = arguments.iter().map(|(name, value)| ((*name).to_owned(), Argument::Json(value.clone())));
    UdfSpec { label: None, plugin: plugin.clone(), arguments: arguments.collect() }
}

fn open(folder: &Folder) -> Arc<Dataset> {
    Arc::new(dataset::open(&folder.path("scan.npy"), &DatasetOptions::default()).unwrap())
}

/// The frames of the scan, as numbers.
fn frames() -> Vec<Vec<u16>> {
    let scan = counts(&SCAN);
    let pixels: Vec<u16> = scan.data.as_chunks().0.iter().map(|bytes| u16::from_le_bytes(*bytes)).collect();
    pixels.chunks(N_PIXELS).map(<[u16]>::to_vec).collect()
}

fn roi() -> Array {
    let data = (0..N_FRAMES).map(|frame| u8::from(frame % 3 != 1 && frame < 18)).collect();
    Array { dtype: Dtype::Bool, shape: Shape::new(&SCAN[..2]).unwrap(), data }
}

fn bits(outcome: &Outcome) -> Vec<Vec<u8>> {
    outcome.udfs.iter().flat_map(|udf| &udf.results).map(|result| result.data.clone()).collect()
}

/// What the examples give, by plain loops: bright pixels of each frame; for each pixel the largest value, and its frame.
fn expected(roi: Option<&Array>) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
    let is_selected = |frame: &usize| roi.is_none_or(|roi| roi.data[*frame] == 1);
    let frames = frames();
    let mut bright = vec![0.0; N_FRAMES];
    let (mut largest, mut at) = (vec![f64::NEG_INFINITY; N_PIXELS], vec![-1.0; N_PIXELS]);
    for i in (0..N_FRAMES).filter(is_selected) {
        for (pixel, &value) in frames[i].iter().enumerate() {
            bright[i] += f64::from(u8::from(value > LEVEL));
            if f64::from(value) > largest[pixel] {
                largest[pixel] = f64::from(value);
                at[pixel] = f64::from(u8::try_from(i).unwrap());
            }
        }
    }
    for (at, largest) in at.iter_mut().zip(&largest) {
        if *largest < f64::from(LEAST) {
            *at = -1.0;
        }
    }
    (bright, largest, at)
}

#[test]
fn the_examples_agree_with_plain_loops() {
    if !is_tool_there() {
        return;
    }
    let folder = Folder::new();
    let [bright, brightest] =
        ["bright_pixels", "brightest"].map(|name| build(&folder, &format!("guest-sdk/python/examples/{name}.py")));
    let dataset = open(&folder);
    let udfs = [
        udf(&load(&bright), &[("level", json!(LEVEL)), ("monitor", json!(true))]),
        udf(&load(&brightest), &[("least", json!(LEAST))]),
    ];
    for (partitions, tile_bytes, roi) in
        [(1, 1 << 20, None), (3, 200, None), (20, 1, Some(roi())), (7, 1 << 20, Some(roi()))]
    {
        let config = RunConfig {
            partitions: Some(partitions),
            tile_bytes: Some(tile_bytes),
            roi: roi.clone(),
            ..RunConfig::default()
        };
        let outcomes = [1, 2, 3].map(|workers| Pool::new(workers).unwrap().run(&dataset, &udfs, &config).unwrap());
        let (counts, largest, at) = expected(roi.as_ref());
        let last = roi.map_or(19, |_| 17);
        let results = |udf: usize, i: usize| outcomes[0].udfs[udf].results[i].to_f64();
        assert_eq!(results(0, 0), counts, "{config:?}");
        assert_eq!(results(0, 1), counts[last..=last], "{config:?}");
        assert_eq!(results(1, 0), largest, "{config:?}");
        assert_eq!(results(1, 1), at, "{config:?}");
        assert!(outcomes.iter().all(|outcome| bits(outcome) == bits(&outcomes[0])), "{config:?}");
    }

    let (plugin, least) = (brightest.display().to_string(), format!("least={LEAST}"));
    folder.array("roi.npy", Dtype::Bool, &SCAN[..2], roi().data);
    let run = ["run", "--plugin", &plugin, "-p", &least, "--dataset", "scan.npy", "--roi", "roi.npy", "--workers", "3"];
    let ended = folder.lthost(&[&run[..], &["--partitions", "4", "-o", "out"]].concat());
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let read = |name: &str| numbers(&npy::read(&folder.path("out/brightest").join(name)).unwrap());
    let (_, largest, at) = expected(Some(&roi()));
    assert!(at.contains(&-1.0) && at.iter().any(|at| *at > 0.0), "both happen: {at:?}");
    assert_eq!((read("largest.npy"), read("frame.npy")), (largest, at.clone()));
    let is_bright: Vec<f64> = at.iter().map(|at| f64::from(u8::from(*at >= 0.0))).collect();
    assert_eq!(read("frame.mask.npy"), is_bright);
}

#[test]
fn every_function_of_the_contract_can_be_written() {
    if !is_tool_there() {
        return;
    }
    let folder = Folder::new();
    let plugin = load(&build(&folder, "tests/python/everything.py"));
    let dataset = open(&folder);
    let weights = Argument::Array(Array {
        dtype: Dtype::I32,
        shape: Shape::new(&SCAN[..2]).unwrap(),
        data: (0..20_i32).flat_map(i32::to_le_bytes).collect(),
    });
    let mut weighted = udf(&plugin, &[("csr", json!(true)), ("scale", json!([0.5, 4.0]))]);
    weighted.arguments.push(("weight".to_owned(), weights));
    weighted.label = Some("weighted".to_owned());
    let udfs = [udf(&plugin, &[]), weighted];
    let config = RunConfig { partitions: Some(3), tile_bytes: Some(200), ..RunConfig::default() };
    let outcomes = [1, 2, 3].map(|workers| Pool::new(workers).unwrap().run(&dataset, &udfs, &config).unwrap());
    assert!(outcomes.iter().all(|outcome| bits(outcome) == bits(&outcomes[0])), "the number of workers shows");
    check_everything(&outcomes[0]);
    check_errors(|fail| {
        let failing = [udf(&plugin, &[("fail", json!(fail))])];
        Pool::new(1).unwrap().run(&dataset, &failing, &config).unwrap_err().to_string()
    });
}

/// Holds the results of `everything.py`, with its own weight and with weights for each frame, against plain loops.
fn check_everything(outcome: &Outcome) {
    let manifest = &outcome.udfs[0].manifest;
    assert_eq!((manifest.version.as_str(), manifest.summary.as_str()), ("1.2.3", "Every function of the contract"));
    let frames = frames();
    let sums: Vec<f64> = frames.iter().map(|frame| frame.iter().copied().map(f64::from).sum()).collect();
    let total: Vec<f64> =
        (0..N_PIXELS).map(|pixel| 7.0 + frames.iter().map(|frame| f64::from(frame[pixel])).sum::<f64>()).collect();
    let parts = |udf: usize| -> Vec<f64> {
        let data = &outcome.udfs[udf].results[0].data;
        data.as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect()
    };
    let weight = |frame: usize| f64::from(u8::try_from(frame).unwrap());
    let plain: Vec<f64> = sums.iter().flat_map(|sum| [*sum, 0.0, 0.0, sum * 6.0]).collect();
    let scaled: Vec<f64> =
        sums.iter().enumerate().flat_map(|(i, sum)| [sum * 0.5, 0.0, 0.0, sum * weight(i) * 4.0]).collect();
    assert_eq!((parts(0), parts(1)), (plain, scaled));
    for udf in &outcome.udfs {
        let names: Vec<_> = udf.results.iter().map(|result| result.name.as_str()).collect();
        assert_eq!(names, ["sums", "total", "longest", "any", "mean", "drawn"]);
        let results = |i: usize| udf.results[i].to_f64();
        assert_eq!((results(1), results(2), results(3)), (total.clone(), vec![7.0], vec![1.0, 0.0]));
        assert_eq!(results(4), total.iter().map(|total| total / 20.0).collect::<Vec<_>>());
    }
}

/// Holds what is said when `everything.py` fails against the lines of its source.
fn check_errors(error: impl Fn(&str) -> String) {
    let source = fs::read_to_string(root().join("tests/python/everything.py")).unwrap();
    let line = |text: &str| 1 + source.lines().position(|line| line.trim() == text).unwrap();
    assert_eq!(
        error("refuse"),
        "plugin `everything`, `create`: this scan will not do: \
         ValueError: invalid literal for int() with base 10: 'many'"
    );
    let broken = error("break");
    let (at, called) = (line("return {}[\"key\"]"), line("broken()"));
    assert!(broken.starts_with("plugin `everything`, `process` (partition 0, frames 0.."), "{broken}");
    let lines = format!(
        "KeyError: 'key'\n    at broken (everything.py:{at})\n    at Everything.process (everything.py:{called})"
    );
    assert!(broken.ends_with(&lines), "{broken}");
    assert!(error("import").contains("ImportError: `fractions` can be imported only at the top of the file"));
    assert!(error("numpy").contains("ModuleNotFoundError: there is no module `numpy` in Python's standard library"));
    let line = line("out[\"total\"][0] = 1.5");
    let misfit = format!(
        "TypeError: memoryview: invalid type for format 'q' (a buffer of int64, like `total`, `longest`, takes whole \
         numbers: round what is stored, or declare it as `f64`)\n    at Everything.process (everything.py:{line})"
    );
    let real = error("real");
    assert!(real.ends_with(&misfit), "{real}");
    assert!(
        error("large").contains("(a buffer of int64, like `total`, `longest`, takes no number as small or as large")
    );
}
