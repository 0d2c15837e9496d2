//! Which mistake it is. What is said here was tried: other data, other partitions, and what they change.

use std::rc::Rc;

use lthost::{
    buffer::Kind,
    results::ResultBuffer,
    run::UdfOutcome,
    shape::{Dtype, DtypeKind},
};

use super::{
    case::{Case, Roi, of},
    check::{Change, Check, Fault, Group},
    compare::{Agreement, Difference, Tolerance, compare},
    data::Data,
    lab::{Failure, How, Lab, Ran},
};

/// A mistake, and the smallest check that shows it.
#[derive(Debug)]
pub(super) struct Finding {
    /// Its name, for scripts.
    pub(super) mistake: &'static str,
    /// What is wrong.
    pub(super) title: String,
    /// What else is known, and what to do.
    pub(super) hint: String,
    pub(super) check: Check,
    pub(super) fault: Fault,
}

/// Names the mistake behind a fault. `found` is the check that showed it, `check` the smallest one.
pub(super) fn diagnose(
    lab: &mut Lab<'_>,
    found: &Check,
    (check, fault): (Check, Fault),
    tolerance: Tolerance,
) -> anyhow::Result<Finding> {
    let (mistake, title, hint) = match &fault {
        Fault::Fails(case, failure) => {
            let hint = if fault.is_endless() { String::new() } else { passes(lab, case)? };
            (mistake_of(failure), title_of(failure), hint)
        }
        Fault::NotFinite(difference) => (
            "not-finite",
            format!("`{}` has numbers that are not finite, and all pixels are", difference.buffer),
            "check what it is divided by and starts with; what has no meaning can be masked (`emit-mask`)".to_owned(),
        ),
        Fault::Differs(_) if check.change == Change::Backwards => (
            "order",
            "results depend on the order in which tiles come".to_owned(),
            "tiles of a partition come in any order: what the last or the first one has must not count for more".to_owned(),
        ),
        Fault::Differs(difference) => match check.own_group() {
            Group::Dtypes => dtype(lab, &check, difference)?,
            Group::Workers => (
                "state",
                "results depend on which partitions an instance had before, so they change with the number of workers"
                    .to_owned(),
                "it keeps something from one partition to the next: set in `begin` what belongs to a partition (who gets which \
                 partition is decided anew in each run, so it may take some to see it)"
                    .to_owned(),
),
            Group::Tiles => tiles(lab, found, &check, difference)?,
            Group::Split => (
                "split",
                "results depend on the blocks into which the detector is split".to_owned(),
                "pixel `i` of a tile is pixel `sig-start + i` of the frame, and a frame comes in several tiles: \
                 add to what is there, or ask for whole frames (`granularity`)"
                    .to_owned(),
            ),
            Group::Partitions | Group::Missing => partitions(lab, found, difference, tolerance)?,
            _ => roi(&check),
        },
    };
    Ok(Finding { mistake, title, hint, check, fault })
}

type Named = (&'static str, String, String);

fn mistake_of(failure: &Failure) -> &'static str {
    match failure.how {
        How::Error => "error",
        How::Trap => "trap",
        How::Timeout => "timeout",
        How::Memory => "memory",
        How::Contract => "contract",
    }
}

fn title_of(failure: &Failure) -> String {
    let function = failure.function;
    let is_early = matches!(function, "create" | "preferences" | "buffers");
    match failure.how {
        How::Error => format!("`{function}` returns an error for data that `create` and `buffers` took"),
        How::Trap if is_early => format!("`{function}` traps"),
        How::Trap => format!("`{function}` traps on data that `create` and `buffers` took"),
        How::Timeout => format!("`{function}` does not come to an end"),
        How::Memory => format!("`{function}` takes too much memory"),
        How::Contract => format!("`{function}` does what the contract forbids"),
    }
}

