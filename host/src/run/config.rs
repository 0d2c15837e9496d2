//! What a run is told.

use std::{path::Path, sync::Arc};

use super::RunError;
use crate::{
    correction::Corrections,
    plugin::{Argument, Handover, Limits, Plugin, PluginError, printable},
    shape::Array,
};

/// A UDF of a run.
#[derive(Clone)]
pub struct UdfSpec {
    /// Name in this run; the plugin's own if none is given.
    pub label: Option<String>,
    /// What runs.
    pub plugin: Plugin,
    /// Its parameters, as far as given.
    pub arguments: Vec<(String, Argument)>,
}

/// Results that are there already, where those of a run will go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// Their label.
    pub label: String,
    /// SHA-256 of those plugins of the run that they may be of, made by the same or another version.
    pub plugins: Vec<String>,
}

impl Taken {
    /// Sees that a plugin that calls itself otherwise than its file does not take the place of results of another one that way.
    ///
    /// # Errors
    ///
    /// [`RunError::LabelTaken`].
    pub fn check(all: &[Self], plugin: &Plugin, label: &str) -> Result<(), RunError> {
        let (origin, sha256) = (&plugin.facts().origin, &plugin.facts().sha256);
        // Compilers of Rust make the one of the other.
        let plain = |name: &str| name.replace('-', "_");
        let is_named_so =
            Path::new(origin).file_stem().is_some_and(|stem| plain(&stem.to_string_lossy()) == plain(label));
        if is_named_so || !all.iter().any(|taken| taken.label == label && !taken.plugins.contains(sha256)) {
            return Ok(());
        }
        Err(RunError::LabelTaken { plugin: printable(origin, 4000), label: label.to_owned() })
    }
}

/// New values for parameters of a UDF, from some partition on.
#[derive(Debug, Clone, PartialEq)]
pub struct Update {
    /// Label of the UDF in this run.
    pub label: String,
    /// Its parameters, as far as they change.
    pub arguments: Vec<(String, Argument)>,
}

/// What the system's page cache is told of the files of a run. Results don't depend on it. Linux is told; elsewhere it does
/// nothing.
#[derive(Debug, Clone, Default)]
pub struct PageCache {
    /// Have the disk read what comes next before a worker needs it. If it isn't said, that is done where the system by itself
    /// reads less than a mebibyte ahead.
    pub read_ahead: Option<bool>,
    /// A run that reads more bytes than this gives memory back behind its workers: then a large data set does not displace
    /// what other programs have in memory. Three quarters of the available memory if it isn't said; up to that, data stay in
    /// memory for the next run.
    pub keep_bytes: Option<u64>,
}

/// What becomes of a run in which a plugin fails.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnError {
    /// The run fails.
    #[default]
    Abort,
    /// The partition is left out of this plugin's results, and all else goes on; if it fails before there are data, it has
    /// none, unless nothing else is left to go on. See [`Outcome::failures`](super::Outcome::failures).
    Skip {
        /// A plugin that fails more often than that gets no more partitions.
        max_errors: u64,
    },
}

impl OnError {
    /// The failure of a plugin, if the run goes on then; else the error again.
    pub(super) fn skippable(self, error: RunError) -> Result<PluginError, RunError> {
        match error {
            RunError::Plugin(error) if self != Self::Abort && error.is_failed_call() => Ok(error),
            error => Err(error),
        }
    }
}

/// How to run.
#[derive(Debug, Clone, Default)]
pub struct RunConfig {
    /// Number of partitions; chosen from the data set alone if none is given.
    pub partitions: Option<u64>,
    /// Process this partition alone, one of those that there would be.
    pub only_partition: Option<u64>,
    /// Bytes that a tile should have; [`Tiling::BYTES`](crate::tile::Tiling::BYTES) if none are given, or more where no
    /// UDF gets the pixels.
    pub tile_bytes: Option<u64>,
    /// The tiles of a partition come from the last to the first: results don't depend on it, if a UDF is right.
    pub backwards: bool,
    /// Boolean, of the scan's shape: the frames to use.
    pub roi: Option<Array>,
    /// What is done to the detector's pixels before a UDF sees them.
    pub corrections: Corrections,
    /// How tiles get into a plugin's memory.
    pub handover: Handover,
    /// What the system's page cache is told of the files.
    pub page_cache: PageCache,
    /// What a plugin may use.
    pub limits: Limits,
    /// Updates that are known before, each with the number of the partition from which on it holds. With those that
    /// [`Outcome::updates`](super::Outcome::updates) tells, a run that was steered is repeated to the same bits.
    pub updates: Vec<(u64, Update)>,
    /// Go on from what [`Control::checkpoint`](super::Control::checkpoint) wrote of a run with the same data set, UDFs and
    /// configuration; workers, limits and the way of handing over may be others. Gives the same bits as a run in one go.
    pub resume: Option<Arc<Vec<u8>>>,
    /// What becomes of it if a plugin fails. A run on partitions elsewhere fails in any case; and so does one that goes on from a
    /// checkpoint if a plugin fails before there are data, as the checkpoint has results of it.
    pub on_error: OnError,
    /// Results that are there already: no UDF gives itself the label of another plugin's.
    pub taken: Vec<Taken>,
    /// Record where the time goes: [`Outcome::profile`](super::Outcome::profile).
    pub profile: bool,
}
