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
    close_inherited();
    Ok(compile_for_parent(stdin().lock(), stdout().lock())?)
}

/// Closes what came along from the process that started this one, and was left to that one by others: all files but standard
/// input, output and error output. Linux does that from 5.9 on.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "who still used such a file would find it closed, or another in its place")]
fn close_inherited() {
    // SAFETY: this process has one thread, and has opened no file yet: nobody in it uses one of those that are closed.
    let _closed_if_it_can = unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, 0) };
}

#[cfg(not(target_os = "linux"))]
fn close_inherited() {}

/// This program, in a process of its own.
pub(crate) fn compiler() -> Compiler {
    // Where its file was replaced by a newer one while it runs, Linux still has it.
    let itself = PathBuf::from("/proc/self/exe");
    let program = std::env::current_exe().ok().filter(|program| program.is_file());
    program
        .or_else(|| itself.exists().then_some(itself))
        .map_or(Compiler::InProcess, |program| Compiler::Child(program, vec!["compile".to_owned()]))
}
