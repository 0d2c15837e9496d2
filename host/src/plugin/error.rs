//! What can go wrong with a plugin, and whose fault it is.

use std::{fmt, ops::Range};

use crate::shape::FrameIdx;

/// Where in a run something happened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// Number of the partition.
    pub partition: Option<u64>,
    /// The frames at hand.
    pub frames: Option<Range<FrameIdx>>,
}

/// Which plugin, in which function, where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Label of the UDF in its run; before it has one, and outside of runs, the plugin's name or where it came from. Escaped for
    /// printing.
    pub plugin: String,
    /// Function of the contract.
    pub function: &'static str,
    /// Where in the run.
    pub place: Place,
}

/// What went wrong with a plugin.
#[derive(Debug, thiserror::Error)]
pub enum PluginError {
    /// The file can't be read.
    #[error("plugin `{path}`: can't be read")]
    Unreadable {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// No plugin of this name.
    #[error("no plugin `{name}`: there is no such file, and the plugins known by name are {known}{hint}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
        /// What may have been meant, as the end of a sentence; or empty.
        hint: String,
    },
    /// The file is something else than a plugin.
    #[error("plugin `{plugin}` is refused: it is no WebAssembly: the file does not start with `\\0asm`")]
    NoWebAssembly {
        /// Name or path.
        plugin: String,
    },
    /// The file is not a plugin that this host runs.
    #[error("plugin `{plugin}` is refused: {reason}")]
    Refused {
        /// Name or path.
        plugin: String,
        /// Why, and what to do.
        reason: String,
    },
    /// A parameter that the user gave is wrong.
    #[error("plugin `{plugin}`, parameter `{parameter}`: {reason}")]
    Argument {
        /// Name of the plugin.
        plugin: String,
        /// The parameter.
        parameter: String,
        /// What was expected, and what came.
        reason: String,
    },
    /// The plugin said no.
    #[error("{call}: {message}{}", list_causes(causes))]
    Failed {
        /// Where.
        call: Call,
        /// The plugin's message, escaped.
        message: String,
        /// What led to it, escaped.
        causes: Vec<String>,
    },
    /// The plugin's code trapped.
    #[error("{call} trapped: {}{}", message.as_deref().unwrap_or(trap), list_frames(backtrace))]
    Trapped {
        /// Where.
        call: Call,
        /// What the machine says.
        trap: String,
        /// What the plugin itself said last, as a panic does; escaped.
        message: Option<String>,
        /// Functions of the plugin, innermost first.
        backtrace: Vec<String>,
    },
    /// The plugin ran too long.
    #[error("{call} ran past {}{}", time.describe(*limit_s), list_frames(backtrace))]
    TimedOut {
        /// Where.
        call: Call,
        /// What was to take no longer.
        time: TimeLimit,
        /// The limit in seconds.
        limit_s: f64,
        /// Functions of the plugin that were at work, innermost first.
        backtrace: Vec<String>,
    },
    /// The plugin wanted more of something than it may have.
    #[error(
        "{call} needs {wanted} {what}, at most {limit} are allowed{} (raise {option}){}",
        shared.map(|(total, n)| format!(", as {n} plugins share {total}")).unwrap_or_default(),
        message.iter().flat_map(|message| [": ", message]).collect::<String>()
    )]
    OverLimit {
        /// Where.
        call: Call,
        /// Of what.
        what: &'static str,
        /// What it asked for.
        wanted: u64,
        /// The limit.
        limit: u64,
        /// Where the limit is a share: of how much, and how many plugins have one.
        shared: Option<(u64, u64)>,
        /// The option that raises it.
        option: &'static str,
        /// What the plugin itself said last; escaped.
        message: Option<String>,
    },
    /// The plugin did what the contract forbids.
    #[error("{call}: {what}")]
    BrokeContract {
        /// Where.
        call: Call,
        /// What it did.
        what: String,
    },
    /// The run was cancelled.
    #[error("cancelled")]
    Cancelled,
    /// The machinery failed.
    #[error("the WebAssembly engine failed: {message}")]
    Runtime {
        /// What it says.
        message: String,
    },
}

/// What may take so long and no longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeLimit {
    /// One call into a plugin.
    Call,
    /// A run.
    Run,
}

impl TimeLimit {
    fn describe(self, limit_s: f64) -> String {
        match self {
            Self::Call => format!("its {limit_s} s for one call (raise --timeout)"),
            Self::Run => format!("the {limit_s} s of the whole run (raise --run-timeout)"),
        }
    }
}

