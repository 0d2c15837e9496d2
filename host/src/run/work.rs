//! What a worker thread does: takes the next partition, runs every UDF over its tiles, hands back the partials.

use std::{
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Condvar, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
};

use super::{Plan, RunConfig, RunError, plan::PlannedPartition, prepare::Recipe, source::Source};
use crate::{
    buffer::Partial,
    dataset::DatasetError,
    plugin::{FillFailed, Granularity, Handover, Instance, Pixels, PluginError, Role, Sandbox, TileForm, TileInput},
    shape::{FrameIdx, Roi, RoiIdx},
    tile::SigBlock,
};

/// What the workers of a run share.
pub(super) struct Shared<'a> {
    source: Source<'a>,
    plan: &'a Plan,
    recipes: &'a [Recipe],
    sandbox: &'a Sandbox,
    handover: Handover,
    /// Position in the plan of the next partition that nobody has taken.
    next: AtomicUsize,
    stopped: AtomicBool,
    /// How many partitions are merged: nobody runs too far ahead.
    n_merged: Mutex<usize>,
    merged: Condvar,
    /// How many partitions may be taken beyond those merged; bounds the memory of waiting partials.
    window: usize,
}

/// What comes back for a partition: its position in the plan, and a partial for each UDF.
pub(super) type Finished = Result<(usize, Vec<Partial>), RunError>;

impl<'a> Shared<'a> {
    pub(super) fn new(
        source: Source<'a>,
        plan: &'a Plan,
        recipes: &'a [Recipe],
        sandbox: &'a Sandbox,
        config: &RunConfig,
    ) -> Self {
        Self {
            source,
            plan,
            recipes,
            sandbox,
            handover: config.handover,
            next: AtomicUsize::new(0),
            stopped: AtomicBool::new(false),
            n_merged: Mutex::new(0),
            merged: Condvar::new(),
            window: 4 * config.workers,
        }
    }

    /// Tells the workers that no more partitions are wanted.
    pub(super) fn stop(&self) {
        // Under the lock, so that no worker falls asleep between looking and being told.
        let _n_merged = self.n_merged.lock().unwrap_or_else(PoisonError::into_inner);
        self.stopped.store(true, Ordering::Relaxed);
        self.merged.notify_all();
    }

    /// Tells the workers how many partitions are merged.
    pub(super) fn merged(&self, n_merged: usize) {
        *self.n_merged.lock().unwrap_or_else(PoisonError::into_inner) = n_merged;
        self.merged.notify_all();
    }

    /// Takes the next partition, once it is not too far ahead of merging.
    fn take(&self) -> Option<usize> {
        let position = self.next.fetch_add(1, Ordering::Relaxed);
        if position >= self.plan.partitions.len() {
            return None;
        }
        let mut n_merged = self.n_merged.lock().unwrap_or_else(PoisonError::into_inner);
        while !self.is_stopped() && position >= *n_merged + self.window {
            n_merged = self.merged.wait(n_merged).unwrap_or_else(PoisonError::into_inner);
        }
        (!self.is_stopped()).then_some(position)
    }

    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed) || self.sandbox.cancel.is_cancelled()
    }
}

/// A worker's life.
pub(super) fn work(shared: &Shared<'_>, sender: &mpsc::Sender<Finished>) {
    let mut instances = Vec::new();
    while let Some(position) = shared.take() {
        let partition = &shared.plan.partitions[position];
        let process = AssertUnwindSafe(|| process_partition(shared, &mut instances, partition));
        // A bug of ours must not leave the others waiting for this partition; the instances are not used again.
        let finished = catch_unwind(process).unwrap_or(Err(RunError::WorkersGone));
        let failed = finished.is_err();
        // Nobody listens any more when the run has failed elsewhere.
        if sender.send(finished.map(|partials| (position, partials))).is_err() || failed {
            return;
        }
    }
}

