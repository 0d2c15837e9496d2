//! `lthost partial`: one partition alone, to a file.

use std::path::PathBuf;

use clap::ArgMatches;
use lthost::{
    results::Output,
    run::{Observer, partial::partial},
};

use crate::{
    Usage, confine, failures, interrupt,
    job_args::{Job, JobArgs},
    logs,
};

/// Process one partition alone and write its partial result, for `lthost merge`
///
/// Takes the options of `lthost run`. The partials of all partitions, made anywhere and in any order, merge to the same bits
/// as one run; `lthost info` tells how many partitions there are.
///
/// Examples:
///   lthost partial --partition 7 -o 7.partial --plugin sum --plugin com --dataset scan.hdr
///   lthost merge *.partial -o out
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Opts {
    #[command(flatten)]
    job: JobArgs,
    /// Number of the partition, from 0
    #[arg(long, value_name = "I")]
    partition: u64,
    /// File to write; it is there whole or not at all
    #[arg(short = 'o', long = "output", value_name = "FILE")]
    output: PathBuf,
}

pub(crate) fn run(opts: &Opts, matches: &ArgMatches) -> anyhow::Result<()> {
    let Job { dataset, specs, config, inputs, .. } = opts.job.open(matches, None)?;
    let file =
        opts.output.file_name().ok_or_else(|| Usage(format!("-o {}: that names no file", opts.output.display())))?;
    let folder = opts.output.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(".".as_ref());
    let signals = interrupt::hold()?;
    let mut output = Output::create(folder, &inputs)?;
    opts.job.running.limits.confine(&confine::needs(Some(&dataset), Some(&output)))?;
    signals.end(Some(&output))?;
    let (logger, held_back) = logs::logger(opts.job.running.logs);
    let observer = Observer { logger, ..Observer::default() };
    let made = partial(&dataset, &specs, &config, opts.partition, &observer).map_err(anyhow::Error::from);
    logs::print_held_back(&held_back, &failures::texts(made.as_ref().err(), &[]));
    let bytes = made?;
    output.stage(file.as_ref(), |out| out.write_all(&bytes))?;
    Ok(output.commit()?)
}
