//! Why partials can't be merged.

use std::ops::RangeInclusive;

use super::container::ContainerError;

/// Runs of missing partitions that are listed.
const MAX_LISTED: usize = 12;

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
        "{n_missing} of {n_partitions} partitions are missing: {}; make each with `lthost partial --partition I`",
        list(missing)
    )]
    Missing {
        /// How many.
        n_missing: u64,
        /// How many there should be.
        n_partitions: u64,
        /// Which ones, in order: runs from the first to the last of consecutive ones.
        missing: Vec<RangeInclusive<u64>>,
    },
    /// Partials that another version of this program made.
    #[error("`{name}` was made by lthost {found}, and this is {}: merge with the one that made it", env!("CARGO_PKG_VERSION"))]
    Lthost {
        /// The partial.
        name: String,
        /// The version that made it.
        found: String,
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

/// Numbers and runs of them, like `1, 4 to 6, 9`; the first ones of many.
fn list(runs: &[RangeInclusive<u64>]) -> String {
    let one = |run: &RangeInclusive<u64>| match (run.start(), run.end()) {
        (start, end) if start == end => start.to_string(),
        (start, end) => format!("{start} to {end}"),
    };
    let mut words: Vec<String> = runs.iter().take(MAX_LISTED).map(one).collect();
    if runs.len() > MAX_LISTED {
        words.push("…".to_owned());
    }
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_partitions_are_listed_and_not_without_end() {
        assert_eq!(list(&[1..=1, 4..=6, 9..=10]), "1, 4 to 6, 9 to 10");
        let many: Vec<_> = (0..20).map(|i| 2 * i..=2 * i).collect();
        assert_eq!(list(&many), "0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, …");
    }
}
