//! From a check that fails to the smallest one that fails in the same way.

use lthost::shape::Dtype;

use super::{
    case::{Case, Roi, Tiles},
    check::{Change, Check, Fault, Group, Verdict},
    compare::Tolerance,
    data::Data,
    lab::Lab,
    plan::{blocks, is_ample},
};

/// Scans with few frames, the smallest first.
const NAVS: [&[u64]; 15] = [
    &[1],
    &[1, 1],
    &[2],
    &[1, 2],
    &[2, 1],
    &[1, 1, 1],
    &[3],
    &[1, 3],
    &[3, 1],
    &[4],
    &[2, 2],
    &[5],
    &[6],
    &[2, 3],
    &[3, 3],
];
/// Detectors with few pixels, the smallest first. Those with more than 8 can be split.
const SIGS: [&[u64]; 17] = [
    &[1],
    &[1, 1],
    &[1, 1, 1],
    &[2],
    &[1, 2],
    &[2, 1],
    &[1, 1, 2],
    &[3],
    &[1, 3],
    &[3, 1],
    &[2, 2],
    &[3, 3],
    &[9],
    &[9, 1],
    &[1, 9],
    &[9, 2],
    &[3, 3, 2],
];
/// Dtypes that are simple, the simplest first.
const DTYPES: [Dtype; 7] = [Dtype::U8, Dtype::U16, Dtype::I16, Dtype::I32, Dtype::F32, Dtype::F64, Dtype::C64];
const ROIS: [Roi; 5] = [Roi::No, Roi::All, Roi::One, Roi::Nothing, Roi::Some];
/// Each time round, what got smaller may let something else get smaller.
const MAX_ROUNDS: usize = 3;

/// The smallest check that fails like `fault`, and how.
pub(super) fn shrink(
    lab: &mut Lab<'_>,
    check: &Check,
    fault: &Fault,
    tolerance: Tolerance,
) -> anyhow::Result<(Check, Fault)> {
    let (mut check, mut fault) = (alone(check, fault), fault.clone());
    for _ in 0..MAX_ROUNDS {
        let before = check.clone();
        for smaller in [partitions, tiles, workers, rois, navs, sigs, dtypes] {
            for candidate in smaller(&check).into_iter().filter_map(fitted) {
                if candidate == check {
                    continue;
                }
                if let Verdict::Broken(found) = candidate.evaluate(lab, tolerance)?
                    && found.is_like(&fault)
                {
                    (check, fault) = (alone(&candidate, &found), found);
                    break;
                }
            }
        }
        if check == before {
            break;
        }
    }
    Ok((check, fault))
}

/// Of a failure only the case that fails counts.
pub(super) fn alone(check: &Check, fault: &Fault) -> Check {
    match fault {
        Fault::Fails(case, _) => Check { group: check.group, base: case.clone(), change: Change::Nothing },
        _ => check.clone(),
    }
}

/// With numbers of partitions, tiles and workers that the data have room for, if there are any that differ.
fn fitted(mut check: Check) -> Option<Check> {
    let Check { group, base, change } = &mut check;
    let n_frames = base.data.n_frames();
    base.partitions = base.partitions.min(n_frames);
    base.only = base.only.map(|only| only.min(base.partitions - 1));
    if base.data.missing >= n_frames || (*group == Group::Finite && !is_ample(&base.data)) {
        return None;
    }
    match base.tiles {
        Tiles::Frames(n) if n >= n_frames => base.tiles = Tiles::Whole,
        Tiles::Pixels(_) => base.tiles = blocks(&base.data)?,
        _ => {}
    }
    let differs = match change {
        Change::Nothing | Change::RoiOfAll => true,
        Change::OwnDtype => {
            base.data = Data { stored: base.data.dtype, ..base.data.clone() }.widened()?;
            true
        }
        Change::Workers(_) => base.partitions > 1,
        Change::Partitions(n) => {
            *n = n_frames.min(*n);
            *n > base.partitions
        }
        Change::Tiles(Tiles::Frames(n)) => {
            *n = (n_frames - 1).min(*n);
            *n > 0
        }
        Change::Tiles(Tiles::Pixels(n)) => match blocks(&base.data)? {
            Tiles::Pixels(most) => {
                *n = most.min(*n);
                true
            }
            _ => false,
        },
        Change::Backwards | Change::Tiles(Tiles::Whole) => base.tiles != Tiles::Whole,
        Change::RoiInstead => base.partitions > 1 && base.only.is_some(),
    };
    differs.then_some(check)
}

fn partitions(check: &Check) -> Vec<Check> {
    let fewer = (1..check.base.partitions).map(|partitions| {
        let only = check.base.only.map(|_| partitions.saturating_sub(1));
        with_base(check, |base| Case { partitions, only, ..base })
    });
    let changed = match check.change {
        Change::Partitions(n) => (2..n).map(|n| Check { change: Change::Partitions(n), ..check.clone() }).collect(),
        _ => Vec::new(),
    };
    let all = check.base.only.filter(|_| check.change == Change::Nothing);
    all.map(|_| with_base(check, |base| Case { only: None, ..base })).into_iter().chain(fewer).chain(changed).collect()
}

