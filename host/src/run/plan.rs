//! Which frames are processed together, and in which tiles. Depends on the data set, the ROI and the UDFs; never on the
//! number of workers.

use std::ops::Range;

use super::{RunConfig, RunError, prepare::Prepared};
use crate::{
    buffer::PartitionRange,
    dataset::Dataset,
    plugin::{Granularity, TileForm},
    shape::{FrameIdx, Roi, RoiIdx},
    tile::{SigBlock, TileDemand, Tiling},
};

/// What is processed, in which portions.
#[derive(Debug)]
pub struct Plan {
    /// Partitions that have frames in the ROI, in order.
    pub(super) partitions: Vec<PlannedPartition>,
    /// Tiles for all UDFs that do not want whole partitions.
    pub(super) tiling: Tiling,
    /// The one tile of a partition for UDFs that want all of it: its depth is that of the largest partition.
    pub(super) whole: Tiling,
    /// Tiles come from the last to the first.
    backwards: bool,
}

/// A partition and those of its frames that can be read.
#[derive(Debug)]
pub(super) struct PlannedPartition {
    pub(super) range: PartitionRange,
    /// Its frames that are in the ROI and in the file.
    pub(super) present: Range<RoiIdx>,
}

/// A partition has at most about this many bytes of the file: small enough that progress is seen and that the last
/// partitions keep all workers busy.
const MAX_PARTITION_BYTES: u64 = 32 << 20;
/// A data set is cut into this many partitions if it is large enough for that, for many workers to have something to do.
const ENOUGH_PARTITIONS: u64 = 64;
/// But no partition is made smaller than this, ..
const MIN_PARTITION_BYTES: u64 = 2 << 20;
/// .. and none of large frames has fewer than this many, up to so many bytes: each partition has its own sig buffers, which
/// cost as much as some frames. In a large data set there are up to twice as many.
const MIN_LARGE_FRAMES: u64 = 8;
const MAX_LARGE_BYTES: u64 = 64 << 20;
/// There are not more than this many, however large a scan is said to be.
const MAX_PARTITIONS: u64 = 1 << 20;

/// The partitions of a data set as ranges of frames: `n_partitions` of them, or as many as suit its size.
///
/// They cover all frames; their sizes differ by at most one frame.
///
/// # Panics
///
/// Never: every bound is at most the number of frames.
pub fn partition_plan(dataset: &Dataset, n_partitions: Option<u64>) -> Vec<Range<FrameIdx>> {
    let n_frames = dataset.nav().size();
    let frame_bytes = dataset.file_bytes_per_frame();
    let n_bytes = n_frames.saturating_mul(frame_bytes);
    let smallest = frame_bytes.saturating_mul(MIN_LARGE_FRAMES).clamp(MIN_PARTITION_BYTES, MAX_LARGE_BYTES);
    let largest = smallest.saturating_mul(2).max(MAX_PARTITION_BYTES);
    let by_size = n_bytes.div_ceil(largest).max((n_bytes / smallest).min(ENOUGH_PARTITIONS));
    equal_parts(n_frames, n_partitions.unwrap_or(by_size.min(MAX_PARTITIONS)).clamp(1, n_frames.max(1)))
}

/// `n_frames` in `n` parts, whose sizes differ by at most one.
pub(super) fn equal_parts(n_frames: u64, n: u64) -> Vec<Range<FrameIdx>> {
    let bound = |i: u64| {
        let frame = u128::from(i) * u128::from(n_frames) / u128::from(n);
        FrameIdx(u64::try_from(frame).expect("at most the number of frames"))
    };
    (0..n).map(|i| bound(i)..bound(i + 1)).collect()
}

