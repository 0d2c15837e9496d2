//! A run at work: its steps, and merging by whichever worker brings the next partition in order.

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use super::{
    Observer, Outcome, Phase, Pool, Profile, Progress, RunConfig, RunError, Stats, UdfSpec, Update,
    mailbox::Mailbox,
    outcome::{UdfProgress, damage},
    plan::Plan,
    prepare::{Prepared, Recipe, prepare},
    profile::{Clock, Task},
    schedule::{Change, Schedule, Turn},
    source::Source,
    work::{Worker, process_partition},
};
use crate::{
    buffer::Partial,
    plugin::{Cancel, Handover, Sampler, Sandbox},
};

/// A prepared run.
pub(super) struct Job {
    pub(super) source: Source,
    pub(super) plan: Plan,
    pub(super) recipes: Vec<Recipe>,
    pub(super) sandbox: Sandbox,
    pub(super) handover: Handover,
    pub(super) clock: Clock,
    specs: Vec<UdfSpec>,
    observer: Observer,
    pool: Pool,
    mailbox: Arc<Mailbox>,
    start: Instant,
    has_failed: AtomicBool,
    schedule: Mutex<Schedule>,
    inbox: Mutex<Inbox>,
}

/// Partials on their way to the merger.
struct Inbox {
    /// Those that came before their turn.
    early: BTreeMap<usize, Vec<Partial>>,
    /// None while some worker merges.
    merger: Option<Merger>,
}

/// All that is merged. Whoever holds it merges.
struct Merger {
    udfs: Vec<Prepared>,
    n_merged: usize,
    n_frames_done: u64,
    /// How many changes of parameters it has made.
    n_changes: usize,
    /// How many partitions were in the last partial result.
    n_told: usize,
}

impl Job {
    /// Describes, creates and checks everything; work begins with [`Job::step`].
    pub(super) fn prepare(
        source: Source,
        specs: &[UdfSpec],
        config: &RunConfig,
        (cancel, observer): (&Cancel, &Observer),
        (pool, mailbox): (&Pool, &Arc<Mailbox>),
    ) -> Result<Self, RunError> {
        let clock = Clock::new(pool, config.profile);
        let (limits, logger) = (config.limits.clone(), Arc::clone(&observer.logger));
        let sampler = config.profile.then(Sampler::default);
        let sandbox = Sandbox { limits, cancel: cancel.clone(), logger, sampler };
        let udfs = prepare(&source.scan, specs, &sandbox, &clock)?;
        let plan = Plan::new(&source.dataset, &source.scan.roi, config, &udfs)?;
        let recipes: Vec<_> = udfs.iter().map(Prepared::recipe).collect();
        let mut schedule = Schedule::new(plan.partitions.len(), pool.n_workers());
        let mut updates: Vec<_> = config.updates.iter().collect();
        // Those that hold from the same position on count in this order.
        updates.sort_by_key(|(partition, _)| *partition);
        for (partition, update) in updates {
            // Partitions without frames in the ROI have no position: it holds from the next one on that has.
            let from = plan.partitions.partition_point(|planned| planned.range.index < *partition);
            schedule.update(update, Some(from), (specs, &recipes, source.scan.axes()))?;
        }
        Ok(Self {
            source,
            plan,
            recipes,
            sandbox,
            handover: config.handover,
            clock,
            specs: specs.to_vec(),
            observer: observer.clone(),
            pool: pool.clone(),
            mailbox: Arc::clone(mailbox),
            start: Instant::now(),
            has_failed: AtomicBool::new(false),
            schedule: Mutex::new(schedule),
            inbox: Mutex::new(Inbox { early: BTreeMap::new(), merger: Some(Merger::new(udfs)) }),
        })
    }

    /// Puts the first steps into the pool.
    pub(super) fn begin(self: &Arc<Self>) {
        self.tell_progress(0, 0);
        if self.plan.partitions.is_empty() {
            let merger = self.inbox().merger.take();
            self.mailbox.put_end(self.end(merger.expect("nobody has begun")));
            return;
        }
        for _ in 0..self.pool.n_workers().min(self.plan.partitions.len()) {
            self.push(Worker::default());
        }
        self.clock.rest();
    }

