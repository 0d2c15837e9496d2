//! What plugins log, on stderr.

use std::sync::{Arc, Mutex, PoisonError};

use lthost::plugin::{LogLevel, LogLine, Logger};

use crate::{Usage, terminal};

/// Messages of plugins that are held back until it is known whether they are part of an error.
pub(crate) type HeldBack = Arc<Mutex<Vec<LogLine>>>;

/// What plugins log is shown from here on.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct LogArgs {
    /// Show what plugins log, down to this: error, warn, info or debug
    #[arg(long, value_name = "LEVEL", value_parser = level, default_value = "info")]
    log: LogLevel,
}

fn level(text: &str) -> Result<LogLevel, Usage> {
    match text {
        "error" => Ok(LogLevel::Error),
        "warn" => Ok(LogLevel::Warn),
        "info" => Ok(LogLevel::Info),
        "debug" => Ok(LogLevel::Debug),
        _ => Err(Usage(format!("`{text}` is none of error, warn, info, debug"))),
    }
}

/// Prints what plugins log, but for errors: a panic's message is shown with the error that follows it.
pub(crate) fn logger(LogArgs { log }: LogArgs) -> (Logger, HeldBack) {
    let held_back = HeldBack::default();
    let keep = held_back.clone();
    let logger: Logger = Arc::new(move |line: LogLine| {
        if line.level == LogLevel::Error {
            keep.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        } else if line.level <= log {
            print_log(&line);
        }
    });
    (logger, held_back)
}

/// Prints those that are not part of an error of the run.
pub(crate) fn print_held_back(held_back: &HeldBack, errors: &[String]) {
    for line in held_back.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        if !errors.iter().any(|error| error.contains(&line.message)) {
            print_log(line);
        }
    }
}

fn print_log(line: &LogLine) {
    let level = match line.level {
        LogLevel::Error => "error",
        LogLevel::Warn => "warning",
        LogLevel::Info => "info",
        LogLevel::Debug => "debug",
    };
    terminal::say_at(level, &format!("plugin `{}`{}: {}", line.plugin, line.place, line.message));
}
