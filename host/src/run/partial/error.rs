//! Why partials can't be merged.

use super::container::ContainerError;

/// Why partials can't be merged. Each names the partial at fault.
#[derive(Debug, thiserror::Error)]
pub enum PartialError {
    /// Nothing to merge.
    #[error("no partial is given: there is nothing to merge")]
    None,
    /// Bytes that are no partial, of another version, or damaged.
    #[error("`{name}` {what}")]
    Unreadable {
        /// The partial.
        name: String,
        /// What is wrong.
        what: String,
    },
    /// A partial of another run.
    #[error("`{name}` is of another run than `{first}`: they differ in {what}")]
    Foreign {
        /// The partial.
        name: String,
        /// The one that it was held against.
        first: String,
        /// The first difference.
        what: String,
    },
    /// Two partials of one partition.
    #[error("`{name}` and `{other}` are both of partition {partition}: leave one out")]
    Duplicate {
        /// The partial.
        name: String,
        /// The other one.
        other: String,
        /// Number of the partition.
        partition: u64,
    },
    /// Partitions of which there is no partial.
    #[error(
        "{n_missing} of {n_partitions} partitions are missing, the first is number {first}: make it with \
         `lthost partial --partition {first}`"
    )]
    Missing {
        /// How many.
        n_missing: u64,
        /// How many there should be.
        n_partitions: u64,
        /// The first one.
        first: u64,
    },
    /// Another plugin than the one that made the partials.
    #[error("plugin `{plugin}` has sha256 {found}, but the partials of `{label}` were made by {expected}")]
    Plugin {
        /// The UDF's label.
        label: String,
        /// The plugin that was given.
        plugin: String,
        /// Its hash.
        found: String,
        /// The hash in the partials.
        expected: String,
    },
    /// Other settings of the engine than those that made the partials.
    #[error("the partials were made {}: merge them so, too", if *.deterministic { "with --deterministic" } else { "without --deterministic" })]
    Deterministic {
        /// What they were made with.
        deterministic: bool,
    },
}

impl PartialError {
    pub(super) fn unreadable(name: &str, what: &str) -> Self {
        Self::Unreadable { name: name.to_owned(), what: format!("contradicts itself: {what}") }
    }

    pub(super) fn container(name: &str, error: &ContainerError) -> Self {
        Self::Unreadable { name: name.to_owned(), what: error.to_string() }
    }
}
