//! Where cases are run: the compiled plugin, the worker threads, and the data; and what came of each case.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use anyhow::{Context, bail};
use lthost::{
    dataset::{self, Dataset, DatasetOptions},
    plugin::{Limits, PluginError},
    run::{Observer, Outcome, Phase, Pool, RunConfig, RunError, UdfOutcome, UdfSpec, silent},
    shape::npy,
    tile::Tiling,
};
use tempfile::TempDir;

use super::{
    case::{Case, Tiles},
    data::Data,
};
use crate::{limit_args::LimitArgs, repeat::quoted};

/// Where a plugin refuses what it can't do, as opposed to failing at it.
const REFUSES: [&str; 3] = ["create", "preferences", "buffers"];
/// Where frames are split, tiles have at most this many of them.
const SPLIT_DEPTH: u64 = 8;

/// Runs cases, and knows what came of them.
pub(super) struct Lab<'a> {
    spec: UdfSpec,
    limits: Limits,
    words: Words<'a>,
    folder: TempDir,
    pools: Vec<Pool>,
    datasets: HashMap<Data, Arc<Dataset>>,
    ran: HashMap<Case, Rc<Ran>>,
    n_runs: u64,
    /// Whether the plugin takes sparse tiles, whose pixels take more room.
    is_csr: bool,
    interrupted: Arc<AtomicBool>,
}

/// The plugin as the user called it.
pub(super) struct Words<'a> {
    pub(super) plugin: &'a str,
    pub(super) params: &'a [(String, String)],
    pub(super) limits: &'a LimitArgs,
}

/// What came of a case.
#[derive(Debug)]
pub(super) enum Ran {
    /// Results.
    Done(Box<UdfOutcome>),
    /// The plugin, or the host for it, said in time that it can't do this.
    Refused(String),
    /// It failed on the way.
    Failed(Failure),
}

/// How a plugin failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) how: How,
    /// Function of the contract.
    pub(super) function: &'static str,
    pub(super) message: String,
}

/// The way in which a plugin failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    Error,
    Trap,
    Timeout,
    Memory,
    Contract,
}

