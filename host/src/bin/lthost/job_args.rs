//! Options that say what is computed: plugins, data, and how. The same for `lthost run` and `lthost partial`.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, bail};
use clap::ArgMatches;
use lthost::{
    correction::Corrections,
    dataset::Dataset,
    plugin::{
        Argument, Engine, Limits,
        trust::{Pin, signature_file},
    },
    run::{RunConfig, UdfSpec, Update},
    shape::{Array, Dtype, npy},
};

use crate::{
    Usage,
    dataset_args::{DatasetArgs, key_value},
    find,
    limit_args::{LimitArgs, bytes},
    logs::LogArgs,
    profile::ProfileArgs,
    terminal, trust,
};

/// What is computed.
#[derive(clap::Args)]
pub(crate) struct JobArgs {
    /// Plugin to run: a name (see `lthost plugins`), a .wasm file, or sha256:HASH for the one with this hash in the plugin
    /// folders; LABEL=PLUGIN names its results, PLUGIN@sha256:HASH takes none with another hash; may be repeated
    #[arg(long, value_name = "NAME|FILE", required = true)]
    plugin: Vec<String>,
    /// Parameter of the --plugin before it: JSON, a bare word, or @file.npy; may be repeated
    #[arg(short = 'p', long = "param", value_name = "KEY=VALUE", value_parser = key_value, allow_hyphen_values = true)]
    param: Vec<(String, String)>,
    /// New value of a parameter from partition N on, for the plugin labelled LABEL; may be repeated. What a plugin makes
    /// when all partitions are merged, like the shifts of com, has the last value
    #[arg(long, value_name = "N:LABEL.KEY=VALUE", value_parser = update, allow_hyphen_values = true)]
    update: Vec<(u64, Update)>,
    #[command(flatten)]
    dataset: DatasetArgs,
    /// Frames to use: a boolean .npy of the scan's shape, or flat
    #[arg(long, value_name = "FILE")]
    roi: Option<PathBuf>,
    /// Dark frame, taken away from every frame: a .npy of a frame's shape
    #[arg(long, value_name = "FILE")]
    dark: Option<PathBuf>,
    /// Gain map, by which every frame is then multiplied: a .npy of a frame's shape
    #[arg(long, value_name = "FILE")]
    gain: Option<PathBuf>,
    /// Pixels that are then replaced by the mean of their neighbours: a boolean .npy of a frame's shape
    #[arg(long, value_name = "FILE")]
    excluded: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) running: RunningArgs,
}

/// Bytes that an array beside the data may have: these are read whole.
const MAX_ARRAY_BYTES: u64 = 4 << 30;

