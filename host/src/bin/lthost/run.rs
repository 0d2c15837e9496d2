//! `lthost run`: plugins over a data set, in one pass.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use anyhow::bail;
use clap::{ArgGroup, ArgMatches};
use lthost::{
    dataset::Dataset,
    results::Output,
    run::{CheckpointError, Observer, Outcome, Pool, RunError},
};

use crate::{
    checkpoint::{self, CheckpointArgs},
    confine,
    dump::{self, FrameAt},
    earlier::Earlier,
    failures::{self, OnErrorArgs},
    interrupt,
    job_args::{Job, JobArgs},
    live::{self, Every, Watch},
    logs, outcome,
    preview::Preview,
    profile::{self, ProfileArgs},
    progress::{self, Display, Style},
};

/// Run plugins over a data set, all in one pass
///
/// Results are the same bits for any number of workers.
///
/// Examples:
///   lthost run --plugin sum --plugin sumsig --dataset scan.hdr -o out
///   lthost run --plugin com -p cy=63.5 -p cx=64 --dataset scan.npy -o out --png
///   lthost run --plugin bf=masks -p factors=@bf.npy --dataset scan.mib --nav-shape 128,128
///   lthost run --plugin udf.wasm --profile --dataset scan.npy -o out
///   lthost run --plugin udf.wasm --dataset scan.raw --dtype u16 --nav-shape 64,64 --sig-shape 256,256
///
/// Exit status: 0 done, 1 failed, 2 called wrongly, 3 partial results.
#[derive(clap::Args)]
#[command(verbatim_doc_comment, group = ArgGroup::new("seen").args(["output", "preview"]).multiple(true))]
pub(crate) struct Opts {
    #[command(flatten)]
    job: JobArgs,
    /// Run over this partition alone, one of those that `lthost info` lists
    #[arg(long, value_name = "I", conflicts_with = "frame")]
    partition: Option<u64>,
    /// Run over one frame alone, its number or its place like 1,2, and print everything that comes of it
    #[arg(long, value_name = "I", value_parser = dump::frame_at, conflicts_with_all = ["json", "roi"])]
    frame: Option<FrameAt>,
    /// Folder for the results: DIR/LABEL/BUFFER.npy, DIR/damage.npy and DIR/run.json; those of earlier runs under the
    /// same labels are replaced, all else stays; without it a summary is printed
    #[arg(short = 'o', long = "output", value_name = "DIR")]
    output: Option<PathBuf>,
    /// Also write pictures of the results, DIR/LABEL/BUFFER.png
    #[arg(long, requires = "output")]
    png: bool,
    /// Write results (-o) and show them (--preview) already while the run goes on, in place: every so many seconds, like 5 or
    /// 0.5s, or partitions, like 20p [default: not written; shown every second on a terminal]
    #[arg(long, value_name = "SECONDS|PARTITIONS", requires = "seen")]
    every: Option<Every>,
    /// Show a result as a picture in the terminal: LABEL, LABEL.BUFFER, or LABEL.BUFFER.N for entry N of further axes
    #[arg(long, value_name = "LABEL.BUFFER")]
    preview: Option<String>,
    #[command(flatten)]
    on_error: OnErrorArgs,
    #[command(flatten)]
    checkpoint: CheckpointArgs,
    /// Print a summary of the results as JSON on stdout
    #[arg(long)]
    json: bool,
    /// How progress is shown on stderr: a bar, lines, or JSON lines for a script [default: a bar on a terminal, else lines]
    #[arg(long, value_name = "HOW", value_enum)]
    progress: Option<Style>,
    #[command(flatten)]
    profile: ProfileArgs,
    /// Show no progress
    #[arg(long, short, conflicts_with = "progress")]
    quiet: bool,
}

