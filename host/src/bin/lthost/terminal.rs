//! The way to stderr: nothing that a file or a plugin says controls the terminal, and nobody has to listen. With
//! `--progress json` every line is a JSON object, whatever is said.

use std::{
    io::Write,
    sync::atomic::{AtomicBool, Ordering},
};

use lthost::plugin::printable;
use serde::Serialize;
use serde_json::json;

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

/// Prints a line of JSON.
pub(crate) fn say_object(object: &impl Serialize) {
    print(&serde_json::to_string(object).expect("numbers and texts are JSON"));
}

fn is_json() -> bool {
    IS_JSON.load(Ordering::Relaxed)
}

/// Each line safe to print.
fn plain(text: &str) -> String {
    text.lines().map(|line| printable(line, usize::MAX)).collect::<Vec<_>>().join("\n")
}

fn print(text: &str) {
    // Where stderr is closed, what was to be said is lost; that is no reason to stop.
    let _nobody_listens = std::io::stderr().lock().write_all(format!("{text}\n").as_bytes());
}
