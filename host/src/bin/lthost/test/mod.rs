//! `lthost test`: runs a plugin over small synthetic data in many ways whose results must agree, names the mistake where they
//! don't, and shows it in the smallest case.
//!
//! [`data`] are the numbers, a [`case`] is one run over some of them, the [`lab`] runs it. A [`check`] holds two cases against each
//! other, as far as [`compare`] says; [`plan`] has the checks. Of one that fails [`shrink`] finds the smallest, and [`diagnose`] the name.

mod case;
mod check;
mod compare;
mod cost;
mod data;
mod diagnose;
mod golden;
mod lab;
mod plan;
mod report;
mod shrink;

use std::{
    io::Write,
    mem::discriminant,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use anyhow::{Context, bail};
use clap::ValueEnum;
use lthost::{
    plugin::Plugin,
    run::{UdfSpec, describe},
};

use crate::{
    Usage, author,
    author::ToolchainArgs,
    dataset_args::{Extents, extents, key_value},
    find::{self, Found},
    job_args::arguments,
    limit_args::LimitArgs,
    trust,
};
use case::{Case, Roi, Tiles, of};
use check::{Change, Check, Fault, Group, Verdict};
use compare::Tolerance;
use diagnose::{Finding, diagnose};
use lab::{Lab, Words};
use plan::{Held, Plan, Space};
use report::{GroupReport, Refusal, Report, Shown};

/// Mistakes of one group that are shown.
const MAX_FINDINGS: usize = 3;

/// Test a plugin: run it over small synthetic data in many ways whose results must agree
///
/// Partitions, tiles, workers, regions of interest, dtypes and shapes vary. Where results depend on
/// them, the mistake is named, and shown in the smallest case with the commands that repeat it. Data
/// that the plugin refuses in time, by an error of `create` or `buffers`, are left out. At the end
/// stands what it costs.
///
/// Whole numbers must be the same. Real ones may differ by 1e-9 times the number, or times the mean
/// size of its buffer's numbers if that is more; by 1e-4 where results or tiles have single precision.
/// Any number of workers must give the same bits.
///
/// Examples:
///   lthost test
///   lthost test ./udf.wasm
///   lthost test com -p r=3 --no-cost
///   lthost test ./udf.wasm --golden golden --accept
///
/// Exit status: 0 all passed, 1 something is broken, 2 called wrongly.
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Opts {
    /// Folder of a plugin, which is built first; or a plugin's .wasm file, or its name (see `lthost plugins`)
    #[arg(value_name = "DIR|FILE|NAME", default_value = ".")]
    plugin: String,
    #[command(flatten)]
    toolchain: ToolchainArgs,
    /// Parameter of the plugin: JSON, a bare word, or @file.npy; may be repeated
    #[arg(short = 'p', long = "param", value_name = "KEY=VALUE", value_parser = key_value, allow_hyphen_values = true)]
    param: Vec<(String, String)>,
    /// Only scans of this shape, as a parameter may need
    #[arg(long, value_name = "NY,NX", value_parser = extents)]
    nav_shape: Option<Extents>,
    /// Only frames of this shape, as a parameter may need
    #[arg(long, value_name = "SY,SX", value_parser = extents)]
    sig_shape: Option<Extents>,
    /// How much real numbers may differ, relative [default: 1e-4 in single precision, 1e-9 in double]
    #[arg(long, value_name = "NUMBER", value_parser = rtol)]
    rtol: Option<f64>,
    /// Make only these checks; may be repeated
    #[arg(long, value_name = "CHECK", value_enum, conflicts_with = "skip")]
    only: Vec<Group>,
    /// Leave out these checks; may be repeated
    #[arg(long, value_name = "CHECK", value_enum)]
    skip: Vec<Group>,
    /// Also run the golden cases in this folder: DIR/CASE/case.json, and the results in DIR/CASE/expected/BUFFER.npy
    /// [default: `golden` in the plugin's folder or beside its file, if it is there]
    #[arg(long, value_name = "DIR")]
    golden: Option<PathBuf>,
    /// Where a golden case has no expected results, take those that come out
    #[arg(long)]
    accept: bool,
    /// Do not measure what the plugin costs
    #[arg(long)]
    no_cost: bool,
    /// Folder for the data that show a mistake [default: a new one among the temporary files]
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    limits: LimitArgs,
}

pub(crate) fn run(opts: &Opts) -> anyhow::Result<()> {
    let (start, limits) = (Instant::now(), opts.limits.limits()?);
    let Subject { found, words: plugin_words, golden } = Subject::of(opts)?;
    if opts.accept && golden.is_none() {
        return Err(Usage("--accept needs golden cases: name their folder with --golden".to_owned()).into());
    }
    let has_others = Group::value_variants().iter().any(|group| *group != Group::Golden && opts.has(*group));
    if golden.is_none() && !has_others {
        return Err(Usage("there are no golden cases: name their folder with --golden".to_owned()).into());
    }
    let offer = found.offer(&limits)?;
    let plugin = Plugin::admitted(&opts.limits.engine(false)?, &trust::judge()?, &offer, &limits)?;
    let manifest = describe(&plugin, &limits)?;
    let spec = UdfSpec { label: None, plugin, arguments: arguments(&opts.param)? };
    let words = Words { plugin: &plugin_words, params: &opts.param, limits: &opts.limits };
    let mut test = Test {
        lab: Lab::new(spec, limits, words, interrupted()?)?,
        tolerance: Tolerance { rtol: opts.rtol, atol: 0.0 },
        keep: opts.keep.clone(),
        n_shown: 0,
    };
    let mut report = Report { manifest, groups: Vec::new(), golden: Vec::new(), cost: None, n_runs: 0, seconds: 0.0 };
    if has_others {
        test.invariances(opts, &offer.bytes, &mut report)?;
    }
    if let Some(dir) = golden.as_ref().filter(|_| opts.has(Group::Golden)) {
        report.golden = golden::run(&mut test.lab, dir, opts.accept, test.tolerance)?;
    }
    (report.n_runs, report.seconds) = (test.lab.n_runs(), start.elapsed().as_secs_f64());
    let text = if opts.json { format!("{:#}\n", report.json()) } else { report.text() };
    std::io::stdout().lock().write_all(text.as_bytes())?;
    match report.n_failed() {
        0 => Ok(()),
        n => bail!("{} failed", of(n as u64, "check")),
    }
}

/// What is tested.
struct Subject {
    found: Found,
    /// How commands name the plugin.
    words: String,
    /// Folder of golden cases.
    golden: Option<PathBuf>,
}

impl Subject {
    fn of(opts: &Opts) -> anyhow::Result<Self> {
        let (name, golden) = (opts.plugin.clone(), opts.golden.clone());
        match find::find(&name) {
            Ok(found) if found.is_shipped() => Ok(Self { found, words: name, golden }),
            _ if Path::new(&name).is_dir() => {
                let dir = Path::new(&name);
                let (path, pin) = author::built(dir, opts.toolchain, &opts.limits)?;
                let golden = golden.or_else(|| Some(dir.join("golden")).filter(|golden| golden.is_dir()));
                Ok(Self { words: path.display().to_string(), found: Found::built(path, pin), golden })
            }
            found => {
                let beside = Path::new(&name).parent().map(|dir| dir.join("golden")).filter(|golden| golden.is_dir());
                Ok(Self { found: found?, words: name, golden: golden.or(beside) })
            }
        }
    }
}

/// Set by a signal.
fn interrupted() -> anyhow::Result<Arc<AtomicBool>> {
    let interrupted = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&interrupted);
    ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::Relaxed) {
            std::process::exit(1);
        }
    })
    .context("signals can't be handled")?;
    Ok(interrupted)
}

