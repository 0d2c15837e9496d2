//! What the host keeps beside an instance: its limits, what it emits, what it logs. And the functions it may import.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use wasmtime::{ResourceLimiter, StoreContextMut, UpdateDeadline, component::Linker, component::WasmList};

use super::{
    Cancel, Limits,
    bindings::{self, types},
    error::{Place, printable_lines},
    kernels::{self, HostTile, Kept},
    samples::Sampling,
};
use crate::buffer::Emission;

/// A message that a plugin logged.
#[derive(Debug, Clone)]
pub struct LogLine {
    /// Name of the plugin.
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
const MAX_LOG_CHARS: usize = 2000;
/// Memories, tables and core instances of one plugin instance; generous for what toolchains make.
const MAX_MEMORIES: usize = 4;
const MAX_TABLES: usize = 16;
const MAX_INSTANCES: usize = 64;
const MAX_TABLE_ELEMENTS: usize = 200_000;

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
    /// The last error that the plugin logged in this call: a panic's message.
    pub(super) last_error: Option<String>,
    pub(super) deadline: Instant,
    pub(super) timed_out: bool,
    /// What the plugin asked for when memory was refused in this call.
    pub(super) refused_bytes: Option<usize>,
    /// Only if somebody wants to know where the time goes.
    pub(super) sampling: Option<Sampling>,
    /// Whether results are to be the same bits on any machine.
    pub(super) deterministic: bool,
    /// For the kernels that the plugin imports.
    pub(super) kept: Kept,
    /// While a tile is processed, for a plugin that imports kernels.
    pub(super) tile: Option<Arc<dyn HostTile>>,
    memory_bytes: usize,
    n_log_lines: usize,
}

impl State {
    pub(super) fn new(plugin: String, limits: Limits, cancel: Cancel, logger: Logger) -> Self {
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
            timed_out: false,
            refused_bytes: None,
            sampling: None,
            deterministic: false,
            kept: Kept::default(),
            tile: None,
            memory_bytes: 0,
            n_log_lines: 0,
        }
    }

    /// Starts the clock of a call.
    pub(super) fn start_call(&mut self, place: Place) {
        self.place = place;
        self.last_error = None;
        self.refused_bytes = None;
        if let Some(sampling) = &self.sampling {
            sampling.since().now();
        }
        // A limit too long to add is no limit.
        let now = Instant::now();
        self.deadline = now.checked_add(self.limits.timeout).unwrap_or_else(|| now + Duration::from_hours(365 * 24));
    }

    fn log(&mut self, level: LogLevel, message: &str) {
        let message = printable_lines(message, MAX_LOG_CHARS);
        if level == LogLevel::Error {
            self.last_error = Some(message.clone());
        }
        self.n_log_lines += 1;
        let (plugin, place) = (self.plugin.clone(), self.place.clone());
        match self.n_log_lines.cmp(&(self.limits.max_log_lines + 1)) {
            std::cmp::Ordering::Less => (self.logger)(LogLine { plugin, level, message, place }),
            std::cmp::Ordering::Equal => (self.logger)(LogLine {
                plugin,
                level: LogLevel::Warn,
                message: format!("logged more than {} messages: the rest is dropped", self.limits.max_log_lines),
                place,
            }),
            std::cmp::Ordering::Greater => {}
        }
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
        let total = self.memory_bytes.saturating_sub(current).saturating_add(desired);
        if total > self.limits.max_memory_bytes {
            self.refused_bytes = Some(total);
            return Ok(false);
        }
        self.memory_bytes = total;
        Ok(true)
    }

    fn table_growing(&mut self, _current: usize, desired: usize, _max: Option<usize>) -> wasmtime::Result<bool> {
        Ok(desired <= MAX_TABLE_ELEMENTS)
    }

    fn instances(&self) -> usize {
        MAX_INSTANCES
    }

    fn tables(&self) -> usize {
        MAX_TABLES
    }

    fn memories(&self) -> usize {
        MAX_MEMORIES
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
