//! The WebAssembly engine: its settings, and the clock that lets a run interrupt a plugin.

use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use super::{CodeCache, PluginError};

/// How often a plugin can be interrupted.
const TICK: Duration = Duration::from_millis(10);

/// The stack that a plugin's code may use. Threads that run plugins need four times as much.
const MAX_WASM_STACK: usize = 512 << 10;

/// Stack size for threads that run plugins, in bytes.
pub(crate) const THREAD_STACK: usize = 4 << 20;

/// Compiles and runs plugins. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    inner: wasmtime::Engine,
    deterministic: bool,
    cache: Option<Arc<CodeCache>>,
    // The clock stops with the last clone.
    ticks: Arc<Ticks>,
}

/// The engine's clock, in nanoseconds since it began.
#[derive(Debug)]
pub(super) struct Ticks {
    start: Instant,
    last: AtomicU64,
}

impl Ticks {
    pub(super) fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// When it ticked last.
    pub(super) fn last(&self) -> u64 {
        self.last.load(Ordering::Relaxed)
    }
}

/// Stops a run from another thread. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Asks the run to stop as soon as it can.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it was asked to.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Engine {
    /// Makes an engine. With `deterministic`, results are the same bits on any machine, at some cost in speed.
    ///
    /// # Errors
    ///
    /// [`PluginError::Runtime`] if this machine can't run WebAssembly.
    pub fn new(deterministic: bool) -> Result<Self, PluginError> {
        Self::with(&config(deterministic), deterministic)
    }

    /// As [`Engine::new`], and tells Linux's `perf` where every function of a plugin is, in `/tmp/perf-PID.map`.
    ///
    /// # Errors
    ///
    /// [`PluginError::Runtime`] if this machine can't run WebAssembly, or the file can't be written.
    pub fn for_perf(deterministic: bool) -> Result<Self, PluginError> {
        let mut config = config(deterministic);
        config.profiler(wasmtime::ProfilingStrategy::PerfMap);
        Self::with(&config, deterministic)
    }

    fn with(config: &wasmtime::Config, deterministic: bool) -> Result<Self, PluginError> {
        let runtime = |error: wasmtime::Error| PluginError::Runtime { message: format!("{error:#}") };
        let engine = wasmtime::Engine::new(config).map_err(runtime)?;
        let ticks = Arc::new(Ticks { start: Instant::now(), last: AtomicU64::new(0) });
        tick(engine.weak(), Arc::downgrade(&ticks));
        Ok(Self { inner: engine, deterministic, cache: None, ticks })
    }

    /// Takes compiled plugins from a cache, and keeps what it compiles there.
    #[must_use]
    pub fn with_cache(mut self, cache: CodeCache) -> Self {
        self.cache = Some(Arc::new(cache));
        self
    }

    pub(super) fn cache(&self) -> Option<&CodeCache> {
        self.cache.as_deref()
    }

    /// Whether results are the same bits on any machine.
    pub fn is_deterministic(&self) -> bool {
        self.deterministic
    }

    pub(super) fn wasmtime(&self) -> &wasmtime::Engine {
        &self.inner
    }

    pub(super) fn ticks(&self) -> &Arc<Ticks> {
        &self.ticks
    }
}

/// Everything is set that has a bearing on safety or speed, so that no default of wasmtime decides.
fn config(deterministic: bool) -> wasmtime::Config {
    let mut config = wasmtime::Config::new();
    config.strategy(wasmtime::Strategy::Cranelift);
    config.cranelift_opt_level(wasmtime::OptLevel::Speed);
    config.parallel_compilation(true);
    config.concurrency_support(false);
    config.epoch_interruption(true);
    config.max_wasm_stack(MAX_WASM_STACK);
    config.wasm_component_model(true);
    config.wasm_simd(true);
    config.wasm_relaxed_simd(true);
    config.relaxed_simd_deterministic(deterministic);
    config.cranelift_nan_canonicalization(deterministic);
    config.wasm_multi_memory(false);
    config.wasm_memory64(false);
    config.wasm_tail_call(false);
    config.wasm_backtrace_max_frames(std::num::NonZeroUsize::new(32));
    config.wasm_backtrace_details(wasmtime::WasmBacktraceDetails::Enable);
    config
}

/// Advances the engine's epoch until nobody holds `ticks` any more.
fn tick(engine: wasmtime::EngineWeak, ticks: Weak<Ticks>) {
    let ticker = move || {
        while ticks.strong_count() > 0 {
            thread::sleep(TICK);
            let (Some(engine), Some(ticks)) = (engine.upgrade(), ticks.upgrade()) else { break };
            ticks.last.store(ticks.now(), Ordering::Relaxed);
            engine.increment_epoch();
        }
    };
    // Without its clock a plugin could run for ever: better to stop here.
    thread::Builder::new().name("plugin-clock".to_owned()).spawn(ticker).expect("a thread can be started");
}
