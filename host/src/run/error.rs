//! Why a run failed.

use crate::{
    dataset::DatasetError,
    plugin::PluginError,
    shape::{RoiError, Shape},
};

/// Why a run failed.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The ROI does not fit the scan.
    #[error(transparent)]
    Roi(#[from] RoiError),
    /// The data can't be read.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// A plugin failed.
    #[error(transparent)]
    Plugin(PluginError),
    /// Nothing to run.
    #[error("no UDF is given: there is nothing to run")]
    NoUdf,
    /// A scan for which there can be no results.
    #[error(
        "scan {nav} has {} frames, and results for at most {limit} fit: raise --max-result-bytes, or give another \
         --nav-shape", nav.size()
    )]
    ScanTooLarge {
        /// Shape of the scan.
        nav: Shape,
        /// Bytes that results may have.
        limit: u64,
    },
    /// Frames for which there can be no results.
    #[error("frames of {sig} have {} pixels, and results for at most {limit} fit: raise --max-result-bytes", sig.size())]
    FrameTooLarge {
        /// Shape of a frame.
        sig: Shape,
        /// Bytes that results may have.
        limit: u64,
    },
    /// Two UDFs under one label.
    #[error("two UDFs have the label `{label}`: give one another with `--plugin LABEL=NAME`")]
    DuplicateLabel {
        /// The label.
        label: String,
    },
    /// A label that a UDF gives itself, under which there are results of another plugin.
    #[error(
        "plugin `{plugin}` calls itself `{label}`, under which there are results of another one: `--plugin {label}={plugin}` \
         replaces them; or give it another label, or the run another output folder"
    )]
    LabelTaken {
        /// Where the plugin came from.
        plugin: String,
        /// The label.
        label: String,
    },
    /// A label that can't be a folder's name.
    #[error(
        "label {label:?} is not made of 1 to 64 letters, digits, `_`, `-` and `.`, beginning with a letter or digit"
    )]
    Label {
        /// The label.
        label: String,
    },
    /// A label that is called like a file that a run writes beside the folders of results.
    #[error("label `{label}` ends like the files of a run, `run.json` or `damage.npy`: choose another one")]
    LabelOfFile {
        /// The label.
        label: String,
    },
    /// Data that a UDF can't get in the dtype it wants.
    #[error(
        "plugin `{plugin}` wants its data as {wanted}, but the data set is {dtype}: complex numbers can't become real"
    )]
    Inconvertible {
        /// The plugin.
        plugin: String,
        /// What it wants.
        wanted: crate::shape::Dtype,
        /// What there is.
        dtype: crate::shape::Dtype,
    },
    /// Corrected pixels that a UDF wants as whole numbers.
    #[error(
        "plugin `{plugin}` wants its data as {wanted}, but corrected pixels are real numbers: leave out --dark, --gain and --excluded"
    )]
    Uncorrectable {
        /// The plugin.
        plugin: String,
        /// What it wants.
        wanted: crate::shape::Dtype,
    },
    /// A tile that would not fit into a plugin.
    #[error(
        "plugin `{plugin}` wants {what} at once, which are {n_bytes} bytes; at most {limit} are possible \
         (--max-memory, and 4 GiB in any case){hint}"
    )]
    TileTooLarge {
        /// The plugin.
        plugin: String,
        /// What it wants.
        what: &'static str,
        /// Their size.
        n_bytes: u64,
        /// What is possible.
        limit: u64,
        /// What to do.
        hint: &'static str,
    },
    /// A UDF that the run does not have.
    #[error("there is no UDF with the label `{label}` in this run: it has {}", known.join(", "))]
    NoSuchUdf {
        /// What was asked for.
        label: String,
        /// What there is.
        known: Vec<String>,
    },
    /// A partition that the run does not have.
    #[error("there is no partition {index}: the scan has {n_partitions}, numbered from 0")]
    NoSuchPartition {
        /// What was asked for.
        index: u64,
        /// How many there are.
        n_partitions: usize,
    },
    /// Partials that can't be merged.
    #[error(transparent)]
    Partial(#[from] super::partial::PartialError),
    /// A checkpoint from which the run can't go on.
    #[error(transparent)]
    Checkpoint(#[from] super::CheckpointError),
    /// Parameters that come after the last partition has begun.
    #[error("it is too late for new parameters: all partitions of the run have begun")]
    TooLate,
    /// Parameters that come before the run is prepared.
    #[error("it is too early for new parameters: wait for the first partial result")]
    TooEarly,
    /// The system gives no threads.
    #[error("{n_workers} worker threads can't be started: {message}")]
    Threads {
        /// How many were wanted.
        n_workers: usize,
        /// Why.
        message: String,
    },
    /// A worker ended without a word: a bug of this program.
    #[error("a worker thread ended before its work was done")]
    WorkersGone,
    /// It was cancelled.
    #[error("interrupted")]
    Cancelled,
}

impl From<PluginError> for RunError {
    fn from(error: PluginError) -> Self {
        match error {
            PluginError::Cancelled => Self::Cancelled,
            error => Self::Plugin(error),
        }
    }
}
