//! The merge of partials, in whatever process and without the data set.

use std::{collections::BTreeMap, ops::RangeInclusive, sync::Arc};

use super::{
    super::{
        Observer, Outcome, RunConfig, RunError, Stats, UdfSpec, Update,
        outcome::damage,
        plan::{PlannedPartition, equal_parts, within_roi},
        prepare::{Prepared, prepare},
        profile::Clock,
        schedule::Schedule,
        source::Scan,
    },
    PartialError,
    container::{self, PARTIAL},
    record::{ArrayRecord, Header, RunRecord, partial_of, restore, restore_arguments},
};
use crate::{
    correction::Corrections,
    plugin::{Cancel, Limits, Plugin, Sandbox, printable},
    shape::{Array, FrameIdx, Roi, Shape},
};

/// A partial, and how messages call it: the file that it came from.
#[derive(Debug, Clone, Copy)]
pub struct Made<'a> {
    /// Its name.
    pub name: &'a str,
    /// What [`partial`](super::partial) gave.
    pub bytes: &'a [u8],
}

/// What a partial says of the run that it is part of.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct PartialFacts {
    /// Number of its partition.
    pub partition: u64,
    /// Partitions of the run.
    pub n_partitions: u64,
    /// Whether the plugins ran deterministically; they must when it is merged, too.
    pub deterministic: bool,
    /// Format of the data.
    pub format: String,
    /// Element type of the data.
    pub dtype: String,
    /// Sync offset of the data.
    pub sync_offset: i64,
    /// The frames of the scan that are in the files: first, and one past the last.
    pub frames_present: (u64, u64),
    /// Names and sizes of the files that it read.
    pub files: Vec<(String, u64)>,
    /// The UDFs of the run, in order.
    pub udfs: Vec<PartialUdf>,
}

/// A UDF of the run that a partial is part of.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct PartialUdf {
    /// Its label.
    pub label: String,
    /// Name or path of the plugin.
    pub plugin: String,
    /// Hash of the plugin.
    pub sha256: String,
}

/// What the partials of a run gave, and what the run was.
pub struct Merged {
    /// As of one run.
    pub outcome: Outcome,
    /// The UDFs with their parameters.
    pub udfs: Vec<UdfSpec>,
    /// How it was run: ROI, corrections, partitions.
    pub config: RunConfig,
    /// ROI and corrections that were given, by name: `roi`, `dark`, `gain`, `excluded`. Corrections are 64-bit numbers.
    pub arrays: Vec<(&'static str, Array)>,
    /// Shape of the scan.
    pub nav: Shape,
    /// Shape of a frame.
    pub sig: Shape,
}

/// A partial taken apart.
struct Read<'a> {
    name: &'a str,
    header: Header,
    blocks: Vec<&'a [u8]>,
}

/// What a partial says of its run: which plugins it takes to merge it, above all.
///
/// # Errors
///
/// [`PartialError::Unreadable`].
pub fn facts(partial: Made<'_>) -> Result<PartialFacts, PartialError> {
    let Header { partition, run, .. } = read(partial)?.header;
    let udfs = run.udfs.into_iter();
    let udf = |udf: super::record::UdfRecord| PartialUdf { label: udf.label, plugin: udf.plugin, sha256: udf.sha256 };
    Ok(PartialFacts {
        partition,
        n_partitions: run.n_partitions,
        deterministic: run.deterministic,
        format: run.format,
        dtype: run.dtype,
        sync_offset: run.sync_offset,
        frames_present: run.present,
        files: run.files,
        udfs: udfs.map(udf).collect(),
    })
}

