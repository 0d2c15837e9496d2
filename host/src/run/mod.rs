//! One run: data, UDFs, ROI. Drives everything above: plans, starts threads, merges in order, makes results.

mod config;
mod error;
mod plan;
mod prepare;
mod source;
mod work;

use std::{
    collections::BTreeMap,
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

pub use config::{RunConfig, UdfSpec};
pub use error::RunError;
pub use plan::{Plan, partition_plan};
pub use prepare::describe;

use crate::{
    buffer::Partial,
    dataset::Dataset,
    plugin::{Cancel, Logger, Manifest, PluginError, Sandbox, Value},
    results::{ResultBuffer, finish},
    shape::{Array, Dtype, Roi, Shape},
};
use prepare::{Prepared, prepare};
use source::Source;
use work::Shared;

/// What a run gave.
#[derive(Debug)]
pub struct Outcome {
    /// One entry per UDF, in the order given.
    pub udfs: Vec<UdfOutcome>,
    /// Boolean, of the scan's shape: the frames whose data are in the results.
    pub damage: Array,
    /// What it took.
    pub stats: Stats,
}

/// What one UDF gave.
#[derive(Debug)]
pub struct UdfOutcome {
    /// Its label in this run.
    pub label: String,
    /// What it is.
    pub manifest: Manifest,
    /// What every parameter was set to.
    pub parameters: Vec<(String, Value)>,
    /// Dtype of the tiles that it got.
    pub input_dtype: Dtype,
    /// Its results, in the order of declaration.
    pub results: Vec<ResultBuffer>,
}

/// What a run took.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Stats {
    /// Frames that were processed.
    pub n_frames: u64,
    /// Bytes of the files that those frames take.
    pub n_file_bytes: u64,
    /// Partitions of the plan that had frames to process.
    pub n_partitions: u64,
    /// Worker threads.
    pub n_workers: usize,
    /// Seconds from the first partition's start to the last result.
    pub seconds: f64,
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// Frames processed and merged.
    pub n_frames_done: u64,
    /// Frames to process in all.
    pub n_frames: u64,
    /// Bytes of the files that the frames done take.
    pub n_file_bytes_done: u64,
    /// Since the run started.
    pub elapsed: Duration,
}

/// What a run tells while it runs. Called on the thread that called [`run`], except for `logger`.
pub struct Observer<'a> {
    /// Called about ten times a second, and at the end.
    pub progress: &'a mut dyn FnMut(&Progress),
    /// Takes what plugins log; called from worker threads.
    pub logger: Logger,
}

/// How often progress is told.
const PROGRESS_EVERY: Duration = Duration::from_millis(100);

/// Runs UDFs over a data set, all in one pass, and gives their results.
///
/// Results are the same bits for any number of workers.
///
/// # Errors
///
/// [`RunError`]: nothing of a failed run is given.
pub fn run(
    dataset: &Dataset,
    udfs: &[UdfSpec],
    config: &RunConfig,
    cancel: &Cancel,
    observer: Observer<'_>,
) -> Result<Outcome, RunError> {
    let Observer { progress, logger } = observer;
    let sandbox = Sandbox { limits: config.limits.clone(), cancel: cancel.clone(), logger };
    // At least a byte for each frame is needed, for the damage.
    let (nav, limit) = (dataset.nav(), config.limits.max_result_bytes);
    if nav.size() > limit {
        return Err(RunError::ScanTooLarge { nav: nav.clone(), limit });
    }
    let roi = match &config.roi {
        Some(mask) => Roi::from_mask(mask, dataset.nav())?,
        None => Roi::everything(dataset.nav()),
    };
    let source = Source { dataset, roi: &roi, corrections: &config.corrections };
    let mut prepared = prepare(source, udfs, &sandbox)?;
    let plan = Plan::new(dataset, &roi, config, &prepared)?;
    let start = Instant::now();
    work_and_merge(source, &plan, &mut prepared, (config, &sandbox), (start, progress))?;
    let outcomes = prepared.into_iter().map(|udf| results_of(udf, dataset, &roi));
    let udfs = outcomes.collect::<Result<Vec<_>, RunError>>()?;
    let stats = Stats {
        n_frames: plan.n_frames(),
        n_file_bytes: plan.n_frames() * dataset.file_bytes_per_frame(),
        n_partitions: plan.partitions.len() as u64,
        n_workers: config.workers,
        seconds: start.elapsed().as_secs_f64(),
    };
    Ok(Outcome { udfs, damage: damage(&plan, &roi, dataset.nav()), stats })
}

