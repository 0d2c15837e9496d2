//! The measurements: each makes a table.

use crate::{
    clock::rounds,
    contenders::Ready,
    data::Data,
    goals,
    jobs::{JOBS, Job},
    sandbox::Plugins,
    table,
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
    pub(crate) fn jobs(&self, names: &[&str]) -> impl Iterator<Item = &'static Job> {
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
        &at_least(goals::NATIVE),
        "lthost/limit",
        &at_least(goals::LIMIT),
        "CPU time lthost/native",
    ]);
    for job in plan.jobs(&JOBS.map(|job| job.name)) {
        for &data in sets {
            let ready = Ready::new(data, plugins, job)?;
            let contenders = [
                ready.in_sandbox(plan.n_workers, None),
                ready.natively(plan.n_workers, None),
                ready.plainly(plan.n_workers),
            ];
            let [lthost, native, limit] = rounds(plan.n_rounds, contenders)?;
            let n_bytes = data.n_bytes()?;
            let [to_native, to_limit] = [&native, &limit].map(|other| lthost.speed_against(other));
            speeds.push(vec![
                job.name.to_owned(),
                data.dtype.to_owned(),
                table::speed(n_bytes, &lthost),
                table::speed(n_bytes, &native),
                table::speed(n_bytes, &limit),
                table::ratio(to_native),
                table::reached(to_native, Some(goals::NATIVE)),
                table::ratio(to_limit),
                table::reached(to_limit, goals::of_limit(job.name)),
                table::factor(lthost.cpu_against(&native)),
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
            let [usual_ready, ready] = [Ready::new(usual, plugins, job)?, Ready::new(data, plugins, job)?];
            let contenders = [
                ready.in_sandbox(plan.n_workers, None),
                usual_ready.in_sandbox(plan.n_workers, None),
                ready.natively(plan.n_workers, None),
                ready.plainly(plan.n_workers),
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
    let goal = goals::of_workers(plan.n_workers);
    let goal_header = goal.map_or_else(|| "reached".to_owned(), at_least);
    let mut scaling = Table::new(&["plugin", "data", &header[0], &goal_header, &header[1], &header[2]]);
    for job in plan.jobs(&["sum", "stddev", "masks4"]) {
        let ready = Ready::new(data, plugins, job)?;
        let contenders = [
            ready.in_sandbox(1, None),
            ready.in_sandbox(plan.n_workers, None),
            ready.natively(1, None),
            ready.natively(plan.n_workers, None),
            ready.plainly(1),
            ready.plainly(plan.n_workers),
        ];
        let [lthost_1, lthost, native_1, native, limit_1, limit] = rounds(plan.n_rounds, contenders)?;
        scaling.push(vec![
            job.name.to_owned(),
            data.dtype.to_owned(),
            table::ratio(lthost.speed_against(&lthost_1)),
            table::reached(lthost.speed_against(&lthost_1), goal),
            table::ratio(native.speed_against(&native_1)),
            table::ratio(limit.speed_against(&limit_1)),
        ]);
    }
    Ok(scaling)
}

fn at_least(goal: f64) -> String {
    format!("at least {goal}")
}
