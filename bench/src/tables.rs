//! The measurements: each makes a table.

use std::{
    ops::Range,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, ensure};
use lthost::run::UdfSpec;

use crate::{
    clock::{Contender, rounds, take},
    data::Data,
    jobs::{JOBS, Job, Kind, PICK},
    map, native,
    sandbox::{self, Plugins},
    say, table,
    table::Table,
};

/// How to measure.
pub(crate) struct Plan {
    pub(crate) n_rounds: usize,
    /// As many for what takes only milliseconds.
    pub(crate) n_short_rounds: usize,
    pub(crate) n_workers: usize,
    /// Names of jobs; all if there are none.
    pub(crate) only: Vec<String>,
}

impl Plan {
    pub(crate) fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == name)
    }

    /// Those that are wanted of the jobs of these names.
    fn jobs(&self, names: &[&str]) -> impl Iterator<Item = &'static Job> {
        JOBS.iter().filter(|job| names.contains(&job.name) && self.wants(job.name))
    }
}

/// Every plugin on every data set: sandbox, native, limit.
pub(crate) fn speeds(plan: &Plan, plugins: &mut Plugins, sets: &[&Data]) -> anyhow::Result<Table> {
    let mut speeds = Table::new(&[
        "plugin",
        "data",
        "lthost GB/s",
        "native GB/s",
        "limit GB/s",
        "lthost/native",
        "lthost/limit",
        "CPU time lthost/native",
    ]);
    for job in plan.jobs(&JOBS.map(|job| job.name)) {
        for &data in sets {
            let specs = ready(data, plugins, job)?;
            let contenders = [
                in_sandbox(data, &specs, plan.n_workers, None),
                natively(data, job.udfs, plan.n_workers, None),
                plainly(data, plan.n_workers),
            ];
            let [lthost, native, limit] = rounds(plan.n_rounds, contenders)?;
            let n_bytes = data.n_bytes()?;
            speeds.push(vec![
                job.name.to_owned(),
                data.dtype.to_owned(),
                table::speed(n_bytes, &lthost),
                table::speed(n_bytes, &native),
                table::speed(n_bytes, &limit),
                table::ratio(lthost.speed_against(&native)),
                table::ratio(lthost.speed_against(&limit)),
                lthost.cpu_against(&native).map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.2}")),
            ]);
        }
    }
    Ok(speeds)
}

/// Small and large frames, each beside frames of 256 x 256 of the same dtype.
pub(crate) fn sizes(plan: &Plan, plugins: &mut Plugins, pairs: &[(&Data, &Data)]) -> anyhow::Result<Table> {
    let mut sizes = Table::new(&[
        "plugin",
        "frames",
        "lthost GB/s",
        "native GB/s",
        "limit GB/s",
        "lthost/native",
        "time per byte against the usual frame",
    ]);
    for job in plan.jobs(&["sum", "sumsig"]) {
        for &(data, usual) in pairs {
            usual.keep_warm()?;
            let specs = ready(data, plugins, job)?;
            let contenders = [
                in_sandbox(data, &specs, plan.n_workers, None),
                in_sandbox(usual, &specs, plan.n_workers, None),
                natively(data, job.udfs, plan.n_workers, None),
                plainly(data, plan.n_workers),
            ];
            let [lthost, usual_lthost, native, limit] = rounds(plan.n_rounds, contenders)?;
            let (n_bytes, n_usual_bytes) = (data.n_bytes()?, usual.n_bytes()?);
            let per_byte = usual_lthost.speed_against(&lthost).per_byte(n_bytes, n_usual_bytes);
            let [nav, sig] = [data.nav, data.sig].map(|[y, x]| format!("{y}x{x}"));
            sizes.push(vec![
                job.name.to_owned(),
                format!("{nav} of {sig} {}", data.dtype),
                table::speed(n_bytes, &lthost),
                table::speed(n_bytes, &native),
                table::speed(n_bytes, &limit),
                table::ratio(lthost.speed_against(&native)),
                table::ratio(per_byte),
            ]);
        }
    }
    Ok(sizes)
}

/// All workers against one.
pub(crate) fn scaling(plan: &Plan, plugins: &mut Plugins, data: &Data) -> anyhow::Result<Table> {
    let times = |what: &str| format!("{what}: {} workers against 1", plan.n_workers);
    let header = ["lthost", "native", "limit"].map(times);
    let mut scaling = Table::new(&["plugin", "data", &header[0], &header[1], &header[2]]);
    for job in plan.jobs(&["sum", "stddev", "masks4"]) {
        let specs = ready(data, plugins, job)?;
        let contenders = [
            in_sandbox(data, &specs, 1, None),
            in_sandbox(data, &specs, plan.n_workers, None),
            natively(data, job.udfs, 1, None),
            natively(data, job.udfs, plan.n_workers, None),
            plainly(data, 1),
            plainly(data, plan.n_workers),
        ];
        let [lthost_1, lthost, native_1, native, limit_1, limit] = rounds(plan.n_rounds, contenders)?;
        scaling.push(vec![
            job.name.to_owned(),
            data.dtype.to_owned(),
            table::ratio(lthost.speed_against(&lthost_1)),
            table::ratio(native.speed_against(&native_1)),
            table::ratio(limit.speed_against(&limit_1)),
        ]);
    }
    Ok(scaling)
}

