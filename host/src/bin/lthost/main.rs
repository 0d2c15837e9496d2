//! The command line `lthost`: a user of the library, and nothing else. One file or folder per subcommand.

mod advice;
mod author;
mod checkpoint;
mod dataset_args;
mod dump;
mod find;
mod info;
mod inspect;
mod job_args;
mod limit_args;
mod live;
mod logs;
mod merge;
mod outcome;
mod partial;
mod picture;
mod pictures;
mod plugins;
mod preview;
mod profile;
mod progress;
mod repeat;
mod run;
mod simulate;
mod terminal;
mod test;

use std::process::ExitCode;

use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser};

/// Runs user-defined functions over 4D-STEM data: sandboxed WebAssembly plugins, in parallel, in one pass.
#[derive(Parser)]
#[command(name = "lthost", version, propagate_version = true, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    Run(Box<run::Opts>),
    Partial(Box<partial::Opts>),
    Merge(merge::Opts),
    Info(info::Opts),
    Inspect(inspect::Opts),
    Plugins(plugins::Opts),
    Simulate(simulate::Opts),
    New(author::new::Opts),
    Build(author::build::Opts),
    Map(author::map::Opts),
    Test(Box<test::Opts>),
}

/// A mistake in how the program was called: exit 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Usage(pub(crate) String);

fn main() -> ExitCode {
    match perform(&Cli::command().get_matches()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            match &error {
                error if error.is::<run::Partial>() => ExitCode::from(3),
                error if is_usage(error) => ExitCode::from(2),
                _ => ExitCode::FAILURE,
            }
        }
    }
}

fn perform(matches: &ArgMatches) -> anyhow::Result<()> {
    let cli = match Cli::from_arg_matches(matches) {
        Ok(cli) => cli,
        Err(error) => error.exit(),
    };
    match &cli.command {
        Command::Run(opts) => {
            // The order of `--plugin` and `-p` counts, and only the matches have it.
            let matches = matches.subcommand_matches("run").expect("it is this subcommand");
            run::run(opts, matches)
        }
        Command::Partial(opts) => {
            let matches = matches.subcommand_matches("partial").expect("it is this subcommand");
            partial::run(opts, matches)
        }
        Command::Merge(opts) => merge::run(opts),
        Command::Info(opts) => info::run(opts),
        Command::Inspect(opts) => inspect::run(opts),
        Command::Plugins(opts) => plugins::run(opts),
        Command::Simulate(opts) => simulate::run(opts),
        Command::New(opts) => author::new::run(opts),
        Command::Build(opts) => author::build::run(opts),
        // The rest of it is a run.
        Command::Map(opts) => perform(&Cli::command().get_matches_from(opts.command()?)),
        Command::Test(opts) => test::run(opts),
    }
}

/// Prints an error and what led to it, on one line as far as they are.
pub(crate) fn complain(error: &anyhow::Error) {
    terminal::say(&format!("error: {error:#}"));
    if let Some(command) = repeat::command(error) {
        terminal::say(&format!("repeat it with: {command}"));
    }
}

/// Mistakes in the command line, as opposed to things that fail.
fn is_usage(error: &anyhow::Error) -> bool {
    use lthost::{
        plugin::PluginError,
        run::{CheckpointError, RunError},
    };
    let by_plugin = |error: &PluginError| matches!(error, PluginError::Argument { .. } | PluginError::Unknown { .. });
    error.chain().any(|cause| {
        cause.is::<Usage>()
            || cause.downcast_ref::<PluginError>().is_some_and(by_plugin)
            || cause.downcast_ref::<RunError>().is_some_and(|error| match error {
                RunError::Plugin(error) => by_plugin(error),
                RunError::NoUdf
                | RunError::DuplicateLabel { .. }
                | RunError::Label { .. }
                | RunError::NoSuchUdf { .. }
                | RunError::NoSuchPartition { .. }
                | RunError::Checkpoint(CheckpointError::Foreign { .. })
                | RunError::TooLate => true,
                _ => false,
            })
    })
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let broken = |error: &std::io::Error| error.kind() == std::io::ErrorKind::BrokenPipe;
    error.chain().any(|cause| cause.downcast_ref().is_some_and(broken))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