/// Merges the partials of all partitions of a run, given in any order, to the results of the run. `plugins` are those that
/// [`facts`] names, in that order.
///
/// # Errors
///
/// [`PartialError`] where the partials do not belong together or are not all there, and the plugins' own errors.
pub fn merge(
    partials: &[Made<'_>],
    plugins: &[Plugin],
    limits: &Limits,
    observer: &Observer,
) -> Result<Merged, RunError> {
    let partials = sort(partials)?;
    let first = partials.values().next().ok_or(PartialError::None)?;
    let run = &first.header.run;
    let unreadable = |what: &'static str| PartialError::unreadable(first.name, what);
    let specs = specs(first, plugins)?;
    let (scan, present) = scan(run, &first.blocks).map_err(unreadable)?;
    if scan.nav.size() > limits.max_result_bytes {
        return Err(RunError::ScanTooLarge { nav: scan.nav, limit: limits.max_result_bytes });
    }
    let sandbox = Sandbox::new(limits.clone(), Cancel::default(), Arc::clone(&observer.logger));
    let mut udfs = prepare(&scan, &specs, (&sandbox, &RunConfig::default()), &Clock::default())?;
    let recipes: Vec<_> = udfs.iter().map(|udf| udf.recipe(None)).collect();
    let partitions = within_roi(equal_parts(scan.nav.size(), run.n_partitions), &scan.roi, &present);
    let mut schedule = Schedule::new(partitions.len(), 1);
    let mut updates: Vec<_> = run.updates.iter().collect();
    updates.sort_by_key(|record| record.from_partition);
    for record in updates {
        let arguments = restore_arguments(&record.arguments, &first.blocks).map_err(unreadable)?;
        let update = Update { label: record.label.clone(), arguments };
        let from = partitions.partition_point(|partition| partition.range.index < record.from_partition);
        schedule.update(&update, Some(from), (&specs, &recipes, scan.axes()))?;
    }
    let mut n_changes = 0;
    for (position, partition) in partitions.iter().enumerate() {
        let changes = schedule.changes_at(position, n_changes);
        n_changes += changes.len();
        for change in changes {
            udfs[change.udf].update(&scan, &change.parameters)?;
        }
        merge_one(&mut udfs, &partials[&partition.range.index], partition, &scan.sig)?;
    }
    let indices: Vec<_> = partitions.iter().map(|partition| partition.range.index).collect();
    let outcome = Outcome {
        udfs: udfs.iter_mut().map(|udf| udf.outcome(&scan)).collect::<Result<_, _>>()?,
        damage: damage(&partitions, &scan),
        failures: Vec::new(),
        is_complete: true,
        updates: schedule.applied(partitions.len(), &indices, &recipes),
        stats: stats(&partitions, run.file_bytes_per_frame),
        profile: None,
    };
    let arrays = arrays(run, &first.blocks).map_err(unreadable)?;
    let roi = arrays.iter().find(|(name, _)| *name == "roi").map(|(_, roi)| roi.clone());
    let config = RunConfig {
        partitions: Some(run.n_partitions),
        tile_bytes: run.tile_bytes,
        backwards: run.backwards,
        roi,
        corrections: scan.corrections,
        limits: limits.clone(),
        ..RunConfig::default()
    };
    Ok(Merged { outcome, udfs: specs, config, arrays, nav: scan.nav, sig: scan.sig })
}

fn stats(partitions: &[PlannedPartition], file_bytes_per_frame: u64) -> Stats {
    let n_frames = partitions.iter().map(PlannedPartition::n_frames).sum::<u64>();
    Stats {
        n_frames,
        n_file_bytes: n_frames.saturating_mul(file_bytes_per_frame),
        n_partitions: partitions.len() as u64,
        n_partitions_resumed: 0,
        n_workers: 0,
        seconds: 0.0,
    }
}

fn read(partial: Made<'_>) -> Result<Read<'_>, PartialError> {
    let Made { name, bytes } = partial;
    let (header, blocks) = container::read(&PARTIAL, bytes).map_err(|error| PartialError::container(name, &error))?;
    let header: Header = serde_json::from_slice(header)
        .map_err(|error| PartialError::unreadable(name, &format!("its header is not one ({error})")))?;
    Ok(Read { name, header, blocks })
}

/// Partials by partition: of one run, of every partition one.
fn sort<'a>(partials: &[Made<'a>]) -> Result<BTreeMap<u64, Read<'a>>, PartialError> {
    let mut sorted: BTreeMap<u64, Read<'a>> = BTreeMap::new();
    let mut first: Option<(&str, RunRecord)> = None;
    for &partial in partials {
        let read = read(partial)?;
        if read.header.run.lthost != env!("CARGO_PKG_VERSION") {
            return Err(PartialError::Lthost {
                name: read.name.to_owned(),
                found: printable(&read.header.run.lthost, 40),
            });
        }
        let (first_name, run) = first.get_or_insert_with(|| (read.name, read.header.run.clone()));
        if let Some(what) = run.difference(&read.header.run) {
            return Err(PartialError::Foreign { name: read.name.to_owned(), first: (*first_name).to_owned(), what });
        }
        let partition = read.header.partition;
        if partition >= run.n_partitions {
            return Err(PartialError::unreadable(read.name, "its partition is none of those of its run"));
        }
        if let Some(other) = sorted.get(&partition) {
            let (name, other) = (read.name.to_owned(), other.name.to_owned());
            return Err(PartialError::Duplicate { name, other, partition });
        }
        sorted.insert(partition, read);
    }
    let n_partitions = first.map_or(0, |(_, run)| run.n_partitions);
    let n_missing = n_partitions - sorted.len() as u64;
    if n_missing == 0 {
        Ok(sorted)
    } else {
        Err(PartialError::Missing { n_missing, n_partitions, missing: gaps(&sorted, n_partitions) })
    }
}

