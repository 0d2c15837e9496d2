//! `lthost run`: plugins over a data set, in one pass.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use anyhow::{Context, bail};
use clap::ArgMatches;
use lthost::{
    correction::Corrections,
    dataset::Dataset,
    plugin::{Argument, Engine, Limits, LogLevel, LogLine, Logger},
    results::Output,
    run::{Control, Observer, Outcome, Pool, RunConfig, RunError, UdfSpec, Update},
    shape::{Array, Dtype, npy},
};

use crate::{
    Usage,
    dataset_args::{DatasetArgs, key_value},
    dump::{self, FrameAt},
    find,
    limit_args::{LimitArgs, bytes},
    live::{self, Every, Watch},
    outcome,
    progress::{self, Display, Style},
    terminal,
};

/// Run plugins over a data set, all in one pass
///
/// Results are the same bits for any number of workers.
///
/// Examples:
///   lthost run --plugin sum --plugin sumsig --dataset scan.hdr -o out
///   lthost run --plugin com -p cy=63.5 -p cx=64 --dataset scan.npy -o out --png
///   lthost run --plugin bf=masks -p factors=@bf.npy --dataset scan.mib --nav-shape 128,128
///   lthost run --plugin udf.wasm --dataset scan.raw --dtype u16 --nav-shape 64,64 --sig-shape 256,256
///
/// Exit status: 0 done, 1 failed, 2 called wrongly, 3 partial results.
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Opts {
    /// Plugin to run: a name (see `lthost plugins`) or a .wasm file; LABEL=PLUGIN names its results; may be repeated
    #[arg(long, value_name = "NAME|FILE", required = true)]
    plugin: Vec<String>,
    /// Parameter of the --plugin before it: JSON, a bare word, or @file.npy; may be repeated
    #[arg(short = 'p', long = "param", value_name = "KEY=VALUE", value_parser = key_value, allow_hyphen_values = true)]
    param: Vec<(String, String)>,
    /// New value of a parameter from partition N on, for the plugin labelled LABEL; may be repeated
    #[arg(long, value_name = "N:LABEL.KEY=VALUE", value_parser = update, allow_hyphen_values = true)]
    update: Vec<(u64, Update)>,
    #[command(flatten)]
    dataset: DatasetArgs,
    /// Frames to use: a boolean .npy of the scan's shape
    #[arg(long, value_name = "FILE", conflicts_with = "frame")]
    roi: Option<PathBuf>,
    /// Run over this partition alone, one of those that `lthost info` lists
    #[arg(long, value_name = "I", conflicts_with = "frame")]
    partition: Option<u64>,
    /// Run over one frame alone, its number or its place like 1,2, and print everything that comes of it
    #[arg(long, value_name = "I", value_parser = dump::frame_at, conflicts_with = "json")]
    frame: Option<FrameAt>,
    /// Dark frame, taken away from every frame: a .npy of a frame's shape
    #[arg(long, value_name = "FILE")]
    dark: Option<PathBuf>,
    /// Gain map, by which every frame is then multiplied: a .npy of a frame's shape
    #[arg(long, value_name = "FILE")]
    gain: Option<PathBuf>,
    /// Pixels that are then replaced by the mean of their neighbours: a boolean .npy of a frame's shape
    #[arg(long, value_name = "FILE")]
    excluded: Option<PathBuf>,
    /// Folder for the results: DIR/LABEL/BUFFER.npy, DIR/damage.npy and DIR/run.json; those of earlier runs under the
    /// same names are replaced, others stay; without it a summary is printed
    #[arg(short = 'o', long = "output", value_name = "DIR")]
    output: Option<PathBuf>,
    /// Also write pictures of the results, DIR/LABEL/BUFFER.png
    #[arg(long, requires = "output")]
    png: bool,
    /// Write results already while the run goes on, in place: every so many seconds, like 5 or 0.5s, or partitions, like 20p
    #[arg(long, value_name = "SECONDS|PARTITIONS", requires = "output")]
    every: Option<Every>,
    /// Print a summary of the results as JSON on stdout
    #[arg(long)]
    json: bool,
    /// How progress is shown on stderr: a bar, lines, or JSON lines for a script [default: a bar on a terminal, else lines]
    #[arg(long, value_name = "HOW", value_enum)]
    progress: Option<Style>,
    /// Show no progress
    #[arg(long, short, conflicts_with = "progress")]
    quiet: bool,
    #[command(flatten)]
    running: RunningArgs,
}

