//! Reference vectors of analyses: those that the plugin `masks` covers, for several plans, and for 1 and 2 workers.
//!
//! LiberTEM shows one result in several ways, each with a name: absolute value, real part, phase, and so on. They are
//! derived here from the one that lthost gives.

use std::collections::BTreeMap;

use lthost::{
    correction::Corrections,
    plugin::{Argument, Engine, EngineConfig, Limits, Plugin},
    results::ResultBuffer,
    run::{Outcome, RunError},
    shape::DtypeKind,
};
use lthost_tests::wasm;
use serde_json::{Map, Value as Json};

use crate::vector_files::{Job, Vectors, check_numbers, numbers, parts, tolerance};

/// LiberTEM's analyses, the shape of masks that stands for each, and how many cases there are.
const ANALYSES: [(&str, Option<&str>, usize); 5] = [
    ("create_disk_analysis", Some("disk"), 13),
    ("create_mask_analysis", None, 8),
    ("create_point_analysis", Some("point"), 8),
    ("create_radial_fourier_analysis", Some("radial_fourier"), 17),
    ("create_ring_analysis", Some("ring"), 13),
];

/// What LiberTEM refuses, or fails at, and lthost does not.
const PEER_FAILS: [(&str, &str); 6] = [
    ("ana_point0_f4_3x4x5_13x17", "LiberTEM shows a point only of scans with up to two axes"),
    ("ana_radial1_u2_7_13x17", "LiberTEM's pictures of radial Fourier need a scan with two axes"),
    ("ana_radial2_u2_7_13x17", "as above"),
    ("ana_radial3_u2_7_13x17", "as above"),
    ("ana_radial2_f4_3x4x5_13x17", "LiberTEM's pictures of several rings need a scan with two axes"),
    ("ana_radial3_f4_3x4x5_13x17", "as above"),
];

/// Partitions and tile sizes to try besides those of the case.
const PLANS: [(Option<u64>, u64); 3] = [(Some(1), 3000), (Some(7), 700), (Some(64), 1)];

/// What the dominant order must reach, as a share of the largest that its ring has anywhere: else LiberTEM shows 0.
const DOMINANT_FROM: f64 = 0.2;

#[test]
fn mask_analyses_agree_with_the_reference_vectors() {
    let vectors = Vectors::open();
    let engine = Engine::new(EngineConfig::default()).unwrap();
    let plugin = Plugin::from_file(&engine, &wasm("plugin_masks"), &Limits::default()).unwrap();
    let mut failures = Vec::new();
    let (mut counts, mut n_refused) = (BTreeMap::new(), 0);
    for case in vectors.index["cases"].as_array().unwrap() {
        let Some((analysis, shape, _)) = ANALYSES.iter().find(|(analysis, ..)| case["analysis"] == *analysis) else {
            continue;
        };
        *counts.entry(*analysis).or_insert(0) += 1;
        n_refused += usize::from(case.get("error").is_some());
        if let Err(what) = check_case(&vectors, &plugin, case, *shape) {
            failures.push(format!("{}: {what}", case["name"]));
        }
    }
    assert!(failures.is_empty(), "{} cases failed:\n{}", failures.len(), failures.join("\n"));
    // A case that is not found is not a case that passes.
    assert_eq!(counts, ANALYSES.map(|(analysis, _, n_cases)| (analysis, n_cases)).into());
    assert_eq!(n_refused, PEER_FAILS.len());
}

fn check_case(vectors: &Vectors, plugin: &Plugin, case: &Json, shape: Option<&str>) -> Result<(), String> {
    let dataset = vectors.dataset(case)?;
    let corrections = Corrections::new(dataset.sig(), None, None, None).map_err(|error| error.to_string())?;
    let roi = case["roi"].as_str().map(|name| vectors.aux(name));
    let job = Job { dataset: &dataset, plugin, arguments: arguments(vectors, case, shape), roi, corrections };
    let mut plans = vec![(case["num_partitions"].as_u64(), 512 << 10)];
    plans.extend(PLANS);
    job.check_plans(&plans, &[1, 2], |outcome| check_outcome(vectors, case, shape, outcome))
}

fn arguments(vectors: &Vectors, case: &Json, shape: Option<&str>) -> Vec<(String, Argument)> {
    let params = case["params"].as_object().unwrap().iter().map(|(key, value)| match key.as_str() {
        "masks" => ("factors".to_owned(), Argument::Array(vectors.aux(value.as_str().unwrap()))),
        // Of a point LiberTEM says it like this.
        "x" | "y" => (format!("c{key}"), Argument::Json(value.clone())),
        _ => (key.clone(), Argument::Json(value.clone())),
    });
    params.chain(shape.map(|shape| ("shape".to_owned(), Argument::Json(shape.into())))).collect()
}

