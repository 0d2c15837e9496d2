//! What the host wrote itself, in other hands meanwhile: partials and checkpoints.

use std::{
    sync::{Arc, LazyLock},
    thread,
    time::Duration,
};

use lthost::{
    plugin::{Argument, Limits, Plugin},
    run::{
        Observer, Pool, RunConfig, UdfSpec, Update,
        partial::{Made, facts, merge, partial as process},
        silent,
    },
    shape::{Array, Dtype, Shape},
};

use crate::{
    edit::{Saved, edit},
    errors::{check_run, check_words},
    guests::{check_outcome, dataset, limits, load, patient},
};

/// Partitions of the run.
const N_PARTITIONS: u64 = 3;

/// What is written of a run.
struct Written {
    udfs: Vec<UdfSpec>,
    plugins: Vec<Plugin>,
    /// The partials of all partitions.
    partials: Vec<Vec<u8>>,
    /// The partial of a run in one partition.
    alone: Vec<u8>,
    /// A checkpoint between them.
    checkpoint: Vec<u8>,
}

static WRITTEN: LazyLock<Written> = LazyLock::new(write);
static POOL: LazyLock<Pool> = LazyLock::new(|| Pool::new(1).expect("a thread can be started"));

/// What an input begins with: which bytes the rest of it changes, or is.
const KINDS: u8 = 4;
const ALONE: u8 = 0;
const OF_SEVERAL: u8 = 1;
const HEADER: u8 = 2;
const BYTES: u8 = 3;

fn observer() -> Observer {
    Observer { progress: Arc::new(|_| {}), logger: silent() }
}

fn config(n_partitions: u64, limits: Limits) -> RunConfig {
    let arguments = vec![("scale".to_owned(), Argument::Json(3.into()))];
    let update = Update { label: "probe".to_owned(), arguments };
    RunConfig {
        partitions: Some(n_partitions),
        updates: vec![(n_partitions - 1, update)],
        limits,
        ..RunConfig::default()
    }
}

/// UDFs that are merged in every way.
fn udfs() -> Vec<UdfSpec> {
    let weights = (0..12).flat_map(|i| f64::from(i).to_le_bytes()).collect();
    let shape = Shape::new([2, 3, 2]).expect("a small shape");
    let weights = Argument::Array(Array { dtype: Dtype::F64, shape, data: weights });
    let udf = |name: &str, arguments| UdfSpec { label: None, plugin: load(name), arguments };
    vec![
        udf("plugin_stddev", Vec::new()),
        udf("guest_one_step", Vec::new()),
        udf("guest_probe", vec![("weights".to_owned(), weights)]),
    ]
}

fn write() -> Written {
    let udfs = udfs();
    let several = config(N_PARTITIONS, patient());
    let of = |config: &RunConfig, index| {
        process(dataset(0), &udfs, config, index, &observer()).expect("it is a run like others")
    };
    Written {
        plugins: udfs.iter().map(|udf| udf.plugin.clone()).collect(),
        partials: (0..N_PARTITIONS).map(|index| of(&several, index)).collect(),
        alone: of(&config(1, patient()), 0),
        checkpoint: (0..20)
            .find_map(|_| interrupted(&udfs, &several))
            .expect("one of many runs is interrupted in time"),
        udfs,
    }
}

/// A checkpoint of a run that pauses after each partition; none if it has ended before.
fn interrupted(udfs: &[UdfSpec], config: &RunConfig) -> Option<Vec<u8>> {
    let observer = Observer { progress: Arc::new(|_| thread::sleep(Duration::from_millis(50))), logger: silent() };
    let mut partials = POOL.start(dataset(0), udfs, config, observer).partials();
    let control = partials.control();
    let partial = partials.next()?.expect("it is a run like others");
    let mut bytes = Vec::new();
    let is_written = control.checkpoint(&mut bytes).expect("memory takes everything");
    (is_written && !partial.is_complete).then_some(bytes)
}

