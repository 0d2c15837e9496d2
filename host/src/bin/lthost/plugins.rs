//! `lthost plugins`: the plugins found by name.

use std::io::Write;

use lthost::{
    plugin::{Engine, Limits, printable},
    run::describe,
};
use serde_json::json;

use crate::{cache, find};

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
    let (engine, limits) = (cache::with_code(Engine::new(false)?), Limits::default());
    let mut rows = Vec::new();
    for (name, location) in find::known() {
        let manifest = location.load(&engine, &limits).and_then(|plugin| describe(&plugin, &limits));
        rows.push((name, location.describe(), manifest));
    }
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
        writeln!(out, "{}", serde_json::to_string_pretty(&rows)?)?;
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
