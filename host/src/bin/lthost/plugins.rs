//! `lthost plugins`: the plugins found by name.

use std::io::Write;

use lthost::{
    confine::Needs,
    plugin::{Engine, EngineConfig, Plugin, PluginError, printable},
    run::describe,
};
use serde_json::json;

use crate::{
    cache, compile,
    config::Config,
    find::{self, Found},
    limit_args, terminal, trust,
};

/// List the plugins found by name: those shipped with lthost, then those in the plugin folders
///
/// Plugin folders are those in `LTHOST_PLUGINS` (separated by colons) and ~/.local/share/lthost/plugins.
#[derive(clap::Args)]
pub(crate) struct Opts {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(opts: &Opts) -> anyhow::Result<()> {
    let limits = limit_args::limits()?;
    let config = EngineConfig { cache: cache::of_code(), compiler: compile::compiler(), ..EngineConfig::default() };
    let (engine, judge) = (Engine::new(config)?, trust::judge()?);
    let load = |(name, found): (String, Found)| {
        let plugin = found.load(&judge, &engine, &limits);
        (name, found.describe(), plugin)
    };
    let loaded: Vec<_> = find::known().into_iter().map(load).collect();
    Config::load()?.confine.unwrap_or_default().apply(&Needs::default())?;
    let described = |(name, place, plugin): (String, String, Result<Plugin, PluginError>)| {
        let manifest = plugin.and_then(|plugin| describe(&plugin, &limits));
        (name, place, manifest)
    };
    let rows: Vec<_> = loaded.into_iter().map(described).collect();
    let mut out = std::io::stdout().lock();
    if opts.json {
        let rows: Vec<_> = rows
            .iter()
            .map(|(name, place, manifest)| match manifest {
                Ok(manifest) => json!({
                    "name": name, "version": manifest.version, "summary": manifest.summary, "plugin": place,
                }),
                Err(error) => json!({ "name": name, "plugin": place, "error": error.to_string() }),
            })
            .collect();
        writeln!(out, "{}", terminal::pretty_json(&rows)?)?;
        return Ok(());
    }
    let line = |text: &str| printable(text, 1000);
    for (name, place, manifest) in rows {
        match manifest {
            Ok(manifest) => {
                writeln!(out, "{:<13} {:<8} {} ({})", line(&name), manifest.version, manifest.summary, line(&place))?;
            }
            Err(error) => writeln!(out, "{:<13} can't be used: {}", line(&name), line(&error.to_string()))?,
        }
    }
    Ok(())
}
