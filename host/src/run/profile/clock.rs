//! What records a profile. Without one that is wanted it reads no clock and takes no lock.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use super::{
    super::{Pool, plan::PlannedPartition},
    Cost, Phase, Profile, ProfileEntry, ProfileSpan, WorkerProfile,
};
use crate::{buffer::Partial, plugin::HotLine};

/// Spans that are kept of a thread: some 20 MB.
const MAX_SPANS: usize = 1 << 18;

/// Records what the threads of a run do, if somebody wants to know. Cheap to clone.
#[derive(Clone, Default)]
pub(in crate::run) struct Clock(Option<Arc<Recorder>>);

struct Recorder {
    start: Instant,
    pool: Pool,
    /// One for each thread of the pool, and one for all others: whoever merges for itself is alone in it.
    tracks: Vec<Mutex<Track>>,
}

/// What a thread did.
#[derive(Default)]
struct Track {
    /// For each UDF, in the order of [`Phase::ALL`].
    sums: Vec<[Sum; Phase::ALL.len()]>,
    spans: Vec<ProfileSpan>,
    n_dropped: u64,
    busy: Duration,
    /// Since when it is at work.
    since: Option<Instant>,
}

#[derive(Clone, Copy, Default)]
struct Sum {
    n_calls: u64,
    time: Duration,
    slowest: Duration,
    volume: Volume,
}

/// How much is handed over.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::run) struct Volume {
    pub(in crate::run) n_bytes: u64,
    pub(in crate::run) n_pixels: u64,
}

/// Something that is timed.
#[derive(Clone, Copy)]
pub(in crate::run) struct Task {
    /// Place of the UDF in the run.
    pub(in crate::run) udf: usize,
    pub(in crate::run) phase: Phase,
    /// Number of the partition.
    pub(in crate::run) partition: Option<u64>,
    pub(in crate::run) volume: Volume,
}

/// The time of a tile: nanoseconds from its start to where reading began, and ended.
pub(in crate::run) struct Lap(Option<(Instant, AtomicU64, AtomicU64)>);

impl Clock {
    /// With `wanted`, records from now on.
    pub(in crate::run) fn new(pool: &Pool, wanted: bool) -> Self {
        let recorder = || {
            let tracks = (0..=pool.n_workers()).map(|_| Mutex::default()).collect();
            let recorder = Recorder { start: Instant::now(), pool: pool.clone(), tracks };
            // Whoever makes it is at work.
            recorder.track().since = Some(recorder.start);
            Arc::new(recorder)
        };
        Self(wanted.then(recorder))
    }

    /// Does something for a UDF.
    pub(in crate::run) fn time<R>(&self, task: Task, work: impl FnOnce() -> R) -> R {
        let Some(recorder) = &self.0 else { return work() };
        let start = Instant::now();
        let done = work();
        let time = start.elapsed();
        let mut track = recorder.track();
        track.add((task.udf, task.phase), time, task.volume);
        track.push(recorder.span((start, time), Some(task.udf), task.phase, task.partition));
        done
    }

    /// Merges a partial.
    pub(in crate::run) fn merge<R>(&self, udf: usize, partial: &Partial, work: impl FnOnce() -> R) -> R {
        if self.0.is_none() {
            return work();
        }
        let pieces = partial.buffers.iter().flatten();
        let n_bytes = pieces.map(|piece| piece.data.len() as u64).sum();
        let (partition, volume) = (Some(partial.partition.index), Volume { n_bytes, n_pixels: 0 });
        self.time(Task { udf, phase: Phase::Merge, partition, volume }, work)
    }

    /// Processes tiles of a partition: of one UDF, or of all in turn. [`Clock::end_tile`] has told of each.
    pub(in crate::run) fn tiles<R>(
        &self,
        udf: Option<usize>,
        partition: &PlannedPartition,
        work: impl FnOnce() -> R,
    ) -> R {
        let Some(recorder) = &self.0 else { return work() };
        let (before, start) = (recorder.track().sums.clone(), Instant::now());
        let done = work();
        let mut span = recorder.span((start, start.elapsed()), udf, Phase::Process, Some(partition.range.index));
        let mut track = recorder.track();
        let nothing = <[Sum; Phase::ALL.len()]>::default();
        for (udf, sums) in track.sums.iter().enumerate() {
            let before = before.get(udf).unwrap_or(&nothing);
            let phases = Phase::ALL.into_iter().zip(sums.iter().zip(before));
            let new = phases.filter(|(_, (now, before))| now.n_calls > before.n_calls);
            span.parts.extend(
                new.map(|(phase, (now, before))| (udf, phase, now.time.saturating_sub(before.time).as_secs_f64())),
            );
        }
        if !span.parts.is_empty() {
            track.push(span);
        }
        done
    }

    /// Begins a tile.
    pub(in crate::run) fn lap(&self) -> Lap {
        Lap(self.0.as_ref().map(|_| (Instant::now(), AtomicU64::new(0), AtomicU64::new(0))))
    }

    /// Ends a tile. `volume` is asked only if somebody wants to know.
    pub(in crate::run) fn end_tile(&self, lap: &Lap, udf: usize, volume: impl FnOnce() -> Volume) {
        let (Some(recorder), Some((start, from, to))) = (&self.0, &lap.0) else { return };
        let time = start.elapsed();
        let [from, to] = [from, to].map(|nanos| Duration::from_nanos(nanos.load(Ordering::Relaxed)));
        let volume = volume();
        let mut track = recorder.track();
        let times = [
            (Phase::HandOver, from),
            (Phase::Read, to.saturating_sub(from)),
            (Phase::Process, time.saturating_sub(to)),
        ];
        for (phase, time) in times {
            track.add((udf, phase), time, if phase == Phase::HandOver { Volume::default() } else { volume });
        }
    }

