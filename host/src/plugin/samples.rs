//! Where plugins spend their time: in which line the engine's clock finds them when it ticks.
//!
//! A plugin notices a tick at the next head of a loop or function. A tick that came while the host worked for it is left out.
//! To look up a line takes long where a plugin has much debug information: then not every tick is looked up, and one stands
//! for those before it.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use wasmtime::{AsContext, FrameInfo, FrameSymbol, WasmBacktrace};

use super::{engine::Ticks, error::printable};

/// Different lines that are kept.
const MAX_LINES: usize = 4096;
/// Looking up takes at most one in so many parts of a plugin's time.
const BUDGET: u32 = 20;

/// A line of a plugin, and how often it was found there.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct HotLine {
    /// Name of the plugin.
    pub plugin: String,
    /// The function.
    pub function: String,
    /// File and line, as `FILE:LINE`; none if the plugin was built without debug information.
    pub line: Option<String>,
    /// Ticks of the clock at which it was found there; there are 100 a second.
    pub n_ticks: u64,
}

/// Plugin, function, line.
type Key = (String, String, Option<String>);

/// Collects the samples of a run. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sampler(Arc<Mutex<HashMap<Key, u64>>>);

/// What samples one instance.
pub(super) struct Sampling {
    sampler: Sampler,
    ticks: Arc<Ticks>,
    since: GuestSince,
    /// Ticks that were not looked up.
    n_waiting: u64,
    /// When it may be looked up again.
    rests_until: Instant,
}

/// When the plugin's own code went on last, in nanoseconds of the engine's clock.
#[derive(Clone)]
pub(super) struct GuestSince(Arc<Ticks>, Arc<AtomicU64>);

impl Sampler {
    /// What was found, the most frequent first.
    pub(crate) fn lines(&self) -> Vec<HotLine> {
        let found = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let line = |((plugin, function, line), n_ticks): (&Key, &u64)| HotLine {
            plugin: plugin.clone(),
            function: function.clone(),
            line: line.clone(),
            n_ticks: *n_ticks,
        };
        let mut lines: Vec<_> = found.iter().map(line).collect();
        lines.sort_by(|a, b| {
            let place = |line: &HotLine| (line.plugin.clone(), line.function.clone(), line.line.clone());
            b.n_ticks.cmp(&a.n_ticks).then_with(|| place(a).cmp(&place(b)))
        });
        lines
    }
}

impl Sampling {
    pub(super) fn new(sampler: &Sampler, ticks: &Arc<Ticks>) -> Self {
        let since = GuestSince(Arc::clone(ticks), Arc::default());
        Self { sampler: sampler.clone(), ticks: Arc::clone(ticks), since, n_waiting: 0, rests_until: Instant::now() }
    }

    /// What is told when the plugin's own code goes on.
    pub(super) fn since(&self) -> &GuestSince {
        &self.since
    }

    /// If the last tick found the plugin's own code running and it is to be looked up now: where to, and for how many ticks.
    pub(super) fn due(&mut self) -> Option<(Sampler, u64)> {
        if self.ticks.last() < self.since.1.load(Ordering::Relaxed) {
            return None;
        }
        self.n_waiting += 1;
        let is_time = Instant::now() >= self.rests_until;
        is_time.then(|| (self.sampler.clone(), std::mem::take(&mut self.n_waiting)))
    }

    /// Looking up took so long.
    pub(super) fn took(&mut self, time: Duration) {
        self.rests_until = Instant::now() + time * (BUDGET - 1);
    }
}

impl GuestSince {
    /// The plugin's own code goes on now.
    pub(super) fn now(&self) {
        self.1.store(self.0.now(), Ordering::Relaxed);
    }
}

impl Sampler {
    /// Notes where `plugin` is, for some ticks.
    pub(super) fn sample(&self, plugin: &str, n_ticks: u64, store: impl AsContext) {
        let backtrace = WasmBacktrace::force_capture(store);
        let Some((function, line)) = place(backtrace.frames()) else { return };
        let mut found = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (printable(plugin, 200), printable(&function, 400), line.map(|line| printable(&line, 400)));
        if found.len() < MAX_LINES || found.contains_key(&key) {
            *found.entry(key).or_default() += n_ticks;
        }
    }
}

/// The innermost function that is the plugin's own, also one that was inlined; what the standard library does counts for
/// whoever calls it.
fn place(frames: &[FrameInfo]) -> Option<(String, Option<String>)> {
    let named = |name: &str| format!("{:#}", rustc_demangle::demangle(name));
    let plain = |frame: &FrameInfo| frame.func_name().map_or_else(|| format!("function {}", frame.func_index()), named);
    // What stands between a plugin and the functions that it imports has no name.
    let is_nameless = |frame: &&FrameInfo| frame.symbols().is_empty() && frame.func_name().is_none();
    for frame in frames.iter().skip_while(is_nameless) {
        if frame.symbols().is_empty() {
            return Some((plain(frame), None));
        }
        let is_own = |symbol: &&FrameSymbol| symbol.file().is_some_and(|file| !file.starts_with("/rustc/"));
        let own = || frame.symbols().iter().filter(is_own);
        // What the compiler made of several lines has none: then its caller's says more.
        let own = own().find(|symbol| symbol.line().is_some()).or_else(|| own().next());
        if let Some(symbol) = own {
            let line = symbol.file().zip(symbol.line()).map(|(file, line)| format!("{file}:{line}"));
            return Some((symbol.name().map_or_else(|| plain(frame), named), line));
        }
    }
    frames.first().map(|frame| (plain(frame), None))
}
