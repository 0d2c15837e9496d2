//! The WebAssembly engine: its settings, and the clock that lets a run interrupt a plugin.

use std::{
    sync::{
        Arc, Once, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use super::{CodeCache, Compiler, PluginError, load::features};

/// How often a plugin can be interrupted.
const TICK: Duration = Duration::from_millis(10);

/// Stack size for threads that run plugins, in bytes.
pub(crate) const THREAD_STACK: usize = 8 << 20;
/// What of that is left to the host while a plugin uses all that it may.
const HOST_STACK: usize = 4 << 20;

/// How plugins are compiled and run.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// Whether results are the same bits on any machine, at some cost in speed.
    pub deterministic: bool,
    /// Whether Linux's `perf` is told where every function of a plugin is, in `/tmp/perf-PID.map`.
    pub for_perf: bool,
    /// Bytes of stack that the calls of a plugin take, up to 4 MiB.
    pub max_stack_bytes: u64,
    /// Where compiled plugins are taken from, and kept.
    pub cache: Option<CodeCache>,
    /// Who compiles them.
    pub compiler: Compiler,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            deterministic: false,
            for_perf: false,
            max_stack_bytes: 512 << 10,
            cache: None,
            compiler: Compiler::default(),
        }
    }
}

/// Compiles and runs plugins. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    inner: wasmtime::Engine,
    config: Arc<EngineConfig>,
    // The clock stops with the last clone.
    ticks: Arc<Ticks>,
}

/// The engine's clock, in nanoseconds since it was made. It ticks from the first instance on.
#[derive(Debug)]
pub(super) struct Ticks {
    start: Instant,
    last: AtomicU64,
    ticker: Once,
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
    /// Makes an engine. Starts no thread before the first instance.
    ///
    /// # Errors
    ///
    /// [`PluginError::Runtime`] if this machine can't run WebAssembly, or the file for `perf` can't be written.
    pub fn new(config: EngineConfig) -> Result<Self, PluginError> {
        let mut settings = settings(config.deterministic);
        let max_stack = usize::try_from(config.max_stack_bytes).unwrap_or(usize::MAX);
        // Nothing is asynchronous; but it is held against the other.
        settings.async_stack_size(THREAD_STACK);
        settings.max_wasm_stack(max_stack.clamp(1 << 10, THREAD_STACK - HOST_STACK));
        if config.for_perf {
            settings.profiler(wasmtime::ProfilingStrategy::PerfMap);
        }
        let engine = wasmtime::Engine::new(&settings);
        let engine = engine.map_err(|error| PluginError::Runtime { message: format!("{error:#}") })?;
        let ticks = Ticks { start: Instant::now(), last: AtomicU64::new(0), ticker: Once::new() };
        Ok(Self { inner: engine, config: Arc::new(config), ticks: Arc::new(ticks) })
    }

    pub(super) fn cache(&self) -> Option<&CodeCache> {
        self.config.cache.as_ref()
    }

    pub(super) fn compiler(&self) -> &Compiler {
        &self.config.compiler
    }

    pub(super) fn max_stack_bytes(&self) -> u64 {
        self.config.max_stack_bytes
    }

    /// Whether results are the same bits on any machine.
    pub fn is_deterministic(&self) -> bool {
        self.config.deterministic
    }

    /// Sees that the clock ticks: without it a plugin can't be interrupted.
    pub(super) fn start_clock(&self) {
        self.ticks.ticker.call_once(|| tick(self.inner.weak(), Arc::downgrade(&self.ticks)));
    }

    pub(super) fn wasmtime(&self) -> &wasmtime::Engine {
        &self.inner
    }

    pub(super) fn ticks(&self) -> &Arc<Ticks> {
        &self.ticks
    }
}

/// Everything is set that has a bearing on safety or speed, so that no default of wasmtime decides.
pub(super) fn settings(deterministic: bool) -> wasmtime::Config {
    let mut config = wasmtime::Config::new();
    config.strategy(wasmtime::Strategy::Cranelift);
    config.cranelift_opt_level(wasmtime::OptLevel::Speed);
    config.parallel_compilation(true);
    config.concurrency_support(false);
    config.epoch_interruption(true);
    config.wasm_features(features(), true);
    // What the validator would let through by mistake does not compile.
    config.wasm_features(!features(), false);
    config.relaxed_simd_deterministic(deterministic);
    config.cranelift_nan_canonicalization(deterministic);
    config.shared_memory(false);
    config.wasm_backtrace_max_frames(std::num::NonZeroUsize::new(24));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engine_has_what_the_validator_lets_through_and_nothing_else() {
        for deterministic in [false, true] {
            let engine = wasmtime::Engine::new(&settings(deterministic)).unwrap();
            assert_eq!(engine.get_wasm_features(), features());
        }
    }
}