fn rtol(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| format!("{text:?} is no number"))?;
    if number.is_finite() && number >= 0.0 { Ok(number) } else { Err("expected a number from 0".to_owned()) }
}

impl Opts {
    fn has(&self, group: Group) -> bool {
        if self.only.is_empty() { !self.skip.contains(&group) } else { self.only.contains(&group) }
    }
}

/// A test at work.
struct Test<'a> {
    lab: Lab<'a>,
    tolerance: Tolerance,
    /// Where data go that show a mistake.
    keep: Option<PathBuf>,
    n_shown: usize,
}

impl Test<'_> {
    /// Everything but golden cases. `wasm` is what is in the plugin's file.
    fn invariances(&mut self, opts: &Opts, wasm: &[u8], report: &mut Report) -> anyhow::Result<()> {
        let axes = |extents: &Option<Extents>| extents.as_ref().map(|extents| extents.0.clone());
        let (nav, sig) = (axes(&opts.nav_shape), axes(&opts.sig_shape));
        let plan = Plan::find(&mut self.lab, Space::new(nav.clone(), sig.clone()))?;
        let plan = plan.map_err(|refusal| {
            Usage(format!(
                "the plugin refuses all synthetic data: {refusal} (-p, --nav-shape and --sig-shape may help)"
            ))
        })?;
        let (mut held, mut known) = (Held { tiles: Tiles::Whole, has_state: false }, Vec::new());
        for group in Group::value_variants().iter().copied().filter(|group| *group != Group::Golden && opts.has(*group))
        {
            let group_report = match plan.not_checked(group, held) {
                Some(note) => GroupReport::not_checked(group, note),
                None => self.check_all(group, plan.checks(group, held), &mut known)?,
            };
            let differs = group_report.findings.iter().any(|shown| matches!(shown.finding.fault, Fault::Differs(_)));
            let is_endless = group_report.findings.iter().any(|shown| shown.finding.fault.is_endless());
            match group {
                Group::Tiles if differs => held.tiles = Tiles::Frames(1),
                Group::Workers if differs => held.has_state = true,
                _ => {}
            }
            report.groups.push(group_report);
            if is_endless {
                break;
            }
        }
        if !opts.no_cost && opts.only.is_empty() && known.is_empty() {
            report.cost = cost::measure(&mut self.lab, wasm, (plan.main(), nav.as_deref(), sig.as_deref()))?;
        }
        Ok(())
    }

    /// Makes the checks of a group. `known` is what was found before: to fail in such a way again says nothing new.
    fn check_all(&mut self, group: Group, checks: Vec<Check>, known: &mut Vec<Known>) -> anyhow::Result<GroupReport> {
        let mut report = GroupReport::new(group);
        let mut new: Vec<(Check, Fault)> = Vec::new();
        for check in checks {
            match check.evaluate(&mut self.lab, self.tolerance)? {
                Verdict::Passed => report.n_checks += 1,
                Verdict::Refused(message) => report.refuse(message, check.base),
                Verdict::Broken(fault) if known.iter().any(|known| known.is_failure(&fault)) => report.n_known += 1,
                Verdict::Broken(fault) => {
                    let is_endless = fault.is_endless();
                    if new.len() < MAX_FINDINGS
                        && !new.iter().any(|(other, one)| is_alike((other, one), (&check, &fault)))
                    {
                        new.push((check, fault));
                    }
                    if is_endless {
                        break;
                    }
                }
            }
        }
        for (check, fault) in new {
            // Each step would take as long again.
            let smallest = if fault.is_endless() {
                (shrink::alone(&check, &fault), fault)
            } else {
                shrink::shrink(&mut self.lab, &check, &fault, self.tolerance)?
            };
            let one = Known { base: smallest.0.base.clone(), change: smallest.0.change, fault: smallest.1.clone() };
            if known.iter().any(|known| (&known.base, known.change) == (&one.base, one.change)) {
                report.n_known += 1;
                continue;
            }
            known.push(one);
            let finding = diagnose(&mut self.lab, &check, smallest, self.tolerance)?;
            if report.findings.iter().any(|shown| shown.finding.title == finding.title) {
                report.n_known += 1;
                continue;
            }
            report.n_checks += 1;
            report.findings.push(self.show(finding)?);
        }
        // Elsewhere the same data come again.
        if group != Group::Shapes {
            report.refusals.retain(|refusal| refusal.cases.iter().any(|case| case.roi == Roi::Nothing));
        }
        Ok(report)
    }

    /// Adds the command lines, and writes what they take.
    fn show(&mut self, finding: Finding) -> anyhow::Result<Shown> {
        let (folder, n) = (self.folder()?, self.n_shown);
        self.n_shown += 1;
        let mut cases: Vec<(Case, &str)> = vec![(finding.check.other(), "")];
        if let Fault::Differs(_) = finding.fault {
            cases.insert(0, (finding.check.base.clone(), "_expected"));
        }
        let out = |what: &str| format!("{}_{}{what}", n + 1, finding.mistake);
        let commands = cases.iter().map(|(case, what)| self.lab.command(case, &folder, &out(what)));
        let commands = commands.collect::<anyhow::Result<_>>()?;
        Ok(Shown { finding, commands })
    }

    /// The folder for what shows a mistake, made if need be.
    fn folder(&mut self) -> anyhow::Result<PathBuf> {
        if let Some(folder) = &self.keep {
            std::fs::create_dir_all(folder).with_context(|| format!("can't make `{}`", folder.display()))?;
            return Ok(folder.clone());
        }
        let folder =
            tempfile::Builder::new().prefix("lthost-test-").tempdir().context("there is no room for data")?.keep();
        self.keep = Some(folder.clone());
        Ok(folder)
    }
}