    /// Takes new values for parameters of a UDF. Gives the number of the first partition that is processed with them.
    pub(super) fn update(&self, update: &Update) -> Result<u64, RunError> {
        let from = self.schedule().update(update, None, (&self.specs, &self.recipes, self.source.scan.axes()))?;
        Ok(self.plan.partitions[from].range.index)
    }

    /// The changes that hold at a partition.
    pub(super) fn changes_of(&self, partition: u64) -> Vec<Change> {
        let position = self.plan.partitions.partition_point(|planned| planned.range.index < partition);
        self.schedule().changes_at(position, 0)
    }

    /// Makes a partial result of what is merged already, if one is wanted and nobody is merging.
    pub(super) fn refresh(self: &Arc<Self>) {
        let merger = {
            let mut inbox = self.inbox();
            match &inbox.merger {
                Some(merger) if merger.n_merged > merger.n_told => inbox.merger.take(),
                _ => None,
            }
        };
        if let Some(merger) = merger {
            self.guarded(|| self.clock.step(|| self.merge(merger)));
        }
    }

    /// Whether no more work is wanted.
    pub(super) fn is_stopped(&self) -> bool {
        self.has_failed.load(Ordering::Relaxed) || self.sandbox.cancel.is_cancelled()
    }

    fn push(self: &Arc<Self>, worker: Worker) {
        let job = Arc::clone(self);
        self.pool.push(move || job.guarded(|| job.clock.step(|| job.step(worker))));
    }

    /// Does some work; a bug of ours must not leave everybody waiting for it.
    fn guarded(&self, work: impl FnOnce()) {
        if catch_unwind(AssertUnwindSafe(work)).is_err() {
            self.fail(RunError::WorkersGone);
        }
    }

    /// Processes the next partition, merges what is in order, and comes again.
    fn step(self: &Arc<Self>, worker: Worker) {
        if self.is_stopped() {
            return self.fail(RunError::Cancelled);
        }
        let turn = self.schedule().turn(worker);
        let Turn::Process(position, mut worker, changes) = turn else { return };
        let partials = match process_partition(self, &mut worker, &self.plan.partitions[position], &changes) {
            Ok(partials) => partials,
            Err(error) => return self.fail(error),
        };
        let merger = {
            let mut inbox = self.inbox();
            inbox.early.insert(position, partials);
            inbox.merger.take()
        };
        if let Some(merger) = merger {
            self.merge(merger);
        }
        self.push(worker);
    }

    /// Merges what is in order until there is nothing more, makes a partial result if one is wanted, or the end.
    fn merge(self: &Arc<Self>, mut merger: Merger) {
        loop {
            let partials = {
                let mut inbox = self.inbox();
                // Before the next partial, of which there may always be one.
                if merger.n_merged > merger.n_told && self.mailbox.wants_partial() {
                    None
                } else if let Some(next) = inbox.early.remove(&merger.n_merged) {
                    Some(next)
                } else {
                    // Under the lock: whoever brings the next partial finds the merger here.
                    inbox.merger = Some(merger);
                    return;
                }
            };
            let merged = match partials {
                Some(partials) => self.merge_one(&mut merger, partials),
                None => self.tell(&mut merger),
            };
            if let Err(error) = merged {
                return self.fail(error);
            }
            if merger.n_merged == self.plan.partitions.len() {
                return self.mailbox.put_end(self.end(merger));
            }
        }
    }

    fn merge_one(self: &Arc<Self>, merger: &mut Merger, partials: Vec<Partial>) -> Result<(), RunError> {
        let partition = &self.plan.partitions[merger.n_merged];
        let changes = self.schedule().changes_at(merger.n_merged, merger.n_changes);
        merger.n_changes += changes.len();
        for change in changes {
            let task = Task::new(change.udf, Phase::Update, Some(partition));
            let udf = &mut merger.udfs[change.udf];
            self.clock.time(task, || udf.update(&self.source.scan, &self.sandbox, &change.parameters))?;
        }
        for (udf, partial) in merger.udfs.iter_mut().zip(partials) {
            udf.merge(partial, &partition.present)?;
        }
        merger.n_frames_done += partition.n_frames();
        merger.n_merged += 1;
        self.tell_progress(merger.n_merged, merger.n_frames_done);
        let parked = self.schedule().merged(merger.n_merged);
        for worker in parked {
            self.push(worker);
        }
        Ok(())
    }