/// Starts the workers, and merges what they hand back in partition order.
fn work_and_merge(
    source: Source<'_>,
    plan: &Plan,
    prepared: &mut [Prepared],
    (config, sandbox): (&RunConfig, &Sandbox),
    (start, progress): (Instant, &mut dyn FnMut(&Progress)),
) -> Result<(), RunError> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(config.workers)
        .stack_size(crate::plugin::THREAD_STACK)
        .thread_name(|i| format!("worker-{i}"))
        .build()
        .map_err(|error| RunError::Threads { n_workers: config.workers, message: error.to_string() })?;
    let recipes: Vec<_> = prepared.iter().map(Prepared::recipe).collect();
    let shared = Shared::new(source, plan, &recipes, sandbox, config);
    let (sender, receiver) = mpsc::channel();
    let mut tell = |n_frames_done| {
        progress(&Progress {
            n_frames_done,
            n_frames: plan.n_frames(),
            n_file_bytes_done: n_frames_done * source.dataset.file_bytes_per_frame(),
            elapsed: start.elapsed(),
        });
    };
    let outcome = pool.in_place_scope(|scope| {
        for _ in 0..config.workers.min(plan.partitions.len()) {
            let (shared, sender) = (&shared, sender.clone());
            scope.spawn(move |_| work::work(shared, &sender));
        }
        drop(sender);
        let outcome = merge_in_order(plan, prepared, &shared, &receiver, &mut tell);
        // Whatever happened, no worker starts another partition.
        shared.stop();
        outcome
    });
    if sandbox.cancel.is_cancelled() {
        return Err(RunError::Cancelled);
    }
    outcome
}

/// Receives partials until all partitions are merged or one failed.
fn merge_in_order(
    plan: &Plan,
    prepared: &mut [Prepared],
    shared: &Shared<'_>,
    receiver: &mpsc::Receiver<Result<(usize, Vec<Partial>), RunError>>,
    tell: &mut dyn FnMut(u64),
) -> Result<(), RunError> {
    let mut early: BTreeMap<usize, Vec<Partial>> = BTreeMap::new();
    let (mut n_merged, mut n_frames_done) = (0, 0);
    while n_merged < plan.partitions.len() {
        match receiver.recv_timeout(PROGRESS_EVERY) {
            Ok(Ok((position, partials))) => {
                early.insert(position, partials);
            }
            Ok(Err(error)) => return Err(error),
            Err(mpsc::RecvTimeoutError::Timeout) => {}
            Err(mpsc::RecvTimeoutError::Disconnected) => return Err(RunError::WorkersGone),
        }
        while let Some(partials) = early.remove(&n_merged) {
            let partition = &plan.partitions[n_merged];
            for (udf, partial) in prepared.iter_mut().zip(partials) {
                udf.merge(partial, &partition.present)?;
            }
            n_frames_done += partition.n_frames();
            n_merged += 1;
            shared.merged(n_merged);
        }
        tell(n_frames_done);
    }
    prepared.iter_mut().try_for_each(Prepared::finish_merge)?;
    Ok(())
}

fn results_of(mut udf: Prepared, dataset: &Dataset, roi: &Roi) -> Result<UdfOutcome, RunError> {
    let emitted = udf.results()?;
    let merged = udf.merged();
    let shapes = (dataset.nav(), dataset.sig(), roi);
    let results = finish(merged.declarations(), &merged.buffers(), emitted, shapes);
    Ok(UdfOutcome {
        results,
        label: udf.label,
        manifest: udf.manifest,
        parameters: udf.parameters.values,
        input_dtype: udf.input_dtype,
    })
}

/// The frames of all partitions that were in the file and in the ROI.
fn damage(plan: &Plan, roi: &Roi, nav: &Shape) -> Array {
    let mut data = vec![0; usize::try_from(nav.size()).expect("the scan's nav buffers are in memory")];
    for partition in &plan.partitions {
        for idx in partition.present.start.0..partition.present.end.0 {
            let frame = roi.frame(crate::shape::RoiIdx(idx));
            data[usize::try_from(frame.0).expect("within the scan")] = 1;
        }
    }
    Array { dtype: Dtype::Bool, shape: nav.clone(), data }
}

/// A logger that drops everything.
pub fn silent() -> Logger {
    Arc::new(|_| {})
}

impl From<PluginError> for RunError {
    fn from(error: PluginError) -> Self {
        match error {
            PluginError::Cancelled => Self::Cancelled,
            error => Self::Plugin(error),
        }
    }
}