/// The bytes that an input stands for; `several` and `alone` are what it may change.
fn changed(input: &[u8], [several, alone]: [&[u8]; 2]) -> (u8, Vec<u8>) {
    let (kind, rest) = input.split_first().map_or((ALONE, input), |(kind, rest)| (kind % KINDS, rest));
    let mut saved = Saved::new(if kind == ALONE { alone } else { several });
    match kind {
        BYTES => return (kind, rest.to_vec()),
        HEADER => saved = saved.with_header(rest),
        _ => saved.edit(rest),
    }
    (kind, saved.sealed())
}

/// Takes an input for changes of a partial, and merges it.
pub(crate) fn partial(input: &[u8]) {
    let written = &*WRITTEN;
    let (kind, bytes) = changed(input, [&written.partials[0], &written.alone]);
    let mut partials = vec![Made { name: "changed", bytes: &bytes }];
    if kind == OF_SEVERAL {
        partials.extend(written.partials[1..].iter().map(|bytes| Made { name: "another", bytes }));
    }
    let facts = facts(partials[0]);
    if let Err(error) = &facts {
        check_words(error);
    }
    match merge(&partials, &written.plugins, &limits(), &observer()) {
        Ok(merged) => {
            assert!(facts.is_ok(), "what was merged can be told");
            check_outcome(&merged.outcome);
        }
        Err(error) => check_run(&error),
    }
}

/// Takes an input for changes of a checkpoint, and goes on from it.
pub(crate) fn checkpoint(input: &[u8]) {
    let written = &*WRITTEN;
    let (_, bytes) = changed(input, [&written.checkpoint; 2]);
    let config = RunConfig { resume: Some(Arc::new(bytes)), ..config(N_PARTITIONS, limits()) };
    match POOL.start(dataset(0), &written.udfs, &config, observer()).wait() {
        Ok(outcome) => {
            assert!(outcome.stats.n_partitions_resumed <= N_PARTITIONS);
            check_outcome(&outcome);
        }
        Err(error) => check_run(&error),
    }
}

/// Some changes of each kind.
fn seeds(several: bool) -> Vec<Vec<u8>> {
    let mut seeds = vec![vec![ALONE], vec![HEADER], vec![BYTES], [&[HEADER][..], b"{}"].concat()];
    for kind in if several { &[ALONE, OF_SEVERAL][..] } else { &[ALONE][..] } {
        let changes = [
            vec![edit(0, 0, 5, 11)],
            vec![edit(0, 0, 40, 3), edit(0, 0, 60, 19)],
            vec![edit(2, 0, 90, 7)],
            vec![edit(3, 0, 30, 31), edit(4, 0, 100, 32)],
            vec![edit(5, 0, 200, 9)],
            vec![edit(6, 0, 0, 0xffff_ffff), edit(6, 3, 8, 0x7ff8_0000)],
            vec![edit(8, 1, 0, 5), edit(9, 2, 0, 8)],
            vec![edit(10, 1, 0, 4), edit(11, 0, 0, 0)],
        ];
        seeds.extend(changes.map(|changes| [&[*kind][..], &changes.concat()].concat()));
    }
    seeds
}

pub(crate) fn partial_seeds() -> Vec<Vec<u8>> {
    seeds(true)
}

pub(crate) fn checkpoint_seeds() -> Vec<Vec<u8>> {
    seeds(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_change_all_goes_on() {
        let written = &*WRITTEN;
        for bytes in [&written.alone, &written.partials[0], &written.checkpoint] {
            assert!(Saved::new(bytes).sealed() == *bytes, "taken apart and put together");
        }
        let made: Vec<Made<'_>> = written.partials.iter().map(|bytes| Made { name: "x", bytes }).collect();
        merge(&made, &written.plugins, &patient(), &observer()).unwrap();
        let resume = Some(Arc::new(written.checkpoint.clone()));
        let config = RunConfig { resume, ..config(N_PARTITIONS, patient()) };
        let outcome = POOL.run(dataset(0), &written.udfs, &config).unwrap();
        assert!(outcome.stats.n_partitions_resumed > 0);
    }
}
