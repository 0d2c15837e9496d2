//! Which dtypes tiles and results have, for every UDF and every dtype of a data set: as in LiberTEM's table.

use std::{fs, path::Path, sync::Arc};

use lthost::{
    correction::Corrections,
    dataset::{self, Dataset, DatasetOptions},
    plugin::{Argument, Engine, EngineConfig, Limits, Plugin},
    run::{Pool, RunConfig, RunError, UdfOutcome, UdfSpec},
    shape::{Array, Dtype, Shape},
};
use lthost_tests::wasm;
use serde_json::{Value as Json, json};

/// Axes of the scan that the table was made of.
const SCAN: [u64; 4] = [2, 3, 8, 8];

/// Column of the table, the plugin that stands for it, and its parameters.
type Column = (&'static str, &'static str, Vec<(String, Argument)>);

fn columns() -> Vec<Column> {
    let none = Vec::new;
    let json = |given: Json| {
        let given = given.as_object().unwrap().clone().into_iter();
        given.map(|(name, value)| (name, Argument::Json(value))).collect::<Vec<_>>()
    };
    let masks = |dtype: Dtype| {
        let shape = Shape::new([2, 8, 8]).unwrap();
        let data = vec![0; 128 * dtype.size()];
        vec![("factors".to_owned(), Argument::Array(Array { dtype, shape, data }))]
    };
    vec![
        ("SumUDF", "plugin_sum", none()),
        ("SumSigUDF", "plugin_sumsig", none()),
        ("StdDevUDF", "plugin_stddev", none()),
        ("StdDevUDF_f4", "plugin_stddev", json(json!({"dtype": "float32"}))),
        ("LogsumUDF", "plugin_logsum", none()),
        ("PickUDF", "plugin_pick", none()),
        ("CoMUDF", "plugin_com", none()),
        ("FEMUDF", "plugin_fem", json(json!({"center": [4, 4], "rad_in": 1, "rad_out": 3}))),
        ("CrystallinityUDF", "plugin_crystallinity", json(json!({"rad_in": 1, "rad_out": 3}))),
        ("masks_f4", "plugin_masks", masks(Dtype::F32)),
        ("masks_f8", "plugin_masks", masks(Dtype::F64)),
        ("masks_bool", "plugin_masks", masks(Dtype::Bool)),
        ("masks_i4", "plugin_masks", masks(Dtype::I32)),
        ("masks_c8", "plugin_masks", masks(Dtype::C64)),
        ("auto_sum", "guest_auto", json(json!({"f": "sum_axis-1"}))),
        ("auto_mean", "guest_auto", json(json!({"f": "mean"}))),
    ]
}

/// They need numbers that have an order; LiberTEM fails while it runs.
const REFUSE_COMPLEX: [&str; 2] = ["LogsumUDF", "CrystallinityUDF"];

#[test]
fn tiles_and_results_have_the_dtypes_of_the_table() {
    let table = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors/dtype_table.json");
    let table: Json = serde_json::from_slice(&fs::read(table).unwrap()).unwrap();
    let (engine, pool) = (Engine::new(EngineConfig::default()).unwrap(), Pool::new(2).unwrap());
    let columns: Vec<_> = columns()
        .into_iter()
        .map(|(column, wasm_name, arguments)| {
            let plugin = Plugin::from_file(&engine, &wasm(wasm_name), &Limits::default()).unwrap();
            (column, UdfSpec { label: None, plugin, arguments })
        })
        .collect();
    let folder = tempfile::tempdir().unwrap();
    let mut n_checked = 0;
    for row in table.as_array().unwrap() {
        let dtype = row["dataset_dtype"].as_str().unwrap();
        let dataset = open(folder.path(), dtype);
        let run = |spec: &UdfSpec, config: &RunConfig| {
            let outcome = pool.run(&dataset, std::slice::from_ref(spec), config);
            outcome.map(|mut outcome| outcome.udfs.remove(0))
        };
        for (column, spec) in &columns {
            let outcome = run(spec, &RunConfig::default());
            check(&row[column], column, parsed(&row["dataset_dtype"]), outcome)
                .unwrap_or_else(|what| panic!("{column} of {dtype}: {what}"));
            n_checked += 1;
        }
        // Corrected pixels are real numbers, also where a UDF takes them as they are.
        let gain =
            Array { dtype: Dtype::F32, shape: Shape::new([8, 8]).unwrap(), data: 1_f32.to_le_bytes().repeat(64) };
        let corrections = Corrections::new(&gain.shape, None, Some(&gain), None).unwrap();
        let (_, pick) = columns.iter().find(|(column, _)| *column == "PickUDF").unwrap();
        let picked = run(pick, &RunConfig { corrections, ..RunConfig::default() }).unwrap();
        assert_eq!(picked.input_dtype, parsed(&row["corrections_input_dtype_pick"]), "corrected {dtype}");
    }
    assert_eq!(n_checked, 16 * 16);
}

fn check(expected: &Json, column: &str, stored: Dtype, outcome: Result<UdfOutcome, RunError>) -> Result<(), String> {
    let input = parsed(&expected["_input_dtype"]);
    if matches!(input, Dtype::C64 | Dtype::C128) && REFUSE_COMPLEX.contains(&column) {
        return outcome.map_or(Ok(()), |_| Err("complex numbers were taken".to_owned()));
    }
    let outcome = outcome.map_err(|error| error.to_string())?;
    // `masks` asks for tiles in the dtype of the result, where they and masks meet, if it gets any. Others take none, as the host
    // computes with them as they are stored, or take a detector's counts as these are stored: their results have the dtypes of
    // the table all the same.
    let is_any = column.starts_with("masks") || column == "CoMUDF";
    let is_in_host = ["SumUDF", "SumSigUDF", "StdDevUDF", "StdDevUDF_f4"].contains(&column);
    let is_counts = matches!(outcome.input_dtype, Dtype::U8 | Dtype::I8 | Dtype::U16 | Dtype::I16);
    let is_as_stored = outcome.input_dtype == stored && (is_counts || is_in_host);
    if !is_any && outcome.input_dtype != input && !is_as_stored {
        return Err(format!("tiles are {}, expected {input}", outcome.input_dtype));
    }
    for (name, buffer) in expected.as_object().unwrap().iter().filter(|(_, buffer)| buffer["use"] != "private") {
        if name == "_input_dtype" {
            continue;
        }
        let result = outcome.results.iter().find(|result| result.name == *name);
        let result = result.ok_or_else(|| format!("there is no result `{name}`"))?;
        let dtype = parsed(&buffer["dtype"]);
        if result.dtype != dtype {
            return Err(format!("`{name}` is {}, expected {dtype}", result.dtype));
        }
    }
    Ok(())
}

/// A scan of zeros.
fn open(folder: &Path, dtype: &str) -> Arc<Dataset> {
    let path = folder.join("scan.raw");
    let dtype = Dtype::parse_with_order(dtype).unwrap();
    let n_bytes = usize::try_from(SCAN.iter().product::<u64>()).unwrap() * dtype.0.size();
    fs::write(&path, vec![0; n_bytes]).unwrap();
    let options = DatasetOptions {
        format: Some("raw".to_owned()),
        nav_shape: Some(SCAN[..2].to_vec()),
        sig_shape: Some(SCAN[2..].to_vec()),
        dtype: Some(dtype),
        ..DatasetOptions::default()
    };
    Arc::new(dataset::open(&path, &options).unwrap())
}

fn parsed(json: &Json) -> Dtype {
    Dtype::parse_with_order(json.as_str().unwrap()).unwrap().0
}
