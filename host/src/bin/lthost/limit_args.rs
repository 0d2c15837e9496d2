//! The options that limit plugins, shared by the subcommands that run them.

use std::time::Duration;

use lthost::plugin::{Engine, Limits, PluginError};

use crate::{Usage, cache};

/// What a plugin may use.
#[derive(clap::Args)]
#[command(next_help_heading = "Limits")]
pub(crate) struct LimitArgs {
    /// Memory that one plugin instance may use, like 512M or 2G [default: 1G]
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    max_memory: Option<u64>,
    /// Size of a plugin file [default: 64M]
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    max_plugin_bytes: Option<u64>,
    /// How long one call into a plugin may take [default: 60]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    timeout: Option<Duration>,
    /// Compile plugins anew, and keep nothing of it
    #[arg(long)]
    no_cache: bool,
}

impl LimitArgs {
    /// The same for a command line.
    pub(crate) fn words(&self) -> Vec<String> {
        let given = [
            ("--max-memory", self.max_memory.map(|bytes| bytes.to_string())),
            ("--max-plugin-bytes", self.max_plugin_bytes.map(|bytes| bytes.to_string())),
            ("--timeout", self.timeout.map(|timeout| timeout.as_secs_f64().to_string())),
        ];
        let given = given.into_iter().filter_map(|(option, value)| Some([option.to_owned(), value?])).flatten();
        given.chain(self.no_cache.then(|| "--no-cache".to_owned())).collect()
    }

    /// What compiles and runs plugins.
    pub(crate) fn engine(&self, deterministic: bool) -> Result<Engine, PluginError> {
        let engine = Engine::new(deterministic)?;
        Ok(if self.no_cache { engine } else { cache::with_code(engine) })
    }

    pub(crate) fn limits(&self) -> Result<Limits, Usage> {
        let mut limits = Limits::default();
        if let Some(max_memory) = self.max_memory {
            limits.max_memory_bytes =
                usize::try_from(max_memory).map_err(|_| Usage(format!("--max-memory {max_memory} is too large")))?;
        }
        limits.max_plugin_bytes = self.max_plugin_bytes.unwrap_or(limits.max_plugin_bytes);
        limits.timeout = self.timeout.unwrap_or(limits.timeout);
        Ok(limits)
    }
}

/// `512M`, `2G`, or a number of bytes.
pub(crate) fn bytes(text: &str) -> Result<u64, Usage> {
    let (digits, shift) = match text.char_indices().last() {
        Some((at, 'k' | 'K')) => (&text[..at], 10),
        Some((at, 'M')) => (&text[..at], 20),
        Some((at, 'G')) => (&text[..at], 30),
        _ => (text, 0),
    };
    let number: u64 =
        digits.parse().map_err(|_| Usage(format!("{text:?} is no number of bytes, write it like 512M or 2G")))?;
    number.checked_mul(1 << shift).ok_or_else(|| Usage(format!("{text:?} is too large")))
}

fn seconds(text: &str) -> Result<Duration, Usage> {
    let number: f64 = text.parse().map_err(|_| Usage(format!("{text:?} is no number of seconds")))?;
    match Duration::try_from_secs_f64(number) {
        Ok(duration) if !duration.is_zero() => Ok(duration),
        _ => Err(Usage(format!("{text:?} is no possible time"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        assert_eq!(bytes("2G").unwrap(), 2 << 30);
        assert_eq!(bytes("17").unwrap(), 17);
        assert!(bytes("G").is_err() && bytes("").is_err() && bytes("99999999999G").is_err());
    }
}
