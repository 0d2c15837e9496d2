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
    Failure, Observer, OnError, Outcome, Phase, Pool, Profile, Progress, RunConfig, RunError, Stats, UdfOutcome,
    UdfSpec, Update,
    checkpoint::{self, CheckpointError, Identity},
    mailbox::Mailbox,
    outcome::{UdfProgress, damage},
    paging::Paging,
    plan::{Plan, PlannedPartition},
    prepare::{Prepared, Recipe, prepare},
    profile::{Clock, Task},
    schedule::{Change, Schedule, Turn},
    source::{Scan, Source},
    work::{Processed, Worker, process_partition},
};
use crate::{
    buffer::Partial,
    plugin::{Cancel, Emitted, Handover, PluginError, Sampler, Sandbox},
};

/// A prepared run.
pub(super) struct Job {
    pub(super) source: Arc<Source>,
    pub(super) plan: Plan,
    pub(super) recipes: Vec<Recipe>,
    sandbox: Sandbox,
    pub(super) handover: Handover,
    pub(super) paging: Paging,
    pub(super) clock: Clock,
    specs: Vec<UdfSpec>,
    pub(super) config: RunConfig,
    /// What checkpoints say of the run, once one was written.
    identity: OnceLock<Identity>,
    observer: Observer,
    pool: Pool,
    mailbox: Arc<Mailbox>,
    start: Instant,
    has_failed: AtomicBool,
    /// For each UDF, whether it has failed too often to get more partitions.
    given_up: Vec<AtomicBool>,
    schedule: Mutex<Schedule>,
    inbox: Mutex<Inbox>,
    /// Told when the merger is back in the inbox, or gone for good.
    merger_changed: Condvar,
}

/// Partials on their way to the merger.
struct Inbox {
    /// Those that came before their turn.
    early: BTreeMap<usize, Vec<Processed>>,
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
    /// Where plugins failed.
    failures: Vec<Failure>,
}

impl Merger {
    /// There will be no results of a UDF.
    fn die(&mut self, udf: usize, reason: PluginError) {
        let udf = &mut self.udfs[udf];
        let reason = udf.die(reason);
        self.failures.push(Failure::of_all(&udf.label, reason));
    }
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
        let mut udfs = prepare(&source.scan, specs, (&sandbox, config), &clock)?;
        let plan = Plan::new(&source.dataset, &source.scan.roi, config, &udfs)?;
        let recipes: Vec<_> = udfs.iter().map(|udf| udf.recipe(plan.window(&source.dataset, config, udf))).collect();
        let paging = Paging::new(&source.dataset, &plan, (&config.page_cache, pool.n_workers()));
        let mut schedule = Schedule::new(plan.partitions.len(), pool.n_workers());
        let (n_resumed, mut updates) = begin(&source, (specs, &mut udfs), config, &plan)?;
        // Those that hold from the same position on count in this order.
        updates.sort_by_key(|(partition, _)| *partition);
        for (partition, update) in &updates {
            let from = plan.position(*partition);
            // One that is dead takes none, and it may never have said how it is called.
            let is_for_the_living = udfs.iter().any(|udf| udf.dead.is_none() && udf.label == update.label);
            if is_for_the_living || udfs.iter().all(|udf| udf.dead.is_none()) {
                schedule.update(update, Some(from), (specs, &recipes, source.scan.axes()))?;
            }
        }
        let failed = udfs.iter().filter_map(|udf| Some(Failure::of_all(&udf.label, Arc::clone(udf.dead.as_ref()?))));
        let failures = failed.collect();
        let given_up = udfs.iter().map(|udf| AtomicBool::new(udf.dead.is_some())).collect();
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
            failures,
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
            given_up,
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
                // Of a run that has failed nobody knows what state its UDFs are in.
                Some(merger) if merger.n_merged > merger.n_told && !self.is_stopped() => inbox.take_merger(),
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
        // A run that goes on from a checkpoint tries anew what failed after it.
        let is_whole = merger.n_merged > 0 && merger.failures.is_empty();
        let written = if is_whole { self.write_merged(out, &merger).map(|()| true) } else { Ok(false) };
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

