//! What the page cache is told while a run goes on: which frames a worker will come to soon, and which partitions it has left.

use std::ops::Range;

use super::{
    PageCache,
    plan::{Plan, PlannedPartition},
    source::Source,
};
use crate::{
    dataset::{Dataset, available_memory},
    shape::{FrameIdx, RoiIdx},
};

/// All workers together have the disk read so many bytes ahead, ..
const AHEAD_BYTES: u64 = 256 << 20;
/// .. each of them at least and at most so many, ..
const WORKER_BYTES: (u64, u64) = (8 << 20, 64 << 20);
/// .. about so many at a time.
const STEP_BYTES: u64 = 1 << 20;

/// What a run tells the page cache.
pub(super) struct Paging {
    /// How far workers read ahead, if they do.
    distance: Option<Distance>,
    /// A worker has the next partition after so many.
    n_workers: usize,
    gives_back: bool,
}

/// How far to read ahead, in frames.
#[derive(Debug, Clone, Copy)]
struct Distance {
    n_frames: u64,
    step: u64,
}

/// Reads ahead of one worker in one partition, and into that which it is likely to have next.
pub(super) struct Ahead {
    distance: Option<Distance>,
    /// Both partitions.
    frames: [Range<RoiIdx>; 2],
    /// How many of their frames were asked for.
    n_asked: u64,
}

impl Paging {
    pub(super) fn new(dataset: &Dataset, plan: &Plan, (config, n_workers): (&PageCache, usize)) -> Self {
        let frame_bytes = dataset.file_bytes_per_frame().max(1);
        let n_bytes = plan.n_frames().saturating_mul(frame_bytes);
        let keep = config.keep_bytes.or_else(|| available_memory().map(|n_bytes| n_bytes / 4 * 3));
        let reads_ahead = config.read_ahead.unwrap_or_else(|| dataset.wants_advice());
        Self {
            distance: reads_ahead.then(|| Distance::new(frame_bytes, n_workers as u64)),
            n_workers,
            gives_back: keep.is_some_and(|keep| n_bytes > keep),
        }
    }

    /// For a worker that begins with `partition`.
    pub(super) fn ahead(&self, plan: &Plan, partition: &PlannedPartition) -> Ahead {
        let own = &partition.present;
        let next = plan.partitions.get(plan.position(partition.range.index) + self.n_workers);
        let next = next.map_or(own.end..own.end, |next| next.present.clone());
        Ahead { distance: self.distance, frames: [own.clone(), next], n_asked: 0 }
    }

    /// A worker has read all of a partition.
    pub(super) fn leave(&self, frames: &Range<FrameIdx>, dataset: &Dataset) {
        if self.gives_back {
            dataset.give_back(frames);
        }
    }
}

impl Distance {
    fn new(frame_bytes: u64, n_workers: u64) -> Self {
        let n_bytes = (AHEAD_BYTES / n_workers.max(1)).clamp(WORKER_BYTES.0, WORKER_BYTES.1);
        Self { n_frames: n_bytes.div_ceil(frame_bytes), step: STEP_BYTES.div_ceil(frame_bytes) }
    }
}

impl Ahead {
    /// The worker is about to read up to `end`.
    pub(super) fn reach(&mut self, end: RoiIdx, source: &Source) {
        for frames in self.next(end) {
            source.will_need(&frames);
        }
    }

    /// What to ask for now, of both partitions.
    fn next(&mut self, end: RoiIdx) -> [Range<RoiIdx>; 2] {
        let [own, next] = &self.frames;
        let [n_own, n_next] = [own, next].map(|frames| frames.end.0 - frames.start.0);
        let wanted =
            self.distance.map_or(0, |Distance { n_frames, step }| (end.0 - own.start.0 + n_frames) / step * step);
        let asked = self.n_asked..wanted.clamp(self.n_asked, n_own + n_next);
        self.n_asked = asked.end;
        let part = |frames: &Range<RoiIdx>, n_before: u64| {
            let at = |n: u64| RoiIdx(frames.start.0 + n.saturating_sub(n_before).min(frames.end.0 - frames.start.0));
            at(asked.start)..at(asked.end)
        };
        [part(own, 0), part(next, n_own)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(range: Range<u64>) -> Range<RoiIdx> {
        RoiIdx(range.start)..RoiIdx(range.end)
    }

    fn ahead(n_frames: u64, step: u64) -> Ahead {
        let distance = Some(Distance { n_frames, step });
        Ahead { distance, frames: [frames(100..150), frames(300..320)], n_asked: 0 }
    }

    #[test]
    fn every_frame_is_asked_for_once_and_before_it_is_read() {
        for (n_frames, step, tile) in [(20, 1, 7), (20, 6, 1), (1, 1, 50), (1000, 300, 3), (64, 64, 64)] {
            let mut ahead = ahead(n_frames, step);
            let mut asked: Vec<u64> = Vec::new();
            for place in 0..50_u64.div_ceil(tile) {
                let end = (100 + (place + 1) * tile).min(150);
                let [own, next] = ahead.next(RoiIdx(end));
                asked.extend((own.start.0..own.end.0).chain(next.start.0..next.end.0));
                let n_wanted = ((end - 100 + n_frames + 1).saturating_sub(step)).min(70);
                assert!(asked.len() as u64 >= n_wanted, "{} of {n_wanted}", asked.len());
                assert!(asked.len() as u64 <= end - 100 + n_frames);
            }
            let all: Vec<u64> = (100..150).chain(300..320).collect();
            assert_eq!(asked, all[..asked.len()], "{n_frames} ahead in steps of {step}");
            assert!(asked.len() >= 50);
        }
    }

    #[test]
    fn a_partition_from_its_end_is_asked_for_at_once() {
        let mut ahead = ahead(20, 1);
        assert_eq!(ahead.next(RoiIdx(150)), [frames(100..150), frames(300..320)]);
        assert!(ahead.next(RoiIdx(110)).iter().all(Range::is_empty));
    }

    #[test]
    fn nobody_asks_where_it_is_no_use() {
        let mut ahead = Ahead { distance: None, ..ahead(20, 1) };
        assert!(ahead.next(RoiIdx(110)).iter().all(Range::is_empty));
    }

    #[test]
    fn many_workers_share_what_is_read_ahead() {
        let n_frames = |n_workers| Distance::new(1 << 17, n_workers).n_frames;
        assert_eq!([1, 2, 8, 1000].map(n_frames), [512, 512, 256, 64]);
        assert_eq!(Distance::new(100 << 20, 2).step, 1);
    }
}
