//! The options that limit plugins, shared by the subcommands that load or run them. Each may also stand in the configuration
//! file, in the section `[limits]`.

use std::{fmt, str::FromStr, time::Duration};

use lthost::{
    confine::Needs,
    plugin::{Engine, EngineConfig, Limits, Wasi},
};
use serde::Deserialize;

use crate::{Usage, cache, compile, config::Config, confine::Confine, interrupt};

/// A number of bytes, like `512M`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bytes(pub(crate) u64);

/// A time in seconds, like `0.5`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seconds(pub(crate) Duration);

/// What becomes of plugins that want WASI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum WasiArg {
    /// They are refused
    Refuse,
    /// They run, find nothing, and print to the log
    Stub,
}

impl WasiArg {
    /// As it stands on the command line.
    fn word(self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::Stub => "stub",
        }
    }
}

impl From<WasiArg> for Wasi {
    fn from(arg: WasiArg) -> Self {
        match arg {
            WasiArg::Refuse => Self::Refused,
            WasiArg::Stub => Self::Stubbed,
        }
    }
}

/// A struct with an option for each limit, and what is done with all of them.
macro_rules! limit_values {
    ($($(#[doc = $doc:literal])+ $name:ident: $value:ty, $hidden:literal => $limit:ident;)+) => {
        /// Limits, as far as they are given.
        #[derive(Debug, Clone, Default, clap::Args, Deserialize)]
        #[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
        pub(crate) struct LimitValues {
            $($(#[doc = $doc])+
            #[arg(long, hide_short_help = $hidden)]
            $name: Option<$value>,)+
            /// Stack that the calls of a plugin take, up to 4M [default: 512K]
            #[arg(long, value_name = "BYTES", hide_short_help = true, value_parser = stack)]
            max_stack: Option<Bytes>,
        }

        impl LimitValues {
            /// The same for a command line.
            fn words(&self) -> Vec<String> {
                let given = [
                    $((stringify!($name), self.$name.map(|value| value.to_string())),)+
                    ("max_stack", self.max_stack.map(|value| value.to_string())),
                ];
                let word = |(name, value): (&str, Option<String>)| {
                    Some([format!("--{}", name.replace('_', "-")), value?])
                };
                given.into_iter().filter_map(word).flatten().collect()
            }

            fn apply(&self, limits: &mut Limits) {
                $(if let Some(value) = self.$name {
                    limits.$limit = value.into();
                })+
            }
        }
    };
}

limit_values! {
    /// Memory that one plugin instance may use, like 512M or 2G [default: 1G]
    max_memory: Bytes, false => max_memory_bytes;
    /// Memory that all instances of a run may use together, an equal share for each plugin [default: three quarters of the
    /// machine's]
    max_total_memory: Bytes, true => max_total_memory_bytes;
    /// Seconds that one call into a plugin may take [default: 60]
    timeout: Seconds, false => timeout;
    /// Seconds that a run may take [default: 604800, a week]
    run_timeout: Seconds, false => run_timeout;
    /// Size of all buffers of one plugin [default: 8G]
    max_result_bytes: Bytes, false => max_result_bytes;
    /// Size of a plugin file [default: 64M]
    max_plugin_bytes: Bytes, false => max_plugin_bytes;
    /// Size of one function of a plugin [default: 512K]
    max_function_bytes: Bytes, true => max_function_bytes;
    /// Functions of a plugin [default: 100000]
    max_functions: u64, true => max_functions;
    /// Blocks in each other in a function, and components in each other [default: 1000]
    max_nesting: u64, true => max_nesting;
    /// Machine code of a plugin [default: 256M]
    max_code_bytes: Bytes, true => max_code_bytes;
    /// Seconds that compiling a plugin may take [default: 60]
    compile_timeout: Seconds, true => compile_timeout;
    /// Address space that compiling a plugin may take [default: 8G]
    max_compile_memory: Bytes, true => max_compile_bytes;
    /// Core instances, and linear memories, that an instance is made of [default: 64]
    max_instances: u64, true => max_instances;
    /// Tables of an instance [default: 16]
    max_tables: u64, true => max_tables;
    /// Elements of a table [default: 200000]
    max_table_elements: u64, true => max_table_elements;
    /// Messages of a plugin that are shown [default: 1000]
    max_log_lines: u64, true => max_log_lines;
    /// Text of these messages [default: 1M]
    max_log_bytes: Bytes, true => max_log_bytes;
    /// Buffers that a plugin declares [default: 256]
    max_buffers: u64, true => max_buffers;
    /// Parameters that a plugin declares [default: 256]
    max_parameters: u64, true => max_parameters;
    /// Characters of the name of a plugin, parameter or buffer [default: 64]
    max_name_len: u64, true => max_name_len;
}

/// What a plugin may use.
#[derive(clap::Args)]
#[command(next_help_heading = "Limits (more of them with --help; all may stand in the configuration file)")]
pub(crate) struct LimitArgs {
    #[command(flatten)]
    values: LimitValues,
    /// Compile plugins anew, and keep nothing of it
    #[arg(long)]
    no_cache: bool,
    /// Give up, before plugins run, what this process doesn't need: other files, network, other programs [default: best-effort]
    #[arg(long, value_name = "HOW", value_enum, hide_short_help = true)]
    confine: Option<Confine>,
    /// What becomes of plugins that want WASI: files, clocks, printing [default: refuse]
    #[arg(long, value_name = "HOW", value_enum, hide_short_help = true)]
    wasi: Option<WasiArg>,
}

impl LimitArgs {
    /// The same for a command line.
    pub(crate) fn words(&self) -> Vec<String> {
        let mut words = self.values.words();
        words.extend(self.no_cache.then(|| "--no-cache".to_owned()));
        words.extend(self.confine.map(|confine| format!("--confine={}", confine.word())));
        words.extend(self.wasi.map(|wasi| format!("--wasi={}", wasi.word())));
        words
    }

    /// What compiles and runs plugins.
    pub(crate) fn engine(&self, deterministic: bool) -> anyhow::Result<Engine> {
        self.engine_for(deterministic, false)
    }

    /// As [`LimitArgs::engine`]; may tell `perf` of plugins' functions.
    pub(crate) fn engine_for(&self, deterministic: bool, for_perf: bool) -> anyhow::Result<Engine> {
        let config = EngineConfig { deterministic, for_perf, ..EngineConfig::default() };
        let given = self.values.max_stack.or(Config::load()?.limits.max_stack);
        let max_stack_bytes = given.map_or(config.max_stack_bytes, |Bytes(n_bytes)| n_bytes);
        let cache = if self.no_cache { None } else { cache::of_code() };
        let config = EngineConfig { max_stack_bytes, cache, compiler: compile::compiler(), ..config };
        Ok(interrupt::not_for_threads_of(|| Engine::new(config))?)
    }

    /// Gives up what is not needed, before anything of a plugin runs.
    pub(crate) fn confine(&self, needs: &Needs) -> anyhow::Result<()> {
        self.confine.or(Config::load()?.confine).unwrap_or_default().apply(needs)
    }

    /// Those of the command line, else of the configuration file, else those that are usual.
    pub(crate) fn limits(&self) -> anyhow::Result<Limits> {
        let mut limits = limits()?;
        self.values.apply(&mut limits);
        limits.wasi = self.wasi.map_or(limits.wasi, Wasi::from);
        Ok(limits)
    }
}

/// The limits for who has no options.
pub(crate) fn limits() -> anyhow::Result<Limits> {
    let (mut limits, config) = (Limits::default(), Config::load()?);
    config.limits.apply(&mut limits);
    limits.wasi = config.wasi.map_or(limits.wasi, Wasi::from);
    Ok(limits)
}

impl FromStr for Bytes {
    type Err = Usage;

    fn from_str(text: &str) -> Result<Self, Usage> {
        bytes(text).map(Self)
    }
}

impl FromStr for Seconds {
    type Err = Usage;

    fn from_str(text: &str) -> Result<Self, Usage> {
        let number: f64 = text.parse().map_err(|_| Usage(format!("{text:?} is no number of seconds")))?;
        match Duration::try_from_secs_f64(number) {
            Ok(duration) if !duration.is_zero() => Ok(Self(duration)),
            _ => Err(Usage(format!("{text:?} is no possible time"))),
        }
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_secs_f64().fmt(f)
    }
}

impl From<Bytes> for u64 {
    fn from(Bytes(n_bytes): Bytes) -> Self {
        n_bytes
    }
}

impl From<Seconds> for Duration {
    fn from(Seconds(duration): Seconds) -> Self {
        duration
    }
}

/// In the configuration file: text as on the command line, or a number.
#[derive(Deserialize)]
#[serde(untagged)]
enum TextOrNumber {
    Text(String),
    Integer(u64),
    Number(f64),
}

impl TextOrNumber {
    fn parse<T: FromStr<Err = Usage>, E: serde::de::Error>(&self) -> Result<T, E> {
        let text = match self {
            Self::Text(text) => text.clone(),
            Self::Integer(number) => number.to_string(),
            Self::Number(number) => number.to_string(),
        };
        text.parse().map_err(E::custom)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        TextOrNumber::deserialize(from)?.parse()
    }
}

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        TextOrNumber::deserialize(from)?.parse()
    }
}

fn stack(text: &str) -> Result<Bytes, Usage> {
    match bytes(text)? {
        n_bytes @ 1024..=0x40_0000 => Ok(Bytes(n_bytes)),
        _ => Err(Usage(format!("{text:?} is not from 1K to 4M"))),
    }
}

/// `512M`, `2G` and the like, or a number of bytes.
pub(crate) fn bytes(text: &str) -> Result<u64, Usage> {
    let (digits, shift) = match text.char_indices().last() {
        Some((at, 'k' | 'K')) => (&text[..at], 10),
        Some((at, 'm' | 'M')) => (&text[..at], 20),
        Some((at, 'g' | 'G')) => (&text[..at], 30),
        Some((at, 't' | 'T')) => (&text[..at], 40),
        _ => (text, 0),
    };
    let number: u64 =
        digits.parse().map_err(|_| Usage(format!("{text:?} is no whole number of bytes, write it like 512M or 2G")))?;
    number.checked_mul(1 << shift).ok_or_else(|| Usage(format!("{text:?} is too large")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        assert_eq!(bytes("2G").unwrap(), 2 << 30);
        assert_eq!(bytes("17").unwrap(), 17);
        assert_eq!(bytes("1t").unwrap(), 1 << 40);
        assert!(bytes("G").is_err() && bytes("").is_err() && bytes("99999999999G").is_err());
    }

    #[test]
    fn a_file_gives_limits_as_the_command_line_does() {
        let values: LimitValues = toml::from_str("max-memory = \"512M\"\ntimeout = 0.5\nmax-functions = 7").unwrap();
        let words = ["--max-memory", "536870912", "--timeout", "0.5", "--max-functions", "7"];
        assert_eq!(values.words(), words);
        let mut limits = Limits::default();
        values.apply(&mut limits);
        let wanted = (512 << 20, Duration::from_millis(500), 7);
        assert_eq!((limits.max_memory_bytes, limits.timeout, limits.max_functions), wanted);
        assert!(toml::from_str::<LimitValues>("max-memory = \"a lot\"").is_err());
        assert!(toml::from_str::<LimitValues>("max-memories = 1").is_err());
    }
}
