//! The command line that repeats a failure, on the one partition where it happened.

use std::env;

use lthost::{
    plugin::{Call, PluginError},
    run::RunError,
};

/// Functions that workers call, on one partition after the other.
const ON_WORKERS: [&str; 3] = ["begin", "process", "end"];

/// How to run again what failed. None where that would not take less than the whole run, or might fail otherwise.
pub(crate) fn command(error: &anyhow::Error) -> Option<String> {
    let mut causes = error.chain();
    let call: &Call = causes.find_map(|cause| match cause.downcast_ref::<RunError>() {
        Some(RunError::Plugin(error)) => error.call(),
        _ => cause.downcast_ref::<PluginError>().and_then(PluginError::call),
    })?;
    of_call(call)
}

/// As [`command`], for the call that failed.
pub(crate) fn of_call(call: &Call) -> Option<String> {
    let partition = call.place.partition.filter(|_| ON_WORKERS.contains(&call.function))?;
    let mut words = env::args_os().map(|word| word.into_string().ok().and_then(|word| quoted(&word)));
    let mut command = words.by_ref().collect::<Option<Vec<_>>>()?;
    let decides = |word: &String| word == "--partition" || word.starts_with("--partition=") || word == "--frame";
    if command.iter().any(decides) {
        return None;
    }
    command.extend(["--partition".to_owned(), partition.to_string()]);
    Some(command.join(" "))
}

/// A word as a shell takes it. None for one with control characters, which nobody typed.
pub(crate) fn quoted(word: &str) -> Option<String> {
    if word.chars().any(char::is_control) {
        return None;
    }
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_./=:,@%+-".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return Some(word.to_owned());
    }
    Some(format!("'{}'", word.replace('\'', r"'\''")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_where_a_shell_would_change_them() {
        assert_eq!(quoted("--plugin=a/b.wasm").unwrap(), "--plugin=a/b.wasm");
        assert_eq!(quoted("center=[3, 3]").unwrap(), "'center=[3, 3]'");
        assert_eq!(quoted("it's").unwrap(), r"'it'\''s'");
        assert_eq!(quoted("").unwrap(), "''");
        assert_eq!(quoted("\x1b[31m"), None);
    }
}