/// An array that was given besides the data: option, file, and what is in it.
pub(crate) type GivenArray = (&'static str, PathBuf, Array);

/// How to run.
#[derive(clap::Args)]
#[command(next_help_heading = "Running")]
pub(crate) struct RunningArgs {
    /// Worker threads [default: number of cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    workers: Option<u16>,
    /// Number of partitions; may change the last digits of real numbers [default: by the size of the data set]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    partitions: Option<u64>,
    /// Size of a tile, like 256K; may change the last digits of real numbers [default: 1M; more where no
    /// plugin gets the pixels]
    #[arg(long, value_name = "BYTES", value_parser = some_bytes)]
    tile_bytes: Option<u64>,
    /// Take the tiles of each partition from the last to the first, to see that results don't depend on their order
    #[arg(long)]
    backwards: bool,
    /// Make results the same bits on any machine, at some cost in speed
    #[arg(long)]
    pub(crate) deterministic: bool,
    #[command(flatten)]
    pub(crate) logs: LogArgs,
    #[command(flatten)]
    pub(crate) limits: LimitArgs,
}

/// A job, ready to be run.
pub(crate) struct Job {
    pub(crate) dataset: Arc<Dataset>,
    pub(crate) specs: Vec<UdfSpec>,
    pub(crate) config: RunConfig,
    /// ROI and corrections.
    pub(crate) arrays: Vec<GivenArray>,
    /// Files that it reads.
    pub(crate) inputs: Vec<PathBuf>,
}

impl JobArgs {
    /// Reads and loads everything. `matches` are those of the subcommand: only they have the order of options. `profile` says
    /// how the run is profiled.
    pub(crate) fn open(&self, matches: &ArgMatches, profile: Option<&ProfileArgs>) -> anyhow::Result<Job> {
        let arrays = self.arrays()?;
        let given = |option: &str| arrays.iter().find(|(name, ..)| *name == option).map(|(.., array)| array);
        let mut config = self.running.config(given("roi").cloned())?;
        config.updates.clone_from(&self.update);
        config.profile = profile.is_some_and(ProfileArgs::is_wanted);
        let deterministic = self.running.deterministic;
        let for_perf = profile.is_some_and(ProfileArgs::is_for_perf);
        let engine = self.running.limits.engine_for(deterministic, for_perf)?;
        let specs = specs(self, matches, &engine, &config.limits)?;
        let dataset = Arc::new(self.dataset.open()?);
        for (_, text) in dataset.metadata().iter().filter(|(key, _)| key == "warning") {
            terminal::say_at("warning", text);
        }
        config.corrections = Corrections::new(dataset.sig(), given("dark"), given("gain"), given("excluded"))?;
        let inputs = self.inputs(&dataset, &arrays, matches);
        Ok(Job { dataset, specs, config, arrays, inputs })
    }

    /// The arrays that were given besides the data: option, file, and what is in it.
    fn arrays(&self) -> anyhow::Result<Vec<GivenArray>> {
        let options = [("roi", &self.roi), ("dark", &self.dark), ("gain", &self.gain), ("excluded", &self.excluded)];
        let read = |(name, path): (&'static str, &PathBuf)| {
            let dtype = npy::read_header(path)?.dtype;
            if matches!(name, "roi" | "excluded") && dtype != Dtype::Bool {
                let what = format!("--{name} `{}` has dtype {dtype}, expected bool", path.display());
                return Err(Usage(format!("{what}: convert it, as with numpy's `.astype(bool)`")).into());
            }
            Ok((name, path.clone(), read_array(path)?))
        };
        options.into_iter().filter_map(|(name, path)| Some((name, path.as_ref()?))).map(read).collect()
    }

    /// The files that the run reads.
    fn inputs(&self, dataset: &Dataset, arrays: &[GivenArray], matches: &ArgMatches) -> Vec<PathBuf> {
        let data = dataset.files().iter().map(|file| file.path.clone());
        let arrays = arrays.iter().map(|(_, path, _)| path.clone());
        let file = |value: &str| Some(PathBuf::from(value.strip_prefix('@')?));
        let params = self.param.iter().filter_map(|(_, value)| file(value));
        // What stands in them is an array by now.
        let updates = matches.get_raw("update").into_iter().flatten();
        let updates = updates.filter_map(|text| file(text.to_str()?.split_once('=')?.1));
        let plugins = self.plugin.iter().map(|plugin| PathBuf::from(Pin::split(split_label(plugin).1).0));
        let plugins = plugins.flat_map(|file| [signature_file(&file), file]);
        data.chain([dataset.path().to_owned()]).chain(arrays).chain(params).chain(updates).chain(plugins).collect()
    }
}

impl RunningArgs {
    /// How many threads work.
    pub(crate) fn n_workers(&self) -> usize {
        let n_cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        self.workers.map_or_else(n_cores, usize::from)
    }

    fn config(&self, roi: Option<Array>) -> anyhow::Result<RunConfig> {
        let limits = self.limits.limits()?;
        let default = RunConfig::default();
        Ok(RunConfig {
            partitions: self.partitions,
            tile_bytes: self.tile_bytes,
            backwards: self.backwards,
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
fn specs(args: &JobArgs, matches: &ArgMatches, engine: &Engine, limits: &Limits) -> anyhow::Result<Vec<UdfSpec>> {
    let positions: Vec<usize> = matches.indices_of("plugin").into_iter().flatten().collect();
    let mut arguments: Vec<Vec<(String, Argument)>> = vec![Vec::new(); positions.len()];
    for ((key, value), at) in args.param.iter().zip(matches.indices_of("param").into_iter().flatten()) {
        let Some(owner) = positions.iter().rposition(|&position| position < at) else {
            return Err(Usage(format!("-p {key}={value} stands before any --plugin: put it after its own")).into());
        };
        arguments[owner].push((key.clone(), argument(value).with_context(|| format!("-p {key}={value}"))?));
    }
    let judge = trust::judge()?;
    args.plugin
        .iter()
        .zip(arguments)
        .map(|(plugin, arguments)| {
            let (label, plugin) = split_label(plugin);
            Ok(UdfSpec { label, plugin: find::find(plugin)?.load(&judge, engine, limits)?, arguments })
        })
        .collect()
}

/// `LABEL=PLUGIN`. What stands before a `=` is part of a path if it has a `/`, or if there is a file of the whole name but for
/// the pin.
pub(crate) fn split_label(plugin: &str) -> (Option<String>, &str) {
    let is_file = || Path::new(Pin::split(plugin).0).is_file();
    match plugin.split_once('=') {
        Some((label, rest)) if !label.contains('/') && !is_file() => (Some(label.to_owned()), rest),
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
pub(crate) fn argument(value: &str) -> anyhow::Result<Argument> {
    if let Some(path) = value.strip_prefix('@') {
        return Ok(Argument::Array(read_array(path.as_ref())?));
    }
    let word = || serde_json::Value::String(value.to_owned());
    Ok(Argument::Json(serde_json::from_str(value).unwrap_or_else(|_| word())))
}

/// What was given for each parameter.
pub(crate) fn arguments(given: &[(String, String)]) -> anyhow::Result<Vec<(String, Argument)>> {
    let read = |(key, value): &(String, String)| {
        let value = argument(value).with_context(|| format!("-p {key}={value}"))?;
        Ok((key.clone(), value))
    };
    given.iter().map(read).collect()
}

fn read_array(path: &Path) -> anyhow::Result<Array> {
    let n_bytes = npy::read_header(path)?.data_bytes()?;
    if n_bytes > MAX_ARRAY_BYTES {
        bail!("`{}` holds {n_bytes} bytes, at most {MAX_ARRAY_BYTES} are taken beside the data set", path.display());
    }
    Ok(npy::read(path)?)
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
        assert_eq!(split_label("a.b=sum"), (Some("a.b".to_owned()), "sum"));
        assert_eq!(split_label("a=./b=c.wasm"), (Some("a".to_owned()), "./b=c.wasm"));
        assert_eq!(split_label("./a=b.wasm"), (None, "./a=b.wasm"));
        assert_eq!(split_label("masks"), (None, "masks"));
        assert_eq!(split_label("bf=masks@sha256:12"), (Some("bf".to_owned()), "masks@sha256:12"));
    }
}