impl Plan {
    pub(super) fn new(dataset: &Dataset, roi: &Roi, config: &RunConfig, udfs: &[Prepared]) -> Result<Self, RunError> {
        let all = partition_plan(dataset, config.partitions);
        let mut named = config.only_partition.into_iter().chain(config.updates.iter().map(|(index, _)| *index));
        if let Some(index) = named.find(|&index| index >= all.len() as u64) {
            return Err(RunError::NoSuchPartition { index, n_partitions: all.len() });
        }
        let partitions = within_roi(all, roi, &dataset.present());
        let depth = partitions.iter().map(PlannedPartition::n_frames).max().unwrap_or(0).max(1);
        let whole = Tiling { depth, blocks: vec![SigBlock::whole(dataset.sig())] };
        let udfs: Vec<&Prepared> = udfs.iter().filter(|udf| udf.dead.is_none()).collect();
        let mut tiling = choose_tiling(dataset, config, &udfs);
        tiling.depth = tiling.depth.min(depth);
        let mut plan = Self { partitions, tiling, whole, backwards: config.backwards };
        plan.check_sizes(dataset, config, &udfs)?;
        // Only now: its tiles are those that it has among all others.
        plan.partitions.retain(|partition| config.only_partition.is_none_or(|only| only == partition.range.index));
        Ok(plan)
    }

    /// Place of a partition among those that have frames in the ROI; if it has none, that of the next one that has.
    pub(super) fn position(&self, partition: u64) -> usize {
        self.partitions.partition_point(|planned| planned.range.index < partition)
    }

    /// The tiles of a UDF.
    pub(super) fn tiling_for(&self, granularity: Granularity) -> &Tiling {
        if granularity == Granularity::Partition { &self.whole } else { &self.tiling }
    }

    /// Places in the order in which tiles come, of so many portions or blocks.
    pub(super) fn in_order(&self, n: usize) -> impl Iterator<Item = usize> + use<> {
        let backwards = self.backwards;
        (0..n).map(move |place| if backwards { n - 1 - place } else { place })
    }

    /// Frames to process.
    pub(super) fn n_frames(&self) -> u64 {
        self.partitions.iter().map(PlannedPartition::n_frames).sum()
    }

    /// Pixels of the largest partition, as far as `udf` gets them.
    fn partition_pixels(&self, dataset: &Dataset, config: &RunConfig, udf: &Prepared) -> u64 {
        // Corrections make them dense.
        let gets_stored = udf.preferences.form == TileForm::Csr && config.corrections.is_empty();
        let pixels = |partition: &PlannedPartition| {
            let all = partition.n_frames().saturating_mul(dataset.sig().size());
            let stored = dataset.n_stored(&partition.range.frames).filter(|_| gets_stored);
            stored.map_or(all, |stored| stored.min(all))
        };
        self.partitions.iter().map(pixels).max().unwrap_or(0)
    }

    /// Bytes of a UDF's window, if it wants one and there is a tile to put there.
    pub(super) fn window(&self, dataset: &Dataset, config: &RunConfig, udf: &Prepared) -> Option<usize> {
        let pixels = match udf.granularity {
            Granularity::Partition => self.partition_pixels(dataset, config, udf),
            Granularity::Frame | Granularity::Tile => self.tile_pixels(),
        };
        let n_bytes = usize::try_from(pixels.saturating_mul(pixel_bytes(udf))).unwrap_or(usize::MAX);
        (udf.preferences.form == TileForm::Window && n_bytes > 0).then_some(n_bytes)
    }

    /// Pixels of the largest tile.
    fn tile_pixels(&self) -> u64 {
        let largest_block = self.tiling.blocks.iter().map(|block| block.size).max().unwrap_or(0);
        let largest_partition = self.partitions.iter().map(PlannedPartition::n_frames).max().unwrap_or(0);
        largest_block.saturating_mul(self.tiling.depth.min(largest_partition))
    }

