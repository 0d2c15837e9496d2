//! `--on-error`: what becomes of a run in which a plugin fails, and how that is told.

use lthost::{
    plugin::PluginError,
    run::{Failure, OnError, Outcome},
};
use serde_json::{Value as Json, json};

use crate::{repeat, terminal};

/// What becomes of a run in which a plugin fails.
#[derive(clap::Args)]
pub(crate) struct OnErrorArgs {
    /// If a plugin fails: fail, or leave the partition at which it failed out of its results, or all of it if it failed before
    /// there were data, go on, and exit with status 3
    #[arg(long, value_name = "WHAT", value_enum, default_value = "abort")]
    on_error: What,
    /// With --on-error=skip: a plugin that fails at more partitions than this gets no more
    #[arg(long, value_name = "N", default_value = "20")]
    max_errors: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum What {
    /// The run fails
    Abort,
    /// The run goes on
    Skip,
}

impl OnErrorArgs {
    pub(crate) fn policy(&self) -> OnError {
        match self.on_error {
            What::Abort => OnError::Abort,
            What::Skip => OnError::Skip { max_errors: self.max_errors },
        }
    }
}

/// Some partitions, or all, are not in the results of some plugins: exit 3.
#[derive(Debug, thiserror::Error)]
#[error("partial results: {}", .0.join("; "))]
pub(crate) struct Incomplete(Vec<String>);

/// Failures that differ in nothing but where in the run they happened.
struct Alike<'a> {
    label: &'a str,
    kind: String,
    first: &'a PluginError,
    /// Partitions after the first one.
    others: Vec<u64>,
}

/// Tells of all failures, each kind once. Gives an error if there are any.
pub(crate) fn tell(outcome: &Outcome) -> Result<(), Incomplete> {
    let mut all: Vec<Alike<'_>> = Vec::new();
    for failure in &outcome.failures {
        let Some(first) = failure.error.as_deref() else { continue };
        let (label, kind) = (failure.label.as_str(), first.without_place());
        match all.iter_mut().find(|alike| alike.label == label && alike.kind == kind) {
            Some(alike) => alike.others.extend(failure.partition),
            None => all.push(Alike { label, kind, first, others: Vec::new() }),
        }
    }
    for alike in &all {
        let repeat_with = alike.first.call().and_then(repeat::of_call);
        let more = if alike.others.is_empty() {
            String::new()
        } else {
            format!("\n    the same in {}", partitions(&alike.others))
        };
        terminal::say_failure(&format!("{}{more}", alike.first), 3, repeat_with.as_deref());
    }
    let lacking = lacking(outcome);
    if lacking.is_empty() { Ok(()) } else { Err(Incomplete(lacking)) }
}

/// What is missing, a sentence for each plugin.
fn lacking(outcome: &Outcome) -> Vec<String> {
    let mut labels: Vec<&str> = outcome.failures.iter().map(|failure| failure.label.as_str()).collect();
    labels.dedup();
    labels.sort_unstable();
    labels.dedup();
    let n_partitions = outcome.stats.n_partitions;
    let of_label = |label: &str| {
        let failures: Vec<&Failure> = outcome.failures.iter().filter(|failure| failure.label == label).collect();
        if failures.iter().any(|failure| failure.partition.is_none()) {
            return format!("there are none of `{label}`");
        }
        let given_up = match failures.iter().filter(|failure| failure.error.is_none()).count() {
            0 => String::new(),
            n => format!(", {n} of them not tried, as it failed too often (--max-errors)"),
        };
        format!("{} of {n_partitions} partitions are not in those of `{label}`{given_up}", failures.len())
    };
    labels.into_iter().map(of_label).collect()
}

/// Name of the file that tells which frames are in the results of a plugin, where these are more than `damage.npy` says.
pub(crate) fn damage_file(label: &str) -> String {
    format!("damage.{label}.npy")
}

/// What is or will be told: of the error with which a run ended, and of the failures in spite of which it went on.
pub(crate) fn texts(error: Option<&anyhow::Error>, failures: &[Failure]) -> Vec<String> {
    let mut texts: Vec<String> =
        failures.iter().filter_map(|failure| Some(failure.error.as_ref()?.to_string())).collect();
    texts.extend(error.map(|error| format!("{error:#}")));
    texts.sort_unstable();
    texts.dedup();
    texts
}

/// For the record.
pub(crate) fn record(failures: &[Failure]) -> Json {
    let record = |failure: &Failure| {
        let error = failure.error.as_ref().map(ToString::to_string);
        json!({ "label": failure.label, "partition": failure.partition, "error": error })
    };
    failures.iter().map(record).collect()
}

fn partitions(numbers: &[u64]) -> String {
    const MAX_SHOWN: usize = 10;
    let shown: Vec<String> = numbers.iter().take(MAX_SHOWN).map(u64::to_string).collect();
    let more = if numbers.len() > MAX_SHOWN { ", …" } else { "" };
    match numbers {
        [number] => format!("partition {number}"),
        _ => format!("{} more partitions: {}{more}", numbers.len(), shown.join(", ")),
    }
}