pub(crate) fn run(opts: &Opts, matches: &ArgMatches) -> anyhow::Result<()> {
    let mut job = opts.job.open(matches, Some(&opts.profile))?;
    job.config.only_partition = opts.partition;
    job.config.on_error = opts.on_error.policy();
    if let Some(frame) = &opts.frame {
        job.config.roi = Some(frame.roi(job.dataset.nav())?);
    }
    let Job { dataset, specs, mut config, arrays, inputs } = job;
    let is_whole = opts.partition.is_none() && opts.frame.is_none();
    // Whatever is begun from here on is brought to an end.
    let signals = interrupt::hold()?;
    let mut output = opts.output.as_deref().map(|dir| create(dir, &inputs)).transpose()?;
    let claim = output.as_ref().filter(|_| is_whole).map(|output| opts.checkpoint.claim(output)).transpose()?;
    config.resume = claim.as_ref().map(|claim| opts.checkpoint.read(claim)).transpose()?.flatten();
    // These may ask for files that are out of reach then.
    let n_workers = opts.job.running.n_workers();
    let earlier = opts.output.as_deref().map(Earlier::read).unwrap_or_default();
    config.taken = earlier.taken(specs.iter().map(|spec| &spec.plugin));
    // From here on plugins run.
    opts.job.running.limits.confine(&confine::needs(Some(&dataset), output.as_ref()))?;
    let preview = |choice: &str| Preview::new(choice, &specs, opts.every.is_some());
    let mut preview = opts.preview.as_deref().map(preview).transpose()?;
    let display = Arc::new(Mutex::new(Display::new(opts.quiet || opts.frame.is_some(), opts.progress)));
    let watch = Watch::default();
    let (logger, held_back) = logs::logger(opts.job.running.logs);
    let observer = Observer { progress: progress::shown_on(&display, &watch), logger };
    let running = Pool::new(n_workers)?.start(&dataset, &specs, &config, observer);
    config.resume = None;
    signals.cancel(running.control(), output.as_ref())?;
    let keeper = claim.map(|claim| opts.checkpoint.keep(running.control(), claim));
    let mut written = None;
    let data = outcome::record_dataset(&dataset);
    let (nav, sig) = (dataset.nav(), dataset.sig());
    let run =
        outcome::Run { nav, sig, data: &data, config: &config, specs: &specs, arrays: &arrays, earlier: &earlier };
    let mut write = |outcome: &Outcome| {
        let Some(output) = &mut output else { return Ok(()) };
        run.write(outcome, output, opts.png)?;
        written = Some(outcome.stats.n_frames);
        anyhow::Ok(())
    };
    let mut show = |outcome: &Outcome| preview.as_mut().map_or(Ok(()), |preview| preview.show(outcome, (nav, sig)));
    let ran = if opts.every.is_some() || opts.preview.is_some() {
        live::follow(running, opts.every.unwrap_or_default(), &watch, |outcome| {
            show(outcome)?;
            if opts.every.is_some() { write(outcome) } else { Ok(()) }
        })
    } else {
        running.wait().map_err(anyhow::Error::from)
    };
    progress::finish(&display);
    let failures = ran.as_ref().map(|outcome| &outcome.failures[..]).unwrap_or_default();
    logs::print_held_back(&held_back, &failures::texts(ran.as_ref().err(), failures));
    let ran = ran.map_err(|error| of_checkpoint(error, opts.output.as_deref()));
    let ended = ran.and_then(|outcome| write(&outcome).map(|()| outcome));
    let is_resumable = keeper.is_some_and(|keeper| keeper.finish(ended.as_ref().err().map(was_interrupted)));
    let outcome = ended.map_err(|error| failed(error, written, opts.output.as_deref(), is_resumable))?;
    if let Some(profile) = &outcome.profile {
        profile::print(profile);
    }
    let told = show(&outcome).and_then(|()| print(opts, &run, &dataset, &outcome));
    // Also if there is no such picture, or nobody reads the figures to their end.
    failures::tell(&outcome)?;
    told
}

/// The output folder, if no input is in the way of files that every run writes there.
fn create(dir: &Path, inputs: &[PathBuf]) -> anyhow::Result<Output> {
    let output = Output::create(dir, inputs)?;
    // Of others the names are not known yet.
    let files = ["damage.npy", "run.json", checkpoint::NAME];
    if let Some(name) = files.into_iter().find(|name| output.is_input(name.as_ref())) {
        let place = dir.join(name);
        bail!("`{}` is an input of this run, which would replace it: choose another output folder", place.display());
    }
    Ok(output)
}

fn print(opts: &Opts, run: &outcome::Run<'_>, dataset: &Dataset, outcome: &Outcome) -> anyhow::Result<()> {
    match &opts.frame {
        Some(frame) => {
            let index = frame.index(dataset.nav())?;
            Ok(dump::print(&mut std::io::stdout().lock(), dataset, index, outcome)?)
        }
        None if opts.json => run.print_json(outcome, opts.output.as_deref()),
        None => run.print_summary(outcome, opts.output.as_deref()),
    }
}

/// A run that failed, with results of its first part written.
#[derive(Debug, thiserror::Error)]
#[error("partial results, of {n_frames} frames, are in `{}`{}", dir.display(), hint(*.is_resumable))]
pub(crate) struct Partial {
    #[source]
    source: anyhow::Error,
    n_frames: u64,
    dir: PathBuf,
    is_resumable: bool,
}

/// Says which checkpoint it is that will not do, and what to do.
fn of_checkpoint(error: anyhow::Error, dir: Option<&Path>) -> anyhow::Error {
    match (error.downcast_ref(), dir) {
        (Some(RunError::Checkpoint(CheckpointError::Unreadable { .. })), Some(dir)) => {
            let file = dir.join(checkpoint::NAME).display().to_string();
            error.context(format!("can't go on from `{file}`, without --resume the run begins anew"))
        }
        _ => error,
    }
}

fn was_interrupted(error: &anyhow::Error) -> bool {
    error.downcast_ref().is_some_and(|error| matches!(error, RunError::Cancelled))
}

/// The error of a run, with what it has left.
fn failed(error: anyhow::Error, written: Option<u64>, dir: Option<&Path>, is_resumable: bool) -> anyhow::Error {
    match (written, dir) {
        (Some(n_frames), Some(dir)) => Partial { source: error, n_frames, dir: dir.to_owned(), is_resumable }.into(),
        _ if was_interrupted(&error) => {
            anyhow::anyhow!("{error}: no results were written{}", hint(is_resumable))
        }
        _ if is_resumable => error.context(format!("no results were written{}", hint(true))),
        _ => error,
    }
}

/// What can be done with what a run has left.
fn hint(is_resumable: bool) -> &'static str {
    if is_resumable { "; the same command with --resume goes on from its checkpoint" } else { "" }
}
