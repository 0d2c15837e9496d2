//! Partitions elsewhere: one alone, to bytes that can travel; and the merge of all of them, to the same bits as one run.
//!
//! These are functions on bytes, for whatever engine spreads the work. The format is in the README beside this file.

pub(super) mod container;
mod error;
mod merge;
pub(super) mod record;

use std::sync::Arc;

pub use container::read_file;
pub use error::PartialError;
pub use merge::{Made, Merged, PartialFacts, PartialUdf, facts, merge};

use super::{
    Observer, OnError, Pool, RunConfig, RunError, UdfSpec,
    job::Job,
    source::Source,
    work::{Processed, Worker, process_partition},
};
use crate::{
    dataset::Dataset,
    plugin::{CONTRACT, Cancel},
    shape::{Array, Dtype, Shape},
};
use container::PARTIAL;
use record::{Header, RunRecord, UdfRecord, UpdateRecord, borrow_pieces, hex, keep, keep_arguments};

/// Processes a partition alone, on this thread: partition number `index` of those that a run with the same data set, UDFs and
/// `config` would have. Gives its partial, for [`merge`].
///
/// # Errors
///
/// [`RunError`], and those of the run.
///
/// # Panics
///
/// Never: a header of numbers and texts is JSON, and bytes go to memory.
pub fn partial(
    dataset: &Arc<Dataset>,
    udfs: &[UdfSpec],
    config: &RunConfig,
    index: u64,
    observer: &Observer,
) -> Result<Vec<u8>, RunError> {
    let config = RunConfig { only_partition: Some(index), on_error: OnError::Abort, ..config.clone() };
    let source = Source::new(Arc::clone(dataset), &config)?;
    let mut blocks = Vec::new();
    let job = Job::prepare(source, udfs, &config, (&Cancel::default(), observer), (&Pool::new(1)?, &Arc::default()))?;
    let labels: Vec<&str> = job.recipes.iter().map(|recipe| recipe.label.as_str()).collect();
    let run = run_record(dataset, (udfs, &labels), &config, &mut blocks)?;
    let partials = match &job.plan.partitions[..] {
        // No frame of it is in the ROI.
        [] => Vec::new(),
        [partition, ..] => {
            let changes = job.changes_of(index);
            let processed = process_partition(&job, &mut Worker::default(), partition, &changes)?;
            processed.into_iter().filter_map(Processed::into_partial).collect()
        }
    };
    let mut blocks: Vec<&[u8]> = blocks.iter().map(Vec::as_slice).collect();
    let udfs = partials.iter().map(|partial| borrow_pieces(partial, &mut blocks)).collect();
    let header = serde_json::to_vec(&Header { run, partition: index, udfs }).expect("numbers and texts are JSON");
    let mut bytes = Vec::new();
    container::write(&mut bytes, &PARTIAL, &header, &blocks).expect("there is room in memory");
    Ok(bytes)
}

/// What all partials of a run say of it, and its checkpoints.
pub(super) fn run_record(
    dataset: &Dataset,
    (udfs, labels): (&[UdfSpec], &[&str]),
    config: &RunConfig,
    blocks: &mut Vec<Vec<u8>>,
) -> Result<RunRecord, RunError> {
    let (present, corrections) = (dataset.present(), &config.corrections);
    let sig = dataset.sig();
    let numbers = |numbers: &[f64]| Array {
        dtype: Dtype::F64,
        shape: sig.clone(),
        data: numbers.iter().flat_map(|number| number.to_le_bytes()).collect(),
    };
    let file = |file: &crate::dataset::FileInfo| {
        let name = file.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        (name, file.size)
    };
    Ok(RunRecord {
        lthost: env!("CARGO_PKG_VERSION").to_owned(),
        contract: CONTRACT.to_owned(),
        nav: dataset.nav().axes().to_vec(),
        sig: sig.axes().to_vec(),
        dtype: dataset.dtype().name().to_owned(),
        format: dataset.format().to_owned(),
        sync_offset: dataset.sync_offset(),
        metadata: dataset.metadata().to_vec(),
        files: dataset.files().iter().map(file).collect(),
        content: hex(&dataset.fingerprint()?),
        file_bytes_per_frame: dataset.file_bytes_per_frame(),
        present: (present.start.0, present.end.0),
        roi: config.roi.as_ref().map(|roi| keep(roi, blocks)),
        dark: corrections.dark().map(|dark| keep(&numbers(dark), blocks)),
        gain: corrections.gain().map(|gain| keep(&numbers(gain), blocks)),
        excluded: excluded(config, sig).map(|excluded| keep(&excluded, blocks)),
        n_partitions: super::partition_plan(dataset, config.partitions).len() as u64,
        tile_bytes: config.tile_bytes,
        backwards: config.backwards,
        deterministic: udfs.iter().any(|udf| udf.plugin.is_deterministic()),
        udfs: udfs.iter().zip(labels).map(|(udf, label)| describe_udf(udf, label, blocks)).collect(),
        updates: config
            .updates
            .iter()
            .map(|(from_partition, update)| UpdateRecord {
                from_partition: *from_partition,
                label: update.label.clone(),
                arguments: keep_arguments(&update.arguments, blocks),
            })
            .collect(),
    })
}

fn describe_udf(udf: &UdfSpec, label: &str, blocks: &mut Vec<Vec<u8>>) -> UdfRecord {
    let facts = udf.plugin.facts();
    UdfRecord {
        label: label.to_owned(),
        plugin: facts.origin.clone(),
        sha256: facts.sha256.clone(),
        arguments: keep_arguments(&udf.arguments, blocks),
    }
}

/// Excluded pixels as a mask; none if there are none.
fn excluded(config: &RunConfig, sig: &Shape) -> Option<Array> {
    let mut data = vec![0; usize::try_from(sig.size()).ok()?];
    config.corrections.excluded().for_each(|pixel| data[pixel] = 1);
    data.contains(&1).then(|| Array { dtype: Dtype::Bool, shape: sig.clone(), data })
}
