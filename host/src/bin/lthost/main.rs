//! The command line `lthost`: a user of the library, and nothing else. One file or folder per subcommand.

mod advice;
mod author;
mod cache;
mod checkpoint;
mod compile;
mod config;
mod confine;
mod dataset_args;
mod doctor;
mod dump;
mod earlier;
mod failures;
mod find;
mod info;
mod inspect;
mod interrupt;
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
mod trust;
mod usage;

use std::process::ExitCode;

use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser};

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
    Trust(trust::Opts),
    Simulate(simulate::Opts),
    New(author::new::Opts),
    Build(author::build::Opts),
    Map(author::map::Opts),
    Doctor(doctor::Opts),
    Test(Box<test::Opts>),
    #[command(hide = true)]
    Compile(compile::Opts),
}

fn main() -> ExitCode {
    interrupt::let_writing_fail();
    match perform(&command().get_matches()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => ExitCode::from(complain(&error)),
    }
}

/// The command line. `-1` is a value everywhere: where it will not do, that is said of the value.
fn command() -> clap::Command {
    let negative = |arg: clap::Arg| {
        if arg.get_action().takes_values() && !arg.is_allow_hyphen_values_set() {
            arg.allow_negative_numbers(true)
        } else {
            arg
        }
    };
    Cli::command().mut_subcommands(|subcommand| subcommand.mut_args(negative))
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
        Command::Trust(opts) => trust::run(opts),
        Command::Simulate(opts) => simulate::run(opts),
        Command::New(opts) => author::new::run(opts),
        Command::Build(opts) => author::build::run(opts),
        // The rest of it is a run.
        Command::Map(opts) => {
            let opts = opts.sorted();
            // What is missing is said before anything is built.
            command().get_matches_from(opts.command("PLUGIN".into()));
            let plugin = opts.plugin()?;
            perform(&command().get_matches_from(opts.command(plugin)))
        }
        Command::Test(opts) => test::run(opts),
        Command::Doctor(opts) => doctor::run(opts),
        Command::Compile(opts) => compile::run(opts),
    }
}

/// Prints an error and what led to it, on one line as far as they are. Gives the exit status.
pub(crate) fn complain(error: &anyhow::Error) -> u8 {
    let exit_status = match error {
        error if error.is::<run::Partial>() || error.is::<failures::Incomplete>() => 3,
        error if usage::is_usage(error) => 2,
        _ => 1,
    };
    terminal::say_failure(&format!("{error:#}"), exit_status, repeat::command(error).as_deref());
    exit_status
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
        command().debug_assert();
    }
}
