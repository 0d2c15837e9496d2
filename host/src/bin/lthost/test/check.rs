//! What must not matter: two cases whose results have to agree, and what is found where they don't.

use std::rc::Rc;

use clap::ValueEnum;

use super::{
    case::{Case, Roi, Tiles},
    compare::{Agreement, Difference, Tolerance, difference, not_finite},
    lab::{Failure, How, Lab, Ran},
};

/// What is held against each other, in the order in which one says more than those after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, ValueEnum)]
pub(super) enum Group {
    /// It runs for any shape and dtype, or refuses in time
    Shapes,
    /// The same numbers in another dtype give the same results
    Dtypes,
    /// Results are finite numbers
    Finite,
    /// Any number of workers gives the same bits, again and again
    Workers,
    /// Any number of frames in a tile gives the same
    Tiles,
    /// Any blocks of the detector give the same
    Split,
    /// Any number of partitions gives the same
    Partitions,
    /// It does without frames that are not in the file
    Missing,
    /// It does with any region of interest
    Roi,
    /// Results are those that the author expects (--golden)
    Golden,
}

impl Group {
    /// As on the command line.
    pub(super) fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    /// What holds if its checks are passed.
    pub(super) fn claim(self) -> String {
        let help = self.to_possible_value().and_then(|value| Some(value.get_help()?.to_string())).unwrap_or_default();
        let (first, rest) = help.split_at(help.len().min(1));
        first.to_lowercase() + rest
    }
}

/// Two cases whose results have to agree: `base`, and the same with one thing changed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Check {
    pub(super) group: Group,
    pub(super) base: Case,
    pub(super) change: Change,
}

/// What is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Change {
    /// Nothing: it has to run.
    Nothing,
    /// The numbers are stored in their own dtype instead of the largest one.
    OwnDtype,
    Workers(usize),
    Tiles(Tiles),
    /// Tiles come from the last to the first.
    Backwards,
    Partitions(u64),
    /// A ROI that has all frames.
    RoiOfAll,
    /// A ROI of the partition that runs alone, instead of the partition alone.
    RoiInstead,
}

/// What came of a check.
#[derive(Debug)]
pub(super) enum Verdict {
    Passed,
    Refused(String),
    Broken(Fault),
}

/// What is wrong.
#[derive(Debug, Clone)]
pub(super) enum Fault {
    /// The plugin fails in a case.
    Fails(Case, Failure),
    /// Results of the two cases differ.
    Differs(Difference),
    /// A result of the base case is not finite.
    NotFinite(Difference),
}

/// Runs with several workers are made so often: which of them gets what is decided anew each time.
const N_ATTEMPTS: usize = 3;

impl Check {
    /// The case with what is changed.
    pub(super) fn other(&self) -> Case {
        let mut other = self.base.clone();
        match self.change {
            Change::Nothing => {}
            Change::OwnDtype => other.data.stored = other.data.dtype,
            Change::Workers(workers) => other.workers = workers,
            Change::Tiles(tiles) => other.tiles = tiles,
            Change::Backwards => other.backwards = true,
            Change::Partitions(partitions) => other.partitions = partitions,
            Change::RoiOfAll => other.roi = Roi::All,
            Change::RoiInstead => {
                other.roi = Roi::Partition(other.only.take().unwrap_or(0), other.partitions);
            }
        }
        other
    }

    /// Runs both cases.
    pub(super) fn evaluate(&self, lab: &mut Lab<'_>, tolerance: Tolerance) -> anyhow::Result<Verdict> {
        let base = lab.run(&self.base)?;
        let base = match &*base {
            Ran::Done(outcome) => outcome,
            other => return Ok(verdict_of(&self.base, other)),
        };
        match (self.group, self.change) {
            (Group::Finite, _) => {
                return Ok(not_finite(base).map_or(Verdict::Passed, |found| Verdict::Broken(Fault::NotFinite(found))));
            }
            (_, Change::Nothing) => return Ok(Verdict::Passed),
            _ => {}
        }
        let other = self.other();
        let frames = (self.change == Change::RoiInstead).then(|| other.roi_array().map(|roi| roi.data)).flatten();
        for _ in 0..if other.workers == 1 { 1 } else { N_ATTEMPTS } {
            let ran: Rc<Ran> = lab.run(&other)?;
            let Ran::Done(found) = &*ran else { return Ok(verdict_of(&other, &ran)) };
            if let Some(difference) = difference(base, found, self.agreement(tolerance), frames.as_deref()) {
                return Ok(Verdict::Broken(Fault::Differs(difference)));
            }
        }
        Ok(Verdict::Passed)
    }

    /// The group that it belongs to for what it changes, now that it is as small as can be.
    pub(super) fn own_group(&self) -> Group {
        let is_about_frames = self.base.roi != Roi::No || self.base.data.missing > 0;
        match self.change {
            _ if is_about_frames => self.group,
            Change::Tiles(Tiles::Pixels(_)) => Group::Split,
            Change::Tiles(_) => Group::Tiles,
            Change::Partitions(_) => Group::Partitions,
            _ => self.group,
        }
    }

    pub(super) fn agreement(&self, tolerance: Tolerance) -> Agreement {
        if let Change::Workers(_) = self.change { Agreement::Bits } else { Agreement::Close(tolerance) }
    }
}

impl Fault {
    /// Whether a call does not come to an end: then it takes too long to try more.
    pub(super) fn is_endless(&self) -> bool {
        matches!(self, Self::Fails(_, failure) if failure.how == How::Timeout)
    }

    /// Whether it is the same fault, maybe on other data.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Fails(_, one), Self::Fails(_, other)) => one.kind() == other.kind(),
            (Self::Differs(_), Self::Differs(_)) | (Self::NotFinite(_), Self::NotFinite(_)) => true,
            _ => false,
        }
    }
}

fn verdict_of(case: &Case, ran: &Ran) -> Verdict {
    match ran {
        Ran::Done(_) => Verdict::Passed,
        Ran::Refused(reason) => Verdict::Refused(reason.clone()),
        Ran::Failed(failure) => Verdict::Broken(Fault::Fails(case.clone(), failure.clone())),
    }
}
