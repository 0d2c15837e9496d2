//! `lthost build`: from source to a plugin that is checked.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use lthost::plugin::{Plugin, componentize, trust::Pin};

use super::{project::Project, toolchain::ToolchainArgs, watch};
use crate::{cache, inspect::Card, limit_args::LimitArgs, terminal, trust};

/// Build the plugin in a folder, and check it against the contract
///
/// The plugin is left in the folder as NAME.wasm: a component that needs nothing else. With --watch it is built again
/// whenever its source changes, and, if options of `lthost run` are given, run.
///
/// Examples:
///   lthost build
///   lthost build my-udf --watch -- --dataset scan.npy --preview my-udf
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Opts {
    /// Folder of the plugin
    #[arg(value_name = "DIR", default_value = ".")]
    dir: PathBuf,
    /// Build again on every change, until interrupted
    #[arg(long)]
    watch: bool,
    #[command(flatten)]
    toolchain: ToolchainArgs,
    #[command(flatten)]
    limits: LimitArgs,
    /// With --watch: run it after each build, with these options of `lthost run`
    #[arg(last = true, value_name = "RUN OPTIONS", requires = "watch")]
    run: Vec<String>,
}

pub(crate) fn run(opts: &Opts) -> anyhow::Result<()> {
    if opts.watch {
        return watch::each_change(&opts.dir, |project| build_and_run(opts, project));
    }
    build(opts, &Project::find(&opts.dir)?).map(drop)
}

/// Builds the plugin in a folder and checks it. Gives its path, and the hash that it has.
pub(crate) fn built(dir: &Path, toolchain: ToolchainArgs, limits: &LimitArgs) -> anyhow::Result<(PathBuf, Pin)> {
    let project = Project::find(dir)?;
    let (pin, _) = check(&project, toolchain, limits)?;
    Ok((as_path(&project.output()), pin))
}

/// Builds a project and checks the plugin. Gives the hash that it has.
fn build(opts: &Opts, project: &Project) -> anyhow::Result<Pin> {
    let (pin, card) = check(project, opts.toolchain, &opts.limits)?;
    std::io::stdout().lock().write_all(card.text().as_bytes())?;
    if let Some(refusal) = card.refusal() {
        terminal::say_at("warning", &format!("it builds, but refuses ordinary data: {refusal}"));
    }
    Ok(pin)
}

/// Builds a project, and leaves the plugin only if it is one, and can be used. Nobody has to vouch for it: whoever builds it
/// has its source.
fn check(project: &Project, toolchain: ToolchainArgs, args: &LimitArgs) -> anyhow::Result<(Pin, Card)> {
    let limits = args.limits()?;
    let output = project.output();
    let module = project.build(toolchain)?;
    let origin = output.display().to_string();
    let component = componentize(&origin, &module, &limits)?;
    let plugin = Plugin::from_bytes(&args.engine(false)?, &origin, &component, &limits)?;
    let card = Card::of(&plugin, &limits).context("it builds, but does not describe itself")?;
    if let Some(error) = card.fault() {
        bail!("it builds, but can't be used: {error}");
    }
    cache::write(&output, &component)?;
    Ok((Pin::of(&component), card))
}

fn build_and_run(opts: &Opts, project: &Project) -> anyhow::Result<()> {
    let pin = build(opts, project)?;
    if opts.run.is_empty() {
        return Ok(());
    }
    let program = std::env::current_exe().context("this program can't be found again to run it")?;
    let mut command = std::process::Command::new(program);
    command.args(["run", "--plugin"]).arg(trust::word(&as_path(&project.output()), &pin)?).args(&opts.run);
    // What went wrong it has said itself.
    let _status = command.status().context("the run can't be started")?;
    Ok(())
}

/// A path that is not taken for a plugin's name.
fn as_path(path: &Path) -> PathBuf {
    if path.parent().is_none_or(|parent| parent.as_os_str().is_empty()) {
        Path::new(".").join(path)
    } else {
        path.to_owned()
    }
}
