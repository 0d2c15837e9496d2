//! The command line `lthost`: a user of the library, and nothing else. One file per subcommand.

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
mod profile;
mod progress;
mod repeat;
mod run;
mod simulate;
mod terminal;
mod usage;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser};

pub(crate) use usage::Usage;

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
}

fn main() -> ExitCode {
    let matches = Cli::command().get_matches();
    let cli = match Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(error) => error.exit(),
    };
    let result = match &cli.command {
        Command::Run(opts) => {
            // The order of `--plugin` and `-p` counts, and only the matches have it.
            let matches = matches.subcommand_matches("run").expect("it is this subcommand");
            if matches.get_one("progress") == Some(&progress::Style::Json) {
                terminal::speak_json();
            }
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
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            let exit_status = match &error {
                error if error.is::<run::Partial>() => 3,
                error if usage::is_usage(error) => 2,
                _ => 1,
            };
            terminal::say_failure(&format!("{error:#}"), exit_status, repeat::command(&error).as_deref());
            ExitCode::from(exit_status)
        }
    }
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
