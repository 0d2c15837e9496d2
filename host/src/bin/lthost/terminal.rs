//! The way to stderr: nothing that a file or a plugin says controls the terminal, and nobody has to listen.

use std::io::Write;

use lthost::plugin::printable;

/// Prints lines on stderr.
pub(crate) fn say(text: &str) {
    let mut lines = String::new();
    for line in text.lines() {
        lines.push_str(&printable(line, usize::MAX));
        lines.push('\n');
    }
    // Where stderr is closed, what was to be said is lost; that is no reason to stop.
    let _nobody_listens = std::io::stderr().lock().write_all(lines.as_bytes());
}
