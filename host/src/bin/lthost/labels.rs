//! What a plugin is called in a run, where the user does not say it.

use std::{fs, path::Path};

use lthost::{
    plugin::{Limits, Plugin, printable, trust::Trust},
    run::{UdfSpec, describe},
};
use serde_json::Value as Json;

use crate::Usage;

/// What an output folder says of the results in it: whose they are.
pub(crate) struct Recorded<'a> {
    dir: &'a Path,
    record: Json,
}

impl<'a> Recorded<'a> {
    /// Reads the record of the last run, if there is one.
    pub(crate) fn read(dir: &'a Path) -> Self {
        let file = dir.join("run.json");
        // Not from a pipe, which may never begin.
        let text = if file.is_file() { fs::read(file).unwrap_or_default() } else { Vec::new() };
        Self { dir, record: serde_json::from_slice(&text).unwrap_or_default() }
    }

    /// Whether the results under a label are those of this plugin, whatever was changed in it.
    fn is_of(&self, label: &str, plugin: &Plugin) -> bool {
        let udfs = self.record["udfs"].as_array().map(Vec::as_slice).unwrap_or_default();
        udfs.iter().any(|udf| udf["label"] == label && udf["plugin"] == plugin.facts().origin.as_str())
    }
}

/// Sees that no plugin takes a name for itself under which there are results of another one: they would be replaced by those of
/// a plugin that the user calls otherwise. Runs `describe` of those that may.
pub(crate) fn check(specs: &[UdfSpec], limits: &Limits, recorded: &Recorded<'_>) -> Result<(), Usage> {
    let dir = recorded.dir;
    let is_shipped = |plugin: &Plugin| plugin.facts().trust == Some(Trust::Shipped);
    for spec in specs.iter().filter(|spec| spec.label.is_none() && !is_shipped(&spec.plugin)) {
        // Whatever else is wrong with it, the run tells.
        let Ok(manifest) = describe(&spec.plugin, limits) else { continue };
        let (name, origin) = (&manifest.name, &spec.plugin.facts().origin);
        // Compilers of Rust make the one of the other.
        let plain = |name: &str| name.replace('-', "_");
        let is_named_so =
            Path::new(origin).file_stem().is_some_and(|stem| plain(&stem.to_string_lossy()) == plain(name));
        if !is_named_so && dir.join(name).exists() && !recorded.is_of(name, &spec.plugin) {
            let (dir, origin) = (printable(&dir.display().to_string(), 4000), printable(origin, 4000));
            return Err(Usage(format!(
                "plugin `{origin}` calls itself `{name}`, and `{dir}/{name}` may be of another one: give a label, like \
                 `--plugin {name}={origin}` to replace that, or another output folder"
            )));
        }
    }
    Ok(())
}
