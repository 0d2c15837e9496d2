//! Guests in runs over small data: real plugins, and one that does what an input says.

use std::{
    fs,
    path::PathBuf,
    sync::{Arc, LazyLock},
    time::Duration,
};

use lthost::{
    correction::Corrections,
    dataset::Dataset,
    plugin::{Argument, Compiler, Engine, EngineConfig, Handover, Limits, Plugin},
    run::{Observer, OnError, Outcome, Pool, RunConfig, RunError, UdfSpec, silent},
    shape::{Array, Dtype, Shape},
};

use crate::{
    calls::programs,
    datasets,
    errors::{check_plugin, check_run},
    program::{self, Op, Phase, answer, assemble, once, with_described},
    root,
};

/// Bytes of an input before the program: what the run is like, and which data it has.
const HEAD: usize = 3;

/// Small data sets of every kind.
static DATASETS: LazyLock<Vec<Arc<Dataset>>> = LazyLock::new(|| datasets::some().into_iter().map(Arc::new).collect());
static ENGINES: LazyLock<[Engine; 2]> = LazyLock::new(|| {
    [false, true].map(|deterministic| {
        Engine::new(EngineConfig { deterministic, ..EngineConfig::default() }).expect("this machine runs WebAssembly")
    })
});
/// The guest as it is, merging all partitions at once, and with an engine that is deterministic.
static DRIVERS: LazyLock<[Plugin; 3]> = LazyLock::new(|| {
    let file = fs::read(wasm("hostile_driver")).expect("it is built");
    let merges_all = once(Phase::Describe, Op::Poke, 0, [answer::CAPABILITIES, 1 | 4 | 8 | 16, 0]);
    let other = with_described(&file, &assemble(&[merges_all]));
    let load = |engine: &Engine, bytes: &[u8]| Plugin::from_bytes(engine, "driver", bytes, &limits());
    let [fast, portable] = &*ENGINES;
    [load(fast, &file), load(fast, &other), load(portable, &file)].map(|loaded| loaded.expect("it is a plugin"))
});
static POOL: LazyLock<Pool> = LazyLock::new(|| Pool::new(2).expect("two threads can be started"));

/// What a guest may use here: little, so that an input takes little.
pub(crate) fn limits() -> Limits {
    Limits {
        max_plugin_bytes: 1 << 20,
        max_memory_bytes: 16 << 20,
        max_result_bytes: 8 << 20,
        timeout: Duration::from_millis(100),
        max_log_lines: 20,
        ..Limits::default()
    }
}

/// The same, where nothing may fail because the machine is busy.
pub(crate) fn patient() -> Limits {
    Limits { timeout: Duration::from_mins(1), ..limits() }
}

/// What compiles and runs plugins.
pub(crate) fn engine() -> &'static Engine {
    &ENGINES[0]
}

/// Path of a built plugin.
///
/// # Panics
///
/// If it is not built.
pub(crate) fn wasm(crate_name: &str) -> PathBuf {
    let path = root().join("target/guest/wasm32-unknown-unknown/release").join(format!("{crate_name}.wasm"));
    assert!(path.is_file(), "{} is not built: run `cargo build --release` first", path.display());
    path
}

/// A built plugin, compiled: by the program, if it is built, as a compiler that looks at every access of memory takes a minute.
pub(crate) fn load(crate_name: &str) -> Plugin {
    static ENGINE: LazyLock<Engine> = LazyLock::new(|| {
        let program = root().join("target/release/lthost");
        let compiler =
            if program.is_file() { Compiler::Child(program, vec!["compile".to_owned()]) } else { Compiler::InProcess };
        Engine::new(EngineConfig { compiler, ..EngineConfig::default() }).expect("this machine runs WebAssembly")
    });
    let plugin = Plugin::from_file(&ENGINE, &wasm(crate_name), &limits());
    plugin.expect("our own plugins can be loaded")
}

/// One of the data sets; the number may be any.
pub(crate) fn dataset(number: usize) -> &'static Arc<Dataset> {
    &DATASETS[number % DATASETS.len()]
}

/// Runs a UDF, and holds what comes of it to what is promised.
pub(crate) fn run_one(dataset: &Arc<Dataset>, udf: &UdfSpec, config: &RunConfig) -> Result<Outcome, RunError> {
    let observer = Observer { progress: Arc::new(|_| {}), logger: silent() };
    let result = POOL.start(dataset, std::slice::from_ref(udf), config, observer).wait();
    match &result {
        Err(error) => check_run(error),
        Ok(outcome) => check_outcome(outcome),
    }
    result
}

