//! What a worker does with a partition: runs every UDF over its tiles, and hands back the partials.

use std::{
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
};

use super::{
    Phase, RunError,
    job::Job,
    plan::PlannedPartition,
    prepare::Recipe,
    profile::{Task, Volume},
    schedule::Change,
    source::Source,
};
use crate::{
    buffer::Partial,
    dataset::DatasetError,
    plugin::{FillFailed, Granularity, Handover, HostTile, Instance, Parameters, Pixels, Role, TileForm, TileInput},
    shape::{Dtype, FrameIdx, Roi, RoiIdx},
    tile::SigBlock,
};

/// What works on one partition after the other: an instance of every UDF.
#[derive(Default)]
pub(super) struct Worker {
    /// Made with the first partition.
    udfs: Vec<WorkerUdf>,
    /// How many changes of parameters they have made.
    pub(super) n_changes: usize,
}

/// An instance, and what it is set to.
struct WorkerUdf {
    instance: Instance,
    parameters: Arc<Parameters>,
}

impl Worker {
    /// Makes the instances, if there are none yet, and what changes of parameters are new.
    fn set_up(&mut self, job: &Job, changes: &[Change]) -> Result<(), RunError> {
        let surroundings = (&job.source.scan, &job.sandbox);
        if self.udfs.is_empty() {
            // With what the run began with: instances that were made late have the same history as all others.
            let make = |(idx, recipe): (usize, &Recipe)| {
                let task = Task::new(idx, Phase::Create, None);
                let instance = job.clock.time(task, || recipe.instantiate(surroundings))?;
                Ok::<_, RunError>(WorkerUdf { instance, parameters: Arc::clone(&recipe.parameters) })
            };
            self.udfs = job.recipes.iter().enumerate().map(make).collect::<Result<_, _>>()?;
        }
        for change in changes {
            let udf = &mut self.udfs[change.udf];
            let recipe = &job.recipes[change.udf];
            job.clock.time(Task::new(change.udf, Phase::Update, None), || {
                recipe.update(&mut udf.instance, surroundings, &change.parameters, Role::Worker)
            })?;
            udf.parameters = Arc::clone(&change.parameters);
        }
        self.n_changes += changes.len();
        Ok(())
    }
}

/// Runs every UDF over the tiles of a partition. Gives a partial for each.
pub(super) fn process_partition(
    job: &Job,
    worker: &mut Worker,
    partition: &PlannedPartition,
    changes: &[Change],
) -> Result<Vec<Partial>, RunError> {
    worker.set_up(job, changes)?;
    for (idx, (udf, recipe)) in worker.udfs.iter_mut().zip(&job.recipes).enumerate() {
        let tiling = job.plan.tiling_for(recipe.granularity);
        let begin = || udf.instance.begin(&partition.range, tiling);
        job.clock.time(Task::new(idx, Phase::Begin, Some(partition)), begin)?;
    }
    // In the trace of a single UDF its tiles are its own.
    let only = (job.recipes.len() == 1).then_some(0);
    job.clock.tiles(only, partition, || process_tiles(job, worker, partition))?;
    for (idx, (udf, recipe)) in worker.udfs.iter_mut().zip(&job.recipes).enumerate() {
        if recipe.granularity == Granularity::Partition && partition.n_frames() > 0 {
            let frame_indices = frame_indices(&job.source.scan.roi, &partition.present);
            let block = &job.plan.whole.blocks[0];
            let tile = Portion { frames: &partition.present, frame_indices: &frame_indices, block, sig_index: 0 };
            job.clock.tiles(Some(idx), partition, || process_tile(job, (idx, udf, recipe), partition, &tile))?;
        }
    }
    let sig = job.source.dataset.sig();
    let end = |(idx, (udf, recipe)): (usize, (&mut WorkerUdf, &Recipe))| {
        let end = || udf.instance.end(&partition.range, &recipe.declarations, sig);
        job.clock.time(Task::new(idx, Phase::End, Some(partition)), end)
    };
    Ok(worker.udfs.iter_mut().zip(&job.recipes).enumerate().map(end).collect::<Result<_, _>>()?)
}

/// The tiles of a partition, each through all UDFs that do not want the whole partition.
fn process_tiles(job: &Job, worker: &mut Worker, partition: &PlannedPartition) -> Result<(), RunError> {
    let (portions, blocks) = (portions(&partition.present, job.plan.tiling.depth), &job.plan.tiling.blocks);
    let mut ahead = job.paging.ahead(&job.plan, partition);
    for place in job.plan.in_order(portions.len()) {
        let frames = portions.portion(place);
        ahead.reach(frames.end, &job.source);
        let frame_indices = frame_indices(&job.source.scan.roi, &frames);
        for sig_index in job.plan.in_order(blocks.len()) {
            for (idx, (udf, recipe)) in worker.udfs.iter_mut().zip(&job.recipes).enumerate() {
                if job.is_stopped() {
                    return Err(RunError::Cancelled);
                }
                if recipe.granularity != Granularity::Partition {
                    let block = &blocks[sig_index];
                    let tile = Portion { frames: &frames, frame_indices: &frame_indices, block, sig_index };
                    process_tile(job, (idx, udf, recipe), partition, &tile)?;
                }
            }
        }
    }
    Ok(())
}

/// A tile: some frames, in both index spaces, and a block of their pixels.
struct Portion<'a> {
    frames: &'a Range<RoiIdx>,
    frame_indices: &'a [FrameIdx],
    block: &'a SigBlock,
    sig_index: usize,
}

