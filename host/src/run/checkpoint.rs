//! Checkpoints: all that is merged after some partitions, from which a run goes on to the same bits.
//!
//! The bytes are those of a partial in another form; the format is in `partial/README.md`.

use std::io::{self, Write};

use serde::{Deserialize, Serialize};

use super::{
    RunConfig, RunError, UdfSpec, Update,
    partial::{
        container::{self, CHECKPOINT},
        record::{PieceRecord, RunRecord, UpdateRecord, borrow_pieces, keep_arguments, partial_of, restore_arguments},
        run_record,
    },
    plan::PlannedPartition,
    prepare::Prepared,
};
use crate::dataset::Dataset;

/// Why a run can't go on from a checkpoint.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// Bytes that are no checkpoint, of another version, or damaged.
    #[error("the checkpoint {what}")]
    Unreadable {
        /// What is wrong.
        what: String,
    },
    /// A checkpoint of another run.
    #[error("the checkpoint is of another run: they differ in {what}")]
    Foreign {
        /// The first difference.
        what: String,
    },
    /// A partition alone has nothing to go on with.
    #[error("a partition alone does not go on from a checkpoint")]
    Alone,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    run: RunRecord,
    /// When the files of the data set were changed last, in seconds since 1970: those of a partial may be copies, these not.
    modified: Vec<u64>,
    /// Partitions with frames in the ROI that are merged: the first so many.
    n_merged: usize,
    udfs: Vec<MergedRecord>,
}

/// What is merged of a UDF.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MergedRecord {
    /// Numbers of the blocks that have the content of the declared buffers.
    buffers: Vec<usize>,
    /// Partials that wait for `merge-all`: one for each merged partition, or none at all.
    waiting: Vec<Vec<Vec<PieceRecord>>>,
}

/// What a run says of itself in its checkpoints, but for updates: these come while it goes on.
pub(super) struct Identity {
    run: RunRecord,
    blocks: Vec<Vec<u8>>,
    modified: Vec<u64>,
}

impl Identity {
    pub(super) fn new(dataset: &Dataset, udfs: (&[UdfSpec], &[&str]), config: &RunConfig) -> Result<Self, RunError> {
        let mut blocks = Vec::new();
        let run = run_record(dataset, udfs, config, &mut blocks)?.with_updates(Vec::new());
        let modified = dataset.files().iter().map(|file| file.mtime).collect();
        Ok(Self { run, blocks, modified })
    }
}

/// Writes what is merged of the first `n_merged` partitions.
pub(super) fn write(
    out: &mut dyn Write,
    identity: &Identity,
    updates: &[(u64, Update)],
    (udfs, n_merged): (&[Prepared], usize),
) -> io::Result<()> {
    let mut kept = identity.blocks.clone();
    let updates = updates.iter().map(|(from_partition, update)| UpdateRecord {
        from_partition: *from_partition,
        label: update.label.clone(),
        arguments: keep_arguments(&update.arguments, &mut kept),
    });
    let run = identity.run.clone().with_updates(updates.collect());
    let mut blocks: Vec<&[u8]> = kept.iter().map(Vec::as_slice).collect();
    let udfs = udfs.iter().map(|udf| {
        let (buffers, waiting) = udf.merged_so_far();
        let first = blocks.len();
        blocks.extend(buffers);
        let buffers = (first..blocks.len()).collect();
        let waiting = waiting.iter().map(|partial| borrow_pieces(partial, &mut blocks)).collect();
        MergedRecord { buffers, waiting }
    });
    let header =
        serde_json::to_vec(&Header { run, modified: identity.modified.clone(), n_merged, udfs: udfs.collect() })?;
    container::write(out, &CHECKPOINT, &header, &blocks)
}

/// Brings `udfs`, as they are before the first partition, to where they were when a checkpoint was written. Gives how many
/// partitions are merged then, and all updates that the run had got.
pub(super) fn restore(
    bytes: &[u8],
    identity: &Identity,
    udfs: &mut [Prepared],
    partitions: &[PlannedPartition],
) -> Result<(usize, Vec<(u64, Update)>), CheckpointError> {
    let unreadable = |what: &str| CheckpointError::Unreadable { what: format!("contradicts itself: {what}") };
    let (header, blocks) =
        container::read(&CHECKPOINT, bytes).map_err(|error| CheckpointError::Unreadable { what: error.to_string() })?;
    let header: Header =
        serde_json::from_slice(header).map_err(|error| unreadable(&format!("its header is not one ({error})")))?;
    let records = header.run.updates.clone();
    if let Some(what) = identity.run.difference(&header.run.with_updates(Vec::new())) {
        return Err(CheckpointError::Foreign { what });
    }
    if header.modified != identity.modified {
        return Err(CheckpointError::Foreign { what: "the time at which the data set was changed last".to_owned() });
    }
    let n_merged = header.n_merged;
    let merged = partitions.get(..n_merged).ok_or_else(|| unreadable("more partitions are merged than there are"))?;
    if header.udfs.len() != udfs.len() {
        return Err(unreadable("it has another number of UDFs than its run"));
    }
    for (udf, record) in udfs.iter_mut().zip(&header.udfs) {
        let buffers: Option<Vec<&[u8]>> = record.buffers.iter().map(|&block| blocks.get(block).copied()).collect();
        let buffers = buffers.ok_or_else(|| unreadable("a buffer names a block that is not there"))?;
        if record.waiting.len() != if udf.keeps_partials() { n_merged } else { 0 } {
            return Err(unreadable("some partials are missing, or too many are there"));
        }
        let waiting = record.waiting.iter().zip(merged).map(|(pieces, partition)| {
            partial_of(udf.declarations(), pieces, &blocks, (&partition.range, udf.sig()))
                .map_err(|what| unreadable(&what))
        });
        let waiting = waiting.collect::<Result<Vec<_>, _>>()?;
        if !udf.go_on_from(&buffers, waiting, merged.iter().map(|partition| &partition.present)) {
            return Err(unreadable("a buffer has another size than declared"));
        }
    }
    let update = |record: &UpdateRecord| {
        let arguments = restore_arguments(&record.arguments, &blocks).map_err(unreadable)?;
        Ok((record.from_partition, Update { label: record.label.clone(), arguments }))
    };
    Ok((n_merged, records.iter().map(update).collect::<Result<_, _>>()?))
}
