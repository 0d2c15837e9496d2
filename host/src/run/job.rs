//! A run at work: its steps, and merging by whichever worker brings the next partition in order.

use std::{
    collections::BTreeMap,
    io::{self, Write},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use super::{
    Observer, Outcome, Phase, Pool, Profile, Progress, RunConfig, RunError, Stats, UdfSpec, Update,
    checkpoint::{self, CheckpointError, Identity},
    mailbox::Mailbox,
    outcome::{UdfProgress, damage},
    paging::Paging,
    plan::{Plan, PlannedPartition},
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
    pub(super) source: Arc<Source>,
    pub(super) plan: Plan,
    pub(super) recipes: Vec<Recipe>,
    pub(super) sandbox: Sandbox,
    pub(super) handover: Handover,
    pub(super) paging: Paging,
    pub(super) clock: Clock,
    specs: Vec<UdfSpec>,
    config: RunConfig,
    /// What checkpoints say of the run, once one was written.
    identity: OnceLock<Identity>,
    observer: Observer,
    pool: Pool,
    mailbox: Arc<Mailbox>,
    start: Instant,
    has_failed: AtomicBool,
    schedule: Mutex<Schedule>,
    inbox: Mutex<Inbox>,
    /// Told when the merger is back in the inbox, or gone for good.
    merger_changed: Condvar,
}

/// Partials on their way to the merger.
struct Inbox {
    /// Those that came before their turn.
    early: BTreeMap<usize, Vec<Partial>>,
    /// None while some worker merges, and when there is nothing to merge any more.
    merger: Option<Merger>,
    /// Whether the merger never comes back.
    is_over: bool,
    /// Whether somebody waits for the merger to write a checkpoint: nobody else takes it.
    is_reserved: bool,
}

/// All that is merged. Whoever holds it merges.
struct Merger {
    udfs: Vec<Prepared>,
    n_merged: usize,
    /// Those among them that a checkpoint had.
    n_resumed: usize,
    n_frames_done: u64,
    n_frames_resumed: u64,
    /// How many changes of parameters it has made.
    n_changes: usize,
    /// How many partitions were in the last partial result.
    n_told: usize,
}

impl Inbox {
    /// The merger, if nobody has it or waits for it to write a checkpoint.
    fn take_merger(&mut self) -> Option<Merger> {
        if self.is_reserved { None } else { self.merger.take() }
    }
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
        let sandbox = Sandbox { sampler, ..Sandbox::new(limits, cancel.clone(), logger) };
        let mut udfs = prepare(&source.scan, specs, &sandbox, &clock)?;
        let plan = Plan::new(&source.dataset, &source.scan.roi, config, &udfs)?;
        let recipes: Vec<_> = udfs.iter().map(|udf| udf.recipe(plan.window(&source.dataset, config, udf))).collect();
        let paging = Paging::new(&source.dataset, &plan, (&config.page_cache, pool.n_workers()));
        let mut schedule = Schedule::new(plan.partitions.len(), pool.n_workers());
        let (n_resumed, mut updates) = begin(&source, (specs, &mut udfs), config, &plan)?;
        // Those that hold from the same position on count in this order.
        updates.sort_by_key(|(partition, _)| *partition);
        for (partition, update) in &updates {
            let from = plan.position(*partition);
            schedule.update(update, Some(from), (specs, &recipes, source.scan.axes()))?;
        }
        schedule.go_on_from(n_resumed);
        let n_frames_resumed = plan.partitions[..n_resumed].iter().map(PlannedPartition::n_frames).sum();
        let merger = Merger {
            udfs,
            n_merged: n_resumed,
            n_resumed,
            n_frames_done: n_frames_resumed,
            n_frames_resumed,
            n_changes: 0,
            n_told: 0,
        };
        Ok(Self {
            source: Arc::new(source),
            plan,
            recipes,
            sandbox,
            handover: config.handover,
            paging,
            clock,
            specs: specs.to_vec(),
            config: RunConfig { resume: None, ..config.clone() },
            identity: OnceLock::new(),
            observer: observer.clone(),
            pool: pool.clone(),
            mailbox: Arc::clone(mailbox),
            start: Instant::now(),
            has_failed: AtomicBool::new(false),
            schedule: Mutex::new(schedule),
            inbox: Mutex::new(Inbox {
                early: BTreeMap::new(),
                merger: Some(merger),
                is_over: false,
                is_reserved: false,
            }),
            merger_changed: Condvar::new(),
        })
    }

    /// Puts the first steps into the pool.
    pub(super) fn begin(self: &Arc<Self>) {
        let merger = self.inbox().merger.take().expect("nobody has begun");
        self.tell_progress(&merger);
        let n_left = self.plan.partitions.len() - merger.n_merged;
        // If nothing is left, this is the end.
        self.merge(merger);
        for _ in 0..self.pool.n_workers().min(n_left) {
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
        self.schedule().changes_at(self.plan.position(partition), 0)
    }

    /// Makes a partial result of what is merged already, if one is wanted and nobody is merging.
    pub(super) fn refresh(self: &Arc<Self>) {
        let merger = {
            let mut inbox = self.inbox();
            match &inbox.merger {
                Some(merger) if merger.n_merged > merger.n_told => inbox.take_merger(),
                _ => None,
            }
        };
        let Some(mut merger) = merger else { return };
        let tell = || match self.tell(&mut merger) {
            Ok(()) => self.give_back(merger),
            Err(error) => self.fail_merging(merger, error),
        };
        self.guarded(|| self.clock.step(tell));
    }

    /// Merging goes on where it was held up, by some worker.
    fn give_back(self: &Arc<Self>, merger: Merger) {
        let has_next = {
            let mut inbox = self.inbox();
            let has_next = inbox.early.contains_key(&merger.n_merged);
            inbox.merger = Some(merger);
            has_next
        };
        self.merger_changed.notify_all();
        if has_next {
            let job = Arc::clone(self);
            self.pool.push(move || job.guarded(|| job.clock.step(|| job.merge_if_nobody_does())));
        }
    }

    fn merge_if_nobody_does(self: &Arc<Self>) {
        let merger = self.inbox().take_merger();
        if let Some(merger) = merger {
            self.merge(merger);
        }
    }

    /// Writes a checkpoint. Merging waits for it, processing goes on. False, and nothing is written: nothing is merged, or
    /// merging has failed or come to its end.
    pub(super) fn write_checkpoint(self: &Arc<Self>, out: &mut dyn Write) -> io::Result<bool> {
        let merger = {
            let mut inbox = self.inbox();
            inbox.is_reserved = true;
            let is_away = |inbox: &mut Inbox| inbox.merger.is_none() && !inbox.is_over;
            inbox = self.merger_changed.wait_while(inbox, is_away).unwrap_or_else(PoisonError::into_inner);
            inbox.is_reserved = false;
            inbox.merger.take()
        };
        let Some(merger) = merger else { return Ok(false) };
        let written = if merger.n_merged == 0 { Ok(false) } else { self.write_merged(out, &merger).map(|()| true) };
        self.give_back(merger);
        written
    }

    fn write_merged(&self, out: &mut dyn Write, merger: &Merger) -> io::Result<()> {
        let identity = if let Some(identity) = self.identity.get() {
            identity
        } else {
            let labels: Vec<&str> = self.recipes.iter().map(|recipe| recipe.label.as_str()).collect();
            let identity = Identity::new(&self.source.dataset, (&self.specs, &labels), &self.config);
            let identity = identity.map_err(io::Error::other)?;
            self.identity.get_or_init(|| identity)
        };
        let updates = self.schedule().updates(&self.indices(), &self.recipes);
        checkpoint::write(out, identity, &updates, (&merger.udfs, merger.n_merged))
    }

    /// Numbers of the partitions that have frames in the ROI.
    fn indices(&self) -> Vec<u64> {
        self.plan.partitions.iter().map(|partition| partition.range.index).collect()
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
            self.lose_merger();
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
        let partition = &self.plan.partitions[position];
        let partials = match process_partition(self, &mut worker, partition, &changes) {
            Ok(partials) => partials,
            Err(error) => return self.fail(error),
        };
        self.paging.leave(&partition.range.frames, &self.source.dataset);
        self.inbox().early.insert(position, partials);
        self.merge_if_nobody_does();
        self.push(worker);
    }

    /// Merges what is in order until there is nothing more, makes a partial result if one is wanted, or the end.
    fn merge(self: &Arc<Self>, mut merger: Merger) {
        while merger.n_merged < self.plan.partitions.len() {
            let partials = {
                let mut inbox = self.inbox();
                // Both before the next partial, of which there may always be one.
                let is_wanted = merger.n_merged > merger.n_told && self.mailbox.wants_partial();
                let next = if is_wanted || inbox.is_reserved { None } else { inbox.early.remove(&merger.n_merged) };
                if next.is_none() && (inbox.is_reserved || !is_wanted) {
                    // Under the lock: whoever brings the next partial finds the merger here.
                    inbox.merger = Some(merger);
                    self.merger_changed.notify_all();
                    return;
                }
                next
            };
            let merged = match partials {
                Some(partials) => self.merge_one(&mut merger, partials),
                None => self.tell(&mut merger),
            };
            if let Err(error) = merged {
                return self.fail_merging(merger, error);
            }
        }
        self.lose_merger();
        self.mailbox.put_end(self.end(merger));
    }

    /// The run has failed; what is merged is still whole, for a checkpoint.
    fn fail_merging(self: &Arc<Self>, merger: Merger, error: RunError) {
        self.fail(error);
        self.inbox().merger = Some(merger);
        self.merger_changed.notify_all();
    }

    /// Nobody need wait for the merger any more.
    fn lose_merger(&self) {
        self.inbox().is_over = true;
        self.merger_changed.notify_all();
    }

    fn merge_one(self: &Arc<Self>, merger: &mut Merger, partials: Vec<Partial>) -> Result<(), RunError> {
        let partition = &self.plan.partitions[merger.n_merged];
        self.make_changes(merger, merger.n_merged)?;
        // What can fail comes first: then a partition is merged by all UDFs, or by none.
        let made = merger.udfs.iter_mut().zip(&partials).map(|(udf, partial)| udf.customized(partial));
        let made = made.collect::<Result<Vec<_>, _>>()?;
        for ((udf, partial), made) in merger.udfs.iter_mut().zip(partials).zip(made) {
            udf.merge(partial, &partition.present, made);
        }
        merger.n_frames_done += partition.n_frames();
        merger.n_merged += 1;
        self.tell_progress(merger);
        let parked = self.schedule().merged(merger.n_merged);
        for worker in parked {
            self.push(worker);
        }
        Ok(())
    }

    /// Makes the changes of parameters that hold at `position`, as far as it has not made them.
    fn make_changes(&self, merger: &mut Merger, position: usize) -> Result<(), RunError> {
        let changes = self.schedule().changes_at(position, merger.n_changes);
        merger.n_changes += changes.len();
        for change in changes {
            let task = Task::new(change.udf, Phase::Update, self.plan.partitions.get(position));
            let udf = &mut merger.udfs[change.udf];
            self.clock.time(task, || udf.update(&self.source.scan, &self.sandbox, &change.parameters))?;
        }
        Ok(())
    }

    /// Leaves a partial result.
    fn tell(&self, merger: &mut Merger) -> Result<(), RunError> {
        merger.n_told = merger.n_merged;
        let udfs = merger.udfs.iter_mut().map(|udf| udf.outcome_so_far(&self.source.scan)).collect::<Result<_, _>>()?;
        self.mailbox.put_partial(self.outcome(udfs, merger));
        Ok(())
    }

    /// The complete results.
    fn end(&self, mut merger: Merger) -> Result<Outcome, RunError> {
        // Those that nothing was merged after, where a checkpoint had all.
        if let Some(last) = self.plan.partitions.len().checked_sub(1) {
            self.make_changes(&mut merger, last)?;
        }
        let udfs = std::mem::take(&mut merger.udfs).into_iter();
        let udfs = udfs.map(|udf| udf.into_outcome(&self.source.scan)).collect::<Result<_, _>>()?;
        Ok(Outcome { profile: self.profile(), ..self.outcome(udfs, &merger) })
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

    fn outcome(&self, udfs: Vec<super::UdfOutcome>, merger: &Merger) -> Outcome {
        let n_merged = merger.n_merged;
        Outcome {
            udfs,
            damage: damage(&self.plan.partitions[..n_merged], &self.source.scan),
            is_complete: n_merged == self.plan.partitions.len(),
            updates: self.schedule().applied(n_merged, &self.indices(), &self.recipes),
            stats: Stats {
                n_frames: merger.n_frames_done,
                n_file_bytes: self.file_bytes(merger),
                n_partitions: n_merged as u64,
                n_partitions_resumed: merger.n_resumed as u64,
                n_workers: self.pool.n_workers(),
                seconds: self.start.elapsed().as_secs_f64(),
            },
            profile: None,
        }
    }

    /// Bytes of the files that this run has read, a frame once.
    fn file_bytes(&self, merger: &Merger) -> u64 {
        (merger.n_frames_done - merger.n_frames_resumed) * self.source.dataset.file_bytes_per_frame()
    }

    fn tell_progress(&self, merger: &Merger) {
        let n_frames_done = merger.n_frames_done;
        (self.observer.progress)(&Progress {
            n_frames_done,
            n_frames_resumed: merger.n_frames_resumed,
            n_frames: self.plan.n_frames(),
            n_partitions_done: merger.n_merged as u64,
            n_partitions: self.plan.partitions.len() as u64,
            n_file_bytes_done: self.file_bytes(merger),
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

/// Where a run begins: how many partitions are merged already, and its updates. With a checkpoint, `udfs` are brought there.
fn begin(
    source: &Source,
    (specs, udfs): (&[UdfSpec], &mut [Prepared]),
    config: &RunConfig,
    plan: &Plan,
) -> Result<(usize, Vec<(u64, Update)>), RunError> {
    let Some(bytes) = &config.resume else { return Ok((0, config.updates.clone())) };
    if config.only_partition.is_some() {
        return Err(CheckpointError::Alone.into());
    }
    let labels: Vec<String> = udfs.iter().map(|udf| udf.label.clone()).collect();
    let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
    let identity = Identity::new(&source.dataset, (specs, &labels), config)?;
    let (n_merged, updates) = checkpoint::restore(bytes, &identity, udfs, &plan.partitions)?;
    let is_known = |(from, update): &(u64, Update)| {
        updates.iter().any(|(other, known)| plan.position(*other) == plan.position(*from) && known == update)
    };
    if !config.updates.iter().all(is_known) {
        return Err(CheckpointError::Foreign { what: "updates".to_owned() }.into());
    }
    Ok((n_merged, updates))
}