fn process_tile(
    job: &Job,
    (idx, udf, recipe): (usize, &mut WorkerUdf, &Recipe),
    partition: &PlannedPartition,
    tile: &Portion<'_>,
) -> Result<(), RunError> {
    let lap = job.clock.lap();
    let failure: Mutex<Option<DatasetError>> = Mutex::new(None);
    let dtype = recipe.input_dtype;
    let pixels = to_usize(tile.block.start)..to_usize(tile.block.start + tile.block.size);
    let fill = |out: &mut [u8]| {
        lap.reading(|| job.source.read(tile.frame_indices, &pixels, dtype, out)).map_err(|error| {
            *failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            FillFailed
        })
    };
    let aux: Vec<_> = udf.parameters.aux.iter().map(|aux| aux.rows(tile.frame_indices)).collect();
    let rows;
    let pixels = match recipe.preferences.form {
        TileForm::Csr => {
            rows = lap.reading(|| job.source.read_csr(tile.frame_indices, &pixels, dtype))?;
            Pixels::Csr(&rows)
        }
        TileForm::Bytes => Pixels::Bytes(&fill),
        TileForm::Window if job.handover != Handover::Copied => Pixels::Window(&fill),
        TileForm::Dense | TileForm::Window => Pixels::Dense(&fill),
        TileForm::InHost => Pixels::InHost,
    };
    let for_kernels = recipe.plugin.uses_kernels().then(|| Arc::new(TileOfHost::new(job, tile)));
    let input = TileInput {
        roi_start: tile.frames.start.0,
        frames: tile.frame_indices,
        block: tile.block,
        sig_index: tile.sig_index as u64,
        dtype,
        handover: job.handover,
        aux: &aux,
        pixels,
        for_kernels: for_kernels.as_ref().map(|tile| Arc::clone(tile) as Arc<dyn HostTile>),
    };
    let processed = udf.instance.process(&partition.range, &input);
    job.clock.end_tile(&lap, idx, || volume(&input));
    // A call that failed for want of data is the data set's fault, not the plugin's.
    let failure = failure.into_inner().unwrap_or_else(PoisonError::into_inner);
    match failure.or_else(|| for_kernels.and_then(|tile| tile.take_failure())) {
        Some(error) => Err(error.into()),
        None => Ok(processed?),
    }
}

/// What a plugin gets with a tile.
fn volume(tile: &TileInput<'_>) -> Volume {
    let n_pixels = tile.frames.len() as u64 * tile.block.size;
    let n_bytes = match tile.pixels {
        Pixels::Csr(rows) => {
            rows.values().len() as u64 + 4 * (rows.indices().len() as u64 + rows.indptr().len() as u64)
        }
        Pixels::Dense(_) | Pixels::Bytes(_) | Pixels::Window(_) | Pixels::InHost => n_pixels * tile.dtype.size() as u64,
    };
    Volume { n_bytes, n_pixels }
}

/// A tile for the kernels of the host.
struct TileOfHost {
    source: Arc<Source>,
    frames: Vec<FrameIdx>,
    block: Range<usize>,
    /// Why pixels could not be read.
    failure: Mutex<Option<DatasetError>>,
}

impl TileOfHost {
    fn new(job: &Job, tile: &Portion<'_>) -> Self {
        let block = to_usize(tile.block.start)..to_usize(tile.block.start + tile.block.size);
        let (source, frames) = (Arc::clone(&job.source), tile.frame_indices.to_vec());
        Self { source, frames, block, failure: Mutex::default() }
    }

    fn fail(&self, error: DatasetError) -> FillFailed {
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        FillFailed
    }

    fn take_failure(&self) -> Option<DatasetError> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl HostTile for TileOfHost {
    fn n_frames(&self) -> usize {
        self.frames.len()
    }

    fn n_pixels(&self) -> usize {
        to_usize(self.source.scan.sig.size())
    }

    fn block(&self) -> Range<usize> {
        self.block.clone()
    }

    fn dtype(&self) -> Dtype {
        self.source.scan.dtype()
    }

    fn stored(&self) -> Result<Option<Vec<&[u8]>>, FillFailed> {
        self.source.stored_frames(&self.frames, self.dtype()).map_err(|error| self.fail(error))
    }

    fn read(&self, frames: Range<usize>, pixels: Range<usize>, dtype: Dtype, out: &mut [u8]) -> Result<(), FillFailed> {
        self.source.read(&self.frames[frames], &pixels, dtype, out).map_err(|error| self.fail(error))
    }
}

/// Frames in portions of at most `depth`.
struct Portions {
    frames: Range<RoiIdx>,
    depth: u64,
}

fn portions(frames: &Range<RoiIdx>, depth: u64) -> Portions {
    Portions { frames: frames.clone(), depth }
}

impl Portions {
    fn len(&self) -> usize {
        to_usize((self.frames.end.0 - self.frames.start.0).div_ceil(self.depth))
    }

    fn portion(&self, place: usize) -> Range<RoiIdx> {
        let start = self.frames.start.0 + place as u64 * self.depth;
        RoiIdx(start)..RoiIdx(start.saturating_add(self.depth).min(self.frames.end.0))
    }
}

fn frame_indices(roi: &Roi, frames: &Range<RoiIdx>) -> Vec<FrameIdx> {
    (frames.start.0..frames.end.0).map(|idx| roi.frame(RoiIdx(idx))).collect()
}

fn to_usize(n: u64) -> usize {
    usize::try_from(n).expect("a frame is in memory")
}