impl<'a> Lab<'a> {
    pub(super) fn new(
        spec: UdfSpec,
        limits: Limits,
        words: Words<'a>,
        interrupted: Arc<AtomicBool>,
    ) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("lthost-test-").tempdir().context("there is no room for data")?;
        let (datasets, ran) = (HashMap::new(), HashMap::new());
        Ok(Self {
            spec,
            limits,
            words,
            folder,
            pools: Vec::new(),
            datasets,
            ran,
            n_runs: 0,
            is_csr: false,
            interrupted,
        })
    }

    /// Runs made so far.
    pub(super) fn n_runs(&self) -> u64 {
        self.n_runs
    }

    /// Runs a case; one with a single worker only once, since it can't come out differently.
    pub(super) fn run(&mut self, case: &Case) -> anyhow::Result<Rc<Ran>> {
        if let Some(ran) = self.ran.get(case) {
            return Ok(Rc::clone(ran));
        }
        let config = self.config(case)?;
        let ran = Rc::new(judge(self.start(&case.data, case.workers, &config)?)?);
        if case.workers == 1 {
            self.ran.insert(case.clone(), Rc::clone(&ran));
        }
        Ok(ran)
    }

    /// Runs over any data set, with any options.
    pub(super) fn run_with(
        &mut self,
        dataset: &Arc<Dataset>,
        spec: &UdfSpec,
        workers: usize,
        config: &RunConfig,
    ) -> anyhow::Result<Result<Outcome<UdfOutcome>, RunError>> {
        if self.interrupted.load(Ordering::Relaxed) {
            bail!("interrupted");
        }
        self.n_runs += 1;
        let observer = Observer { logger: silent(), ..Observer::default() };
        let pool = self.pool(workers)?;
        Ok(pool.start(dataset, spec.clone(), config, observer).wait())
    }

    /// How often `process` is called in a case; none if that fails.
    pub(super) fn n_calls(&mut self, case: &Case) -> anyhow::Result<Option<u64>> {
        let config = RunConfig { profile: true, ..self.config(case)? };
        let outcome = self.start(&case.data, 1, &config)?.ok();
        let profile = outcome.and_then(|outcome| outcome.profile);
        Ok(profile.map(|profile| profile.cost(|entry| entry.phase == Phase::Process).n_calls))
    }

    /// Finds out whether the plugin takes sparse tiles: then what would be a frame is split.
    pub(super) fn learn_form(&mut self, data: &Data) -> anyhow::Result<()> {
        let single = Case { partitions: data.n_frames(), tiles: Tiles::Frames(1), ..Case::plain(data.clone()) };
        self.is_csr = self.n_calls(&single)?.is_some_and(|n_calls| n_calls > data.n_frames());
        self.ran.clear();
        Ok(())
    }

    /// The plugin with its parameters.
    pub(super) fn spec(&self) -> &UdfSpec {
        &self.spec
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The command line that repeats a case, with its files in `folder` and its results in `folder/out`.
    pub(super) fn command(&mut self, case: &Case, folder: &Path, out: &str) -> anyhow::Result<String> {
        let data = folder.join(case.data.file_name());
        let written = case.data.write(&data);
        written.with_context(|| format!("can't write `{}`", data.display()))?;
        let program = std::env::args().next().unwrap_or_else(|| "lthost".to_owned());
        let path = |path: PathBuf| path.display().to_string();
        let mut words = vec![program, "run".to_owned(), "--plugin".to_owned(), format!("udf={}", self.words.plugin)];
        for (key, value) in self.words.params {
            words.extend(["-p".to_owned(), format!("{key}={value}")]);
        }
        words.extend(self.words.limits.words());
        words.extend(["--dataset".to_owned(), path(data)]);
        words.extend(case.data.words());
        if let Some(roi) = case.roi_array() {
            let file = folder.join(case.roi.file_name(&case.data.nav));
            let mut bytes = npy::header(roi.dtype, roi.shape.axes());
            bytes.extend(&roi.data);
            std::fs::write(&file, bytes).with_context(|| format!("can't write `{}`", file.display()))?;
            words.extend(["--roi".to_owned(), path(file)]);
        }
        words.extend(["--partitions".to_owned(), case.partitions.to_string()]);
        if let Some(only) = case.only {
            words.extend(["--partition".to_owned(), only.to_string()]);
        }
        if case.tiles != Tiles::Whole {
            words.extend(["--tile-bytes".to_owned(), self.tile_bytes(case)?.to_string()]);
        }
        if case.backwards {
            words.push("--backwards".to_owned());
        }
        words.extend(["--workers".to_owned(), case.workers.to_string(), "-o".to_owned(), path(folder.join(out))]);
        Ok(words.iter().map(|word| quoted(word).unwrap_or_else(|| word.clone())).collect::<Vec<_>>().join(" "))
    }

    /// Size of tiles, for `--tile-bytes`.
    pub(super) fn tile_bytes(&mut self, case: &Case) -> anyhow::Result<u64> {
        let n_pixels = match case.tiles {
            Tiles::Whole => return Ok(Tiling::BYTES),
            Tiles::Frames(n_frames) => n_frames * case.data.n_pixels(),
            Tiles::Pixels(n_pixels) => SPLIT_DEPTH * n_pixels,
        };
        // In which dtype it wants its tiles, it says in any run over these data.
        let plain = Case::plain(Data { missing: 0, bumped: None, ..case.data.clone() });
        let dtype = match &*self.run(&plain)? {
            Ran::Done(outcome) => outcome.input_dtype,
            _ => case.data.stored,
        };
        Ok(n_pixels * (dtype.size() as u64 + if self.is_csr { 4 } else { 0 }))
    }

    fn config(&mut self, case: &Case) -> anyhow::Result<RunConfig> {
        Ok(RunConfig {
            partitions: Some(case.partitions),
            only_partition: case.only,
            tile_bytes: Some(self.tile_bytes(case)?),
            backwards: case.backwards,
            roi: case.roi_array(),
            limits: self.limits.clone(),
            ..RunConfig::default()
        })
    }

    fn start(
        &mut self,
        data: &Data,
        workers: usize,
        config: &RunConfig,
    ) -> anyhow::Result<Result<Outcome<UdfOutcome>, RunError>> {
        let (dataset, spec) = (self.dataset(data)?, self.spec.clone());
        self.run_with(&dataset, &spec, workers, config)
    }

    fn dataset(&mut self, data: &Data) -> anyhow::Result<Arc<Dataset>> {
        if let Some(dataset) = self.datasets.get(data) {
            return Ok(Arc::clone(dataset));
        }
        let path = self.folder.path().join(data.file_name());
        data.write(&path).with_context(|| format!("can't write `{}`", path.display()))?;
        let dataset = Arc::new(dataset::open(&path, &data.options())?);
        self.datasets.insert(data.clone(), Arc::clone(&dataset));
        Ok(dataset)
    }

    /// A data set that is written by `write` and not kept.
    pub(super) fn dataset_of(
        &self,
        name: &str,
        options: &DatasetOptions,
        write: impl FnOnce(&Path) -> std::io::Result<()>,
    ) -> anyhow::Result<Arc<Dataset>> {
        let path = self.folder.path().join(name);
        write(&path).with_context(|| format!("can't write `{}`", path.display()))?;
        Ok(Arc::new(dataset::open(&path, options)?))
    }

    fn pool(&mut self, workers: usize) -> anyhow::Result<Pool> {
        if let Some(pool) = self.pools.iter().find(|pool| pool.n_workers() == workers) {
            return Ok(pool.clone());
        }
        let pool = Pool::new(workers)?;
        self.pools.push(pool.clone());
        Ok(pool)
    }
}

/// What came of a run; an error if it was not the plugin's fault.
pub(super) fn judge(ended: Result<Outcome<UdfOutcome>, RunError>) -> anyhow::Result<Ran> {
    let error = match ended {
        Ok(outcome) => return Ok(Ran::Done(Box::new(outcome.udfs))),
        Err(error) => error,
    };
    let refused = |error: &RunError| Ok(Ran::Refused(error.to_string()));
    let how = match &error {
        RunError::Inconvertible { .. } | RunError::Uncorrectable { .. } => return refused(&error),
        RunError::Plugin(plugin) => match plugin {
            PluginError::Argument { .. } => return refused(&error),
            PluginError::Failed { call, message, .. } if REFUSES.contains(&call.function) => {
                return Ok(Ran::Refused(message.clone()));
            }
            PluginError::Failed { .. } => How::Error,
            PluginError::Trapped { .. } => How::Trap,
            PluginError::TimedOut { .. } => How::Timeout,
            PluginError::OverLimit { .. } => How::Memory,
            PluginError::BrokeContract { .. } => How::Contract,
            _ => return Err(error.into()),
        },
        _ => return Err(error.into()),
    };
    let function = match &error {
        RunError::Plugin(plugin) => plugin.call().map_or("", |call| call.function),
        _ => "",
    };
    Ok(Ran::Failed(Failure { how, function, message: error.to_string() }))
}

impl Failure {
    /// What stays the same if it fails in the same way on other data: the message without numbers.
    pub(super) fn kind(&self) -> String {
        let message = self.message.lines().next().unwrap_or_default();
        let message: String = message.chars().filter(|c| !c.is_ascii_digit()).collect();
        format!("{:?} in {}: {message}", self.how, self.function)
    }
}
