//! The contender `native`: the same UDFs compiled into this program, without a sandbox, over the same partitions and
//! tiles, decoded by the same code. Nothing is merged: what a partition emits is dropped.

use std::{
    hint::black_box,
    ops::Range,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use anyhow::{anyhow, bail};
use lthost::{
    dataset::Dataset,
    run::partition_plan,
    shape::{Dtype, FrameIdx},
    tile::{SigBlock, TileDemand, Tiling},
};
use lthost_guest_sdk::{
    self as sdk, Granularity, Partition, Role,
    testing::{Emitted, Pixels, TilePlace, Worker},
};

use crate::jobs::Given;

/// A [`Worker`] of any UDF.
pub(crate) trait Native {
    fn input_dtype(&self) -> sdk::Dtype;
    fn granularity(&self) -> Granularity;
    fn depth(&self) -> Option<u64>;
    fn total_size(&self) -> Option<u64>;
    fn begin(&mut self, partition: Partition, tiling: &sdk::Tiling) -> sdk::Result<()>;
    fn process(&mut self, block: &TilePlace, pixels: &mut Pixels) -> sdk::Result<()>;
    fn end(&mut self) -> sdk::Result<Vec<Emitted>>;
}

impl<U: sdk::Udf> Native for Worker<U> {
    fn input_dtype(&self) -> sdk::Dtype {
        self.input_dtype()
    }

    fn granularity(&self) -> Granularity {
        self.granularity()
    }

    fn depth(&self) -> Option<u64> {
        self.depth()
    }

    fn total_size(&self) -> Option<u64> {
        self.total_size()
    }

    fn begin(&mut self, partition: Partition, tiling: &sdk::Tiling) -> sdk::Result<()> {
        self.begin(partition, tiling)
    }

    fn process(&mut self, block: &TilePlace, pixels: &mut Pixels) -> sdk::Result<()> {
        self.process(block, pixels)
    }

    fn end(&mut self) -> sdk::Result<Vec<Emitted>> {
        self.end()
    }
}

/// One run, over all frames or over those that `only` says.
pub(crate) fn run(dataset: &Dataset, udfs: &[Given], n_workers: usize, only: Option<Range<u64>>) -> anyhow::Result<()> {
    let roi = only.is_some();
    let selected = only.unwrap_or(0..dataset.nav().size());
    let partitions: Vec<(usize, Range<u64>)> = partition_plan(dataset, None)
        .into_iter()
        .map(|frames| frames.start.0.max(selected.start)..frames.end.0.min(selected.end))
        .enumerate()
        .filter(|(_, frames)| !frames.is_empty())
        .collect();
    let run = Run { dataset, udfs, selected, roi, partitions, next: AtomicUsize::new(0) };
    let n_workers = n_workers.min(run.partitions.len());
    thread::scope(|scope| {
        let threads: Vec<_> = (0..n_workers).map(|_| scope.spawn(|| run.work())).collect();
        threads.into_iter().try_for_each(|thread| thread.join().map_err(|_| anyhow!("a thread panicked"))?)
    })
}

/// What the threads of a run share.
struct Run<'a> {
    dataset: &'a Dataset,
    udfs: &'a [Given],
    selected: Range<u64>,
    /// Whether that is less than the scan.
    roi: bool,
    /// Number and frames of each.
    partitions: Vec<(usize, Range<u64>)>,
    next: AtomicUsize,
}

/// UDFs that take the same pixels.
struct Group {
    dtype: Dtype,
    pixels: Pixels,
    workers: Vec<Box<dyn Native>>,
}

