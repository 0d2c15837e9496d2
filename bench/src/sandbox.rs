//! The contender `lthost`: the library, with the plugins in their sandbox.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context;
use lthost::{
    dataset::Dataset,
    plugin::{Engine, EngineConfig, Limits, Plugin},
    run::{Outcome, Pool, RunConfig, UdfSpec},
    shape::{Array, Dtype},
};

use crate::jobs::Kind;

/// Compiled plugins.
pub(crate) struct Plugins {
    engine: Engine,
    folder: PathBuf,
    /// By the name of the file.
    loaded: BTreeMap<String, Plugin>,
}

impl Plugins {
    /// Those in `folder`, as `scripts/guest-cargo` builds them.
    pub(crate) fn new(folder: &Path) -> anyhow::Result<Self> {
        Ok(Self { engine: Engine::new(EngineConfig::default())?, folder: folder.to_owned(), loaded: BTreeMap::new() })
    }

    /// The UDFs of a pass, compiled.
    pub(crate) fn specs(&mut self, udfs: &[Kind], sig: &[u64]) -> anyhow::Result<Vec<UdfSpec>> {
        udfs.iter()
            .map(|kind| {
                let arguments = kind.arguments(sig)?;
                Ok(UdfSpec { label: None, plugin: self.load(kind.file())?, arguments })
            })
            .collect()
    }

    /// Where a plugin is.
    pub(crate) fn path(&self, kind: Kind) -> PathBuf {
        self.folder.join(kind.file())
    }

    fn load(&mut self, file: String) -> anyhow::Result<Plugin> {
        if let Some(plugin) = self.loaded.get(&file) {
            return Ok(plugin.clone());
        }
        let plugin = Plugin::from_file(&self.engine, &self.folder.join(&file), &Limits::default())
            .context("plugins are built by `scripts/bench`")?;
        self.loaded.insert(file, plugin.clone());
        Ok(plugin)
    }
}

/// One run, over all frames or over those from `first` on that `only` says.
pub(crate) fn run(
    dataset: &Arc<Dataset>,
    specs: &[UdfSpec],
    n_workers: usize,
    only: Option<std::ops::Range<u64>>,
) -> anyhow::Result<Outcome> {
    let roi = only.map(|only| {
        let data = (0..dataset.nav().size()).map(|frame| u8::from(only.contains(&frame))).collect();
        Array { dtype: Dtype::Bool, shape: dataset.nav().clone(), data }
    });
    let config = RunConfig { roi, ..RunConfig::default() };
    Ok(Pool::new(n_workers)?.run(dataset, specs, &config)?)
}
