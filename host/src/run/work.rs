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
    plugin::{
        FillFailed, Granularity, Handover, HostTile, Instance, Parameters, Pixels, PluginError, Role, TileForm,
        TileInput,
    },
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
    /// None before it is made, and after it has failed.
    instance: Option<Instance>,
    parameters: Arc<Parameters>,
    /// How it failed in this partition.
    failure: Option<PluginError>,
}

/// What came of a partition for one UDF.
pub(super) enum Processed {
    /// Its partial.
    Partial(Partial),
    /// It failed, and the run goes on.
    Failed(PluginError),
    /// It has failed too often to get the partition, or before there were any.
    GivenUp,
}

impl Processed {
    pub(super) fn into_partial(self) -> Option<Partial> {
        match self {
            Self::Partial(partial) => Some(partial),
            Self::Failed(_) | Self::GivenUp => None,
        }
    }
}

impl WorkerUdf {
    /// Does something with the instance, if there is one. If that fails, it is dropped, and the run may go on without it.
    fn attempt<T>(
        &mut self,
        job: &Job,
        work: impl FnOnce(&mut Instance, &Parameters) -> Result<T, RunError>,
    ) -> Result<Option<T>, RunError> {
        let Some(instance) = &mut self.instance else { return Ok(None) };
        match work(instance, &self.parameters) {
            Ok(value) => Ok(Some(value)),
            Err(error) => self.fail(job, error).map(|()| None),
        }
    }

    /// Drops the instance, which failed or could not be made.
    fn fail(&mut self, job: &Job, error: RunError) -> Result<(), RunError> {
        self.instance = None;
        self.failure = Some(job.config.on_error.skippable(error)?);
        Ok(())
    }

    /// Makes an instance, which goes through all changes of parameters: it has the same history as all others.
    fn make(&mut self, job: &Job, idx: usize, changes: &[Change]) -> Result<(), RunError> {
        let (recipe, scan) = (&job.recipes[idx], &job.source.scan);
        self.parameters = Arc::clone(&recipe.parameters);
        match job.clock.time(Task::new(idx, Phase::Create, None), || recipe.instantiate(scan)) {
            Ok(instance) => self.instance = Some(instance),
            Err(error) => self.fail(job, error.into())?,
        }
        for change in changes.iter().filter(|change| change.udf == idx) {
            self.update(job, idx, Arc::clone(&change.parameters))?;
        }
        Ok(())
    }

    /// Gives it new values of parameters.
    fn update(&mut self, job: &Job, idx: usize, parameters: Arc<Parameters>) -> Result<(), RunError> {
        let (recipe, scan) = (&job.recipes[idx], &job.source.scan);
        if self.instance.is_some() {
            let update = || recipe.update(&mut self.instance, scan, &parameters, Role::Worker);
            if let Err(error) = job.clock.time(Task::new(idx, Phase::Update, None), update) {
                self.fail(job, error.into())?;
            }
        }
        self.parameters = parameters;
        Ok(())
    }
}

impl Worker {
    /// Makes the instances that are not there, and for the others what `changes` of parameters are new at the partition with
    /// this number.
    fn set_up(&mut self, job: &Job, partition: u64, changes: &[Change]) -> Result<(), RunError> {
        if self.udfs.is_empty() {
            let udf = |recipe: &Recipe| {
                let parameters = Arc::clone(&recipe.parameters);
                WorkerUdf { instance: None, parameters, failure: None }
            };
            self.udfs = job.recipes.iter().map(udf).collect();
        }
        for (idx, udf) in self.udfs.iter_mut().enumerate() {
            udf.failure = None;
            if job.is_given_up(idx) {
                udf.instance = None;
            } else if udf.instance.is_none() {
                udf.make(job, idx, &job.changes_of(partition))?;
            } else {
                for change in changes.iter().filter(|change| change.udf == idx) {
                    udf.update(job, idx, Arc::clone(&change.parameters))?;
                }
            }
        }
        self.n_changes += changes.len();
        Ok(())
    }
}

/// Runs every UDF over the tiles of a partition. Gives what came of it for each.
pub(super) fn process_partition(
    job: &Job,
    worker: &mut Worker,
    partition: &PlannedPartition,
    changes: &[Change],
) -> Result<Vec<Processed>, RunError> {
    worker.set_up(job, partition.range.index, changes)?;
    for (idx, (udf, recipe)) in worker.udfs.iter_mut().zip(&job.recipes).enumerate() {
        let tiling = job.plan.tiling_for(recipe.granularity);
        udf.attempt(job, |instance, _| {
            let begin = || instance.begin(&partition.range, tiling);
            Ok(job.clock.time(Task::new(idx, Phase::Begin, Some(partition)), begin)?)
        })?;
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
        let partial = udf.attempt(job, |instance, _| {
            let end = || instance.end(&partition.range, &recipe.declarations, sig);
            Ok(job.clock.time(Task::new(idx, Phase::End, Some(partition)), end)?)
        })?;
        Ok(match (partial, udf.failure.take()) {
            (Some(partial), _) => Processed::Partial(partial),
            (None, Some(error)) => Processed::Failed(error),
            (None, None) => Processed::GivenUp,
        })
    };
    worker.udfs.iter_mut().zip(&job.recipes).enumerate().map(end).collect()
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

/// A tile through a UDF, if that has not failed.
fn process_tile(
    job: &Job,
    (idx, udf, recipe): (usize, &mut WorkerUdf, &Recipe),
    partition: &PlannedPartition,
    tile: &Portion<'_>,
) -> Result<(), RunError> {
    let process = |instance: &mut Instance, parameters: &Parameters| {
        process_with(job, (idx, instance, parameters, recipe), partition, tile)
    };
    udf.attempt(job, process).map(drop)
}

fn process_with(
    job: &Job,
    (idx, instance, parameters, recipe): (usize, &mut Instance, &Parameters, &Recipe),
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
    let aux: Vec<_> = parameters.aux.iter().map(|aux| aux.rows(tile.frame_indices)).collect();
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
    let processed = instance.process(&partition.range, &input);
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
