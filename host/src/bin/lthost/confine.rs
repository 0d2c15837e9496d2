//! What a process of the command line gives up before it runs plugins.

use std::path::{Path, PathBuf};

use anyhow::bail;
use lthost::{
    confine::{Needs, confine},
    dataset::Dataset,
    results::Output,
};
use serde::Deserialize;

use crate::terminal;

/// How much a process has to give up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Confine {
    /// What the system lets it give up; a warning says what is missing
    #[default]
    BestEffort,
    /// All of it, or no plugin is run
    Required,
    /// Nothing: for debuggers, and where other means confine the process
    Off,
}

impl Confine {
    /// As it stands on the command line.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::BestEffort => "best-effort",
            Self::Required => "required",
            Self::Off => "off",
        }
    }

    /// Gives up all but `needs`. To be called before anything of a plugin runs, and before threads are started.
    pub(crate) fn apply(self, needs: &Needs) -> anyhow::Result<()> {
        if self == Self::Off {
            return Ok(());
        }
        let missing = confine(needs).missing();
        if missing.is_empty() {
            return Ok(());
        }
        let missing = missing.join("; ");
        if self == Self::Required {
            bail!("no plugin is run, as this process can't be confined (--confine=required): {missing}");
        }
        let text =
            format!("this process is not confined as it could be: {missing} (see `lthost doctor`, or --confine)");
        terminal::say_at("warning", &text);
        Ok(())
    }
}

/// What a run over a data set needs.
pub(crate) fn needs(dataset: Option<&Dataset>, output: Option<&Output>) -> Needs {
    let read = dataset.map(Dataset::files).unwrap_or_default().iter().map(|file| file.path.clone()).collect();
    let write = output.map(|output| output.dir().to_owned()).into_iter().collect();
    // Folders that were made for a run that fails go with it.
    let clear = output.map(Output::made).unwrap_or_default().iter().filter_map(|dir| dir.parent()).map(folder);
    Needs { read, write, clear: clear.collect() }
}

fn folder(path: &Path) -> PathBuf {
    if path.as_os_str().is_empty() { PathBuf::from(".") } else { path.to_owned() }
}
