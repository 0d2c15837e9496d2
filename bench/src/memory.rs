//! How much memory the whole program takes at its peak, on data of two sizes.

use std::{
    fs::{self, File},
    path::Path,
    process::Command,
    thread,
    time::Duration,
};

use anyhow::{Context, ensure};
use lthost::{plugin::Argument, shape::npy};

use crate::{data::Data, fixed, goals, jobs::Job, sandbox::Plugins, say, table, table::Table, tables::Plan};

/// What is measured of a process, in bytes.
#[derive(Debug, Clone, Copy, Default)]
struct Peak {
    /// Memory of its own, at the highest of many looks.
    anonymous: u64,
    /// With the pages of files that are mapped, by the kernel's own count.
    resident: u64,
}

/// The program on each data set: the first time, when it compiles the plugin, and later.
pub(crate) fn peaks(plan: &Plan, plugins: &Plugins, sets: &[&Data], program: &Path) -> anyhow::Result<Table> {
    let mut peaks = Table::new(&[
        "plugin",
        "data",
        "results MiB",
        "own memory MiB",
        "besides results MiB",
        "at most",
        "reached",
        "the first time MiB",
        "with the file's pages MiB",
    ]);
    for job in plan.jobs(&["sum", "stddev", "masks16", "map"]) {
        for data in sets {
            let folder = tempfile::tempdir()?;
            say(&format!("memory of {} on {}", job.name, data.form()));
            let [first, later] = ["first", "later"].map(|name| {
                let output = folder.path().join(name);
                let mut command = command(plan, plugins, (job, data), (program, folder.path()))?;
                anyhow::Ok((peak(command.arg("-o").arg(&output))?, n_result_bytes(&output)?))
            });
            let ((first, _), (later, n_result_bytes)) = (first?, later?);
            let besides = later.anonymous.saturating_sub(n_result_bytes);
            peaks.push(vec![
                job.name.to_owned(),
                format!("{} ({} MiB)", data.form(), data.n_bytes()? >> 20),
                table::mebibytes(n_result_bytes),
                table::mebibytes(later.anonymous),
                table::mebibytes(besides),
                (goals::MEMORY >> 20).to_string(),
                table::yes_or_no(besides <= goals::MEMORY),
                table::mebibytes(first.anonymous),
                table::mebibytes(later.resident),
            ]);
        }
    }
    Ok(peaks)
}

/// A run of a job of one UDF. `folder` is for its parameters and its cache.
fn command(
    plan: &Plan,
    plugins: &Plugins,
    (job, data): (&Job, &Data),
    (program, folder): (&Path, &Path),
) -> anyhow::Result<Command> {
    let mut command = fixed::command(program, folder);
    command.args(["--workers", &plan.n_workers.to_string(), "--dataset"]).arg(data.path());
    for &udf in job.udfs {
        command.arg("--plugin").arg(plugins.path(udf));
        for (name, argument) in udf.arguments(&data.sig)? {
            let value = match argument {
                Argument::Json(value) => value.to_string(),
                Argument::Array(array) => {
                    let path = folder.join(format!("{name}.npy"));
                    npy::write(&mut File::create(&path)?, array.dtype, array.shape.axes(), &array.data)?;
                    format!("@{}", path.display())
                }
            };
            command.arg("-p").arg(format!("{name}={value}"));
        }
    }
    Ok(command)
}

/// Runs a program to its end, and looks at its memory a thousand times a second.
fn peak(command: &mut Command) -> anyhow::Result<Peak> {
    let mut child = command.spawn().with_context(|| format!("{command:?} can't be started"))?;
    let path = format!("/proc/{}/status", child.id());
    let mut peak = Peak::default();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        // There is nothing to read of a process that is just about to end.
        let status = fs::read_to_string(&path).unwrap_or_default();
        let field = |name: &str| kibibytes(&status, name).unwrap_or(0) << 10;
        peak.anonymous = peak.anonymous.max(field("RssAnon:"));
        peak.resident = peak.resident.max(field("VmHWM:"));
        thread::sleep(Duration::from_millis(1));
    };
    ensure!(status.success(), "{command:?} failed");
    ensure!(peak.anonymous > 0, "nothing can be read from /proc/PID/status");
    Ok(peak)
}

/// A field of `/proc/PID/status` that is in KiB.
fn kibibytes(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Bytes of all arrays in a folder of results.
fn n_result_bytes(folder: &Path) -> anyhow::Result<u64> {
    let mut n_bytes = 0;
    for entry in fs::read_dir(folder).with_context(|| format!("{} can't be read", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            n_bytes += n_result_bytes(&path)?;
        } else if path.extension().is_some_and(|extension| extension == "npy") {
            n_bytes += npy::read_header(&path)?.data_bytes()?;
        }
    }
    Ok(n_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_by_its_name() {
        let status = "Name:\tlthost\nVmHWM:\t    1234 kB\nRssAnon:\t      56 kB\n";
        assert_eq!(["VmHWM:", "RssAnon:", "VmRSS:"].map(|name| kibibytes(status, name)), [Some(1234), Some(56), None]);
    }
}
