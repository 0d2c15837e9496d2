//! Parameters of our own plugins: given as on the command line, held against what is declared and against the data, and then
//! used in a run.

use std::sync::LazyLock;

use lthost::{
    plugin::{Argument, Plugin, PluginError},
    run::{RunConfig, RunError, UdfSpec, declare},
    shape::{Array, Dtype, Shape},
};
use serde_json::Value as Json;

use crate::{
    errors::check_run,
    guests::{dataset, limits, load, run_one},
    input::extents,
};

/// Parameters of an input, at most.
const MAX_ARGUMENTS: usize = 8;
/// Bytes of an array, at most.
const MAX_BYTES: u64 = 1 << 14;

/// A plugin is compiled with the first input that asks for it.
static PLUGINS: [(&str, LazyLock<Plugin>); 13] = [
    ("sum", LazyLock::new(|| load("plugin_sum"))),
    ("sumsig", LazyLock::new(|| load("plugin_sumsig"))),
    ("stddev", LazyLock::new(|| load("plugin_stddev"))),
    ("max", LazyLock::new(|| load("plugin_max"))),
    ("extrema", LazyLock::new(|| load("plugin_extrema"))),
    ("logsum", LazyLock::new(|| load("plugin_logsum"))),
    ("pick", LazyLock::new(|| load("plugin_pick"))),
    ("record", LazyLock::new(|| load("plugin_record"))),
    ("masks", LazyLock::new(|| load("plugin_masks"))),
    ("com", LazyLock::new(|| load("plugin_com"))),
    ("fem", LazyLock::new(|| load("plugin_fem"))),
    ("crystallinity", LazyLock::new(|| load("plugin_crystallinity"))),
    ("probe", LazyLock::new(|| load("guest_probe"))),
];

/// Takes the first line of an input for a plugin and data, and each other line for a parameter.
pub(crate) fn run(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let mut lines = text.lines();
    let words: Vec<&str> = lines.next().unwrap_or_default().split(' ').collect();
    let word = |key: &str| words.iter().find_map(|word| word.strip_prefix(key)?.strip_prefix('='));
    let (_, plugin) = PLUGINS.iter().find(|(name, _)| *name == words[0]).unwrap_or(&PLUGINS[0]);
    let data = dataset(word("data").and_then(|number| number.parse().ok()).unwrap_or_default());
    let shape = |key: &str| word(key).and_then(extents).and_then(|axes| Shape::non_empty(axes).ok());
    let (nav, sig) = (shape("nav"), shape("sig"));
    let is_of_data = nav.is_none() && sig.is_none();
    let (nav, sig) = (nav.unwrap_or_else(|| data.nav().clone()), sig.unwrap_or_else(|| data.sig().clone()));
    let dtype = word("dtype").and_then(|name| name.parse().ok()).unwrap_or(data.dtype());
    let arguments = lines.filter_map(argument).take(MAX_ARGUMENTS).collect();
    let udf = UdfSpec { label: None, plugin: Plugin::clone(plugin), arguments };
    match declare(&udf, &nav, &sig, dtype, &limits()) {
        Err(error) => check(&error),
        Ok(declared) => {
            assert!(declared.manifest.processes.contains(&declared.granularity));
            if is_of_data {
                let config = RunConfig { partitions: Some(2), limits: limits(), ..RunConfig::default() };
                if let Err(error) = run_one(data, &udf, &config) {
                    check(&error);
                }
            }
        }
    }
}

/// `NAME=VALUE`, or `NAME@DTYPE:SHAPE:BYTE` for an array of the same byte throughout.
fn argument(line: &str) -> Option<(String, Argument)> {
    if let Some((name, value)) = line.split_once('=') {
        let json = serde_json::from_str(value).unwrap_or_else(|_| Json::String(value.to_owned()));
        return Some((name.to_owned(), Argument::Json(json)));
    }
    let (name, array) = line.split_once('@')?;
    let mut parts = array.split(':');
    let dtype: Dtype = parts.next()?.parse().ok()?;
    let axes = parts.next()?;
    let axes = if axes.is_empty() { Vec::new() } else { extents(axes)? };
    let byte: u8 = parts.next()?.parse().ok()?;
    let shape = Shape::new(axes).ok()?;
    let n_bytes = shape.size().checked_mul(dtype.size() as u64).filter(|&n_bytes| n_bytes <= MAX_BYTES)?;
    // As a file gives them.
    let byte = if dtype == Dtype::Bool { byte & 1 } else { byte };
    let data = vec![byte; usize::try_from(n_bytes).ok()?];
    Some((name.to_owned(), Argument::Array(Array { dtype, shape, data })))
}

/// No parameter makes a plugin of ours fall over: it says what is wrong.
fn check(error: &RunError) {
    let RunError::Plugin(error) = error else { return check_run(error) };
    assert!(!error.to_string().is_empty(), "an error without a word");
    // Data of a large scan may well need buffers that are too large.
    let is_limit = error.to_string().contains("(raise --max-result-bytes)");
    let is_fault = !is_limit
        && matches!(
            error,
            PluginError::Trapped { .. } | PluginError::BrokeContract { .. } | PluginError::Runtime { .. }
        );
    assert!(!is_fault, "a parameter broke a plugin: {error}");
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let texts = [
        "sum\ndtype=float64",
        "sum\ndtype=>f9",
        "sumsig data=4",
        "stddev data=2\ndtype=c64",
        "extrema nav=1000000,1000000 sig=4000,4000 dtype=u8\ndtype=f32",
        "pick\nno=1",
        "record data=1\ndtype=\"i8\"",
        "masks\nfactors@f64:2,4,5:63",
        "masks\nfactors@c64:1,4,5:64\nuse_sparse=True\nmask_dtype=complex64",
        "masks data=2\nshape=ring\nri=1\nro=2.5\ncx=2\ncy=1e0",
        "masks\nfactors=[[[1,0,0,0,0],[0,1,0,0,0],[0,0,1,0,0],[0,0,0,1,0]]]\nmask_count=1\nshifts=[1,-1]",
        "masks\nshape=disk\nr=inf\nshifts@f64:2,3,2:0",
        "com\nregression=1\ncx=1.5\ncy=2\nr=2\nscan_rotation=30\nflip_y=true",
        "com\nregression@f64:3,2:0",
        "com data=5\nregression=-1\nri=1\nr=20",
        "fem\ncenter=[2,2]\nrad_in=0\nrad_out=2",
        "fem\ncenter@f64:2:0\nrad_in=-0.0\nrad_out=NaN",
        "crystallinity\nrad_in=0\nrad_out=3\nreal_center=[2,2]\nreal_rad=1",
        "probe\nby=frame\ndepth=2\ntotal_size=64\ninput=f64\nscale=1e300\ntask_size=10\nweights@f64:2,3,2:64",
        "probe data=5\nby=partition\nsplit_rows=3\nweights=[[1,2],[3,4],[5,6]]",
        "probe\nscale=null\ndepth=1e3\nby=\"tile\"\nweights@i64:6,2:1",
    ];
    texts.map(|text| text.as_bytes().to_vec()).into()
}
