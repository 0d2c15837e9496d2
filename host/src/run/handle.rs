//! A run in somebody's hands: waited for, watched, steered, stopped.

use std::{
    future::{Future, IntoFuture},
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll},
};

use futures_core::Stream;

use super::{
    Observer, Outcome, Pool, RunConfig, RunError, UdfOutcome, UdfSpec, Udfs, Update, job::Job, mailbox::Mailbox,
    source::Source,
};
use crate::{dataset::Dataset, plugin::Cancel};

/// A run that was started by [`Pool::start`]. Dropping it stops the run.
///
/// There are four ways to its results: [`Run::wait`] blocks until they are complete, [`Run::partials`] is an iterator over
/// partial ones; `.await` and [`Run::stream`] do the same without blocking, on any executor.
#[must_use = "a run that is dropped is stopped"]
pub struct Run<Results = Vec<UdfOutcome>>(Owner, Shaped<Results>);

/// Partial results of a run, the last one complete: an iterator. Dropping it stops the run.
///
/// A partial result is made when one is asked for: who is slow gets fewer and newer ones, and no worker waits.
#[must_use = "a run that is dropped is stopped"]
pub struct Partials<Results = Vec<UdfOutcome>>(Owner, Shaped<Results>);

/// Partial results of a run, the last one complete: a stream. Dropping it stops the run.
///
/// As with [`Partials`], a partial result is made when one is asked for.
#[must_use = "a run that is dropped is stopped"]
pub struct PartialStream<Results = Vec<UdfOutcome>>(Owner, Shaped<Results>);

/// The complete results of a run, as a future. Dropping it stops the run.
#[must_use = "a run that is dropped is stopped"]
pub struct Completed<Results = Vec<UdfOutcome>>(Owner, Shaped<Results>);

/// Steers a run from elsewhere. Cheap to clone; the run goes on without it.
#[derive(Clone)]
pub struct Control(Arc<Shared>);

struct Shared {
    cancel: Cancel,
    mailbox: Arc<Mailbox>,
    pool: Pool,
    /// Once the run is prepared.
    job: OnceLock<Arc<Job>>,
}

/// Brings results into the shape in which the UDFs were given.
type Shaped<Results> = fn(Vec<UdfOutcome>) -> Results;

/// Stops the run with whoever owns its results.
struct Owner(Control);

impl Drop for Owner {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

impl<Results> Run<Results> {
    pub(super) fn start<U: Udfs<Results = Results>>(
        pool: &Pool,
        dataset: &Arc<Dataset>,
        udfs: U,
        config: &RunConfig,
        observer: Observer,
    ) -> Self {
        let shared =
            Shared { cancel: Cancel::default(), mailbox: Arc::default(), pool: pool.clone(), job: OnceLock::new() };
        let control = Control(Arc::new(shared));
        let (run, dataset, udfs, config) = (control.clone(), Arc::clone(dataset), udfs.into_specs(), config.clone());
        pool.push(move || {
            let prepare = || run.0.prepare(dataset, &udfs, &config, &observer);
            let prepared = std::panic::catch_unwind(std::panic::AssertUnwindSafe(prepare));
            if let Err(error) = prepared.unwrap_or(Err(RunError::WorkersGone)) {
                run.0.mailbox.put_end(Err(error));
            }
        });
        Self(Owner(control), U::shaped)
    }

    /// The complete results. Blocks.
    ///
    /// # Errors
    ///
    /// [`RunError`]: nothing of a failed run is given.
    pub fn wait(self) -> Result<Outcome<Results>, RunError> {
        let end = self.0.shared().mailbox.wait_for_end();
        end.unwrap_or(Err(RunError::WorkersGone)).map(|outcome| outcome.shaped(self.1))
    }

    /// Partial results as they come, the last one complete.
    pub fn partials(self) -> Partials<Results> {
        Partials(self.0, self.1)
    }

    /// Partial results as they come, the last one complete, without blocking.
    pub fn stream(self) -> PartialStream<Results> {
        PartialStream(self.0, self.1)
    }

    /// What steers the run while somebody waits for it.
    pub fn control(&self) -> Control {
        self.0.0.clone()
    }
}

impl<Results> IntoFuture for Run<Results> {
    type Output = Result<Outcome<Results>, RunError>;
    type IntoFuture = Completed<Results>;