/// Bytes that an array beside the data may have: these are read whole.
const MAX_ARRAY_BYTES: u64 = 4 << 30;

/// An array that was given besides the data: option, file, and what is in it.
pub(crate) type GivenArray = (&'static str, PathBuf, Array);

/// How to run.
#[derive(clap::Args)]
#[command(next_help_heading = "Running")]
struct RunningArgs {
    /// Worker threads [default: number of cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    workers: Option<u16>,
    /// Number of partitions; may change the last digits of real numbers [default: by the size of the data set]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    partitions: Option<u64>,
    /// Size of a tile, like 512K; may change the last digits of real numbers [default: 512K]
    #[arg(long, value_name = "BYTES", value_parser = some_bytes)]
    tile_bytes: Option<u64>,
    /// Make results the same bits on any machine, at some cost in speed
    #[arg(long)]
    deterministic: bool,
    #[command(flatten)]
    limits: LimitArgs,
    /// Size of all buffers of one plugin [default: 8G]
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    max_result_bytes: Option<u64>,
}

pub(crate) fn run(opts: &Opts, matches: &ArgMatches) -> anyhow::Result<()> {
    let arrays = opts.arrays()?;
    let given = |option: &str| arrays.iter().find(|(name, ..)| *name == option).map(|(.., array)| array);
    let mut config = opts.running.config(given("roi").cloned())?;
    config.updates.clone_from(&opts.update);
    config.only_partition = opts.partition;
    let engine = Engine::new(opts.running.deterministic)?;
    let specs = specs(opts, matches, &engine, &config.limits)?;
    let dataset = Arc::new(opts.dataset.open()?);
    for (_, text) in dataset.metadata().iter().filter(|(key, _)| key == "warning") {
        terminal::say(&format!("warning: {text}"));
    }
    config.corrections = Corrections::new(dataset.sig(), given("dark"), given("gain"), given("excluded"))?;
    let inputs = opts.inputs(&dataset, &arrays);
    let mut output = opts.output.as_deref().map(|dir| Output::create(dir, &inputs)).transpose()?;
    if let Some(frame) = &opts.frame {
        config.roi = Some(frame.roi(dataset.nav())?);
    }
    let display = Arc::new(Mutex::new(Display::new(opts.quiet || opts.frame.is_some(), opts.progress)));
    let watch = Watch::default();
    let (logger, held_back) = logger();
    let observer = Observer { progress: progress::shown_on(&display, &watch), logger };
    let pool = opts.running.workers.map_or_else(Pool::with_all_cores, |n_workers| Pool::new(n_workers.into()))?;
    let running = pool.start(&dataset, &specs, &config, observer);
    cancel_on_signal(running.control())?;
    let mut written = None;
    let mut write = |outcome: &Outcome| {
        let run = outcome::Run { dataset: &dataset, config: &config, specs: &specs, arrays: &arrays, outcome };
        let Some(output) = &mut output else { return Ok(()) };
        run.write(output, opts.png, opts.running.deterministic)?;
        written = Some(outcome.stats.n_frames);
        anyhow::Ok(())
    };
    let ran = match opts.every {
        Some(every) => live::follow(running, every, &watch, &mut write),
        None => running.wait().map_err(anyhow::Error::from),
    };
    progress::finish(&display);
    print_held_back(&held_back, ran.as_ref().err());
    let ended = ran.and_then(|outcome| write(&outcome).map(|()| outcome));
    let outcome = ended.map_err(|error| failed(error, written, opts.output.as_deref()))?;
    let run = outcome::Run { dataset: &dataset, config: &config, specs: &specs, arrays: &arrays, outcome: &outcome };
    match &opts.frame {
        Some(frame) => Ok(dump::print(&mut std::io::stdout().lock(), &dataset, frame.index(dataset.nav())?, &outcome)?),
        None if opts.json => run.print_json(opts.output.as_deref()),
        None => run.print_summary(opts.output.as_deref()),
    }
}

/// A run that failed, with results of its first part written.
#[derive(Debug, thiserror::Error)]
#[error("partial results, of {n_frames} frames, are in `{}`", dir.display())]
pub(crate) struct Partial {
    #[source]
    source: anyhow::Error,
    n_frames: u64,
    dir: PathBuf,
}

/// The error of a run, with what it has left.
fn failed(error: anyhow::Error, written: Option<u64>, dir: Option<&Path>) -> anyhow::Error {
    match (written, dir) {
        (Some(n_frames), Some(dir)) => Partial { source: error, n_frames, dir: dir.to_owned() }.into(),
        _ if error.downcast_ref().is_some_and(|error| matches!(error, RunError::Cancelled)) => {
            anyhow::anyhow!("{error}: no results were written")
        }
        _ => error,
    }
}

impl Opts {
    /// The arrays that were given besides the data: option, file, and what is in it.
    fn arrays(&self) -> anyhow::Result<Vec<GivenArray>> {
        let options = [("roi", &self.roi), ("dark", &self.dark), ("gain", &self.gain), ("excluded", &self.excluded)];
        let read = |(name, path): (&'static str, &PathBuf)| {
            let dtype = npy::read_header(path)?.dtype;
            if matches!(name, "roi" | "excluded") && dtype != Dtype::Bool {
                let path = path.display();
                bail!(
                    "--{name} `{path}` has dtype {dtype}, expected bool: convert it, as with numpy's `.astype(bool)`"
                );
            }
            Ok((name, path.clone(), read_array(path)?))
        };
        options.into_iter().filter_map(|(name, path)| Some((name, path.as_ref()?))).map(read).collect()
    }

    /// The files that the run reads.
    fn inputs(&self, dataset: &Dataset, arrays: &[GivenArray]) -> Vec<PathBuf> {
        let data = dataset.files().iter().map(|file| file.path.clone());
        let arrays = arrays.iter().map(|(_, path, _)| path.clone());
        let params = self.param.iter().filter_map(|(_, value)| Some(PathBuf::from(value.strip_prefix('@')?)));
        let plugins = self.plugin.iter().map(|plugin| PathBuf::from(split_label(plugin).1));
        data.chain([dataset.path().to_owned()]).chain(arrays).chain(params).chain(plugins).collect()
    }
}

impl RunningArgs {
    fn config(&self, roi: Option<Array>) -> Result<RunConfig, Usage> {
        let mut limits = self.limits.limits()?;
        limits.max_result_bytes = self.max_result_bytes.unwrap_or(limits.max_result_bytes);
        let default = RunConfig::default();
        Ok(RunConfig {
            partitions: self.partitions,
            tile_bytes: self.tile_bytes.unwrap_or(default.tile_bytes),
            roi,
            limits,
            ..default
        })
    }
}

/// A number of bytes above 0.
fn some_bytes(text: &str) -> Result<u64, Usage> {
    match bytes(text)? {
        0 => Err(Usage("0 is too small".to_owned())),
        n_bytes => Ok(n_bytes),
    }
}

/// The plugins with their parameters: each `-p` belongs to the `--plugin` before it.
fn specs(opts: &Opts, matches: &ArgMatches, engine: &Engine, limits: &Limits) -> anyhow::Result<Vec<UdfSpec>> {
    let positions: Vec<usize> = matches.indices_of("plugin").into_iter().flatten().collect();
    let mut arguments: Vec<Vec<(String, Argument)>> = vec![Vec::new(); positions.len()];
    for ((key, value), at) in opts.param.iter().zip(matches.indices_of("param").into_iter().flatten()) {
        let Some(owner) = positions.iter().rposition(|&position| position < at) else {
            return Err(Usage(format!("-p {key}={value} stands before any --plugin: put it after its own")).into());
        };
        arguments[owner].push((key.clone(), argument(value).with_context(|| format!("-p {key}={value}"))?));
    }
    opts.plugin
        .iter()
        .zip(arguments)
        .map(|(plugin, arguments)| {
            let (label, plugin) = split_label(plugin);
            Ok(UdfSpec { label, plugin: find::find(plugin)?.load(engine, limits)?, arguments })
        })
        .collect()
}

/// `LABEL=PLUGIN`; a `=` further on may be part of a path.
fn split_label(plugin: &str) -> (Option<String>, &str) {
    match plugin.split_once('=') {
        Some((label, rest)) if !label.contains(['/', '.']) => (Some(label.to_owned()), rest),
        _ => (None, plugin),
    }
}

/// `N:LABEL.KEY=VALUE`.
fn update(text: &str) -> anyhow::Result<(u64, Update)> {
    let parts = || {
        let (partition, rest) = text.split_once(':')?;
        let (place, value) = rest.split_once('=')?;
        let (label, key) = place.rsplit_once('.')?;
        Some((partition.parse().ok()?, label, key, value))
    };
    let (partition, label, key, value) = parts().context("expected N:LABEL.KEY=VALUE, like 3:sum.dtype=float64")?;
    let arguments = vec![(key.to_owned(), argument(value)?)];
    Ok((partition, Update { label: label.to_owned(), arguments }))
}

/// JSON, `@file.npy`, or a bare word.
fn argument(value: &str) -> anyhow::Result<Argument> {
    if let Some(path) = value.strip_prefix('@') {
        return Ok(Argument::Array(read_array(path.as_ref())?));
    }
    let word = || serde_json::Value::String(value.to_owned());
    Ok(Argument::Json(serde_json::from_str(value).unwrap_or_else(|_| word())))
}

fn read_array(path: &Path) -> anyhow::Result<Array> {
    let n_bytes = npy::read_header(path)?.data_bytes()?;
    if n_bytes > MAX_ARRAY_BYTES {
        bail!("`{}` holds {n_bytes} bytes, at most {MAX_ARRAY_BYTES} are taken beside the data set", path.display());
    }
    Ok(npy::read(path)?)
}

/// Ctrl-C ends the run in order; a second one ends the program.
fn cancel_on_signal(control: Control) -> anyhow::Result<()> {
    let was_asked = AtomicBool::new(false);
    let handle = move || {
        if was_asked.swap(true, Ordering::Relaxed) {
            std::process::exit(1);
        }
        control.cancel();
    };
    ctrlc::set_handler(handle).context("signals can't be handled")
}

/// Messages of plugins that are held back until it is known whether they are part of an error.
type HeldBack = Arc<Mutex<Vec<LogLine>>>;

/// Prints what plugins log, but for errors: a panic's message is shown with the error that follows it.
fn logger() -> (Logger, HeldBack) {
    let held_back = HeldBack::default();
    let keep = held_back.clone();
    let logger: Logger = Arc::new(move |line: LogLine| {
        if line.level == LogLevel::Error {
            keep.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        } else {
            print_log(&line);
        }
    });
    (logger, held_back)
}

fn print_held_back(held_back: &HeldBack, error: Option<&anyhow::Error>) {
    let error = error.map(|error| format!("{error:#}")).unwrap_or_default();
    for line in held_back.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        if !error.contains(&line.message) {
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
    terminal::say(&format!("{level}: plugin `{}`{}: {}", line.plugin, line.place, line.message));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_json_or_words() {
        assert_eq!(argument("1.5").unwrap(), Argument::Json(1.5.into()));
        assert_eq!(argument("float32").unwrap(), Argument::Json("float32".into()));
        assert_eq!(argument("true").unwrap(), Argument::Json(true.into()));
        assert!(argument("@/nonexistent.npy").is_err());
    }

    #[test]
    fn labels_stand_before_the_plugin() {
        assert_eq!(split_label("bf=masks"), (Some("bf".to_owned()), "masks"));
        assert_eq!(split_label("./a=b.wasm"), (None, "./a=b.wasm"));
        assert_eq!(split_label("masks"), (None, "masks"));
    }
}