/// What is not among the first `n` numbers, in runs. (They may be said to be more than can be counted one by one.)
fn gaps<T>(present: &BTreeMap<u64, T>, n: u64) -> Vec<RangeInclusive<u64>> {
    let mut next = 0;
    let mut gaps = Vec::new();
    for &number in present.keys().chain([&n]) {
        if number > next {
            gaps.push(next..=number - 1);
        }
        next = number.saturating_add(1);
    }
    gaps
}

/// The UDFs, if the plugins are those that made the partials.
fn specs(first: &Read<'_>, plugins: &[Plugin]) -> Result<Vec<UdfSpec>, PartialError> {
    let run = &first.header.run;
    if plugins.len() != run.udfs.len() {
        return Err(PartialError::unreadable(first.name, "it has another number of UDFs than plugins were given"));
    }
    let spec = |(udf, plugin): (&super::record::UdfRecord, &Plugin)| {
        let facts = plugin.facts();
        if facts.sha256 != udf.sha256 {
            return Err(PartialError::Plugin {
                label: udf.label.clone(),
                plugin: facts.origin.clone(),
                found: facts.sha256.clone(),
                expected: udf.sha256.clone(),
            });
        }
        if plugin.is_deterministic() != run.deterministic {
            return Err(PartialError::Deterministic { deterministic: run.deterministic });
        }
        let arguments = restore_arguments(&udf.arguments, &first.blocks);
        let arguments = arguments.map_err(|what| PartialError::unreadable(first.name, what))?;
        Ok(UdfSpec { label: Some(udf.label.clone()), plugin: plugin.clone(), arguments })
    };
    run.udfs.iter().zip(plugins).map(spec).collect()
}

/// ROI and corrections of the run, by name, as far as there are any.
fn arrays(run: &RunRecord, blocks: &[&[u8]]) -> Result<Vec<(&'static str, Array)>, &'static str> {
    let named = [("roi", &run.roi), ("dark", &run.dark), ("gain", &run.gain), ("excluded", &run.excluded)];
    let given = named.into_iter().filter_map(|(name, record)| Some((name, record.as_ref()?)));
    given.map(|(name, record)| Ok((name, restore(record, blocks)?))).collect()
}

/// The data of the run, and which frames were in the file.
fn scan(run: &RunRecord, blocks: &[&[u8]]) -> Result<(Scan, std::ops::Range<FrameIdx>), &'static str> {
    let shape = |axes: &[u64]| Shape::new(axes.to_vec()).map_err(|_| "it has an impossible shape");
    let (nav, sig) = (shape(&run.nav)?, shape(&run.sig)?);
    let array = |record: &Option<ArrayRecord>| record.as_ref().map(|record| restore(record, blocks)).transpose();
    let roi = match array(&run.roi)? {
        Some(mask) => Roi::from_mask(&mask, &nav).map_err(|_| "its ROI does not fit its scan")?,
        None => Roi::everything(&nav),
    };
    let (dark, gain, excluded) = (array(&run.dark)?, array(&run.gain)?, array(&run.excluded)?);
    let corrections = Corrections::new(&sig, dark.as_ref(), gain.as_ref(), excluded.as_ref())
        .map_err(|_| "its corrections do not fit its frames")?;
    let (start, stop) = run.present;
    let possible = 1..=nav.size().max(1);
    if start > stop || stop > nav.size() || !possible.contains(&run.n_partitions) {
        return Err("its frames or partitions are not those of its scan");
    }
    let stored = run.dtype.parse().map_err(|_| "its dtype is unknown")?;
    let scan = Scan { nav, sig, stored, metadata: run.metadata.clone(), roi, corrections };
    Ok((scan, FrameIdx(start)..FrameIdx(stop)))
}

/// Merges a partition: what its partial says is checked as if the plugins had just emitted it.
fn merge_one(
    udfs: &mut [Prepared],
    read: &Read<'_>,
    partition: &PlannedPartition,
    sig: &Shape,
) -> Result<(), RunError> {
    let unreadable = |what: &str| PartialError::unreadable(read.name, what);
    if read.header.udfs.len() != udfs.len() {
        return Err(unreadable("it has no buffers, or those of other UDFs").into());
    }
    for (udf, buffers) in udfs.iter_mut().zip(&read.header.udfs) {
        let partial = partial_of(udf.declarations(), buffers, &read.blocks, (&partition.range, sig));
        let partial = partial.map_err(|what| unreadable(&what))?;
        let made = udf.customized(&partial)?;
        udf.merge(partial, &partition.present, made);
    }
    Ok(())
}