impl Run<'_> {
    /// A thread's life.
    fn work(&self) -> anyhow::Result<()> {
        let mut groups: Vec<Group> = Vec::new();
        for given in self.udfs {
            let worker = given.worker(self.meta()?)?;
            let dtype: Dtype = worker.input_dtype().name().parse()?;
            match groups.iter_mut().find(|group| group.dtype == dtype) {
                Some(group) => group.workers.push(worker),
                None => {
                    groups.push(Group { dtype, pixels: Pixels::new(worker.input_dtype()), workers: vec![worker] });
                }
            }
        }
        let tiling = self.tiling(&groups)?;
        let stated = stated(&tiling)?;
        while let Some((index, frames)) = self.partitions.get(self.next.fetch_add(1, Ordering::Relaxed)) {
            let partition = self.partition(*index, frames)?;
            let workers = |groups: &mut Vec<Group>, call: &mut dyn FnMut(&mut dyn Native) -> sdk::Result<()>| {
                let mut workers = groups.iter_mut().flat_map(|group| &mut group.workers);
                workers.try_for_each(|worker| call(worker.as_mut())).map_err(|error| anyhow!("{error}"))
            };
            workers(&mut groups, &mut |worker| worker.begin(partition, &stated))?;
            let mut start = frames.start;
            while start < frames.end {
                let stop = start.saturating_add(tiling.depth).min(frames.end);
                for (sig_index, block) in tiling.blocks.iter().enumerate() {
                    let tile = self.tile(&(start..stop), sig_index, block)?;
                    groups.iter_mut().try_for_each(|group| self.process(group, &tile))?;
                }
                start = stop;
            }
            workers(&mut groups, &mut |worker| worker.end().map(|emitted| drop(black_box(emitted))))?;
        }
        Ok(())
    }

    /// Decodes a tile once for all UDFs of a group.
    fn process(&self, group: &mut Group, tile: &TilePlace) -> anyhow::Result<()> {
        let block_len: usize = tile.sig_shape.iter().product();
        let sig = tile.sig_start..tile.sig_start + block_len;
        let first = FrameIdx(u64::try_from(tile.frame_start)?);
        let room = group.pixels.room(tile.n_frames * block_len);
        self.dataset.read(first, tile.n_frames, sig, group.dtype, room)?;
        let mut workers = group.workers.iter_mut();
        workers.try_for_each(|worker| worker.process(tile, &mut group.pixels)).map_err(|error| anyhow!("{error}"))
    }

    /// The tiles that the library would choose.
    fn tiling(&self, groups: &[Group]) -> anyhow::Result<Tiling> {
        let workers = || groups.iter().flat_map(|group| &group.workers);
        if workers().any(|worker| worker.granularity() == Granularity::Partition) {
            bail!("there is no native run of UDFs that want whole partitions");
        }
        let pixel_bytes = groups.iter().map(|group| group.dtype.size()).max().unwrap_or(1);
        let tile_bytes = workers().filter_map(|worker| worker.total_size()).min();
        let demand = TileDemand {
            pixel_bytes: u64::try_from(pixel_bytes)?,
            whole_frames: workers().any(|worker| worker.granularity() == Granularity::Frame),
            max_depth: workers().filter_map(|worker| worker.depth()).min(),
            tile_bytes,
            in_host: false,
            split_rows: 0,
        };
        Ok(Tiling::choose(self.dataset.sig(), &demand))
    }

    fn meta(&self) -> anyhow::Result<sdk::Meta> {
        let stored = self.dataset.dtype().numpy_name();
        let stored = sdk::Dtype::ALL.into_iter().find(|dtype| dtype.name() == stored);
        Ok(sdk::Meta {
            role: Role::Worker,
            nav_shape: extents(self.dataset.nav().axes())?,
            sig_shape: extents(self.dataset.sig().axes())?,
            n_roi_frames: usize::try_from(self.selected.end - self.selected.start)?,
            roi: self.roi.then(|| (0..self.dataset.nav().size()).map(|i| self.selected.contains(&i)).collect()),
            dataset_dtype: stored.ok_or_else(|| anyhow!("the SDK does not know {}", self.dataset.dtype()))?,
            corrections: None,
            metadata: Vec::new(),
        })
    }

    fn partition(&self, index: usize, frames: &Range<u64>) -> anyhow::Result<Partition> {
        let [frame_start, frame_stop] = [usize::try_from(frames.start)?, usize::try_from(frames.end)?];
        let first = usize::try_from(self.selected.start)?;
        Ok(Partition { index, frame_start, frame_stop, roi_start: frame_start - first, roi_stop: frame_stop - first })
    }

    fn tile(&self, frames: &Range<u64>, sig_index: usize, block: &SigBlock) -> anyhow::Result<TilePlace> {
        Ok(TilePlace {
            frame_start: usize::try_from(frames.start)?,
            roi_start: usize::try_from(frames.start - self.selected.start)?,
            n_frames: usize::try_from(frames.end - frames.start)?,
            sig_start: usize::try_from(block.start)?,
            sig_origin: extents(&block.origin)?,
            sig_shape: extents(&block.shape)?,
            sig_index,
        })
    }
}

/// Tiles, as a UDF is told of them.
fn stated(tiling: &Tiling) -> anyhow::Result<sdk::Tiling> {
    let block = |block: &SigBlock| {
        let (origin, shape) = (extents(&block.origin)?, extents(&block.shape)?);
        anyhow::Ok(sdk::Block { start: usize::try_from(block.start)?, origin, shape })
    };
    Ok(sdk::Tiling {
        depth: usize::try_from(tiling.depth)?,
        blocks: tiling.blocks.iter().map(block).collect::<Result<_, _>>()?,
    })
}

fn extents(axes: &[u64]) -> anyhow::Result<Vec<usize>> {
    Ok(axes.iter().map(|&extent| usize::try_from(extent)).collect::<Result<_, _>>()?)
}
