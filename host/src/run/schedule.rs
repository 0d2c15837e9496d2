//! Who processes which partition next, and with which parameters.

use std::sync::Arc;

use super::{RunError, UdfSpec, Update, outcome::AppliedUpdate, prepare::Recipe, work::Worker};
use crate::plugin::{Argument, Axes, Parameters, resolve};

/// Hands out partitions in order. Positions are places in the plan.
pub(super) struct Schedule {
    n_partitions: usize,
    /// How many partitions may be taken beyond those merged: bounds the memory of partials that wait.
    window: usize,
    next: usize,
    n_merged: usize,
    is_stopped: bool,
    /// Workers that were too far ahead of merging.
    parked: Vec<Worker>,
    changes: Vec<Change>,
}

/// New parameters of a UDF, from some position on.
#[derive(Clone)]
pub(super) struct Change {
    pub(super) from: usize,
    /// Place of the UDF in the run.
    pub(super) udf: usize,
    /// What was given anew.
    arguments: Vec<(String, Argument)>,
    /// All that it has then.
    pub(super) parameters: Arc<Parameters>,
}

/// What a worker is told.
pub(super) enum Turn {
    /// To process the partition at this position, once it has made these changes.
    Process(usize, Worker, Vec<Change>),
    /// Nothing, now or ever: it is parked, or there is nothing left.
    Rest,
}

impl Schedule {
    pub(super) fn new(n_partitions: usize, n_workers: usize) -> Self {
        Self {
            n_partitions,
            window: 4 * n_workers,
            next: 0,
            n_merged: 0,
            is_stopped: false,
            parked: Vec::new(),
            changes: Vec::new(),
        }
    }

    /// The next partition for `worker`, if it is not too far ahead of merging.
    pub(super) fn turn(&mut self, worker: Worker) -> Turn {
        if self.is_stopped || self.next >= self.n_partitions {
            return Turn::Rest;
        }
        if self.next >= self.n_merged + self.window {
            self.parked.push(worker);
            return Turn::Rest;
        }
        let position = self.next;
        self.next += 1;
        let changes = self.changes_at(position, worker.n_changes);
        Turn::Process(position, worker, changes)
    }

    /// The first `n_merged` partitions are merged before anybody begins.
    pub(super) fn go_on_from(&mut self, n_merged: usize) {
        (self.next, self.n_merged) = (n_merged, n_merged);
    }

    /// Notes how many partitions are merged. Gives the workers that may go on.
    pub(super) fn merged(&mut self, n_merged: usize) -> Vec<Worker> {
        self.n_merged = n_merged;
        std::mem::take(&mut self.parked)
    }

    /// Nobody gets another partition.
    pub(super) fn stop(&mut self) {
        self.is_stopped = true;
        self.parked.clear();
    }

    /// The changes that hold at `position`, without the first `n_known`.
    pub(super) fn changes_at(&self, position: usize, n_known: usize) -> Vec<Change> {
        self.changes[n_known..].iter().take_while(|change| change.from <= position).cloned().collect()
    }

    /// Takes new parameters for a UDF from the next partition on that nobody has taken, or from a later one. Gives its
    /// position. One that is named beyond all that are processed is checked, too, and holds nowhere.
    ///
    /// # Errors
    ///
    /// [`RunError`], and then nothing changes: there is no such UDF, no partition is left, or the parameters will not do.
    pub(super) fn update(
        &mut self,
        update: &Update,
        from: Option<usize>,
        (specs, recipes, axes): (&[UdfSpec], &[Recipe], Axes<'_>),
    ) -> Result<usize, RunError> {
        let is_too_late = from.is_none() && self.next >= self.n_partitions;
        let from = from.unwrap_or(self.next).max(self.next);
        let udf = recipes.iter().position(|recipe| recipe.label == update.label);
        let udf = udf.ok_or_else(|| RunError::NoSuchUdf {
            label: update.label.clone(),
            known: recipes.iter().map(|recipe| recipe.label.clone()).collect(),
        })?;
        if is_too_late {
            return Err(RunError::TooLate);
        }
        // Behind those that hold from the same partition on; what it gives counts for all later ones, too.
        let place = self.changes.partition_point(|change| change.from <= from);
        let manifest = &recipes[udf].manifest;
        let mut given = specs[udf].arguments.clone();
        let earlier = self.changes[..place].iter().filter(|change| change.udf == udf).map(|change| &change.arguments);
        for arguments in earlier.chain([&update.arguments]) {
            overlay(&mut given, arguments);
        }
        let parameters = Arc::new(resolve(manifest, &given, axes)?);
        let mut later = Vec::new();
        for (idx, change) in self.changes.iter().enumerate().skip(place).filter(|(_, change)| change.udf == udf) {
            overlay(&mut given, &change.arguments);
            later.push((idx, Arc::new(resolve(manifest, &given, axes)?)));
        }
        for (idx, parameters) in later {
            self.changes[idx].parameters = parameters;
        }
        self.changes.insert(place, Change { from, udf, arguments: update.arguments.clone(), parameters });
        Ok(from)
    }

    /// All updates that it has taken, each with the number of the partition from which on it holds.
    pub(super) fn updates(&self, indices: &[u64], recipes: &[Recipe]) -> Vec<(u64, Update)> {
        let update = |change: &Change| {
            let (label, arguments) = (recipes[change.udf].label.clone(), change.arguments.clone());
            // Those that hold nowhere stay behind all others.
            (indices.get(change.from).copied().unwrap_or(u64::MAX), Update { label, arguments })
        };
        self.changes.iter().map(update).collect()
    }

    /// The changes that hold before `position`, for the record.
    pub(super) fn applied(&self, position: usize, indices: &[u64], recipes: &[Recipe]) -> Vec<AppliedUpdate> {
        let applied = self.changes.iter().filter(|change| change.from < position);
        applied
            .map(|change| AppliedUpdate {
                from_partition: indices[change.from],
                label: recipes[change.udf].label.clone(),
                parameters: change
                    .parameters
                    .values
                    .iter()
                    .filter(|(name, _)| change.arguments.iter().any(|(given, _)| given == name))
                    .cloned()
                    .collect(),
            })
            .collect()
    }
}

/// `given`, with `new` in place of what it replaces.
fn overlay(given: &mut Vec<(String, Argument)>, new: &[(String, Argument)]) {
    given.retain(|(name, _)| !new.iter().any(|(other, _)| other == name));
    given.extend_from_slice(new);
}