    /// Leaves a partial result.
    fn tell(&self, merger: &mut Merger) -> Result<(), RunError> {
        merger.n_told = merger.n_merged;
        let udfs = merger.udfs.iter_mut().map(|udf| udf.outcome_so_far(&self.source.scan)).collect::<Result<_, _>>()?;
        self.mailbox.put_partial(self.outcome(udfs, merger.n_merged, merger.n_frames_done));
        Ok(())
    }

    /// The complete results.
    fn end(&self, merger: Merger) -> Result<Outcome, RunError> {
        let (n_merged, n_frames_done) = (merger.n_merged, merger.n_frames_done);
        let udfs = merger.udfs.into_iter().map(|udf| udf.into_outcome(&self.source.scan)).collect::<Result<_, _>>()?;
        Ok(Outcome { profile: self.profile(), ..self.outcome(udfs, n_merged, n_frames_done) })
    }

    fn profile(&self) -> Option<Profile> {
        let labels = self.recipes.iter().map(|recipe| recipe.label.clone()).collect();
        let lines = self.sandbox.sampler.as_ref().map(Sampler::lines).unwrap_or_default();
        let (frame_bytes, frame_pixels) =
            (self.source.dataset.file_bytes_per_frame(), self.source.scan.sig.size().max(1));
        let file_bytes = |n_pixels: u64| {
            let n_bytes = u128::from(n_pixels) * u128::from(frame_bytes) / u128::from(frame_pixels);
            u64::try_from(n_bytes).unwrap_or(u64::MAX)
        };
        self.clock.finish(labels, lines, file_bytes)
    }

    fn outcome(&self, udfs: Vec<super::UdfOutcome>, n_merged: usize, n_frames: u64) -> Outcome {
        let indices: Vec<u64> = self.plan.partitions.iter().map(|partition| partition.range.index).collect();
        Outcome {
            udfs,
            damage: damage(&self.plan.partitions[..n_merged], &self.source.scan),
            is_complete: n_merged == self.plan.partitions.len(),
            updates: self.schedule().applied(n_merged, &indices, &self.recipes),
            stats: Stats {
                n_frames,
                n_file_bytes: n_frames * self.source.dataset.file_bytes_per_frame(),
                n_partitions: n_merged as u64,
                n_workers: self.pool.n_workers(),
                seconds: self.start.elapsed().as_secs_f64(),
            },
            profile: None,
        }
    }

    fn tell_progress(&self, n_merged: usize, n_frames_done: u64) {
        (self.observer.progress)(&Progress {
            n_frames_done,
            n_frames: self.plan.n_frames(),
            n_partitions_done: n_merged as u64,
            n_partitions: self.plan.partitions.len() as u64,
            n_file_bytes_done: n_frames_done * self.source.dataset.file_bytes_per_frame(),
            elapsed: self.start.elapsed(),
            udfs: self
                .recipes
                .iter()
                .map(|recipe| UdfProgress { label: recipe.label.clone(), n_frames_done })
                .collect(),
        });
    }

    fn fail(&self, error: RunError) {
        self.has_failed.store(true, Ordering::Relaxed);
        self.schedule().stop();
        self.mailbox.put_end(Err(if self.sandbox.cancel.is_cancelled() { RunError::Cancelled } else { error }));
    }

    fn schedule(&self) -> MutexGuard<'_, Schedule> {
        self.schedule.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Merger {
    fn new(udfs: Vec<Prepared>) -> Self {
        Self { udfs, n_merged: 0, n_frames_done: 0, n_changes: 0, n_told: 0 }
    }
}