fn tiles(check: &Check) -> Vec<Check> {
    let whole = || with_base(check, |base| Case { tiles: Tiles::Whole, ..base });
    let changed = |tiles| Check { change: Change::Tiles(tiles), ..check.clone() };
    match check.change {
        Change::Tiles(Tiles::Frames(n)) if n > 1 => vec![changed(Tiles::Frames(1))],
        Change::Tiles(Tiles::Pixels(n)) if n > 1 => vec![changed(Tiles::Pixels(1))],
        Change::Backwards => match check.base.tiles {
            Tiles::Frames(n) if n > 1 => vec![with_base(check, |base| Case { tiles: Tiles::Frames(1), ..base })],
            Tiles::Pixels(n) if n > 1 => vec![with_base(check, |base| Case { tiles: Tiles::Pixels(1), ..base })],
            _ => Vec::new(),
        },
        // Where two cases are held against each other, both have these tiles, since others may be known to matter.
        Change::Nothing if check.base.tiles != Tiles::Whole => vec![whole()],
        _ => Vec::new(),
    }
}

fn workers(check: &Check) -> Vec<Check> {
    let mut fewer: Vec<Check> =
        (1..check.base.workers).map(|workers| with_base(check, |base| Case { workers, ..base })).collect();
    if let Change::Workers(n) = check.change {
        fewer.extend((2..n).map(|n| Check { change: Change::Workers(n), ..check.clone() }));
    }
    fewer
}

fn rois(check: &Check) -> Vec<Check> {
    let simpler = ROIS.into_iter().take_while(|roi| *roi != check.base.roi);
    let mut checks: Vec<Check> = simpler.map(|roi| with_base(check, |base| Case { roi, ..base })).collect();
    if check.base.data.missing > 0 {
        checks.insert(0, with_data(check, |data| Data { missing: 0, ..data }));
    }
    checks
}

fn navs(check: &Check) -> Vec<Check> {
    let Data { nav, missing, .. } = &check.base.data;
    let n_frames = check.base.data.n_frames();
    // As few axes as it was tried with, or fewer.
    let size = |nav: &[u64]| (nav.iter().product::<u64>(), nav.len());
    let smaller =
        NAVS.into_iter().filter(|smaller| smaller.len() <= nav.len() && size(smaller) < (n_frames, nav.len()));
    smaller
        .map(|nav| {
            let missing = (*missing).min(size(nav).0.saturating_sub(1));
            with_data(check, |data| Data { nav: nav.to_vec(), missing, ..data })
        })
        .filter(|smaller| (smaller.base.data.missing > 0) == (*missing > 0))
        .collect()
}

fn sigs(check: &Check) -> Vec<Check> {
    let sig = &check.base.data.sig;
    let n_pixels = check.base.data.n_pixels();
    let smaller =
        SIGS.into_iter().filter(|smaller| smaller.len() == sig.len() && smaller.iter().product::<u64>() < n_pixels);
    smaller.map(|sig| with_data(check, |data| Data { sig: sig.to_vec(), ..data })).collect()
}

fn dtypes(check: &Check) -> Vec<Check> {
    let simpler = DTYPES.into_iter().take_while(|dtype| *dtype != check.base.data.dtype);
    simpler.map(|dtype| with_data(check, |data| Data { dtype, stored: dtype, ..data })).collect()
}

fn with_base(check: &Check, change: impl FnOnce(Case) -> Case) -> Check {
    Check { base: change(check.base.clone()), ..check.clone() }
}

fn with_data(check: &Check, change: impl FnOnce(Data) -> Data) -> Check {
    with_base(check, |base| Case { data: change(base.data.clone()), ..base })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(change: Change) -> Check {
        let base = Case { partitions: 4, ..Case::plain(Data::new(&[3, 4], &[7, 5], Dtype::F32)) };
        Check { group: Group::Tiles, base, change }
    }

    #[test]
    fn whatever_is_smaller_still_changes_something() {
        let changes = [
            Change::Workers(4),
            Change::Partitions(12),
            Change::Tiles(Tiles::Frames(5)),
            Change::Tiles(Tiles::Pixels(4)),
        ];
        for change in changes {
            let check = check(change);
            for smaller in [partitions, tiles, workers, rois, navs, sigs, dtypes] {
                for candidate in smaller(&check).into_iter().filter_map(fitted) {
                    assert_ne!(candidate.base, candidate.other(), "{candidate:?}");
                }
            }
        }
    }

    #[test]
    fn a_single_frame_has_one_partition_and_one_tile() {
        let single = |change| with_data(&check(change), |data| Data { nav: vec![1], ..data });
        assert_eq!(fitted(single(Change::Nothing)).unwrap().base.partitions, 1);
        for change in [Change::Workers(2), Change::Partitions(2), Change::Tiles(Tiles::Frames(1))] {
            assert_eq!(fitted(single(change)), None);
        }
    }
}
