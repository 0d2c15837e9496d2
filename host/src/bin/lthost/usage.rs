//! Mistakes in how the program was called, as opposed to things that fail: what was typed can't be, whatever one does to
//! the files. Where a file is missing, damaged or too short, or a limit is reached, the program fails.

use lthost::{
    correction::CorrectionError,
    dataset::DatasetError,
    plugin::PluginError,
    run::{CheckpointError, RunError},
};

/// A mistake in how the program was called: exit 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Usage(pub(crate) String);

/// Whether an error, or what led to it, is a mistake in how the program was called.
pub(crate) fn is_usage(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.is::<Usage>()
            || cause.is::<CorrectionError>()
            || cause.downcast_ref().is_some_and(by_plugin)
            || cause.downcast_ref().is_some_and(by_dataset)
            || cause.downcast_ref().is_some_and(by_run)
    })
}

fn by_run(error: &RunError) -> bool {
    match error {
        RunError::Plugin(error) => by_plugin(error),
        RunError::Dataset(error) => by_dataset(error),
        RunError::Roi(_)
        | RunError::Inconvertible { .. }
        | RunError::Uncorrectable { .. }
        | RunError::NoUdf
        | RunError::DuplicateLabel { .. }
        | RunError::LabelTaken { .. }
        | RunError::Label { .. }
        | RunError::NoSuchUdf { .. }
        | RunError::NoSuchPartition { .. }
        | RunError::Checkpoint(CheckpointError::Foreign { .. }) => true,
        _ => false,
    }
}

fn by_plugin(error: &PluginError) -> bool {
    match error {
        PluginError::Argument { .. } | PluginError::Unknown { .. } | PluginError::NoWebAssembly { .. } => true,
        error => error.is_refusal(),
    }
}

fn by_dataset(error: &DatasetError) -> bool {
    matches!(
        error,
        DatasetError::UnknownFormat { .. }
            | DatasetError::OptionMissing { .. }
            | DatasetError::OptionNotTaken { .. }
            | DatasetError::UnknownKey { .. }
            | DatasetError::BadValue { .. }
            | DatasetError::BadShape { .. }
            | DatasetError::SigShape { .. }
            | DatasetError::SigDims { .. }
            | DatasetError::FewAxes { .. }
            | DatasetError::SyncOffset { .. }
    )
}
