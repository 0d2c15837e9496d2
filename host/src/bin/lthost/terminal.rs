//! The way to stderr: nothing that a file or a plugin says controls the terminal, nobody has to listen, and a progress bar
//! stays below all that is said.

use std::{
    io::Write,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use indicatif::ProgressBar;
use lthost::plugin::printable;

/// The bar that is on the terminal.
static BAR: Mutex<Option<ProgressBar>> = Mutex::new(None);
static N_SAID: AtomicU64 = AtomicU64::new(0);

/// Keeps `bar` below all that is said from now on; none: there is none any more.
pub(crate) fn keep_below(bar: Option<ProgressBar>) {
    *BAR.lock().unwrap_or_else(PoisonError::into_inner) = bar;
}

/// Prints lines on stderr.
pub(crate) fn say(text: &str) {
    let mut lines = String::new();
    for line in text.lines() {
        lines.push_str(&printable(line, usize::MAX));
        lines.push('\n');
    }
    N_SAID.fetch_add(1, Ordering::Relaxed);
    write(&lines);
}

/// How often something was said.
pub(crate) fn n_said() -> u64 {
    N_SAID.load(Ordering::Relaxed)
}

/// Writes whole lines to stderr as they are, with all that controls the terminal.
pub(crate) fn write(lines: &str) {
    // Where stderr is closed, what was to be said is lost; that is no reason to stop.
    let write = || drop(std::io::stderr().lock().write_all(lines.as_bytes()));
    match &*BAR.lock().unwrap_or_else(PoisonError::into_inner) {
        Some(bar) => bar.suspend(write),
        None => write(),
    }
}
