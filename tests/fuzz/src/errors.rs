//! What an error is to be: one that the host meant, in words that are safe to print.

use std::error::Error;

use lthost::{plugin::PluginError, run::RunError};

/// An error has words, and so has all that led to it.
pub(crate) fn check_words(error: &(dyn Error + 'static)) {
    let mut next = Some(error);
    while let Some(error) = next {
        assert!(!error.to_string().is_empty(), "an error without a word: {error:?}");
        next = error.source();
    }
}

/// Whatever a plugin is, what is said of it has no control characters, and the engine is not at fault.
pub(crate) fn check_plugin(error: &PluginError) {
    check_words(error);
    let text = error.to_string();
    assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "an error controls the terminal: {text:?}");
    assert!(text.len() < 1 << 20, "an error of {} bytes", text.len());
    assert!(!matches!(error, PluginError::Runtime { .. }), "the engine failed: {text}");
}

/// Whatever a run is given, no worker falls over it.
pub(crate) fn check_run(error: &RunError) {
    check_words(error);
    assert!(!matches!(error, RunError::WorkersGone), "a worker panicked, see above");
    if let RunError::Plugin(error) = error {
        check_plugin(error);
    }
}