/// What does not depend on the size of the data: one frame out of many, and the whole program on next to nothing.
pub(crate) fn times(
    plan: &Plan,
    plugins: &mut Plugins,
    sets: &[&Data],
    (program, tiny): (&Path, &Data),
) -> anyhow::Result<Table> {
    let mut times = Table::new(&["what", "lthost ms", "compared with", "ms"]);
    if plan.wants(PICK.name) {
        for &data in sets {
            let specs = ready(data, plugins, &PICK)?;
            let middle = data.nav.iter().product::<u64>() / 2;
            let only = Some(middle..middle + 1);
            let contenders = [
                in_sandbox(data, &specs, plan.n_workers, only.clone()),
                natively(data, PICK.udfs, plan.n_workers, only),
            ];
            let [lthost, native] = rounds(plan.n_short_rounds, contenders)?;
            let what = format!("pick: one frame of {}", data.dtype);
            times.push(vec![what, table::time(&lthost), "native".to_owned(), table::time(&native)]);
        }
    }
    if plan.wants("process") {
        say("whole process");
        let folder = tempfile::tempdir()?;
        let whole_run = |name: &'static str, options: &'static [&'static str]| {
            let (folder, mut n_runs) = (folder.path(), 0);
            let run = move || {
                n_runs += 1;
                let mut command = Command::new(program);
                // A cache of its own, so that it is known what is in it.
                command.env("LTHOST_CACHE", folder.join("cache")).env("XDG_STATE_HOME", folder.join("state"));
                command.args(["run", "--quiet", "--plugin", "sum", "--dataset"]).arg(tiny.path()).args(options);
                finish(command.arg("-o").arg(folder.join(format!("{name}-{n_runs}"))))
            };
            Box::new(run) as Contender<'_>
        };
        let nothing = || finish(&mut Command::new("true"));
        let contenders = [whole_run("first", &["--no-cache"]), whole_run("later", &[]), Box::new(nothing)];
        let [first, later, nothing] = rounds(plan.n_short_rounds, contenders)?;
        let frames = format!("{} frames of {}x{}", tiny.nav[0] * tiny.nav[1], tiny.sig[0], tiny.sig[1]);
        for (which, lthost) in [("the first time", first), ("later", later)] {
            let what = format!("whole process, {which}: sum of {frames}");
            times.push(vec![what, table::time(&lthost), "`true`".to_owned(), table::time(&nothing)]);
        }
    }
    Ok(times)
}

/// Runs a program to its end.
fn finish(command: &mut Command) -> anyhow::Result<crate::clock::Taken> {
    let command = command.stdin(Stdio::null()).stdout(Stdio::null());
    take(|| {
        let status = command.status().with_context(|| format!("{command:?} can't be started"))?;
        ensure!(status.success(), "{command:?} failed");
        Ok(())
    })
}

/// Data in memory, plugins compiled.
fn ready(data: &Data, plugins: &mut Plugins, job: &Job) -> anyhow::Result<Vec<UdfSpec>> {
    data.keep_warm()?;
    say(&format!(
        "{} on {} frames of {}x{} {}",
        job.name,
        data.nav[0] * data.nav[1],
        data.sig[0],
        data.sig[1],
        data.dtype
    ));
    plugins.specs(job.udfs, data.open()?.as_ref())
}

fn in_sandbox<'a>(data: &'a Data, specs: &'a [UdfSpec], n_workers: usize, only: Option<Range<u64>>) -> Contender<'a> {
    Box::new(move || {
        let dataset = data.open()?;
        take(|| sandbox::run(&dataset, specs, n_workers, only.clone()))
    })
}

fn natively<'a>(data: &'a Data, udfs: &'a [Kind], n_workers: usize, only: Option<Range<u64>>) -> Contender<'a> {
    Box::new(move || {
        let dataset = data.open()?;
        take(|| native::run(&dataset, udfs, n_workers, only.clone()))
    })
}

fn plainly(data: &Data, n_workers: usize) -> Contender<'_> {
    Box::new(move || {
        let map = map::open(data.path())?;
        take(|| {
            map::read(&map, n_workers);
            Ok(())
        })
    })
}