    fn into_future(self) -> Completed<Results> {
        Completed(self.0, self.1)
    }
}

impl<Results> Future for Completed<Results> {
    type Output = Result<Outcome<Results>, RunError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let end = self.0.shared().mailbox.poll_end(cx.waker());
        end.map(|end| end.unwrap_or(Err(RunError::WorkersGone)).map(|outcome| outcome.shaped(self.1)))
    }
}

impl<Results> Partials<Results> {
    /// What steers the run while somebody takes its results.
    pub fn control(&self) -> Control {
        self.0.0.clone()
    }
}

impl<Results> Iterator for Partials<Results> {
    type Item = Result<Outcome<Results>, RunError>;

    /// The next partial result. Blocks until there is one that is newer than the last; after the complete one there is none.
    fn next(&mut self) -> Option<Self::Item> {
        // Made on this thread, which has nothing else to do: the workers may be busy for long.
        if let Some(job) = self.0.shared().want_partial() {
            job.refresh();
        }
        Some(self.0.shared().mailbox.wait_for_next()?.map(|outcome| outcome.shaped(self.1)))
    }
}

impl<Results> PartialStream<Results> {
    /// What steers the run while somebody takes its results.
    pub fn control(&self) -> Control {
        self.0.0.clone()
    }
}

impl<Results> Stream for PartialStream<Results> {
    type Item = Result<Outcome<Results>, RunError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(job) = self.0.shared().want_partial() {
            // This thread must not be kept: the next worker that is free makes it.
            let job = Arc::clone(job);
            self.0.shared().pool.push(move || job.refresh());
        }
        let next = self.0.shared().mailbox.poll_next(cx.waker());
        next.map(|next| Some(next?.map(|outcome| outcome.shaped(self.1))))
    }
}

impl Control {
    /// Stops the run as soon as possible.
    pub fn cancel(&self) {
        self.0.cancel.cancel();
        self.0.mailbox.put_end(Err(RunError::Cancelled));
    }

    /// Writes a checkpoint: what is merged so far, for [`RunConfig::resume`] to go on from. Also of a run that was cancelled or
    /// has failed. Merging waits until it is written, processing goes on. False, and nothing is written: nothing is merged,
    /// or there is nothing left to go on with. Not to be called by an [`Observer`], for which merging waits, too.
    ///
    /// # Errors
    ///
    /// Those of `out`, and of reading the data set for what tells it from others.
    pub fn checkpoint(&self, out: &mut dyn std::io::Write) -> std::io::Result<bool> {
        self.0.job.get().map_or(Ok(false), |job| job.write_checkpoint(out))
    }

    /// Whether the run has ended, well or not.
    pub fn has_ended(&self) -> bool {
        self.0.mailbox.has_ended()
    }

    /// Sets parameters anew, from the next partition on that no worker has begun, in every instance. Gives the number of that
    /// partition; [`RunConfig::updates`] with it repeats the run to the same bits.
    ///
    /// # Errors
    ///
    /// [`RunError`], and the run goes on as before: where there is no such UDF or parameter, a value will not do, no
    /// partition is left, or the run is not prepared yet (a partial result says that it is).
    pub fn update(&self, update: &Update) -> Result<u64, RunError> {
        if self.has_ended() {
            return Err(RunError::TooLate);
        }
        self.0.job.get().ok_or(RunError::TooEarly)?.update(update)
    }
}

impl Owner {
    fn shared(&self) -> &Shared {
        &self.0.0
    }
}

impl Shared {
    fn prepare(
        &self,
        dataset: Arc<Dataset>,
        udfs: &[UdfSpec],
        config: &RunConfig,
        observer: &Observer,
    ) -> Result<(), RunError> {
        let source = Source::new(dataset, config)?;
        let job = Job::prepare(source, udfs, config, (&self.cancel, observer), (&self.pool, &self.mailbox))?;
        self.job.get_or_init(|| Arc::new(job)).begin();
        Ok(())
    }

    /// Says that a partial result is wanted. Gives the run if one may be made of what is merged already.
    fn want_partial(&self) -> Option<&Arc<Job>> {
        if self.mailbox.want_partial() { self.job.get() } else { None }
    }
}