    /// Sees that the largest call fits into a plugin's memory, before anything runs.
    fn check_sizes(&self, dataset: &Dataset, config: &RunConfig, udfs: &[&Prepared]) -> Result<(), RunError> {
        let limit = config.limits.max_memory_bytes.min(u64::from(u32::MAX));
        // What stays in the host takes none of it.
        for udf in udfs.iter().filter(|udf| udf.preferences.form != TileForm::InHost) {
            let (what, pixels, hint) = match udf.granularity {
                Granularity::Partition => (
                    "all frames of a partition",
                    self.partition_pixels(dataset, config, udf),
                    "; more partitions (--partitions) make them smaller",
                ),
                Granularity::Frame => ("whole frames", self.tile_pixels(), ""),
                Granularity::Tile => ("tiles", self.tile_pixels(), ""),
            };
            let n_bytes = pixels.saturating_mul(pixel_bytes(udf));
            if n_bytes > limit {
                // Tiles are common to all: who wants them large is to be told.
                let tiled = udfs.iter().filter(|udf| udf.granularity != Granularity::Partition);
                let wish = |udf: &&&Prepared| (udf.granularity == Granularity::Frame, udf.preferences.split_rows);
                let greedy = tiled.max_by_key(wish).filter(|_| udf.granularity != Granularity::Partition);
                let plugin = greedy.unwrap_or(udf).label.clone();
                return Err(RunError::TileTooLarge { plugin, what, n_bytes, limit, hint });
            }
        }
        Ok(())
    }
}

/// Those partitions that have frames in the ROI; `in_file` are the frames that can be read.
pub(super) fn within_roi(
    partitions: impl IntoIterator<Item = Range<FrameIdx>>,
    roi: &Roi,
    in_file: &Range<FrameIdx>,
) -> Vec<PlannedPartition> {
    let in_file = roi.within(in_file);
    let planned = (0..).zip(partitions).map(|(index, frames)| {
        let selected = roi.within(&frames);
        let start = selected.start.max(in_file.start).min(selected.end);
        let present = start..selected.end.min(in_file.end).max(start);
        PlannedPartition { range: PartitionRange { index, frames, roi: selected }, present }
    });
    planned.filter(|partition| !partition.range.roi.is_empty()).collect()
}

/// Blocks into which a plugin can have a frame split.
const MAX_BLOCKS: u64 = 4096;

/// Tiles that suit all UDFs but those that want whole partitions.
fn choose_tiling(dataset: &Dataset, config: &RunConfig, udfs: &[&Prepared]) -> Tiling {
    let tiled = || udfs.iter().copied().filter(|udf| udf.granularity != Granularity::Partition);
    let limit = config.limits.max_memory_bytes / 8;
    let least = dataset.sig().size().saturating_mul(16) / MAX_BLOCKS;
    let is_in_host = |udf: &Prepared| udf.preferences.form == TileForm::InHost;
    let is_alone = tiled().all(is_in_host);
    let wish = |udf: &Prepared| match udf.preferences.total_size {
        // A hint: it must not make a tile that does not fit, nor one that is large for all others, who take it out of a cache;
        // nor a block for each pixel.
        Some(hint) if is_alone || !is_in_host(udf) => Some(hint.clamp(least, limit.max(least))),
        _ if is_in_host(udf) => config.tile_bytes,
        _ => Some(config.tile_bytes.unwrap_or(Tiling::BYTES)),
    };
    let demand = TileDemand {
        pixel_bytes: tiled().map(pixel_bytes).max().unwrap_or(1),
        whole_frames: tiled().any(|udf| udf.granularity == Granularity::Frame),
        max_depth: tiled().filter_map(|udf| udf.preferences.depth).min(),
        tile_bytes: tiled().filter_map(wish).min(),
        in_host: is_alone,
        split_rows: tiled().filter_map(|udf| udf.preferences.split_rows).fold(0, common_multiple),
    };
    Tiling::choose(dataset.sig(), &demand)
}

/// The smallest number that is a multiple of both; of 0 and another number, the other one.
fn common_multiple(a: u64, b: u64) -> u64 {
    let (mut divisor, mut rest) = (a, b);
    while rest != 0 {
        (divisor, rest) = (rest, divisor % rest);
    }
    if a == 0 || b == 0 { a.max(b) } else { (a / divisor).saturating_mul(b) }
}

/// Bytes that a pixel takes in a tile. A sparse one may have an entry for every pixel.
fn pixel_bytes(udf: &Prepared) -> u64 {
    let index = if udf.preferences.form == TileForm::Csr { size_of::<u32>() } else { 0 };
    (udf.input_dtype.size() + index) as u64
}

impl PlannedPartition {
    /// Frames to process.
    pub(super) fn n_frames(&self) -> u64 {
        self.present.end.0 - self.present.start.0
    }
}