/// With which data that differ little a case that fails is passed.
fn passes(lab: &mut Lab<'_>, case: &Case) -> anyhow::Result<String> {
    let data = &case.data;
    let with = |data: Data| Case { data, ..case.clone() };
    let mut tries = Vec::new();
    if case.roi != Roi::No {
        tries.push(("without a ROI".to_owned(), Case { roi: Roi::No, ..case.clone() }));
    }
    if data.missing > 0 {
        tries.push(("with all frames in the file".to_owned(), with(Data { missing: 0, ..data.clone() })));
    }
    for n_more in [1, 2] {
        let mut nav = data.nav.clone();
        if let Some(last) = nav.last_mut() {
            *last += n_more;
        }
        let n_frames: u64 = nav.iter().product();
        let per_partition = n_frames / case.partitions;
        let each =
            if case.partitions > 1 { format!(" ({per_partition} or more in each partition)") } else { String::new() };
        tries.push((format!("with {}{each}", of(n_frames, "frame")), with(Data { nav, ..data.clone() })));
    }
    for axis in (0..data.sig.len()).rev() {
        let mut sig = data.sig.clone();
        sig[axis] += 1;
        tries.push((format!("with frames of {}", super::case::shape(&sig)), with(Data { sig, ..data.clone() })));
    }
    for dtype in [Dtype::U8, Dtype::U16, Dtype::F32] {
        if dtype != data.dtype {
            tries.push((format!("with {dtype}"), with(Data { dtype, stored: dtype, ..data.clone() })));
        }
    }
    let mut passed = Vec::new();
    for (what, case) in tries {
        if let Ran::Done(_) = &*lab.run(&case)? {
            passed.push(what);
        }
    }
    Ok(if passed.is_empty() { String::new() } else { format!("it passes {}", passed.join(", ")) })
}

/// Why numbers in their own dtype give something else.
fn dtype(lab: &mut Lab<'_>, check: &Check, difference: &Difference) -> anyhow::Result<Named> {
    let dtype = check.base.data.dtype;
    let found = results(lab, &check.other())?.and_then(|outcome| buffer(&outcome, &difference.buffer).cloned());
    let result = found.map_or(dtype, |result| result.dtype);
    let numbers = (difference.expected.parse::<f64>(), difference.found.parse::<f64>());
    let whole = result.kind() == DtypeKind::Unsigned || result.kind() == DtypeKind::Signed;
    if let (true, (Ok(expected), Ok(found))) = (whole, numbers) {
        let range = (8.0 * f64::from(u8::try_from(result.size()).unwrap_or(8))).exp2();
        if (expected - found).rem_euclid(range) == 0.0 {
            return Ok((
                "overflow",
                format!("`{}` overflows: {result} has no room for what comes of {dtype} data", difference.buffer),
                format!("the number found is the expected one minus a multiple of {range}: add up in a larger dtype"),
            ));
        }
    }
    Ok((
        "dtype",
        format!("the same numbers give other results as {dtype} than as {}", check.base.data.stored),
        format!("look for what is computed in {dtype}: sums may overflow, quotients lose what is behind the point"),
    ))
}

fn tiles(lab: &mut Lab<'_>, found: &Check, check: &Check, difference: &Difference) -> anyhow::Result<Named> {
    let other = check.other();
    let last = other.data.n_frames() - 1;
    if let Some(changed) = trace(lab, &other, last, &difference.buffer)?
        && changed.kind == Kind::Nav
        && last > 0
        && changed.frames[..to_usize(last)].contains(&true)
    {
        return Ok((
            "other-frames",
            format!("`{}` gets entries of frames that are not in the tile", difference.buffer),
            format!(
                "other pixels of frame {last} change entries of frames before it, which came in other tiles: write only \
                 to those of the tile's frames, from `roi-start - partition.roi-start` on"
            ),
        ));
    }
    if let Some(lost) = lost(lab, found, difference)? {
        return Ok((
            "lost-tile",
            format!("of the tiles of a partition some leave no trace in `{}`", difference.buffer),
            format!("with {}, the pixels of frame {lost} count for nothing", found.other()),
        ));
    }
    Ok((
        "tiles",
        "results depend on how many frames are in a tile".to_owned(),
        "a tile may have any number of frames: what is taken over all frames of a tile, like a mean or a maximum, has to be \
         put together from tiles, in `end` or `results`"
            .to_owned(),
    ))
}

