//! What to do about a run that is slow: one sentence, of what was measured or stands in the plugin's file.

use lthost::run::{Cost, Phase, Profile};

/// From this share of the threads' time on something is worth a sentence.
const MUCH: f64 = 0.25;
/// Calls that are shorter than this cost as much as what they do.
const SHORT_CALL_S: f64 = 20e-6;
/// Tiles that are smaller than this make such calls.
const SMALL_TILE: f64 = 64e3;

/// What would help most. `has_simd` says whether the plugin has instructions on vectors, where that is known.
pub(crate) fn advice(profile: &Profile, has_simd: Option<bool>) -> Option<String> {
    let all = profile.thread_seconds().max(1e-9);
    let cost = |phases: &[Phase]| profile.cost(|entry| phases.contains(&entry.phase));
    let (process, read) = (cost(&[Phase::Process]), cost(&[Phase::Read]));
    let waiting: f64 = profile.workers.iter().map(|worker| worker.waiting_s).sum();
    let parts = [
        (cost(&[Phase::Process, Phase::HandOver]).seconds, Some(of_process(&process, profile, has_simd))),
        (read.seconds, Some(of_read(&read))),
        (
            cost(&[Phase::Begin, Phase::End, Phase::Merge, Phase::MergeAll, Phase::Results]).seconds,
            Some(of_buffers(profile)),
        ),
        (
            cost(&[Phase::Create]).seconds,
            Some(
                "making instances takes longest: what `create` sets up, it sets up for each thread and once more"
                    .to_owned(),
            ),
        ),
        (waiting, of_waiting(profile)),
    ];
    let most = parts.into_iter().max_by(|a, b| a.0.total_cmp(&b.0)).filter(|(seconds, _)| seconds / all >= MUCH)?;
    most.1.map(|sentence| format!("{:.0} % of the threads' time: {sentence}", 100.0 * most.0 / all))
}

fn of_process(process: &Cost, profile: &Profile, has_simd: Option<bool>) -> String {
    let n_calls = to_f64(process.n_calls).max(1.0);
    let (per_call, tile) = (process.seconds / n_calls, to_f64(process.n_bytes) / n_calls);
    if per_call < SHORT_CALL_S && tile < SMALL_TILE {
        return format!(
            "a call of `process` gets {:.1} kB and takes {:.1} µs, much of which is the call itself: larger tiles \
             (preferences `depth` and `total-size`, or --tile-bytes) are fewer calls",
            tile / 1e3,
            1e6 * per_call
        );
    }
    if profile.lines.iter().any(|line| line.function.starts_with("_Py")) {
        return "`process` is run by Python's interpreter: do with one call what concerns a whole row (`sum`, `max`, \
             `math.sumprod`), or move to Rust or C, which are a hundred times as fast"
            .to_owned();
    }
    if has_simd == Some(false) {
        return "`process` computes one number at a time, there is no SIMD instruction in the plugin: build it with \
             `lthost build`, or with `-C target-feature=+simd128` (Rust) or `-msimd128` (C), and see the kernels of the SDK"
            .to_owned();
    }
    // A few ticks of the clock say nothing.
    let n_ticks: u64 = profile.lines.iter().map(|line| line.n_ticks).sum();
    let line = profile.lines.first().filter(|line| line.n_ticks >= 5 && 4 * line.n_ticks >= n_ticks);
    let place = line.map(|line| {
        let at = line.line.as_ref().map(|at| format!(" ({at})")).unwrap_or_default();
        format!(", most often found in `{}`{at}", line.function)
    });
    format!("`process` is what takes long{}", place.unwrap_or_default())
}

fn of_read(read: &Cost) -> String {
    let wider = to_f64(read.n_bytes) / to_f64(read.n_file_bytes).max(1.0);
    let why = if wider > 1.0 {
        format!(": pixels become {wider:.1} times as large on their way, a UDF that takes them `native` reads less")
    } else {
        ", there is little to gain in the plugin".to_owned()
    };
    format!("reading and decoding takes longest{why}")
}

fn of_buffers(profile: &Profile) -> String {
    let merge = profile.cost(|entry| entry.phase == Phase::Merge);
    let (all, n_partitions) = (to_f64(merge.n_bytes) / 1e6, to_f64(merge.n_calls).max(1.0));
    format!(
        "buffers are filled, handed over and merged, {:.1} MB for each of {n_partitions} partitions: smaller ones take less, and \
         fewer partitions (--partitions) if each has all of them",
        all / n_partitions
    )
}

fn of_waiting(profile: &Profile) -> Option<String> {
    let n_partitions = profile.cost(|entry| entry.phase == Phase::Begin).n_calls;
    let n_threads = profile.workers.len() as u64;
    (n_partitions < 4 * n_threads).then(|| {
        format!("threads wait, as {n_threads} of them have {n_partitions} partitions: more of these (--partitions) spread better")
    })
}

#[expect(clippy::cast_precision_loss, reason = "shown with few digits")]
fn to_f64(n: u64) -> f64 {
    n as f64
}