/// Results are whole.
pub(crate) fn check_outcome(outcome: &Outcome) {
    assert!(outcome.is_complete, "a run that ended well is complete");
    outcome.failures.iter().filter_map(|failure| failure.error.as_deref()).for_each(check_plugin);
    for result in outcome.udfs.iter().flat_map(|udf| &udf.results) {
        let (size, len) = (result.shape.size(), result.data.len() as u64);
        assert_eq!(size * result.dtype.size() as u64, len, "`{}` is not as large as its shape", result.name);
        if let Some(mask) = &result.mask {
            assert_eq!(mask.len() as u64, size, "the mask of `{}`", result.name);
        }
    }
}

/// Runs the guest with an input as its program. Whatever comes of it is held to what is promised.
pub(crate) fn run(input: &[u8]) {
    let _as_it_may = drive(input, limits());
}

fn drive(input: &[u8], limits: Limits) -> Result<Outcome, RunError> {
    let (head, rest) = input.split_at(input.len().min(HEAD));
    let [how, data, driver] = std::array::from_fn(|at| head.get(at).copied().unwrap_or_default());
    let dataset = dataset(usize::from(data));
    let instructions = &rest[..rest.len().min(program::LEN * program::MAX) / program::LEN * program::LEN];
    let shape = Shape::new([instructions.len() as u64]).expect("one extent does not overflow");
    let argument = Argument::Array(Array { dtype: Dtype::U8, shape, data: instructions.to_vec() });
    let udf = UdfSpec {
        label: None,
        plugin: DRIVERS[usize::from(driver) % DRIVERS.len()].clone(),
        arguments: vec![("program".to_owned(), argument)],
    };
    let goes_on = driver >= 128;
    let on_error = if goes_on { OnError::Skip { max_errors: 1 } } else { OnError::Abort };
    run_one(dataset, &udf, &RunConfig { on_error, limits, ..config(how, dataset) })
}

/// How to run: a bit for each thing.
fn config(how: u8, dataset: &Dataset) -> RunConfig {
    let has = |bit: u8| how >> bit & 1 == 1;
    let map = |shape: &Shape, data: Vec<u8>| Array { dtype: Dtype::Bool, shape: shape.clone(), data };
    let every = |shape: &Shape, n: u64| (0..shape.size()).map(|at| u8::from(at % n == 0)).collect();
    let (nav, sig) = (dataset.nav(), dataset.sig());
    let roi = match (has(0), has(1)) {
        (false, _) => None,
        (true, false) => Some(map(nav, every(nav, 2))),
        (true, true) => Some(map(nav, vec![0; usize::try_from(nav.size()).expect("a small scan")])),
    };
    let excluded = has(2).then(|| map(sig, every(sig, 7)));
    RunConfig {
        partitions: Some(if has(3) { 1 } else { 3 }),
        tile_bytes: has(4).then_some(64),
        backwards: has(5),
        handover: if has(6) { Handover::Copied } else { Handover::InPlace },
        profile: has(7),
        roi,
        corrections: Corrections::new(sig, None, None, excluded.as_ref()).expect("no pixel is without neighbours"),
        ..RunConfig::default()
    }
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for (number, program) in programs().iter().enumerate() {
        // Each with other data, and in another way.
        let head = [[0, 64, 8, 1, 32][number % 5], u8::try_from(number % 6).unwrap_or(0), [0, 2][number % 2]];
        seeds.push([&head[..], &assemble(program)].concat());
    }
    // The other way to merge, no frame at all, corrections, and a profile.
    seeds.extend([[0, 0, 1], [3, 0, 0], [4, 1, 0], [128, 2, 0], [16, 5, 0]].map(|head| head.to_vec()));
    // What fails in some partition is left out.
    let fails = assemble(&[once(Phase::Process, Op::Fail, program::A_IN_ARENA, [0, 9, 0])]);
    seeds.extend([129_u8, 130].map(|driver| [&[0, 0, driver][..], &fails].concat()));
    seeds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_instructions_the_guest_does_its_work() {
        for driver in 0..3 {
            for data in 0..6 {
                drive(&[0, data, driver], patient())
                    .unwrap_or_else(|error| panic!("driver {driver}, data {data}: {error}"));
            }
        }
    }

    #[test]
    fn kernels_are_called_as_they_are_meant_to_be() {
        for program in &programs()[..7] {
            let input = [&[0, 0, 0][..], &assemble(program)].concat();
            drive(&input, patient()).unwrap_or_else(|error| panic!("{program:?}: {error}"));
        }
    }
}
