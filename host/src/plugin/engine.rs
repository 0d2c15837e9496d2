//! The WebAssembly engine: its settings, and the clock that lets a run interrupt a plugin.

use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use super::PluginError;

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
    // The clock stops with the last clone.
    _clock: Arc<()>,
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
        let runtime = |error: wasmtime::Error| PluginError::Runtime { message: format!("{error:#}") };
        let engine = wasmtime::Engine::new(&config(deterministic)).map_err(runtime)?;
        let clock = Arc::new(());
        tick(engine.weak(), Arc::downgrade(&clock));
        Ok(Self { inner: engine, deterministic, _clock: clock })
    }

    /// Whether results are the same bits on any machine.
    pub fn is_deterministic(&self) -> bool {
        self.deterministic
    }

    pub(super) fn wasmtime(&self) -> &wasmtime::Engine {
        &self.inner
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

/// Advances the engine's epoch until nobody holds `clock` any more.
fn tick(engine: wasmtime::EngineWeak, clock: Weak<()>) {
    let ticker = move || {
        while clock.strong_count() > 0 {
            thread::sleep(TICK);
            let Some(engine) = engine.upgrade() else { break };
            engine.increment_epoch();
        }
    };
    // Without its clock a plugin could run for ever: better to stop here.
    thread::Builder::new().name("plugin-clock".to_owned()).spawn(ticker).expect("a thread can be started");
}
