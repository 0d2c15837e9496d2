//! Where the time of a run went, if [`RunConfig::profile`](super::RunConfig::profile) asks for it: what was recorded, as a
//! user gets it. Recording is in `clock`.

mod clock;

pub(super) use clock::{Clock, Task, Volume};

use crate::plugin::HotLine;

/// Where the time of a run went.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Profile {
    /// Seconds that the run took, with its preparation.
    pub seconds: f64,
    /// Labels of the UDFs, in the order given.
    pub udfs: Vec<String>,
    /// The threads.
    pub workers: Vec<WorkerProfile>,
    /// What was done: an entry for each worker, UDF and phase that there was.
    pub entries: Vec<ProfileEntry>,
    /// When it was done, for each worker in the order of time. No two of a worker overlap.
    #[serde(skip)]
    pub spans: Vec<ProfileSpan>,
    /// Spans that were left out for there being too many.
    pub n_spans_dropped: u64,
    /// The plugins' lines in which they were found running, those first that were found most often.
    pub lines: Vec<HotLine>,
}

/// A thread of a run.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct WorkerProfile {
    /// Name of the thread; `caller` is whoever takes partial results, and merges for them.
    pub name: String,
    /// Seconds at work for this run.
    pub busy_s: f64,
    /// Seconds of the run without work, or with that of another run in the same pool.
    pub waiting_s: f64,
}

/// What a worker did for a UDF in a phase.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct ProfileEntry {
    /// Place among the workers.
    pub worker: usize,
    /// Place among the UDFs.
    pub udf: usize,
    /// What was done.
    pub phase: Phase,
    /// What it took.
    #[serde(flatten)]
    pub cost: Cost,
}

/// What some calls took.
#[derive(Debug, Clone, Copy, Default, PartialEq, serde::Serialize)]
pub struct Cost {
    /// How many there were.
    pub n_calls: u64,
    /// Seconds in all.
    pub seconds: f64,
    /// Seconds of the longest one.
    pub slowest_s: f64,
    /// Bytes that were handed over: pixels of a tile as the UDF gets them, or buffers of a partial.
    pub n_bytes: u64,
    /// Bytes of the files from which these pixels come.
    pub n_file_bytes: u64,
}

/// What is done for a UDF.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Instances are made: for each worker, and one that merges.
    Create,
    /// An instance takes new parameters.
    Update,
    /// A partition begins.
    Begin,
    /// The host reads and decodes a tile, straight into the plugin's memory, and waits for the disk meanwhile. Of several UDFs
    /// the first one pays for what comes from there.
    Read,
    /// The host gets room for a tile from the plugin, and writes what is beside the pixels.
    HandOver,
    /// The plugin processes a tile. Sparse tiles, and all of [`Handover::Copied`](crate::plugin::Handover::Copied), are
    /// handed over in it.
    Process,
    /// A partition ends, and the plugin hands back its partial.
    End,
    /// A partial is merged, by the host or the plugin.
    Merge,
    /// The plugin merges all partials at once.
    MergeAll,
    /// Results are made of merged buffers, by the plugin or the host.
    Results,
}

/// What a worker did at a time.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct ProfileSpan {
    /// Place among the workers.
    pub worker: usize,
    /// Place among the UDFs; none where tiles of a partition go through all UDFs in turn.
    pub udf: Option<usize>,
    /// What was done.
    pub phase: Phase,
    /// Number of the partition, where it is about one.
    pub partition: Option<u64>,
    /// Seconds since the profile began.
    pub start_s: f64,
    /// How many seconds it took.
    pub duration_s: f64,
    /// Of tiles: how much of it each UDF and phase took, in seconds.
    pub parts: Vec<(usize, Phase, f64)>,
}

impl Phase {
    /// All of them, in the order of a run.
    pub const ALL: [Self; 10] = [
        Self::Create,
        Self::Update,
        Self::Begin,
        Self::Read,
        Self::HandOver,
        Self::Process,
        Self::End,
        Self::Merge,
        Self::MergeAll,
        Self::Results,
    ];

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Begin => "begin",
            Self::Read => "read and decode",
            Self::HandOver => "hand over",
            Self::Process => "process",
            Self::End => "end",
            Self::Merge => "merge",
            Self::MergeAll => "merge-all",
            Self::Results => "results",
        }
    }
}

impl Profile {
    /// What all entries took for which `chosen` holds.
    pub fn cost(&self, chosen: impl Fn(&ProfileEntry) -> bool) -> Cost {
        let mut all = Cost::default();
        for ProfileEntry { cost, .. } in self.entries.iter().filter(|entry| chosen(entry)) {
            all.n_calls += cost.n_calls;
            all.seconds += cost.seconds;
            all.slowest_s = all.slowest_s.max(cost.slowest_s);
            all.n_bytes += cost.n_bytes;
            all.n_file_bytes += cost.n_file_bytes;
        }
        all
    }

    /// Seconds of all threads together: at work, and waiting.
    pub fn thread_seconds(&self) -> f64 {
        self.workers.iter().map(|worker| worker.busy_s + worker.waiting_s).sum()
    }

    /// Seconds in which a worker, or all of them, neither waited nor did what an entry tells: the host's own doings.
    pub fn other_seconds(&self, worker: Option<usize>) -> f64 {
        let is_it = |idx: usize| worker.is_none_or(|worker| worker == idx);
        let busy: f64 = self.workers.iter().enumerate().filter(|(idx, _)| is_it(*idx)).map(|(_, one)| one.busy_s).sum();
        (busy - self.cost(|entry| is_it(entry.worker)).seconds).max(0.0)
    }
}
