//! What the host keeps beside an instance: its limits, what it emits, what it logs. And the functions it may import.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use wasmtime::{ResourceLimiter, StoreContextMut, UpdateDeadline, component::Linker, component::WasmList};

use super::{
    Cancel, Limits, Sandbox,
    bindings::{self, types},
    error::{Place, printable_lines},
    kernels::{self, HostTile, Kept},
    samples::Sampling,
    wasi::Stubs,
};
use crate::buffer::Emission;

/// A message that a plugin logged.
#[derive(Debug, Clone)]
pub struct LogLine {
    /// Label of the UDF in its run; before it has one, where the plugin came from.
    pub plugin: String,
    /// How urgent.
    pub level: LogLevel,
    /// Escaped text.
    pub message: String,
    /// Where in the run.
    pub place: Place,
}

/// How urgent a log message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Something failed.
    Error,
    /// Something looks wrong.
    Warn,
    /// Good to know.
    Info,
    /// For the author.
    Debug,
}

/// Takes what plugins log. Called from worker threads.
pub type Logger = Arc<dyn Fn(LogLine) + Send + Sync>;

/// Bytes of one log message that are kept.
pub(super) const MAX_LOG_CHARS: usize = 2000;

/// Linear memory that all instances of a UDF have together, in bytes: at most its share of what a run may have, which is the
/// same for each UDF. What one takes, no other lacks. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct MemoryShare {
    used: Arc<AtomicU64>,
    n_udfs: u64,
}

impl MemoryShare {
    /// That of one of so many UDFs.
    pub(crate) fn among(n_udfs: usize) -> Self {
        Self { used: Arc::default(), n_udfs: n_udfs.max(1) as u64 }
    }

    /// Takes `n_new` bytes more, if they are left of its part of `total`.
    fn take(&self, n_new: u64, total: u64) -> Result<(), Refusal> {
        let limit = total / self.n_udfs;
        let fits = |used: u64| used.checked_add(n_new).filter(|&used| used <= limit);
        let taken = self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits);
        taken.map(drop).map_err(|used| Refusal {
            what: "bytes of memory with its other instances",
            wanted: used.saturating_add(n_new),
            limit,
            shared: (self.n_udfs > 1).then_some((total, self.n_udfs)),
            option: "--max-total-memory",
        })
    }

    fn give_back(&self, n_bytes: u64) {
        self.used.fetch_sub(n_bytes, Ordering::Relaxed);
    }
}

/// What each plugin of a run has logged: in all of its instances, as one that fails is followed by another. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Logs(Arc<Mutex<HashMap<String, Arc<Mutex<Logged>>>>>);

impl Logs {
    /// Of the plugin with this hash.
    fn of(&self, sha256: &str) -> Arc<Mutex<Logged>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(all.entry(sha256.to_owned()).or_default())
    }
}

#[derive(Debug, Default)]
struct Logged {
    n_lines: u64,
    n_bytes: u64,
}

/// Of what a plugin has logged too much.
#[derive(Clone, Copy)]
enum Excess {
    Lines,
    Bytes,
}

impl Logged {
    fn excess(&self, limits: &Limits) -> Option<Excess> {
        if self.n_lines > limits.max_log_lines {
            return Some(Excess::Lines);
        }
        (self.n_bytes > limits.max_log_bytes).then_some(Excess::Bytes)
    }

    /// Counts a message. Of what there is too much with it.
    fn add(&mut self, n_bytes: usize, limits: &Limits) -> Option<Excess> {
        self.n_lines = self.n_lines.saturating_add(1);
        self.n_bytes = self.n_bytes.saturating_add(n_bytes as u64);
        self.excess(limits)
    }
}

/// What a plugin asked for, and did not get.
#[derive(Debug, Clone, Copy)]
pub(super) struct Refusal {
    /// What there is too much of.
    pub(super) what: &'static str,
    pub(super) wanted: u64,
    pub(super) limit: u64,
    /// Where the limit is a share: of how much, and how many plugins have one.
    pub(super) shared: Option<(u64, u64)>,
    /// The option that raises the limit.
    pub(super) option: &'static str,
}