    /// Does a step of the run. All work of a thread is in one.
    pub(in crate::run) fn step(&self, work: impl FnOnce()) {
        let Some(recorder) = &self.0 else { return work() };
        recorder.track().since = Some(Instant::now());
        work();
        recorder.track().rest();
    }

    /// The thread's work is done for now.
    pub(in crate::run) fn rest(&self) {
        if let Some(recorder) = &self.0 {
            recorder.track().rest();
        }
    }

    /// All that was recorded. What comes later is not in it.
    pub(in crate::run) fn finish(
        &self,
        udfs: Vec<String>,
        lines: Vec<HotLine>,
        file_bytes: impl Fn(u64) -> u64,
    ) -> Option<Profile> {
        let recorder = self.0.as_ref()?;
        let now = Instant::now();
        let run = now - recorder.start;
        let seconds = run.as_secs_f64();
        let mut profile = Profile {
            seconds,
            udfs,
            workers: Vec::new(),
            entries: Vec::new(),
            spans: Vec::new(),
            n_spans_dropped: 0,
            lines,
        };
        for (worker, track) in recorder.tracks.iter().enumerate() {
            let mut track = lock(track);
            let is_caller = worker == recorder.pool.n_workers();
            if is_caller && track.sums.is_empty() {
                continue;
            }
            let busy = track.busy + track.since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
            let waiting = if is_caller { Duration::ZERO } else { run.saturating_sub(busy) };
            profile.workers.push(WorkerProfile {
                name: if is_caller { "caller".to_owned() } else { format!("worker-{worker}") },
                busy_s: busy.as_secs_f64(),
                waiting_s: waiting.as_secs_f64(),
            });
            let of_udf = |(udf, sums): (usize, &[Sum; Phase::ALL.len()])| {
                let phases = Phase::ALL.into_iter().zip(*sums).filter(|(_, sum)| sum.n_calls > 0);
                phases.map(|(phase, sum)| ProfileEntry { worker, udf, phase, cost: sum.cost(&file_bytes) }).collect()
            };
            profile.entries.extend(track.sums.iter().enumerate().flat_map::<Vec<_>, _>(of_udf));
            profile.spans.extend(track.spans.drain(..).map(|span| ProfileSpan { worker, ..span }));
            profile.n_spans_dropped += track.n_dropped;
        }
        Some(profile)
    }
}

impl Lap {
    /// Reads a tile.
    pub(in crate::run) fn reading<R>(&self, read: impl FnOnce() -> R) -> R {
        let Some((start, from, to)) = &self.0 else { return read() };
        let nanos = || u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
        from.store(nanos(), Ordering::Relaxed);
        let done = read();
        to.store(nanos(), Ordering::Relaxed);
        done
    }
}

impl Task {
    /// Something without a volume.
    pub(in crate::run) fn new(udf: usize, phase: Phase, partition: Option<&PlannedPartition>) -> Self {
        Self { udf, phase, partition: partition.map(|planned| planned.range.index), volume: Volume::default() }
    }
}

impl Recorder {
    fn track(&self) -> MutexGuard<'_, Track> {
        let thread = self.pool.thread_index().unwrap_or(self.pool.n_workers());
        lock(&self.tracks[thread])
    }

    fn span(
        &self,
        (start, time): (Instant, Duration),
        udf: Option<usize>,
        phase: Phase,
        partition: Option<u64>,
    ) -> ProfileSpan {
        let start_s = (start - self.start).as_secs_f64();
        // The worker is known when the track is.
        ProfileSpan { worker: 0, udf, phase, partition, start_s, duration_s: time.as_secs_f64(), parts: Vec::new() }
    }
}

impl Sum {
    fn cost(&self, file_bytes: impl Fn(u64) -> u64) -> Cost {
        Cost {
            n_calls: self.n_calls,
            seconds: self.time.as_secs_f64(),
            slowest_s: self.slowest.as_secs_f64(),
            n_bytes: self.volume.n_bytes,
            n_file_bytes: file_bytes(self.volume.n_pixels),
        }
    }
}

impl Track {
    fn add(&mut self, key: (usize, Phase), time: Duration, volume: Volume) {
        let (udf, phase) = key;
        if self.sums.len() <= udf {
            self.sums.resize(udf + 1, Default::default());
        }
        let sum = &mut self.sums[udf][phase as usize];
        sum.n_calls += 1;
        sum.time += time;
        sum.slowest = sum.slowest.max(time);
        sum.volume.n_bytes += volume.n_bytes;
        sum.volume.n_pixels += volume.n_pixels;
    }

    fn push(&mut self, span: ProfileSpan) {
        if self.spans.len() < MAX_SPANS {
            self.spans.push(span);
        } else {
            self.n_dropped += 1;
        }
    }

    fn rest(&mut self) {
        if let Some(since) = self.since.take() {
            self.busy += since.elapsed();
        }
    }
}

fn lock(track: &Mutex<Track>) -> MutexGuard<'_, Track> {
    track.lock().unwrap_or_else(PoisonError::into_inner)
}