/// A fault, and where it was found.
struct Known {
    base: Case,
    change: Change,
    fault: Fault,
}

impl Known {
    /// Whether `fault` is a failure of this kind.
    fn is_failure(&self, fault: &Fault) -> bool {
        matches!(fault, Fault::Fails(..)) && self.fault.is_like(fault)
    }
}

/// Whether two faults look like one mistake.
fn is_alike((a_check, a): (&Check, &Fault), (b_check, b): (&Check, &Fault)) -> bool {
    let is_same_change = discriminant(&a_check.change) == discriminant(&b_check.change);
    a.is_like(b) && (is_same_change || matches!(a, Fault::Fails(..)))
}

impl GroupReport {
    fn new(group: Group) -> Self {
        Self { group, n_checks: 0, n_known: 0, refusals: Vec::new(), note: None, findings: Vec::new() }
    }

    fn not_checked(group: Group, note: &str) -> Self {
        Self { note: Some(note.to_owned()), ..Self::new(group) }
    }

    /// Notes a refusal, with those that differ only in numbers.
    fn refuse(&mut self, message: String, case: Case) {
        let alike = |text: &str| text.chars().filter(|c| c.is_alphabetic()).collect::<String>();
        match self.refusals.iter_mut().find(|refusal| alike(&refusal.message) == alike(&message)) {
            Some(refusal) => refusal.cases.push(case),
            None => self.refusals.push(Refusal { message, cases: vec![case] }),
        }
    }
}