/// Beside each instance.
pub(super) struct State {
    pub(super) plugin: String,
    pub(super) limits: Limits,
    pub(super) cancel: Cancel,
    pub(super) logger: Logger,
    pub(super) place: Place,
    /// What the current call may emit, and has emitted.
    pub(super) emission: Emission,
    /// The contract was broken by a call of an import.
    pub(super) broken: Option<String>,
    /// The start of the last error that the plugin logged in this call, as it was: a panic's message.
    pub(super) last_error: Option<String>,
    pub(super) deadline: Instant,
    pub(super) end_of_run: Instant,
    pub(super) timed_out: bool,
    /// What was refused in this call.
    pub(super) refusal: Option<Refusal>,
    /// Only if somebody wants to know where the time goes.
    pub(super) sampling: Option<Sampling>,
    /// Whether results are to be the same bits on any machine.
    pub(super) deterministic: bool,
    pub(super) max_stack_bytes: u64,
    /// For the kernels that the plugin imports.
    pub(super) kept: Kept,
    /// While a tile is processed, for a plugin that imports kernels.
    pub(super) tile: Option<Arc<dyn HostTile>>,
    /// For a plugin that wants WASI, and has it stubbed.
    pub(super) stubs: Stubs,
    memory_bytes: u64,
    /// What it grew by last.
    last_growth: u64,
    share: MemoryShare,
    logged: Arc<Mutex<Logged>>,
}

impl State {
    /// For a plugin with this name and hash.
    pub(super) fn new((plugin, sha256): (String, &str), sandbox: &Sandbox) -> Self {
        let logged = sandbox.logs.of(sha256);
        let Sandbox { limits, cancel, logger, share, start, .. } = sandbox.clone();
        let end_of_run = after(start, limits.run_timeout);
        Self {
            plugin,
            limits,
            cancel,
            logger,
            place: Place::default(),
            emission: Emission::default(),
            broken: None,
            last_error: None,
            deadline: Instant::now(),
            end_of_run,
            timed_out: false,
            refusal: None,
            sampling: None,
            deterministic: false,
            max_stack_bytes: 0,
            kept: Kept::default(),
            tile: None,
            stubs: Stubs::default(),
            memory_bytes: 0,
            last_growth: 0,
            share,
            logged,
        }
    }

    /// Starts the clock of a call.
    pub(super) fn start_call(&mut self, place: Place) {
        self.stubs.start_call(place.partition);
        self.place = place;
        self.last_error = None;
        self.refusal = None;
        if let Some(sampling) = &self.sampling {
            sampling.since().now();
        }
        self.deadline = after(Instant::now(), self.limits.timeout).min(self.end_of_run);
    }

    /// Passes on what the plugin logs, or prints.
    pub(super) fn log(&mut self, level: LogLevel, message: &str) {
        if level == LogLevel::Error {
            self.last_error = Some(message.chars().take(MAX_LOG_CHARS + 1).collect());
        }
        let limits = &self.limits;
        let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        // What is dropped need not be made fit to be seen.
        if logged.excess(limits).is_some() {
            return;
        }
        let message = printable_lines(message, MAX_LOG_CHARS);
        let excess = logged.add(message.len(), limits);
        drop(logged);
        let (plugin, place) = (self.plugin.clone(), self.place.clone());
        match excess {
            None => (self.logger)(LogLine { plugin, level, message, place }),
            Some(excess) => {
                let message = match excess {
                    Excess::Lines => {
                        let limit = limits.max_log_lines;
                        format!("logged more than {limit} messages: the rest is dropped (raise --max-log-lines)")
                    }
                    Excess::Bytes => {
                        let limit = limits.max_log_bytes;
                        format!("logged more than {limit} bytes: the rest is dropped (raise --max-log-bytes)")
                    }
                };
                (self.logger)(LogLine { plugin, level: LogLevel::Warn, message, place });
            }
        }
    }
}

/// When so much time is over. One too long to add is no limit.
fn after(start: Instant, time: Duration) -> Instant {
    start.checked_add(time).unwrap_or_else(|| start + Duration::from_hours(365 * 24))
}

impl Drop for State {
    fn drop(&mut self) {
        self.share.give_back(self.memory_bytes);
    }
}

/// Called once per tick while a plugin runs.
pub(super) fn check_deadline(store: StoreContextMut<'_, State>) -> wasmtime::Result<UpdateDeadline> {
    let mut store = store;
    let state = store.data_mut();
    if state.cancel.is_cancelled() {
        wasmtime::bail!("cancelled");
    }
    if Instant::now() >= state.deadline {
        state.timed_out = true;
        wasmtime::bail!("out of time");
    }
    sample(&mut store);
    Ok(UpdateDeadline::Continue(1))
}

/// Notes where the plugin is, if somebody wants to know and the clock has ticked since its own code went on.
pub(super) fn sample(store: &mut StoreContextMut<'_, State>) {
    let state = store.data_mut();
    if let Some((sampler, n_ticks)) = state.sampling.as_mut().and_then(Sampling::due) {
        let (plugin, start) = (state.plugin.clone(), Instant::now());
        sampler.sample(&plugin, n_ticks, &*store);
        if let Some(sampling) = &mut store.data_mut().sampling {
            sampling.took(start.elapsed());
            sampling.since().now();
        }
    }
}

