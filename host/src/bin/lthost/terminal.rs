//! What is said: nothing that a file or a plugin says controls the terminal, nobody has to listen, and a progress bar
//! stays below all that is said. With `--progress json` every line is a JSON object, whatever is said.

use std::{
    fmt::Write as _,
    io::Write,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use indicatif::ProgressBar;
use lthost::plugin::{controls, printable};
use serde::Serialize;
use serde_json::json;

/// The bar that is on the terminal.
static BAR: Mutex<Option<ProgressBar>> = Mutex::new(None);
static N_SAID: AtomicU64 = AtomicU64::new(0);

/// Keeps `bar` below all that is said from now on; none: there is none any more.
pub(crate) fn keep_below(bar: Option<ProgressBar>) {
    *BAR.lock().unwrap_or_else(PoisonError::into_inner) = bar;
}

/// Whether a script listens.
static IS_JSON: AtomicBool = AtomicBool::new(false);

/// From now on all that is said is JSON.
pub(crate) fn speak_json() {
    IS_JSON.store(true, Ordering::Relaxed);
}

/// Prints lines that need no word before them.
pub(crate) fn say(text: &str) {
    if is_json() {
        say_object(&json!({ "level": "info", "message": plain(text) }));
    } else {
        print(&plain(text));
    }
}

/// Prints a message with what it is before it: `warning`, `info` or `debug`; `error` if a plugin says so.
pub(crate) fn say_at(level: &str, text: &str) {
    if is_json() {
        say_object(&json!({ "level": level, "message": plain(text) }));
    } else {
        print(&plain(&format!("{level}: {text}")));
    }
}

/// Prints why the program ends, and the command that repeats what failed, if there is one. Nothing is said after it.
pub(crate) fn say_failure(error: &str, exit_status: u8, repeat_with: Option<&str>) {
    if is_json() {
        say_object(&json!({ "error": plain(error), "exit_status": exit_status, "repeat_with": repeat_with }));
        return;
    }
    print(&plain(&format!("error: {error}")));
    if let Some(command) = repeat_with {
        print(&plain(&format!("repeat it with: {command}")));
    }
}

/// JSON in lines. See [`harmless`].
pub(crate) fn pretty_json(object: &impl Serialize) -> serde_json::Result<String> {
    serde_json::to_string_pretty(object).map(|json| harmless(&json))
}

/// JSON in which what strangers wrote controls no terminal, and is the same text as before for whoever reads JSON.
fn harmless(json: &str) -> String {
    let mut safe = String::new();
    for c in json.chars() {
        if c != '\n' && controls(c) {
            let _infallible = write!(safe, "\\u{:04x}", u32::from(c));
        } else {
            safe.push(c);
        }
    }
    safe
}

/// Prints a line of JSON.
pub(crate) fn say_object(object: &impl Serialize) {
    print(&harmless(&serde_json::to_string(object).expect("numbers and texts are JSON")));
}

fn is_json() -> bool {
    IS_JSON.load(Ordering::Relaxed)
}

/// Each line safe to print.
fn plain(text: &str) -> String {
    text.lines().map(|line| printable(line, usize::MAX)).collect::<Vec<_>>().join("\n")
}

fn print(text: &str) {
    N_SAID.fetch_add(1, Ordering::Relaxed);
    write(&format!("{text}\n"));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_controls_nothing_and_stays_what_it_is() {
        let text = "a\n\u{1b}[2J\u{7f}\u{9b}\u{202e}\u{2028}é";
        let json = pretty_json(&json!({ "text": text })).unwrap();
        assert!(json.contains("é") && !json.chars().any(|c| c != '\n' && controls(c)), "{json}");
        let back: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(back["text"], text);
    }
}
