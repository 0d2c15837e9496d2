//! The contender `lthost`: the library, with the plugins in their sandbox.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context;
use lthost::{
    dataset::Dataset,
    plugin::{Engine, Limits, Plugin},
    run::{Outcome, Pool, RunConfig, UdfSpec},
    shape::{Array, Dtype},
};

use crate::jobs::Kind;

/// Compiled plugins by name.
pub(crate) struct Plugins {
    engine: Engine,
    folder: PathBuf,
    loaded: BTreeMap<&'static str, Plugin>,
}

impl Plugins {
    /// Those in `folder`, as `scripts/guest-cargo` builds them.
    pub(crate) fn new(folder: &Path) -> anyhow::Result<Self> {
        Ok(Self { engine: Engine::new(false)?, folder: folder.to_owned(), loaded: BTreeMap::new() })
    }

    /// The UDFs of a pass, compiled.
    pub(crate) fn specs(&mut self, udfs: &[Kind], dataset: &Dataset) -> anyhow::Result<Vec<UdfSpec>> {
        udfs.iter()
            .map(|kind| {
                let arguments = kind.arguments(dataset.sig())?;
                Ok(UdfSpec { label: None, plugin: self.load(kind.plugin())?, arguments })
            })
            .collect()
    }

    fn load(&mut self, name: &'static str) -> anyhow::Result<Plugin> {
        if let Some(plugin) = self.loaded.get(name) {
            return Ok(plugin.clone());
        }
        let path = self.folder.join(format!("plugin_{name}.wasm"));
        let plugin = Plugin::from_file(&self.engine, &path, &Limits::default())
            .context("plugins are built by `cargo build --release`")?;
        self.loaded.insert(name, plugin.clone());
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