    /// Whether a UDF has failed too often to get more partitions.
    pub(super) fn is_given_up(&self, udf: usize) -> bool {
        self.given_up[udf].load(Ordering::Relaxed)
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
        let processed = match process_partition(self, &mut worker, partition, &changes) {
            Ok(processed) => processed,
            Err(error) => return self.fail(error),
        };
        self.paging.leave(&partition.range.frames, &self.source.dataset);
        self.inbox().early.insert(position, processed);
        self.merge_if_nobody_does();
        self.push(worker);
    }

    /// Merges what is in order until there is nothing more, makes a partial result if one is wanted, or the end.
    fn merge(self: &Arc<Self>, mut merger: Merger) {
        while merger.n_merged < self.plan.partitions.len() {
            let processed = {
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
            let merged = match processed {
                Some(processed) => self.merge_one(&mut merger, processed),
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

    fn merge_one(self: &Arc<Self>, merger: &mut Merger, processed: Vec<Processed>) -> Result<(), RunError> {
        let partition = &self.plan.partitions[merger.n_merged];
        self.make_changes(merger, merger.n_merged)?;
        // What can fail comes first: then a partition is merged by all UDFs that do not fail, or by none.
        let ready = processed.into_iter().enumerate().map(|(idx, processed)| self.customize(merger, idx, processed));
        let ready = ready.collect::<Result<Vec<_>, _>>()?;
        for (udf, ready) in merger.udfs.iter_mut().zip(ready) {
            if let Some((partial, made)) = ready {
                udf.merge(partial, &partition.present, made);
            } else {
                udf.skipped.push(merger.n_merged);
                udf.n_frames_skipped += partition.n_frames();
            }
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

    /// A partial with what the plugin's own merge makes of it; none if the UDF has failed, and the run goes on.
    fn customize(
        &self,
        merger: &mut Merger,
        idx: usize,
        processed: Processed,
    ) -> Result<Option<(Partial, Option<Emitted>)>, RunError> {
        let udf = &mut merger.udfs[idx];
        let error = match processed {
            // A worker may not have known yet.
            _ if self.is_given_up(idx) || udf.dead.is_some() => None,
            Processed::GivenUp => None,
            Processed::Failed(error) => Some(error),
            Processed::Partial(partial) => match udf.customized(&partial) {
                Ok(made) => return Ok(Some((partial, made))),
                Err(error) => {
                    let error = self.config.on_error.skippable(error.into())?;
                    if let Err(reason) = udf.revive(&self.source.scan) {
                        merger.die(idx, reason);
                    }
                    Some(error)
                }
            },
        };
        self.note_failure(merger, idx, error);
        Ok(None)
    }

    /// Notes that a UDF failed at the partition that is merged next, or did not get it.
    fn note_failure(&self, merger: &mut Merger, idx: usize, error: Option<PluginError>) {
        let udf = &mut merger.udfs[idx];
        udf.n_errors += u64::from(error.is_some());
        let is_too_often = match self.config.on_error {
            OnError::Abort => false,
            OnError::Skip { max_errors } => udf.n_errors > max_errors,
        };
        if is_too_often || udf.dead.is_some() {
            self.given_up[idx].store(true, Ordering::Relaxed);
        }
        // Of one that is dead all is said with that.
        if error.is_some() || udf.dead.is_none() {
            let partition = self.plan.partitions.get(merger.n_merged).map(|partition| partition.range.index);
            merger.failures.push(Failure { label: udf.label.clone(), partition, error: error.map(Arc::new) });
        }
    }

    /// Makes the changes of parameters that hold at `position`, as far as it has not made them.
    fn make_changes(&self, merger: &mut Merger, position: usize) -> Result<(), RunError> {
        let changes = self.schedule().changes_at(position, merger.n_changes);
        merger.n_changes += changes.len();
        for change in changes {
            let task = Task::new(change.udf, Phase::Update, self.plan.partitions.get(position));
            let udf = &mut merger.udfs[change.udf];
            if udf.dead.is_some() {
                continue;
            }
            let updated = self.clock.time(task, || udf.update(&self.source.scan, &change.parameters));
            if let Err(error) = updated {
                // What its results are made with is not what was wanted: there are none.
                let error = self.config.on_error.skippable(error.into())?;
                merger.die(change.udf, error);
                self.given_up[change.udf].store(true, Ordering::Relaxed);
            }
        }
        Ok(())
    }

    /// Leaves a partial result.
    fn tell(&self, merger: &mut Merger) -> Result<(), RunError> {
        merger.n_told = merger.n_merged;
        let results = |udf: &mut Prepared| {
            let outcome = self.results_of(udf, Prepared::outcome_so_far)?;
            // It may do better when more is merged.
            Ok(outcome.unwrap_or_else(|_| udf.outcome_of(Vec::new())))
        };
        let udfs = merger.udfs.iter_mut().map(results).collect::<Result<_, RunError>>()?;
        self.mailbox.put_partial(self.outcome(udfs, merger));
        Ok(())
    }

    /// What a UDF makes of what is merged, or how it failed if the run goes on then.
    fn results_of(
        &self,
        udf: &mut Prepared,
        outcome: impl FnOnce(&mut Prepared, &Scan) -> Result<UdfOutcome, PluginError>,
    ) -> Result<Result<UdfOutcome, Arc<PluginError>>, RunError> {
        if let Some(error) = &udf.dead {
            return Ok(Err(Arc::clone(error)));
        }
        match outcome(udf, &self.source.scan) {
            Ok(outcome) => Ok(Ok(outcome)),
            Err(error) => {
                let error = self.config.on_error.skippable(error.into())?;
                // What it failed with is what counts.
                let _dead_then = udf.revive(&self.source.scan).map_err(|reason| udf.die(reason));
                Ok(Err(Arc::new(error)))
            }
        }
    }

    /// The complete results.
    fn end(&self, mut merger: Merger) -> Result<Outcome, RunError> {
        // Those that nothing was merged after, where a checkpoint had all.
        if let Some(last) = self.plan.partitions.len().checked_sub(1) {
            self.make_changes(&mut merger, last)?;
        }
        let mut udfs = Vec::new();
        for udf in &mut merger.udfs {
            udfs.push(match self.results_of(udf, Prepared::outcome)? {
                Ok(outcome) => outcome,
                Err(error) => {
                    let is_told = |failure: &Failure| failure.partition.is_none() && failure.label == udf.label;
                    if !merger.failures.iter().any(is_told) {
                        merger.failures.push(Failure::of_all(&udf.label, error));
                    }
                    udf.outcome_of(Vec::new())
                }
            });
        }
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

    fn outcome(&self, mut udfs: Vec<UdfOutcome>, merger: &Merger) -> Outcome {
        let n_merged = merger.n_merged;
        let damage_without = |skipped: &dyn Fn(usize) -> bool| {
            let merged = self.plan.partitions[..n_merged].iter().enumerate();
            damage(merged.filter(|(at, _)| !skipped(*at)).map(|(_, partition)| partition), &self.source.scan)
        };
        let mut skipped: Vec<usize> = merger.udfs.iter().flat_map(|udf| udf.skipped.iter().copied()).collect();
        skipped.sort_unstable();
        skipped.dedup();
        for (outcome, udf) in udfs.iter_mut().zip(&merger.udfs).filter(|(_, udf)| udf.skipped != skipped) {
            outcome.damage = Some(damage_without(&|at| udf.skipped.binary_search(&at).is_ok()));
        }
        let is_skipped = |at: usize| skipped.binary_search(&at).is_ok();
        Outcome {
            udfs,
            damage: damage_without(&is_skipped),
            failures: merger.failures.clone(),
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
            udfs: merger
                .udfs
                .iter()
                .map(|udf| UdfProgress {
                    label: udf.label.clone(),
                    n_frames_done: n_frames_done - udf.n_frames_skipped,
                })
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