fn process_partition(
    shared: &Shared<'_>,
    instances: &mut Vec<Instance>,
    partition: &PlannedPartition,
) -> Result<Vec<Partial>, RunError> {
    if instances.is_empty() {
        *instances = shared.recipes.iter().map(|recipe| instantiate(shared, recipe)).collect::<Result<_, _>>()?;
    }
    for (instance, recipe) in instances.iter_mut().zip(shared.recipes) {
        instance.begin(&partition.range, shared.plan.tiling_for(recipe.granularity))?;
    }
    for frames in portions(&partition.present, shared.plan.tiling.depth) {
        let frame_indices = frame_indices(shared.source.roi, &frames);
        for (sig_index, block) in (0..).zip(&shared.plan.tiling.blocks) {
            for (instance, recipe) in instances.iter_mut().zip(shared.recipes) {
                if shared.is_stopped() {
                    return Err(RunError::Cancelled);
                }
                if recipe.granularity != Granularity::Partition {
                    let tile = Portion { frames: &frames, frame_indices: &frame_indices, block, sig_index };
                    process_tile(shared, (instance, recipe), partition, &tile)?;
                }
            }
        }
    }
    for (instance, recipe) in instances.iter_mut().zip(shared.recipes) {
        if recipe.granularity == Granularity::Partition && partition.n_frames() > 0 {
            let frame_indices = frame_indices(shared.source.roi, &partition.present);
            let block = &shared.plan.whole.blocks[0];
            let tile = Portion { frames: &partition.present, frame_indices: &frame_indices, block, sig_index: 0 };
            process_tile(shared, (instance, recipe), partition, &tile)?;
        }
    }
    let end = |(instance, recipe): (&mut Instance, &Recipe)| {
        instance.end(&partition.range, &recipe.declarations, shared.source.dataset.sig())
    };
    Ok(instances.iter_mut().zip(shared.recipes).map(end).collect::<Result<_, _>>()?)
}

/// A tile: some frames, in both index spaces, and a block of their pixels.
struct Portion<'a> {
    frames: &'a Range<RoiIdx>,
    frame_indices: &'a [FrameIdx],
    block: &'a SigBlock,
    sig_index: u64,
}

fn process_tile(
    shared: &Shared<'_>,
    (instance, recipe): (&mut Instance, &Recipe),
    partition: &PlannedPartition,
    tile: &Portion<'_>,
) -> Result<(), RunError> {
    let failure: Mutex<Option<DatasetError>> = Mutex::new(None);
    let dtype = recipe.input_dtype;
    let pixels = to_usize(tile.block.start)..to_usize(tile.block.start + tile.block.size);
    let aux: Vec<_> = recipe.parameters.aux.iter().map(|aux| aux.rows(tile.frame_indices)).collect();
    let fill = |out: &mut [u8]| {
        shared.source.read(tile.frame_indices, &pixels, dtype, out).map_err(|error| {
            *failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            FillFailed
        })
    };
    let rows;
    let pixels = match recipe.preferences.form {
        TileForm::Csr => {
            rows = shared.source.read_csr(tile.frame_indices, &pixels, dtype)?;
            Pixels::Csr(&rows)
        }
        TileForm::Bytes => Pixels::Bytes(&fill),
        TileForm::Dense | TileForm::InHost => Pixels::Dense(&fill),
    };
    let input = TileInput {
        roi_start: tile.frames.start.0,
        frames: tile.frame_indices,
        block: tile.block,
        sig_index: tile.sig_index,
        dtype,
        handover: shared.handover,
        aux: &aux,
        pixels,
    };
    let processed = instance.process(&partition.range, &input);
    // A call that failed for want of data is the data set's fault, not the plugin's.
    match failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(error) => Err(error.into()),
        None => Ok(processed?),
    }
}

fn instantiate(shared: &Shared<'_>, recipe: &Recipe) -> Result<Instance, PluginError> {
    let mut instance = Instance::new(&recipe.plugin, shared.sandbox)?;
    instance.describe()?;
    instance.create(&recipe.parameters, &shared.source.meta(), Role::Worker)?;
    instance.preferences()?;
    let declarations = instance.buffers(recipe.input_dtype)?;
    if declarations != recipe.declarations {
        return Err(instance.broke("buffers", "declares other buffers on a worker than on the main thread"));
    }
    instance.expect_bytes(recipe.n_bytes);
    Ok(instance)
}

/// `range` in portions of at most `depth` frames.
fn portions(range: &Range<RoiIdx>, depth: u64) -> impl Iterator<Item = Range<RoiIdx>> {
    let stop = range.end.0;
    let step = usize::try_from(depth).unwrap_or(usize::MAX);
    (range.start.0..stop).step_by(step).map(move |start| RoiIdx(start)..RoiIdx(start.saturating_add(depth).min(stop)))
}

fn frame_indices(roi: &Roi, frames: &Range<RoiIdx>) -> Vec<FrameIdx> {
    (frames.start.0..frames.end.0).map(|idx| roi.frame(RoiIdx(idx))).collect()
}

fn to_usize(n: u64) -> usize {
    usize::try_from(n).expect("a frame is in memory")
}
