//! `--profile`: where the time of a run goes, as a table and as files.

use std::{fmt::Write as _, io::Write};

use lthost::{
    results::{Output, OutputError},
    run::{Cost, Phase, Profile},
};
use serde_json::{Value as Json, json};

use crate::{advice::advice, terminal};

/// Lines of plugins that are shown.
const MAX_LINES: usize = 8;

/// Whether and how a run is profiled.
#[derive(clap::Args)]
pub(crate) struct ProfileArgs {
    /// Print where the time goes: per UDF, phase and worker, and in which lines of the plugins; with -o also write
    /// DIR/profile.json and DIR/trace.json, which the page ui.perfetto.dev shows. Lines are looked for at most 100 times a
    /// second, at heads of loops and functions; plugins have them if they are built with `debug = 1` in their Cargo profile.
    /// With =perf, `perf record -g lthost run --profile=perf ..` and `perf report` know the plugins' functions,
    /// through /tmp/perf-PID.map; lines they don't know
    #[arg(long, value_name = "HOW", value_enum, num_args = 0..=1, require_equals = true, default_missing_value = "table")]
    profile: Option<How>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum How {
    /// Table and files
    Table,
    /// The same, and functions for Linux's perf
    Perf,
}

impl ProfileArgs {
    /// Whether a profile is wanted.
    pub(crate) fn is_wanted(&self) -> bool {
        self.profile.is_some()
    }

