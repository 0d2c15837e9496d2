//! Reference vectors: every case of a UDF that lthost has, for several plans, and for 1, 2 and 3 workers.

use std::collections::{BTreeMap, HashMap};

use lthost::{
    dataset::Dataset,
    plugin::{Argument, Engine, EngineConfig, Limits, Plugin},
    results::ResultBuffer,
    run::{Outcome, RunError},
    shape::{Array, Dtype, DtypeKind},
};
use lthost_tests::wasm;
use serde_json::Value as Json;

use crate::vector_files::{Job, Vectors, check_numbers, parts, tolerance};

/// LiberTEM's UDFs and the plugins that stand for them.
const PLUGINS: [(&str, &str); 13] = [
    ("SumUDF", "plugin_sum"),
    ("SumSigUDF", "plugin_sumsig"),
    ("StdDevUDF", "plugin_stddev"),
    ("LogsumUDF", "plugin_logsum"),
    ("PickUDF", "plugin_pick"),
    ("ApplyMasksUDF", "plugin_masks"),
    ("CoMUDF", "plugin_com"),
    ("RecordUDF", "plugin_record"),
    ("FEMUDF", "plugin_fem"),
    ("CrystallinityUDF", "plugin_crystallinity"),
    ("MaxUDF(custom)", "plugin_max"),
    ("AutoUDF", "guest_auto"),
    ("NoOpUDF", "guest_noop"),
];

/// Parameters that are a construct of Python's and change no number: how a list of masks is passed, which compiler
/// is used.
const PYTHONS_OWN: [&str; 3] = ["factory", "sparse_factory", "use_numba"];
/// Where lthost differs on purpose: LiberTEM's centre of mass counts frames that were never in the file, as frames
/// without shift, when it fits and subtracts the mean shift or a plane. lthost leaves them out, so all that derives from
/// the fit differs; what is measured in the frames agrees.
const MISSING_FRAMES_ARE_NOT_FITTED: [&str; 22] = [
    "com_u2_so1",
    "com_u2_so3",
    "com_f4_so3",
    "com_u2_so12",
    "com_u2_so12_roi",
    "com_f4_so12",
    "com_u2_so34",
    "com_u2_so34_roi",
    "com_f4_so34",
    "com_f4_so34_roi",
    "com_u2_so-1_roi",
    "com_f4_so-1",
    "com_f4_so-1_roi",
    "com_u2_so-3_roi",
    "com_f4_so-3_roi",
    "com_u2_so-12_roi",
    "com_f4_so-12",
    "com_f4_so-12_roi",
    "com_u2_so-34",
    "com_u2_so-34_roi",
    "com_f4_so-34",
    "com_f4_so-34_roi",
];
const MEASURED: [&str; 2] = ["raw_com", "raw_shifts"];

/// Partitions and tile sizes to try besides those of the case: whole frames, rows of frames, odd ones.
const PLANS: [(Option<u64>, u64); 4] = [(None, 512 << 10), (Some(1), 3000), (Some(7), 700), (Some(64), 1)];

#[test]
fn reference_vectors_agree_for_every_plan_and_number_of_workers() {
    let vectors = Vectors::open();
    let engine = Engine::new(EngineConfig::default()).unwrap();
    let plugins: HashMap<&str, Plugin> = PLUGINS
        .iter()
        .map(|(udf, name)| (*udf, Plugin::from_file(&engine, &wasm(name), &Limits::default()).unwrap()))
        .collect();
    let mut failures = Vec::new();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for case in vectors.index["cases"].as_array().unwrap() {
        let Some((udf, _)) = PLUGINS.iter().find(|(udf, _)| case["udf"] == *udf) else { continue };
        *counts.entry(udf).or_default() += 1;
        if let Err(what) = check_case(&vectors, &plugins[udf], case) {
            failures.push(format!("{}: {what}", case["name"]));
        }
    }
    let shown = failures.iter().take(60).cloned().collect::<Vec<_>>().join("\n");
    assert!(failures.is_empty(), "{} cases failed:\n{shown}", failures.len());
    // A case that is not found is not a case that passes.
    let expected = [
        ("ApplyMasksUDF", 405),
        ("AutoUDF", 51),
        ("CoMUDF", 237),
        ("CrystallinityUDF", 49),
        ("FEMUDF", 74),
        ("LogsumUDF", 89),
        ("MaxUDF(custom)", 20),
        ("NoOpUDF", 1),
        ("PickUDF", 192),
        ("StdDevUDF", 129),
        ("RecordUDF", 1),
        ("SumSigUDF", 118),
        ("SumUDF", 237),
    ];
    assert_eq!(counts, BTreeMap::from(expected));
}

fn check_case(vectors: &Vectors, plugin: &Plugin, case: &Json) -> Result<(), String> {
    let dataset = vectors.dataset(case)?;
    let own = case["num_partitions"].as_u64();
    let roi = case["roi"].as_str().map(|name| vectors.aux(name));
    let arguments = arguments(vectors, &case["params"]);
    let corrections = vectors.corrections(&case["corrections"], &dataset)?;
    let mut plans = vec![(own, 512 << 10)];
    // The quick subset goes through all of them, the others through two besides their own.
    plans.extend(if case["core"] == true { &PLANS[..] } else { &PLANS[2..] });
    let job = Job { dataset: &dataset, plugin, arguments, roi, corrections };
    job.check_plans(&plans, &[1, 2, 3], |outcome| check_outcome(vectors, case, &dataset, outcome))
}

