//! The command line that repeats a failure, on the one partition where it happened.

use std::env;

use lthost::{
    plugin::{Call, PluginError},
    run::RunError,
};

/// Options of `run` that say where results go, and whether a value follows: who repeats a failure wants none, and least of all
/// results of one partition in the place of all. What becomes of other plugins' failures stays as it was.
const NOT_REPEATED: [(&str, bool); 6] = [
    ("-o", true),
    ("--output", true),
    ("--png", false),
    ("--every", true),
    ("--checkpoint", true),
    ("--resume", false),
];

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
    if command.get(1).is_some_and(|word| word == "run") {
        command = repeated(command);
    }
    command.extend(["--partition".to_owned(), partition.to_string()]);
    Some(command.join(" "))
}

/// Without those options.
fn repeated(command: Vec<String>) -> Vec<String> {
    let (mut kept, mut words) = (Vec::new(), command.into_iter());
    while let Some(word) = words.next() {
        let is_one = |(option, _): &&(&str, bool)| {
            let is_short = !option.starts_with("--");
            word == *option || word.strip_prefix(option).is_some_and(|rest| is_short || rest.starts_with('='))
        };
        match NOT_REPEATED.iter().find(is_one) {
            Some((option, true)) if word == *option => drop(words.next()),
            Some(_) => {}
            None => kept.push(word),
        }
    }
    kept
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
    fn results_are_left_alone() {
        let without = |words: &str| repeated(words.split(' ').map(str::to_owned).collect()).join(" ");
        let kept = "lthost run --plugin a --on-error=skip --max-errors 3 -p b=c";
        assert_eq!(without(&format!("{kept} -o out")), kept);
        assert_eq!(without("lthost run --output=out --png --resume -q --every 5"), "lthost run -q");
        assert_eq!(without("lthost run -oout --overview --checkpoint 3 --check 2"), "lthost run --overview --check 2");
    }

    #[test]
    fn words_are_quoted_where_a_shell_would_change_them() {
        assert_eq!(quoted("--plugin=a/b.wasm").unwrap(), "--plugin=a/b.wasm");
        assert_eq!(quoted("center=[3, 3]").unwrap(), "'center=[3, 3]'");
        assert_eq!(quoted("it's").unwrap(), r"'it'\''s'");
        assert_eq!(quoted("").unwrap(), "''");
        assert_eq!(quoted("\x1b[31m"), None);
    }
}
