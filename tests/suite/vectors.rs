//! Reference vectors: every case of a UDF that lthost has, for several plans, and for 1, 2 and 3 workers.

use std::{
    collections::{BTreeMap, HashMap},
    fs::File,
    io::Read,
    path::{Path, PathBuf},
    sync::Arc,
};

use lthost::{
    correction::Corrections,
    dataset::{self, Dataset, DatasetOptions},
    plugin::{Argument, Engine, Limits, Plugin},
    results::ResultBuffer,
    run::{Outcome, Pool, RunConfig, RunError, UdfSpec},
    shape::{Array, Dtype, DtypeKind, npy},
};
use lthost_tests::wasm;
use serde_json::Value as Json;

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

/// Parameters that are a construct of Python's and change no number: how a list of masks is passed, which library
/// multiplies.
const PYTHONS_OWN: [&str; 4] = ["factory", "sparse_factory", "use_sparse", "use_numba"];
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
    let engine = Engine::new(false).unwrap();
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
    let dataset = Arc::new(vectors.dataset(case)?);
    let own = case["num_partitions"].as_u64();
    let roi = case["roi"].as_str().map(|name| vectors.aux(name));
    let arguments = vectors.arguments(&case["params"]);
    let corrections = vectors.corrections(&case["corrections"], &dataset)?;
    let mut plans = vec![(own, 512 << 10)];
    // The quick subset goes through all of them, the others through two besides their own.
    plans.extend(if case["core"] == true { &PLANS[..] } else { &PLANS[2..] });
    for (partitions, tile_bytes) in plans {
        let run_with = |workers| {
            let config = RunConfig {
                partitions,
                tile_bytes,
                roi: roi.clone(),
                corrections: corrections.clone(),
                ..RunConfig::default()
            };
            let spec = UdfSpec { label: None, plugin: plugin.clone(), arguments: arguments.clone() };
            Pool::new(workers)?.run(&dataset, &[spec], &config)
        };
        let plan = format!("{partitions:?} partitions, {tile_bytes} byte tiles");
        let one = run_with(1);
        check_outcome(vectors, case, &dataset, &one).map_err(|what| format!("{plan}: {what}"))?;
        let Ok(one) = one else { continue };
        for workers in [2, 3] {
            let other = run_with(workers).map_err(|error| format!("{plan}, {workers} workers: {error}"))?;
            if !same_bits(&one, &other) {
                return Err(format!("{plan}: {workers} workers give other bits than 1"));
            }
        }
    }
    Ok(())
}

fn same_bits(a: &Outcome, b: &Outcome) -> bool {
    let results = |outcome: &Outcome| -> Vec<_> {
        outcome.udfs[0]
            .results
            .iter()
            .map(|result| (result.name.clone(), result.data.clone(), result.mask.clone()))
            .collect()
    };
    results(a) == results(b) && a.damage == b.damage
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
    let (mut rtol, mut atol) = (output["rtol"].as_f64().unwrap(), output["atol"].as_f64().unwrap());
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
    for (i, (got, want)) in parts(result.dtype, &result.data).zip(parts(expected.dtype, &expected.data)).enumerate() {
        #[expect(clippy::float_cmp, reason = "infinities are equal, and have no distance")]
        let close = got == want || (got.is_nan() && want.is_nan()) || (got - want).abs() <= atol + rtol * want.abs();
        if !close {
            return Err(format!("element {i} is {got}, expected {want} within {rtol} and {atol}"));
        }
    }
    Ok(())
}

/// Real numbers; of complex ones real and imaginary parts in turn.
fn parts(dtype: Dtype, data: &[u8]) -> Box<dyn Iterator<Item = f64> + '_> {
    match dtype {
        Dtype::F32 | Dtype::C64 => {
            Box::new(data.chunks_exact(4).map(|bytes| f64::from(f32::from_le_bytes(bytes.try_into().unwrap()))))
        }
        Dtype::F64 | Dtype::C128 => {
            Box::new(data.chunks_exact(8).map(|bytes| f64::from_le_bytes(bytes.try_into().unwrap())))
        }
        other => panic!("{other} is not compared like this"),
    }
}

/// The folder with the vectors.
struct Vectors {
    dir: PathBuf,
    index: Json,
    /// Members of the `.npz` files, by file and key.
    arrays: HashMap<(String, String), Array>,
}

impl Vectors {
    fn open() -> Self {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors");
        let index = serde_json::from_reader(File::open(dir.join("index.json")).unwrap()).unwrap();
        let mut arrays = HashMap::new();
        for entry in dir.join("expected").read_dir().unwrap() {
            let path = entry.unwrap().path();
            let file = format!("expected/{}", path.file_name().unwrap().to_string_lossy());
            let mut archive = zip::ZipArchive::new(File::open(path).unwrap()).unwrap();
            for i in 0..archive.len() {
                let mut member = archive.by_index(i).unwrap();
                let key = member.name().trim_end_matches(".npy").to_owned();
                let mut bytes = Vec::new();
                member.read_to_end(&mut bytes).unwrap();
                arrays.insert((file.clone(), key), npy::parse(&bytes).unwrap());
            }
        }
        Self { dir, index, arrays }
    }

    fn dataset(&self, case: &Json) -> Result<Dataset, String> {
        let data = &self.index["data"][case["data"].as_str().unwrap()];
        let options = DatasetOptions {
            format: Some("raw".to_owned()),
            nav_shape: Some(extents(&case["nav_shape"])),
            sig_shape: Some(extents(&case["sig_shape"])),
            dtype: Some(Dtype::parse_with_order(data["dtype"].as_str().unwrap()).unwrap()),
            sync_offset: case["sync_offset"].as_i64().unwrap(),
            ..DatasetOptions::default()
        };
        dataset::open(&self.dir.join(data["file"].as_str().unwrap()), &options).map_err(|error| error.to_string())
    }

    fn aux(&self, name: &str) -> Array {
        npy::read(&self.dir.join(self.index["aux"][name]["file"].as_str().unwrap())).unwrap()
    }

    fn arguments(&self, params: &Json) -> Vec<(String, Argument)> {
        let params = params.as_object().unwrap().iter();
        params
            .filter(|(key, _)| !PYTHONS_OWN.contains(&key.as_str()))
            .map(|(key, value)| match key.as_str() {
                "shifts_aux" => ("shifts".to_owned(), Argument::Array(self.aux(value.as_str().unwrap()))),
                "masks" => ("factors".to_owned(), Argument::Array(self.aux(value.as_str().unwrap()))),
                _ => (key.clone(), Argument::Json(value.clone())),
            })
            .collect()
    }

    fn corrections(&self, json: &Json, dataset: &Dataset) -> Result<Corrections, String> {
        let array = |key: &str| json[key].as_str().map(|name| self.aux(name));
        let (dark, gain, excluded) = (array("dark"), array("gain"), array("excluded_pixels"));
        Corrections::new(dataset.sig(), dark.as_ref(), gain.as_ref(), excluded.as_ref())
            .map_err(|error| error.to_string())
    }

    fn expected(&self, output: &Json) -> Array {
        let key = |name: &str| output[name].as_str().unwrap().to_owned();
        self.arrays[&(key("file"), key("key"))].clone()
    }
}

fn extents(json: &Json) -> Vec<u64> {
    json.as_array().unwrap().iter().map(|extent| extent.as_u64().unwrap()).collect()
}