    /// Whether `perf` is told of the plugins' functions.
    pub(crate) fn is_for_perf(&self) -> bool {
        self.profile == Some(How::Perf)
    }
}

/// Stages `profile.json` and `trace.json`.
pub(crate) fn stage(output: &mut Output, profile: &Profile) -> Result<(), OutputError> {
    let write = |out: &mut dyn Write| -> std::io::Result<()> {
        serde_json::to_writer_pretty(&mut *out, profile)?;
        writeln!(out)
    };
    output.stage("profile.json".as_ref(), write)?;
    output.stage("trace.json".as_ref(), |out| write_trace(profile, out))
}

/// The spans in Chrome's trace event format, one event a line.
fn write_trace(profile: &Profile, out: &mut dyn Write) -> std::io::Result<()> {
    let pid = std::process::id();
    let named = json!({ "ph": "M", "pid": pid, "name": "process_name", "args": { "name": "lthost run" } });
    write!(out, "{{\"displayTimeUnit\": \"ms\", \"traceEvents\": [\n{named}")?;
    for (tid, worker) in profile.workers.iter().enumerate() {
        let args = json!({ "name": worker.name });
        let event = json!({ "ph": "M", "pid": pid, "tid": tid, "name": "thread_name", "args": args });
        write!(out, ",\n{event}")?;
    }
    for span in &profile.spans {
        let label = span.udf.map_or("all", |udf| &profile.udfs[udf]);
        let part = |(udf, phase, seconds): &(usize, Phase, f64)| {
            (format!("{} {} (ms)", profile.udfs[*udf], phase.name()), json!(seconds * 1e3))
        };
        let parts = span.parts.iter().map(part);
        let partition = span.partition.map(|partition| ("partition".to_owned(), json!(partition)));
        let args: serde_json::Map<String, Json> = partition.into_iter().chain(parts).collect();
        let (phase, ts, dur) = (span.phase.name(), span.start_s * 1e6, span.duration_s * 1e6);
        let event = json!({
            "ph": "X", "pid": pid, "tid": span.worker, "cat": phase, "name": format!("{label}: {phase}"),
            "ts": ts, "dur": dur, "args": args,
        });
        write!(out, ",\n{event}")?;
    }
    writeln!(out, "\n]}}")
}

/// Prints the table on stderr.
pub(crate) fn print(profile: &Profile) {
    terminal::say(&table(profile));
}

fn table(profile: &Profile) -> String {
    let (all, n_workers) = (profile.thread_seconds(), profile.workers.len());
    let mut rows =
        vec![["what", "calls", "seconds", "share", "slowest", "GB", "file GB/s"].map(str::to_owned).to_vec()];
    for (idx, label) in profile.udfs.iter().enumerate() {
        for phase in Phase::ALL {
            let cost = profile.cost(|entry| entry.udf == idx && entry.phase == phase);
            if cost.n_calls > 0 {
                rows.push(row(&format!("{label}: {}", phase.name()), &cost, all));
            }
        }
    }
    for (what, seconds) in [("host, between these", profile.other_seconds(None)), ("waiting", waiting(profile, None))] {
        rows.push(vec![what.to_owned(), String::new(), format!("{seconds:.3}"), percent(seconds, all)]);
    }
    let mut text = format!(
        "profile of {:.3} s with {n_workers} threads, {all:.3} s of theirs together; GB/s are those of one thread\n",
        profile.seconds
    );
    text += &aligned(&rows);
    text += "\n";
    text += &aligned(&worker_rows(profile));
    text += &lines(profile);
    text += &verdict(profile);
    text
}

fn row(what: &str, cost: &Cost, all: f64) -> Vec<String> {
    let mut row = vec![
        what.to_owned(),
        cost.n_calls.to_string(),
        format!("{:.3}", cost.seconds),
        percent(cost.seconds, all),
        format!("{:.4}", cost.slowest_s),
    ];
    if cost.n_bytes > 0 {
        row.push(format!("{:.3}", to_f64(cost.n_bytes) / 1e9));
    }
    // What took no time that can be measured has no speed.
    if cost.n_file_bytes > 0 && cost.seconds > 1e-6 {
        row.push(format!("{:.2}", to_f64(cost.n_file_bytes) / 1e9 / cost.seconds));
    }
    row
}

/// What each thread did with its time.
fn worker_rows(profile: &Profile) -> Vec<Vec<String>> {
    let head = ["thread", "busy s", "read", "plugins", "merge", "host", "waiting"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for (idx, worker) in profile.workers.iter().enumerate() {
        let all = worker.busy_s + worker.waiting_s;
        let seconds =
            |is_it: fn(Phase) -> bool| profile.cost(|entry| entry.worker == idx && is_it(entry.phase)).seconds;
        let is_merge = |phase| matches!(phase, Phase::Merge | Phase::MergeAll | Phase::Results);
        let is_plugin = |phase| !matches!(phase, Phase::Read | Phase::Merge | Phase::MergeAll | Phase::Results);
        let shares = [
            seconds(|phase| phase == Phase::Read),
            seconds(is_plugin),
            seconds(is_merge),
            profile.other_seconds(Some(idx)),
            waiting(profile, Some(idx)),
        ];
        let mut row = vec![worker.name.clone(), format!("{:.3}", worker.busy_s)];
        row.extend(shares.map(|seconds| percent(seconds, all)));
        rows.push(row);
    }
    rows
}

/// The plugins' lines that take longest.
fn lines(profile: &Profile) -> String {
    let n_ticks: u64 = profile.lines.iter().map(|line| line.n_ticks).sum();
    if n_ticks == 0 {
        return String::new();
    }
    let mut text = format!("\nplugins were found at work at {n_ticks} ticks of the clock, in\n");
    for line in profile.lines.iter().take(MAX_LINES) {
        let place = line.line.as_ref().map(|line| format!(" ({line})")).unwrap_or_default();
        let share = percent(to_f64(line.n_ticks), to_f64(n_ticks));
        let _infallible = writeln!(text, "  {share:>6}  {}: {}{place}", line.plugin, line.function);
    }
    text
}

/// Where most of the time goes, in a sentence.
fn verdict(profile: &Profile) -> String {
    let all = profile.thread_seconds();
    let of_udf = |idx: usize, phase: Phase| {
        (
            format!("{} of `{}`", phase.name(), profile.udfs[idx]),
            profile.cost(|one| (one.udf, one.phase) == (idx, phase)),
        )
    };
    let phases = (0..profile.udfs.len()).flat_map(|idx| Phase::ALL.map(|phase| of_udf(idx, phase)));
    let host = [
        ("the host's work between calls".to_owned(), profile.other_seconds(None)),
        ("waiting".to_owned(), waiting(profile, None)),
    ];
    let candidates = phases.map(|(what, cost)| (what, cost.seconds)).chain(host);
    let most = candidates.max_by(|a, b| a.1.total_cmp(&b.1));
    let most = most.map(|(what, seconds)| format!("\nmost time goes into {what}: {}\n", percent(seconds, all)));
    let advice = advice(profile, None).map(|advice| format!("{advice}\n"));
    most.unwrap_or_default() + &advice.unwrap_or_default()
}

fn waiting(profile: &Profile, worker: Option<usize>) -> f64 {
    let chosen = profile.workers.iter().enumerate().filter(|(idx, _)| worker.is_none_or(|worker| worker == *idx));
    chosen.map(|(_, worker)| worker.waiting_s).sum()
}

/// Columns under each other: the first one to the left, all others to the right.
fn aligned(rows: &[Vec<String>]) -> String {
    let n_columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(String::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..n_columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let width = widths[column];
            let _infallible =
                if column == 0 { write!(line, "  {cell:<width$}") } else { write!(line, "  {cell:>width$}") };
        }
        text += line.trim_end();
        text += "\n";
    }
    text
}

fn percent(part: f64, all: f64) -> String {
    format!("{:.1} %", 100.0 * part / all.max(1e-9))
}

#[expect(clippy::cast_precision_loss, reason = "shown with few digits")]
fn to_f64(n: u64) -> f64 {
    n as f64
}