impl ResourceLimiter for State {
    fn memory_growing(&mut self, current: usize, desired: usize, _max: Option<usize>) -> wasmtime::Result<bool> {
        self.last_growth = 0;
        let n_new = (desired as u64).saturating_sub(current as u64);
        let (wanted, limit) = (self.memory_bytes.saturating_add(n_new), self.limits.max_memory_bytes);
        if wanted > limit {
            let (what, option) = ("bytes of memory", "--max-memory");
            self.refusal = Some(Refusal { what, wanted, limit, shared: None, option });
            return Ok(false);
        }
        if let Err(refusal) = self.share.take(n_new, self.limits.max_total_memory_bytes) {
            self.refusal = Some(refusal);
            return Ok(false);
        }
        self.memory_bytes = wanted;
        self.last_growth = n_new;
        Ok(true)
    }

    /// It would have been more than the memory's own limit, or than the system has.
    fn memory_grow_failed(&mut self, _: wasmtime::Error) -> wasmtime::Result<()> {
        let n_bytes = std::mem::take(&mut self.last_growth);
        self.memory_bytes -= n_bytes;
        self.share.give_back(n_bytes);
        Ok(())
    }

    fn table_growing(&mut self, _current: usize, desired: usize, _max: Option<usize>) -> wasmtime::Result<bool> {
        let (wanted, limit) = (desired as u64, self.limits.max_table_elements);
        if wanted > limit {
            let (what, option) = ("elements of a table", "--max-table-elements");
            self.refusal = Some(Refusal { what, wanted, limit, shared: None, option });
        }
        Ok(wanted <= limit)
    }

    fn instances(&self) -> usize {
        usize::try_from(self.limits.max_instances).unwrap_or(usize::MAX)
    }

    fn tables(&self) -> usize {
        usize::try_from(self.limits.max_tables).unwrap_or(usize::MAX)
    }

    fn memories(&self) -> usize {
        self.instances()
    }
}

/// Everything that a plugin may import.
pub(super) fn linker(engine: &wasmtime::Engine) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    let mut host = linker.instance(bindings::HOST)?;
    host.func_wrap("log", |mut store: StoreContextMut<'_, State>, (level, message): (types::Level, String)| {
        let level = match level {
            types::Level::Error => LogLevel::Error,
            types::Level::Warn => LogLevel::Warn,
            types::Level::Info => LogLevel::Info,
            types::Level::Debug => LogLevel::Debug,
        };
        store.data_mut().log(level, &message);
        Ok(())
    })?;
    host.func_wrap(
        "emit",
        |mut store: StoreContextMut<'_, State>, (buffer, offset, data): (u32, u64, WasmList<u8>)| {
            let mut emission = std::mem::take(&mut store.data_mut().emission);
            // Read in place: the only copy is the one that is kept.
            let emitted = emission.emit(buffer, offset, data.as_le_slice(&store));
            store.data_mut().emission = emission;
            emitted.map_err(|error| broken(&mut store, error.to_string()))
        },
    )?;
    host.func_wrap("emit-mask", |mut store: StoreContextMut<'_, State>, (buffer, mask): (u32, WasmList<u8>)| {
        let mut emission = std::mem::take(&mut store.data_mut().emission);
        let emitted = emission.emit_mask(buffer, mask.as_le_slice(&store));
        store.data_mut().emission = emission;
        emitted.map_err(|error| broken(&mut store, error.to_string()))
    })?;
    kernels::link(&mut linker)?;
    Ok(linker)
}

/// Ends the call: the contract was broken.
pub(super) fn broken(store: &mut StoreContextMut<'_, State>, what: String) -> wasmtime::Error {
    store.data_mut().broken = Some(what.clone());
    wasmtime::Error::msg(what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_a_part_of_the_whole_and_can_be_taken_again() {
        let (share, other) = (MemoryShare::among(3), MemoryShare::among(3));
        share.take(90, 300).unwrap();
        let refusal = share.clone().take(11, 300).unwrap_err();
        assert_eq!((refusal.wanted, refusal.limit, refusal.shared), (101, 100, Some((300, 3))));
        share.take(10, 300).unwrap();
        other.take(100, 300).unwrap();
        share.give_back(100);
        share.take(100, 300).unwrap();
        // Alone it has all.
        assert_eq!(MemoryShare::among(1).take(301, 300).unwrap_err().shared, None);
        assert_eq!(MemoryShare::among(1).take(u64::MAX, u64::MAX).map_err(|refusal| refusal.wanted), Ok(()));
    }
}