fn partitions(
    lab: &mut Lab<'_>,
    found: &Check,
    difference: &Difference,
    tolerance: Tolerance,
) -> anyhow::Result<Named> {
    let name = &difference.buffer;
    if let Some(lost) = lost(lab, found, difference)? {
        let which = if lost == 0 { "first" } else { "last" };
        return Ok((
            "lost-partition",
            format!("what the {which} partition finds leaves no trace in `{name}`"),
            "a merge has to keep what is in `dest` already: `assign` overwrites it, as may a merge of the plugin's own; a sum \
             merges by `sum`"
                .to_owned(),
        ));
    }
    if let Some(step) = step(lab, found, name, tolerance)? {
        return Ok((
            "fill",
            format!("`{name}` gets {step} more with each partition"),
            "a fill value, or what `begin` sets, is in the buffers of every partition, and in the merged ones: let it be what \
             changes nothing, as 0 for `sum`"
                .to_owned(),
        ));
    }
    if let Some(title) = mean_of_means(lab, found, name, tolerance)? {
        return Ok((
            "mean-of-means",
            title,
            "hand over sum and number of frames, let these merge by `sum`, and divide in `results`".to_owned(),
        ));
    }
    Ok((
        "partitions",
        "results depend on how many partitions there are".to_owned(),
        "look at what `begin` sets, what `end` makes of a partition, and how `merge` puts two together".to_owned(),
    ))
}

fn roi(check: &Check) -> Named {
    match check.change {
        Change::RoiInstead => (
            "roi",
            "results of some frames depend on whether a ROI chose them, or the partition".to_owned(),
            "places in the scan follow from a frame's index (`tile.frames`), entries of buffers from its index in the ROI \
             (`roi-start`); how many frames are in the results, `valid` tells"
                .to_owned(),
        ),
        Change::RoiOfAll => (
            "roi",
            "a ROI of all frames gives other results than none".to_owned(),
            "`meta.roi` is none without a ROI, and has a byte for each frame of the scan with one".to_owned(),
        ),
        _ => (
            "roi",
            "with a ROI results depend on how frames are put into tiles and partitions".to_owned(),
            "frames of a tile need not follow each other in the scan: `tile.frames` lists them".to_owned(),
        ),
    }
}

/// What other pixels of a frame change in a buffer.
struct Changed {
    kind: Kind,
    /// For each frame of a nav buffer whether its entry changed; for others whether anything did.
    frames: Vec<bool>,
}

fn trace(lab: &mut Lab<'_>, case: &Case, frame: u64, name: &str) -> anyhow::Result<Option<Changed>> {
    let bumped = Case { data: Data { bumped: Some(frame), ..case.data.clone() }, ..case.clone() };
    let (Some(before), Some(after)) = (results(lab, case)?, results(lab, &bumped)?) else { return Ok(None) };
    let (Some(before), Some(after)) = (buffer(&before, name), buffer(&after, name)) else { return Ok(None) };
    let n_entries = if before.kind == Kind::Nav { to_usize(case.data.n_frames()) } else { 1 };
    let len = (before.data.len() / n_entries).max(1);
    let frames = before.data.chunks(len).zip(after.data.chunks(len)).map(|(before, after)| before != after).collect();
    Ok(Some(Changed { kind: before.kind, frames }))
}

/// The first or last frame, if its pixels matter in the base case and not in the other one.
fn lost(lab: &mut Lab<'_>, check: &Check, difference: &Difference) -> anyhow::Result<Option<u64>> {
    let last = check.base.data.n_frames() - check.base.data.missing - 1;
    for frame in [0, last] {
        let mut matters = |case: &Case| {
            let changed = trace(lab, case, frame, &difference.buffer)?;
            anyhow::Ok(changed.is_some_and(|changed| changed.frames.contains(&true)))
        };
        if matters(&check.base)? && !matters(&check.other())? {
            return Ok(Some(frame));
        }
    }
    Ok(None)
}

