//! Worker threads that any number of runs share.
//!
//! Work comes in steps of one partition. A run has as many steps waiting as there are threads, and each puts itself behind
//! all others when it is done: so runs that go on at the same time take turns.

use std::{
    collections::VecDeque,
    num::NonZero,
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use super::{Observer, Outcome, Run, RunConfig, RunError, Udfs};
use crate::dataset::Dataset;

/// Worker threads. Cheap to clone; the threads end with the last clone and the last run.
#[derive(Clone)]
pub struct Pool(Arc<Shared>);

struct Shared {
    threads: rayon::ThreadPool,
    /// For each step here, one job in `threads` takes the oldest: a job that a thread puts up for itself would be taken
    /// before those that come from elsewhere.
    queue: Mutex<VecDeque<Step>>,
}

type Step = Box<dyn FnOnce() + Send>;

impl Pool {
    /// Starts `n_workers` threads. Results do not depend on how many there are.
    ///
    /// # Errors
    ///
    /// [`RunError::Threads`].
    pub fn new(n_workers: usize) -> Result<Self, RunError> {
        let threads = rayon::ThreadPoolBuilder::new()
            .num_threads(n_workers)
            .stack_size(crate::plugin::THREAD_STACK)
            .thread_name(|i| format!("worker-{i}"))
            .build()
            .map_err(|error| RunError::Threads { n_workers, message: error.to_string() })?;
        Ok(Self(Arc::new(Shared { threads, queue: Mutex::default() })))
    }

    /// A thread for each core.
    ///
    /// # Errors
    ///
    /// [`RunError::Threads`].
    pub fn with_all_cores() -> Result<Self, RunError> {
        Self::new(thread::available_parallelism().map_or(1, NonZero::get))
    }

    /// Number of worker threads.
    pub fn n_workers(&self) -> usize {
        self.0.threads.current_num_threads()
    }

    /// Which of the threads this one is.
    pub(super) fn thread_index(&self) -> Option<usize> {
        self.0.threads.current_thread_index()
    }

    /// Starts UDFs over a data set, all in one pass. It returns at once: preparation, too, is left to the workers, so
    /// that what is wrong with the parameters comes as the run's result.
    pub fn start<U: Udfs>(
        &self,
        dataset: &Arc<Dataset>,
        udfs: U,
        config: &RunConfig,
        observer: Observer,
    ) -> Run<U::Results> {
        Run::start(self, dataset, udfs, config, observer)
    }

    /// Runs UDFs over a data set, all in one pass, and gives their results. Blocks.
    ///
    /// # Errors
    ///
    /// [`RunError`]: nothing of a failed run is given.
    pub fn run<U: Udfs>(
        &self,
        dataset: &Arc<Dataset>,
        udfs: U,
        config: &RunConfig,
    ) -> Result<Outcome<U::Results>, RunError> {
        self.start(dataset, udfs, config, Observer::default()).wait()
    }

    /// Puts a step behind those that wait.
    pub(super) fn push(&self, step: impl FnOnce() + Send + 'static) {
        self.0.queue.lock().unwrap_or_else(PoisonError::into_inner).push_back(Box::new(step));
        let shared = Arc::clone(&self.0);
        self.0.threads.spawn_fifo(move || {
            let step = shared.queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            if let Some(step) = step {
                step();
            }
        });
    }
}