fn arguments(vectors: &Vectors, params: &Json) -> Vec<(String, Argument)> {
    let params = params.as_object().unwrap().iter();
    params
        .filter(|(key, _)| !PYTHONS_OWN.contains(&key.as_str()))
        .map(|(key, value)| match key.as_str() {
            "shifts_aux" => ("shifts".to_owned(), Argument::Array(vectors.aux(value.as_str().unwrap()))),
            "masks" => ("factors".to_owned(), Argument::Array(vectors.aux(value.as_str().unwrap()))),
            _ => (key.clone(), Argument::Json(value.clone())),
        })
        .collect()
}

fn check_outcome(
    vectors: &Vectors,
    case: &Json,
    dataset: &Dataset,
    outcome: &Result<Outcome, RunError>,
) -> Result<(), String> {
    let outcome = match (outcome, case.get("error")) {
        (Err(_), Some(_)) => return Ok(()),
        (Ok(_), Some(error)) => return Err(format!("LiberTEM refuses this: {error}")),
        (Err(error), None) => return Err(error.to_string()),
        (Ok(outcome), None) => outcome,
    };
    let noise = single_precision_noise(vectors, case, dataset);
    let differs_on_purpose = MISSING_FRAMES_ARE_NOT_FITTED.iter().any(|name| case["name"] == *name);
    let mut differs = false;
    for (name, output) in case["outputs"].as_object().unwrap() {
        // LiberTEM's recorded file is a result like others here.
        let name = if name == "file" { "data" } else { name };
        let result = outcome.udfs[0].results.iter().find(|result| result.name == name);
        let result = result.ok_or_else(|| format!("there is no result `{name}`"))?;
        match check_array(result, &vectors.expected(output), output, noise) {
            Err(_) if differs_on_purpose && !MEASURED.contains(&name) => differs = true,
            checked => checked.map_err(|what| format!("`{name}`: {what}"))?,
        }
    }
    if differs != differs_on_purpose {
        return Err("agrees, though it is listed as different on purpose".to_owned());
    }
    if case["damage"].is_null() { Ok(()) } else { check_damage(outcome, &vectors.expected(&case["damage"]), dataset) }
}

/// How far results may be off that derive from a centre of mass of single precision data, in px.
///
/// The centre is a quotient of sums that are rounded to `f32`: both sides may be off by some of its last digits, and the
/// vectors are as exact as that. (Their tolerance for what derives from it is that of double precision.)
fn single_precision_noise(vectors: &Vectors, case: &Json, dataset: &Dataset) -> f64 {
    if case["udf"] != "CoMUDF" || dataset.dtype() != Dtype::F32 {
        return 0.0;
    }
    let centre = vectors.expected(&case["outputs"]["raw_com"]);
    let largest = parts(centre.dtype, &centre.data).filter(|x| x.is_finite()).fold(0.0, |a: f64, b| a.max(b.abs()));
    4.0 * f64::from(f32::EPSILON) * largest
}

/// LiberTEM marks frames as merged that were never in the file; lthost does not.
fn check_damage(outcome: &Outcome, expected: &Array, dataset: &Dataset) -> Result<(), String> {
    let present = dataset.present();
    let expected = expected
        .data
        .iter()
        .zip(0..)
        .map(|(&merged, frame)| u8::from(merged != 0 && (present.start.0..present.end.0).contains(&frame)));
    if outcome.damage.data.iter().copied().eq(expected) { Ok(()) } else { Err("damage differs".to_owned()) }
}

fn check_array(result: &ResultBuffer, expected: &Array, output: &Json, noise: f64) -> Result<(), String> {
    if result.shape != expected.shape {
        return Err(format!("shape {}, expected {}", result.shape, expected.shape));
    }
    if result.dtype.kind() < DtypeKind::Float {
        // Integers: exactly, whatever the plan.
        let same = result.dtype == expected.dtype && result.data == expected.data;
        return if same { Ok(()) } else { Err(format!("{} differs from {}", result.dtype, expected.dtype)) };
    }
    let (mut rtol, mut atol) = tolerance(output);
    if result.dtype != expected.dtype {
        // LiberTEM gives some centre-of-mass results in double precision that it declares in single: these are compared
        // as precisely as the vectors compare the same results where LiberTEM keeps to its declaration.
        let is_narrower = result.dtype.fits_in(expected.dtype);
        if !is_narrower {
            return Err(format!("dtype {}, expected {}", result.dtype, expected.dtype));
        }
        rtol = rtol.max(1e-4);
        atol *= 1e5;
    }
    atol = atol.max(noise);
    check_numbers(parts(result.dtype, &result.data), parts(expected.dtype, &expected.data), (rtol, atol))
}
