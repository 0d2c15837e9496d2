//! `lthost compile`: the process in which a plugin is compiled, started by the one that wants it. Not for users.

use std::{
    io::{stdin, stdout},
    path::PathBuf,
};

use lthost::plugin::{Compiler, compile_for_parent};

/// Compile a plugin for the process that started this one
#[derive(clap::Args)]
pub(crate) struct Opts {}

pub(crate) fn run(_: &Opts) -> anyhow::Result<()> {
    Ok(compile_for_parent(stdin().lock(), stdout().lock())?)
}

/// This program, in a process of its own.
pub(crate) fn compiler() -> Compiler {
    // Where its file was replaced by a newer one while it runs, Linux still has it.
    let itself = PathBuf::from("/proc/self/exe");
    let program = std::env::current_exe().ok().filter(|program| program.is_file());
    program
        .or_else(|| itself.exists().then_some(itself))
        .map_or(Compiler::InProcess, |program| Compiler::Child(program, vec!["compile".to_owned()]))
}
