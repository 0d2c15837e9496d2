//! Compilers, called by the SDK's scripts.

use std::{
    io::IsTerminal,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, bail};

use super::sdk;
/// Status of a script that finds no compiler.
const NO_TOOLCHAIN: i32 = 3;

/// How compilers are found.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct ToolchainArgs {
    /// Install what is missing to build plugins; without it, what would have to be installed is said
    #[arg(long)]
    pub(super) install: bool,
}

impl ToolchainArgs {
    /// Builds the crate in a folder. Gives the folder with the module.
    pub(super) fn cargo(self, crate_dir: &Path, sources: Option<&Path>) -> anyhow::Result<PathBuf> {
        let mut command = self.script("guest-cargo")?;
        command.args(["build", "--release"]).current_dir(crate_dir);
        if !std::io::stderr().is_terminal() {
            command.arg("--quiet");
        }
        if let Some(sources) = sources {
            command.env("LTHOST_SOURCES", sources);
        }
        self.run(command)?;
        Ok(crate_dir.join("target/wasm32-unknown-unknown/release"))
    }

    /// Compiles C files, named relative to `dir`, to a module. `config` has clang's options, if not those of this program's SDK.
    pub(super) fn cc(
        self,
        dir: &Path,
        sources: &[PathBuf],
        config: Option<&Path>,
        module: &Path,
    ) -> anyhow::Result<()> {
        let mut command = self.script("guest-cc")?;
        command.current_dir(dir).args(sources).arg("-o").arg(module);
        if let Some(config) = config {
            command.env("LTHOST_C_CONFIG", config);
        }
        self.run(command)
    }

    /// Makes a component of a Python file, with what it imports of its folder; of the function of a frame in it, if one is named.
    pub(super) fn python(self, source: &Path, function: Option<&str>, component: &Path) -> anyhow::Result<()> {
        let mut command = self.script("guest-py")?;
        command.arg(source).arg("-o").arg(component).env("LTHOST_SDK", sdk::unpacked()?);
        if let Some(function) = function {
            command.args(["--function", function]);
        }
        self.run(command)
    }

    fn script(self, name: &str) -> anyhow::Result<Command> {
        let mut command = Command::new("bash");
        command.arg(sdk::unpacked()?.join("scripts").join(name));
        if !self.install {
            command.env("LTHOST_INSTALL", "no");
        }
        Ok(command)
    }

    /// What it says goes to stderr.
    fn run(self, mut command: Command) -> anyhow::Result<()> {
        command.stdin(Stdio::null()).stdout(Stdio::from(std::io::stderr()));
        let status = command.status().context("can't start bash, which runs the compilers: install it")?;
        if status.success() {
            return Ok(());
        }
        if status.code() == Some(NO_TOOLCHAIN) {
            let hint = if self.install { "" } else { "; --install lets this command install it" };
            bail!("there is no compiler for plugins in this language: see above{hint}");
        }
        bail!("it did not build: see above")
    }
}
