//! What a run gives and tells.

use std::{sync::Arc, time::Duration};

use super::{Profile, plan::PlannedPartition, source::Scan};
use crate::{
    plugin::{LogLevel, LogLine, Logger, Manifest, PluginError, Value},
    results::ResultBuffer,
    shape::{Array, Dtype, RoiIdx},
};

/// What a run gave, or has given so far.
#[derive(Debug, Clone)]
pub struct Outcome<Results = Vec<UdfOutcome>> {
    /// What the UDFs gave: an entry for each, in the order given. See [`Udfs`](super::Udfs).
    pub udfs: Results,
    /// Boolean, of the scan's shape: the frames whose data are in the results, in those of every UDF.
    pub damage: Array,
    /// Where plugins failed, in the order of partitions: of a run that goes on then. See [`OnError`](super::OnError).
    pub failures: Vec<Failure>,
    /// Whether all partitions are in it. Of a run's partial results, the last one alone is complete.
    pub is_complete: bool,
    /// New values that parameters took during the run, in the order in which they took effect.
    pub updates: Vec<AppliedUpdate>,
    /// What it took.
    pub stats: Stats,
    /// Where the time went: of complete results, if [`RunConfig::profile`](super::RunConfig::profile) asked for it.
    pub profile: Option<Profile>,
}

impl Outcome {
    /// Boolean, of the scan's shape: the frames whose data are in the results of one of its UDFs.
    pub fn damage_of<'a>(&'a self, udf: &'a UdfOutcome) -> &'a Array {
        udf.damage.as_ref().unwrap_or(&self.damage)
    }
}

/// What one UDF gave.
#[derive(Debug, Clone)]
pub struct UdfOutcome {
    /// Its label in this run.
    pub label: String,
    /// What it is.
    pub manifest: Manifest,
    /// What every parameter was set to when the run began.
    pub parameters: Vec<(String, Value)>,
    /// Dtype of the tiles that it got.
    pub input_dtype: Dtype,
    /// Its results, in the order of declaration. None if it failed to make them, in a run that goes on then.
    pub results: Vec<ResultBuffer>,
    /// Boolean, of the scan's shape: the frames whose data are in its results, if they are more than [`Outcome::damage`] says.
    pub damage: Option<Array>,
}

/// Where a plugin failed in a run that went on.
#[derive(Debug, Clone)]
pub struct Failure {
    /// Label of the UDF.
    pub label: String,
    /// Number of the partition that is not in its results; none if there are no results of it at all: it failed before there were
    /// data, took no new parameters, or failed when all was merged.
    pub partition: Option<u64>,
    /// What happened; none for a partition that it did not get, as it had failed too often.
    pub error: Option<Arc<PluginError>>,
}

impl Failure {
    /// Of a UDF of which there are no results.
    pub(super) fn of_all(label: &str, error: Arc<PluginError>) -> Self {
        Self { label: label.to_owned(), partition: None, error: Some(error) }
    }
}

/// New values that parameters of a UDF took during a run.
#[derive(Debug, Clone, PartialEq)]
pub struct AppliedUpdate {
    /// Number of the first partition that was processed with them.
    pub from_partition: u64,
    /// Label of the UDF.
    pub label: String,
    /// Those parameters that were given anew.
    pub parameters: Vec<(String, Value)>,
}

/// What a run took.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Stats {
    /// Frames that were processed.
    pub n_frames: u64,
    /// Bytes of the files that those frames take, without those of a checkpoint.
    pub n_file_bytes: u64,
    /// Partitions that were processed.
    pub n_partitions: u64,
    /// Those among them that a checkpoint had.
    pub n_partitions_resumed: u64,
    /// Worker threads; none where partials were merged that others made.
    pub n_workers: usize,
    /// Seconds from the first partition's start on.
    pub seconds: f64,
}

/// How far a run is.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize)]
pub struct Progress {
    /// Frames processed and merged.
    pub n_frames_done: u64,
    /// Those among them that a checkpoint had.
    pub n_frames_resumed: u64,
    /// Frames to process in all.
    pub n_frames: u64,
    /// Partitions processed and merged.
    pub n_partitions_done: u64,
    /// Partitions to process in all.
    pub n_partitions: u64,
    /// Bytes of the files that the frames done take, without those of a checkpoint.
    pub n_file_bytes_done: u64,
    /// Since the first partition's start.
    #[serde(rename = "elapsed_s", serialize_with = "as_seconds")]
    pub elapsed: Duration,
    /// How far each UDF is, in the order given.
    pub udfs: Vec<UdfProgress>,
}

/// How far a UDF of a run is.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct UdfProgress {
    /// Its label in the run.
    pub label: String,
    /// Frames whose data are in its merged buffers.
    pub n_frames_done: u64,
}

fn as_seconds<S: serde::Serializer>(elapsed: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(elapsed.as_secs_f64())
}

/// What listens to a run. Called from worker threads.
#[derive(Clone)]
pub struct Observer {
    /// Called when work begins, and each time that partitions were merged.
    pub progress: Arc<dyn Fn(&Progress) + Send + Sync>,
    /// Takes what plugins log.
    pub logger: Logger,
}

impl Default for Observer {
    /// Progress goes nowhere, what plugins log to whoever collects `tracing` events.
    fn default() -> Self {
        Self { progress: Arc::new(|_| {}), logger: Arc::new(|line| trace(&line)) }
    }
}

/// What a plugin logged, as an event of `tracing` with plugin and place.
fn trace(line: &LogLine) {
    let LogLine { plugin, level, message, place } = line;
    let (partition, frames) = (place.partition, place.frames.as_ref().map(|frames| (frames.start.0, frames.end.0)));
    macro_rules! event {
        ($level:ident) => {
            tracing::$level!(target: "lthost::plugin", plugin, partition, ?frames, "{message}")
        };
    }
    match level {
        LogLevel::Error => event!(error),
        LogLevel::Warn => event!(warn),
        LogLevel::Info => event!(info),
        LogLevel::Debug => event!(debug),
    }
}

/// A logger that drops everything.
pub fn silent() -> Logger {
    Arc::new(|_| {})
}

/// The frames of `partitions` that were in the file and in the ROI.
pub(super) fn damage<'a>(partitions: impl IntoIterator<Item = &'a PlannedPartition>, scan: &Scan) -> Array {
    let Scan { roi, nav, .. } = scan;
    let mut data = vec![0; usize::try_from(nav.size()).expect("the scan's nav buffers are in memory")];
    for partition in partitions {
        for idx in partition.present.start.0..partition.present.end.0 {
            let frame = roi.frame(RoiIdx(idx));
            data[usize::try_from(frame.0).expect("within the scan")] = 1;
        }
    }
    Array { dtype: Dtype::Bool, shape: nav.clone(), data }
}