fn check_outcome(
    vectors: &Vectors,
    case: &Json,
    shape: Option<&str>,
    outcome: &Result<Outcome, RunError>,
) -> Result<(), String> {
    let outcome = outcome.as_ref().map_err(RunError::to_string)?;
    let intensity = outcome.udfs[0].results.iter().find(|result| result.name == "intensity").unwrap();
    if case.get("error").is_some() {
        let is_listed = PEER_FAILS.iter().any(|(name, _)| case["name"] == *name);
        return if is_listed { Ok(()) } else { Err("LiberTEM refuses this".to_owned()) };
    }
    let n_frames: u64 = case["nav_shape"].as_array().unwrap().iter().map(|extent| extent.as_u64().unwrap()).product();
    let series = Series::new(intensity, usize::try_from(n_frames).unwrap());
    let outputs: &Map<String, Json> = case["outputs"].as_object().unwrap();
    for (name, output) in outputs {
        let want = numbers(&vectors.expected(output));
        let mut got = if shape == Some("radial_fourier") { series.fourier(name) } else { series.product(name) };
        if name.contains("phase") || name.contains("angle") {
            // π and -π are the same.
            let turn = std::f64::consts::TAU;
            got.iter_mut().zip(&want).for_each(|(got, want)| *got += turn * ((want - *got) / turn).round());
        }
        check_numbers(got, want, tolerance(output)).map_err(|what| format!("`{name}`: {what}"))?;
    }
    Ok(())
}

/// The products of all frames with all masks, complex or not.
struct Series {
    /// Shape `(n_frames, n_masks)`, real and imaginary part.
    entries: Vec<[f64; 2]>,
    n_masks: usize,
    /// Orders of a ring.
    n_orders: usize,
    is_complex: bool,
}

impl Series {
    fn new(intensity: &ResultBuffer, n_frames: usize) -> Self {
        let flat: Vec<f64> = parts(intensity.dtype, &intensity.data).collect();
        let is_complex = intensity.dtype.kind() == DtypeKind::Complex;
        let entries: Vec<[f64; 2]> = if is_complex {
            flat.chunks_exact(2).map(|parts| [parts[0], parts[1]]).collect()
        } else {
            flat.into_iter().map(|number| [number, 0.0]).collect()
        };
        let n_orders = usize::try_from(*intensity.shape.axes().last().unwrap()).unwrap();
        Self { n_masks: entries.len() / n_frames, n_orders, entries, is_complex }
    }

    fn mask(&self, idx: usize) -> Vec<[f64; 2]> {
        self.entries.chunks_exact(self.n_masks).map(|entries| entries[idx]).collect()
    }

    /// An output like `intensity_real` or `mask_3_angle`.
    fn product(&self, name: &str) -> Vec<f64> {
        let mut words = name.split('_');
        let idx = if words.next() == Some("mask") { words.next().unwrap().parse().unwrap() } else { 0 };
        let entries = self.mask(idx);
        let each = |of: fn([f64; 2]) -> f64| entries.iter().map(|&entry| of(entry)).collect();
        match words.next() {
            None | Some("log") if !self.is_complex => each(|[re, _]| re),
            None | Some("log") => each(abs),
            Some("real") => each(|[re, _]| re),
            Some("imag") => each(|[_, im]| im),
            Some("angle") => each(angle),
            Some("complex") => entries.into_flattened(),
            Some(other) => panic!("`{other}` of a product is unknown"),
        }
    }

    /// An output like `absolute_2_0`: ring 2, order 0.
    fn fourier(&self, name: &str) -> Vec<f64> {
        if name == "raw_results" {
            // Rings and orders come first.
            return (0..self.n_masks).flat_map(|idx| self.mask(idx).into_flattened()).collect();
        }
        let mut words = name.split('_');
        let (kind, ring) = (words.next().unwrap(), words.next().unwrap().parse::<usize>().unwrap());
        let of = |order: usize| self.mask(ring * self.n_orders + order);
        if kind == "dominant" {
            return self.dominant(ring);
        }
        let order = words.next().unwrap().parse().unwrap();
        let sums = of(0);
        let each = |of: fn([f64; 2]) -> f64, entries: Vec<[f64; 2]>| entries.into_iter().map(of).collect();
        match kind {
            "absolute" => each(abs, of(order)),
            "phase" => each(angle, of(order)),
            "complex" if order == 0 => sums.into_flattened(),
            // Shown as a share of the ring's sum.
            "complex" => {
                let shares = of(order).into_iter().zip(sums).map(|(entry, sum)| entry.map(|part| part / abs(sum)));
                shares.collect::<Vec<_>>().into_flattened()
            }
            other => panic!("`{other}` of a Fourier series is unknown"),
        }
    }

    /// For each frame the order from 1 on with the largest absolute value, or 0 where that is small.
    fn dominant(&self, ring: usize) -> Vec<f64> {
        let orders = self.entries.chunks_exact(self.n_masks).map(|entries| {
            let ring = &entries[ring * self.n_orders..][1..self.n_orders];
            let larger = |a: (u32, f64), b: (u32, f64)| if b.1 > a.1 { b } else { a };
            (1..).zip(ring.iter().map(|&entry| abs(entry))).fold((0, 0.0), larger)
        });
        let orders: Vec<(u32, f64)> = orders.collect();
        let largest = orders.iter().map(|(_, abs)| *abs).fold(0.0, f64::max);
        let shown = orders.into_iter().map(|(order, abs)| if abs < DOMINANT_FROM * largest { 0 } else { order });
        shown.map(f64::from).collect()
    }
}

fn abs([re, im]: [f64; 2]) -> f64 {
    re.hypot(im)
}

fn angle([re, im]: [f64; 2]) -> f64 {
    im.atan2(re)
}