impl PluginError {
    /// Whether it is the plugin that failed in a call, rather than the run that has to end.
    pub fn is_failed_call(&self) -> bool {
        let is_of_run = matches!(self, Self::TimedOut { time: TimeLimit::Run, .. });
        self.call().is_some() && !is_of_run
    }

    /// Whether the plugin says no to its parameters, or to such data with them: what it was asked for can't be.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Failed { call, .. } if matches!(call.function, "create" | "update"))
    }

    /// What failed, without where in the run.
    pub fn without_place(&self) -> String {
        let place = self.call().map(|call| call.place.to_string()).unwrap_or_default();
        // It stands once before whatever the plugin says.
        self.to_string().replacen(&place, "", usize::from(!place.is_empty()))
    }

    /// The call in which a plugin failed.
    pub fn call(&self) -> Option<&Call> {
        match self {
            Self::Failed { call, .. }
            | Self::Trapped { call, .. }
            | Self::TimedOut { call, .. }
            | Self::OverLimit { call, .. }
            | Self::BrokeContract { call, .. } => Some(call),
            _ => None,
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "plugin `{}`, `{}`{}", self.plugin, self.function, self.place)
    }
}

impl fmt::Display for Place {
    /// In brackets, with a blank before them; nothing if it is nowhere.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.partition, &self.frames) {
            (Some(partition), Some(frames)) => {
                write!(f, " (partition {partition}, frames {}..{})", frames.start, frames.end)
            }
            (Some(partition), None) => write!(f, " (partition {partition})"),
            _ => Ok(()),
        }
    }
}

/// Whether a character does something to a terminal, or to the text around it, rather than stand there.
pub fn controls(c: char) -> bool {
    // Direction marks could make a message read as something else.
    let turns = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let breaks = matches!(c, '\u{2028}' | '\u{2029}');
    c.is_control() || turns || breaks
}

/// Text from a plugin or a file as one line that is safe to print: control characters are escaped, and it is cut at
/// `max_chars`.
pub fn printable(text: &str, max_chars: usize) -> String {
    let mut safe = String::new();
    for (i, c) in text.chars().enumerate() {
        if i == max_chars {
            safe.push('…');
            break;
        }
        if controls(c) {
            safe.extend(c.escape_default());
        } else {
            safe.push(c);
        }
    }
    safe
}

/// As [`printable`], of some lines: those after the first are indented, so that none passes for a message of the host.
pub(crate) fn printable_lines(text: &str, max_chars: usize) -> String {
    const MAX_LINES: usize = 16;
    let text: String = text.chars().take(max_chars + 1).collect();
    let mut lines: Vec<String> =
        text.trim_end().lines().take(MAX_LINES + 1).map(|line| printable(line, max_chars)).collect();
    if lines.len() > MAX_LINES {
        "…".clone_into(&mut lines[MAX_LINES]);
    }
    lines.join("\n    ")
}

fn list_causes(causes: &[String]) -> String {
    causes.iter().flat_map(|cause| [": ", cause]).collect()
}

fn list_frames(backtrace: &[String]) -> String {
    backtrace.iter().flat_map(|frame| ["\n    at ", frame]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_do_not_reach_the_terminal() {
        assert_eq!(printable("a\x1b[31mb\u{202e}c", 100), "a\\u{1b}[31mb\\u{202e}c");
        assert_eq!(printable("abcdef", 3), "abc…");
        assert_eq!(printable("a\r\nb", 9), "a\\r\\nb");
    }

    #[test]
    fn lines_are_few_and_never_look_like_the_hosts() {
        assert_eq!(printable_lines("a\nerror: b\n\n", 100), "a\n    error: b");
        assert_eq!(printable_lines(&"\nx".repeat(100), 1000).lines().count(), 17);
    }

    #[test]
    fn an_error_says_where() {
        let call = Call {
            plugin: "com".to_owned(),
            function: "process",
            place: Place { partition: Some(7), frames: Some(FrameIdx(12)..FrameIdx(20)) },
        };
        let (time, backtrace) = (TimeLimit::Call, vec!["f (a.rs:1)".to_owned()]);
        let error = PluginError::TimedOut { call, time, limit_s: 0.5, backtrace };
        assert_eq!(
            error.to_string(),
            "plugin `com`, `process` (partition 7, frames 12..20) ran past its 0.5 s for one call (raise --timeout)\n    \
             at f (a.rs:1)"
        );
    }
}
