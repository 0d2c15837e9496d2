//! `lthost-bench`: measures plugins in the sandbox against the same source without it, against plain reading of the file,
//! and against LiberTEM, side by side. A user of the library; `scripts/bench` builds what it needs and starts it.

mod against;
mod clock;
mod contenders;
mod data;
mod fixed;
mod goals;
mod jobs;
mod machine;
mod map;
mod memory;
mod native;
mod peer;
mod report;
mod sandbox;
mod stats;
mod table;
mod tables;

use std::{
    env,
    io::{self, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, ensure};
use clap::Parser;

use data::Data;
use jobs::{JOBS, PICK};
use peer::Peer;
use report::Report;
use sandbox::Plugins;
use tables::Plan;

/// Measure plugins in the sandbox against native code, plain reading and LiberTEM, and write BENCHMARKS.md
#[derive(Parser)]
#[command(name = "scripts/bench", version)]
struct Opts {
    /// Small data and few rounds, to see that it works; writes nothing unless -o is given
    #[arg(long)]
    quick: bool,

    /// Times that everything is measured [default: 7, or 2 with --quick]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    rounds: Option<u16>,

    /// Threads of each contender
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=1024))]
    workers: u16,

    /// Measure only this: a plugin as in the tables, or `process`; may be repeated; writes nothing unless -o is given
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,

    /// Without LiberTEM, which needs Python and is installed once, over the network
    #[arg(long)]
    no_peer: bool,

    /// A Python that has LiberTEM
    #[arg(long, value_name = "PYTHON", hide = true, required_unless_present = "no_peer")]
    python: Option<PathBuf>,

    /// Folder for the data [default: bench-data of the project]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,

    /// File to write [default: BENCHMARKS.md of the project]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Folder of the project
    #[arg(long, value_name = "DIR", default_value = ".", hide = true)]
    root: PathBuf,
}

/// What is measured on.
struct DataSets {
    u16: Data,
    f32: Data,
    u8: Data,
    small: Data,
    large: Data,
    /// Four times as much as `u16`.
    long: Data,
    tiny: Data,
}

fn main() -> anyhow::Result<()> {
    let opts = Opts::parse();
    let names = || JOBS.iter().chain([&PICK]).map(|job| job.name).chain(["process"]);
    for only in &opts.only {
        let known = names().collect::<Vec<_>>().join(", ");
        ensure!(names().any(|name| name == only), "there is nothing called `{only}` to measure (known: {known})");
    }
    let load = machine::load();
    let program = env::current_exe()?.with_file_name("lthost");
    let folder = opts.data.clone().unwrap_or_else(|| opts.root.join("bench-data"));
    let sets = DataSets::make(&program, &folder, opts.quick)?;
    let n_rounds: usize = opts.rounds.unwrap_or(if opts.quick { 2 } else { 7 }).into();
    let n_short_rounds = if opts.quick { n_rounds } else { n_rounds.max(20) };
    let plan = Plan { n_rounds, n_short_rounds, n_workers: opts.workers.into(), only: opts.only.clone() };

    let mut plugins = Plugins::new(&opts.root.join("target/guest/wasm32-unknown-unknown/release"))?;
    let peer = opts.python.clone().filter(|_| !opts.no_peer);
    let peer = peer.map(|python| Peer::new(python, &opts.root, plan.n_workers));
    let mut facts = machine::facts(&opts.root);
    if let Some(peer) = &peer {
        facts.push(("peer", peer.version()?));
    }
    let [three, both] = [[&sets.u16, &sets.u8, &sets.f32].to_vec(), [&sets.u16, &sets.f32].to_vec()];
    let peers = peer.as_ref().map(|peer| against::speeds(&plan, &mut plugins, &three, peer)).transpose()?;
    let speeds = tables::speeds(&plan, &mut plugins, &both)?;
    let sizes = tables::sizes(&plan, &mut plugins, &[(&sets.small, &sets.u8), (&sets.large, &sets.u16)])?;
    let scaling = tables::scaling(&plan, &mut plugins, &sets.u16)?;
    let memory = memory::peaks(&plan, &plugins, &[&sets.u16, &sets.long], &program)?;
    let times = fixed::times(&plan, &mut plugins, &both, (&program, &sets.tiny), peer.as_ref())?;
    let report = Report {
        command: command(&opts),
        n_rounds,
        n_short_rounds,
        n_workers: plan.n_workers,
        facts,
        loads: [load, machine::load()],
        data: sets.describe()?,
        peers,
        speeds,
        sizes,
        scaling,
        memory,
        times,
    };
    io::stdout().write_all(report.to_markdown().as_bytes())?;
    let is_whole = !opts.quick && opts.only.is_empty();
    if let Some(path) = opts.output.or_else(|| is_whole.then(|| opts.root.join("BENCHMARKS.md"))) {
        report.write(&path)?;
        say(&format!("written to {}", path.display()));
    }
    Ok(())
}

/// The command line that repeats this, as far as it bears on the numbers.
fn command(opts: &Opts) -> String {
    let mut words = vec!["scripts/bench".to_owned()];
    if opts.quick {
        words.push("--quick".to_owned());
    }
    words.extend(opts.rounds.map(|rounds| format!("--rounds {rounds}")));
    words.push(format!("--workers {}", opts.workers));
    words.extend(opts.no_peer.then(|| "--no-peer".to_owned()));
    words.extend(opts.only.iter().map(|only| format!("--only {only}")));
    words.join(" ")
}

impl DataSets {
    fn make(program: &Path, folder: &Path, is_quick: bool) -> anyhow::Result<Self> {
        let make = |dtype, form: [[u64; 2]; 2], quick: [[u64; 2]; 2]| {
            let [nav, sig] = if is_quick { quick } else { form };
            Data::make(program, folder, dtype, (nav, sig)).context("the data could not be made")
        };
        Ok(Self {
            u16: make("u16", [[64, 64], [256, 256]], [[32, 32], [64, 64]])?,
            f32: make("f32", [[32, 64], [256, 256]], [[16, 32], [64, 64]])?,
            u8: make("u8", [[64, 64], [256, 256]], [[32, 32], [64, 64]])?,
            small: make("u8", [[1000, 1000], [16, 16]], [[100, 100], [16, 16]])?,
            large: make("u16", [[8, 8], [2048, 2048]], [[2, 2], [512, 512]])?,
            long: make("u16", [[128, 128], [256, 256]], [[64, 64], [64, 64]])?,
            tiny: make("u16", [[5, 7], [16, 16]], [[5, 7], [16, 16]])?,
        })
    }

    fn describe(&self) -> anyhow::Result<String> {
        let describe = |data: &Data| Ok(format!("{} ({} MiB)", data.form(), data.n_bytes()? >> 20));
        let all = [&self.u16, &self.u8, &self.f32].map(describe).into_iter().collect::<anyhow::Result<Vec<_>>>()?;
        Ok(format!("{}, simulated, as `.npy`", all.join(", ")))
    }
}

/// Tells whoever waits what is being done.
pub(crate) fn say(what: &str) {
    // Nobody may listen.
    let _unheard = writeln!(io::stderr(), "{what}");
}
