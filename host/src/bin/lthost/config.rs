//! The configuration file: what a user or a site sets once for all commands. The command line goes before it.

use std::{
    env,
    fs::File,
    io::{self, Read},
    path::PathBuf,
};

use anyhow::{Context, bail};
use lthost::plugin::{nobody_else_can_change, trust::Policy};
use serde::Deserialize;

use crate::{
    confine::Confine,
    limit_args::{LimitValues, WasiArg},
};

/// What the file says.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Config {
    /// As the options of the same names.
    pub(crate) limits: LimitValues,
    /// As `--confine`.
    pub(crate) confine: Option<Confine>,
    /// As `--wasi`.
    pub(crate) wasi: Option<WasiArg>,
    /// Whose plugins run.
    pub(crate) trust: TrustValues,
}

/// What the file says of trust.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct TrustValues {
    /// What a plugin needs to run.
    pub(crate) policy: Policy,
}

impl Config {
    /// `$LTHOST_CONFIG`, else `lthost/config.toml` in `$XDG_CONFIG_HOME` or `~/.config`. Without such a file nothing is set.
    pub(crate) fn load() -> anyhow::Result<Self> {
        let Some((path, must_exist)) = path() else { return Ok(Self::default()) };
        let unreadable = || format!("the configuration file `{}` can't be read", path.display());
        if path.metadata().is_ok_and(|there| !there.is_file()) {
            bail!("the configuration file `{}` is refused: it is not a regular file", path.display());
        }
        let mut file = match File::open(&path) {
            // A link to nowhere is no absence: somebody wanted there to be one.
            Err(error) if error.kind() == io::ErrorKind::NotFound && !must_exist && !path.is_symlink() => {
                return Ok(Self::default());
            }
            file => file.with_context(unreadable)?,
        };
        // Limits that others can raise are none.
        nobody_else_can_change(&path, &file)
            .with_context(|| format!("the configuration file `{}` is refused", path.display()))?;
        let mut text = String::new();
        file.read_to_string(&mut text).with_context(unreadable)?;
        toml::from_str(&text).with_context(|| format!("the configuration file `{}`", path.display()))
    }
}

/// Where the file is, and whether it has to be there.
pub(crate) fn path() -> Option<(PathBuf, bool)> {
    let place = |variable: &str| env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(path) = place("LTHOST_CONFIG") {
        return Some((path, true));
    }
    let folder = place("XDG_CONFIG_HOME").or_else(|| Some(place("HOME")?.join(".config")))?;
    Some((folder.join("lthost/config.toml"), false))
}