/// By how much all elements of a buffer grow with each partition, if all do so by the same.
fn step(lab: &mut Lab<'_>, found: &Check, name: &str, tolerance: Tolerance) -> anyhow::Result<Option<f64>> {
    let Some(numbers) = numbers_by_partitions(lab, found, name)? else { return Ok(None) };
    let steps: Vec<f64> =
        numbers.windows(2).flat_map(|pair| pair[1].iter().zip(&pair[0]).map(|(more, less)| more - less)).collect();
    let largest = numbers.iter().flatten().fold(0.0, |largest: f64, number| largest.max(number.abs()));
    let allowed = tolerance.rtol.unwrap_or(1e-6) * largest;
    let step = steps.first().copied().unwrap_or(0.0);
    let is_same = numbers[0].len() > 1 && steps.iter().all(|other| (other - step).abs() <= allowed);
    Ok((is_same && step.abs() > allowed).then_some(step))
}

/// How a buffer behaves if it is a mean, or a sum of means, over partitions.
fn mean_of_means(lab: &mut Lab<'_>, found: &Check, name: &str, tolerance: Tolerance) -> anyhow::Result<Option<String>> {
    let Case { data, .. } = &found.base;
    let scan =
        |n_frames| Data { nav: [vec![1; data.nav.len() - 1], vec![n_frames]].concat(), missing: 0, ..data.clone() };
    let case = |n_frames, partitions| Case { data: scan(n_frames), partitions, ..found.base.clone() };
    let agree = |a: &ResultBuffer, b: &ResultBuffer| {
        a.kind != Kind::Nav && compare(a, b, Agreement::Close(tolerance), ([a.dtype, b.dtype], None)).is_none()
    };
    // Two partitions of four frames are equal, those of three are not.
    let mut pair = |n_frames| anyhow::Ok((results(lab, &case(n_frames, 1))?, results(lab, &case(n_frames, 2))?));
    let ((Some(one), Some(two)), (Some(odd_one), Some(odd_two))) = (pair(4)?, pair(3)?) else { return Ok(None) };
    let all = [&one, &two, &odd_one, &odd_two].map(|done| buffer(done, name));
    let [Some(one), Some(two), Some(odd_one), Some(odd_two)] = all else { return Ok(None) };
    if agree(one, two) && !agree(odd_one, odd_two) {
        return Ok(Some(format!(
            "`{name}` is right for partitions of equal size and wrong for others: a mean of means"
        )));
    }
    let doubled: Vec<u8> = one.to_f64().iter().flat_map(|number| (2.0 * number).to_le_bytes()).collect();
    let doubled = ResultBuffer { dtype: Dtype::F64, data: doubled, ..one.clone() };
    let is_real = matches!(one.dtype.kind(), DtypeKind::Float);
    Ok((is_real && agree(&doubled, two))
        .then(|| format!("`{name}` grows with the number of partitions: a sum of means")))
}

/// The numbers of a buffer with one, two and three partitions.
fn numbers_by_partitions(lab: &mut Lab<'_>, found: &Check, name: &str) -> anyhow::Result<Option<Vec<Vec<f64>>>> {
    if found.base.data.n_frames() < 3 {
        return Ok(None);
    }
    let mut numbers = Vec::new();
    for partitions in 1..=3 {
        let outcome = results(lab, &Case { partitions, ..found.base.clone() })?;
        let Some(result) = outcome.as_ref().and_then(|outcome| buffer(outcome, name)) else { return Ok(None) };
        numbers.push(result.to_f64());
    }
    Ok(Some(numbers))
}

/// The results of a case that is done, shared.
fn results(lab: &mut Lab<'_>, case: &Case) -> anyhow::Result<Option<Done>> {
    let ran = lab.run(case)?;
    Ok(matches!(&*ran, Ran::Done(_)).then_some(Done(ran)))
}

/// A case that is done.
struct Done(Rc<Ran>);

fn buffer<'a>(Done(ran): &'a Done, name: &str) -> Option<&'a ResultBuffer> {
    let Ran::Done(outcome) = &**ran else { return None };
    let outcome: &UdfOutcome = outcome;
    outcome.results.iter().find(|result| result.name == name)
}

fn to_usize(n: u64) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}
