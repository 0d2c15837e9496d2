//! lthost beside LiberTEM: the same jobs on the same files, after a look that the results are the same.

use std::{fs::File, path::Path};

use anyhow::{Context, ensure};
use lthost::{plugin::Argument, run::Outcome, shape::npy};
use serde_json::{Value as Json, json};

use crate::{
    clock::{Contender, rounds},
    contenders::Ready,
    data::Data,
    goals,
    jobs::{JOBS, Kind},
    peer::{EXECUTORS, Executor, Peer},
    sandbox::Plugins,
    stats::Series,
    table,
    table::Table,
    tables::Plan,
};

/// How far a result may be off, over the largest number in it: sums of single precision in another order.
const TOLERANCE: f64 = 1e-4;

/// Every job on every data set: lthost, and all executors.
pub(crate) fn speeds(plan: &Plan, plugins: &mut Plugins, sets: &[&Data], peer: &Peer) -> anyhow::Result<Table> {
    let columns = EXECUTORS.map(|executor| format!("{executor} GB/s"));
    let mut header = vec!["job", "data", "lthost GB/s"];
    header.extend(columns.iter().map(String::as_str));
    header.extend(["best", "lthost/best", "target", "reached", "CPU time lthost/best"]);
    let mut speeds = Table::new(&header);
    for job in plan.jobs(&JOBS.map(|job| job.name)) {
        // What ran before has left its marks in a worker: every job gets fresh ones.
        let mut executors = peer.start()?;
        for &data in sets {
            let ready = Ready::new(data, plugins, job)?;
            let folder = tempfile::tempdir()?;
            let ways = ways(job.udfs, &data.sig, folder.path())?;
            let outcome = ready.outcome(plan.n_workers)?;
            let [a, b, c, d] = &mut executors;
            let mut contenders = vec![ready.in_sandbox(plan.n_workers, None)];
            for executor in [a, b, c, d] {
                contenders.push(contender(executor, data, &ways, (&outcome, folder.path()))?);
            }
            let contenders: [Contender<'_>; 1 + EXECUTORS.len()] =
                contenders.try_into().ok().context("there are lthost and every executor")?;
            let [lthost, others @ ..] = rounds(plan.n_rounds, contenders)?;
            let (best, name) = best(&others);
            let (n_bytes, ratio) = (data.n_bytes()?, lthost.speed_against(best));
            let target = goals::of_peer(job.name, data.dtype);
            let mut row = vec![job.name.to_owned(), data.dtype.to_owned(), table::speed(n_bytes, &lthost)];
            row.extend(others.iter().map(|series| table::speed(n_bytes, series)));
            row.extend([name.to_owned(), table::ratio(ratio)]);
            row.extend([
                target.map_or_else(table::nothing, |target| target.to_string()),
                table::reached(ratio, target),
            ]);
            row.push(table::factor(lthost.cpu_against(best)));
            speeds.push(row);
        }
    }
    Ok(speeds)
}

/// The fastest by the median.
fn best(others: &[Series; EXECUTORS.len()]) -> (&Series, &'static str) {
    let mut all = others.iter().zip(EXECUTORS);
    let first = all.next().expect("there are executors");
    all.fold(first, |best, other| if other.0.median() < best.0.median() { other } else { best })
}

/// An executor that has compiled what it runs, and has shown that its results are those of lthost. Of several ways to do
/// it, it takes the one that is faster with this executor.
fn contender<'a>(
    executor: &'a mut Executor,
    data: &'a Data,
    ways: &'a [Vec<Json>],
    (outcome, folder): (&Outcome, &Path),
) -> anyhow::Result<Contender<'a>> {
    let mut fastest: Option<(f64, &Vec<Json>)> = None;
    for way in ways {
        executor.run(data.path(), way, Some(folder))?;
        check(outcome, folder)
            .with_context(|| format!("LiberTEM's executor `{}` computes {way:?}", executor.name()))?;
        let wall = if ways.len() == 1 { 0.0 } else { executor.run(data.path(), way, None)?.wall };
        if fastest.is_none_or(|(best, _)| wall < best) {
            fastest = Some((wall, way));
        }
    }
    let (_, way) = fastest.context("there is a way")?;
    Ok(Box::new(move || executor.run(data.path(), way, None)))
}

/// The UDFs of a job as requests have them. Arrays are files in `folder`.
fn ways(udfs: &[Kind], sig: &[u64], folder: &Path) -> anyhow::Result<Vec<Vec<Json>>> {
    let mut stated = Vec::new();
    for (number, udf) in udfs.iter().enumerate() {
        let mut request = json!({ "name": udf.name() });
        for (name, argument) in udf.arguments(sig)? {
            request[&name] = match argument {
                Argument::Json(value) => value,
                Argument::Array(array) => {
                    let path = folder.join(format!("{number}-{name}-given.npy"));
                    npy::write(&mut File::create(&path)?, array.dtype, array.shape.axes(), &array.data)?;
                    json!(path)
                }
            };
        }
        stated.push(request);
    }
    if !udfs.iter().any(|udf| matches!(udf, Kind::Disks(_))) {
        return Ok(vec![stated]);
    }
    let with = |library: &str| {
        let mut stated = stated.clone();
        for request in &mut stated {
            request["use_sparse"] = json!(library);
        }
        stated
    };
    Ok(vec![with("scipy.sparse"), with("sparse.pydata")])
}

/// Holds the arrays in `folder`, `NUMBER-NAME.npy`, against the results of the same UDF and name; takes them away.
fn check(outcome: &Outcome, folder: &Path) -> anyhow::Result<()> {
    for (number, udf) in outcome.udfs.iter().enumerate() {
        let mut n_compared = 0;
        for result in &udf.results {
            let path = folder.join(format!("{number}-{}.npy", result.name));
            if !path.exists() {
                continue;
            }
            let others = npy::read(&path)?.to_f64s().context("an array of numbers")?;
            std::fs::remove_file(&path)?;
            let off = distance(&result.to_f64(), &others);
            ensure!(off <= TOLERANCE, "`{}` of {} is another one: off by {off:.2e}", result.name, udf.label);
            n_compared += 1;
        }
        ensure!(n_compared > 0, "{} has no result to compare", udf.label);
    }
    Ok(())
}

/// The largest difference, over the largest of all numbers; infinite for arrays that can't be compared.
fn distance(mine: &[f64], others: &[f64]) -> f64 {
    if mine.len() != others.len() {
        return f64::INFINITY;
    }
    let scale = others.iter().fold(f64::MIN_POSITIVE, |scale, number| scale.max(number.abs()));
    let differences = mine.iter().zip(others).map(|(mine, others)| (mine - others).abs() / scale);
    differences.fold(0.0, |largest: f64, off| if off.is_nan() { f64::INFINITY } else { largest.max(off) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_results_are_noticed() {
        assert!(distance(&[1.0, 1000.0], &[1.001, 1000.0]) <= TOLERANCE);
        assert!(distance(&[1.0, 1000.0], &[2.0, 1000.0]) > TOLERANCE);
        for others in [&[1.0][..], &[1.0, f64::NAN], &[1.0, f64::INFINITY], &[]] {
            assert!(distance(&[1.0, 1000.0], others) > TOLERANCE);
        }
    }
}
