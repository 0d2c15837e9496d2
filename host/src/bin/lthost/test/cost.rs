//! What a plugin costs: its speed over a data set that is large enough to tell, held against what the memory gives.

use std::{
    hint::black_box,
    path::Path,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use lthost::{
    dataset::DatasetOptions,
    run::{Outcome, RunConfig, Stats, UdfOutcome},
    shape::npy,
};
use wasmparser::{Parser, Payload};

use super::{data::Data, lab::Lab};
use crate::advice::advice;

/// Bytes of the data set.
const N_BYTES: u64 = 64 << 20;
const SIG: [u64; 2] = [256, 256];
/// Frames that are different; then they come again.
const N_DIFFERENT: u64 = 8;
/// Frames of a row of the scan, and the fewest that there are.
const ROW: u64 = 32;
/// A run that takes longer is long enough; and how long more of them may take together.
const ENOUGH_S: f64 = 0.2;
const ALL_S: f64 = 1.5;
/// Bytes that no cache holds.
const MEMORY_BYTES: usize = 256 << 20;
const MEMORY_TIME: Duration = Duration::from_millis(200);
/// Below this share of what the memory gives there is something to gain.
const GOOD: f64 = 0.5;

/// The cost of a plugin.
#[derive(Debug, serde::Serialize)]
pub(super) struct Cost {
    pub(super) n_frames: u64,
    pub(super) sig_shape: Vec<u64>,
    pub(super) dtype: &'static str,
    pub(super) n_threads: usize,
    pub(super) s_per_frame: f64,
    pub(super) file_gb_per_s: f64,
    /// What as many threads get that only add up a buffer in memory.
    pub(super) memory_gb_per_s: f64,
    /// What to do about it, if it is slow.
    pub(super) advice: Option<String>,
}

impl Cost {
    /// Share of what the memory gives.
    pub(super) fn share(&self) -> f64 {
        self.file_gb_per_s / self.memory_gb_per_s
    }
}

/// Measures a plugin, whose file is `wasm`, on data like `main`. `nav` and `sig` if these are given. None if it refuses them.
pub(super) fn measure(
    lab: &mut Lab<'_>,
    wasm: &[u8],
    (main, nav, sig): (&Data, Option<&[u64]>, Option<&[u64]>),
) -> anyhow::Result<Option<Cost>> {
    let n_threads = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let sig = sig.map_or_else(|| SIG.to_vec(), <[u64]>::to_vec);
    let data = Data::new(&[N_DIFFERENT], &sig, main.dtype);
    let frame_bytes = data.n_pixels() * data.dtype.size() as u64;
    let n_most = nav.map_or_else(|| (N_BYTES / frame_bytes.max(1)).max(ROW) / ROW * ROW, |nav| nav.iter().product());
    let options = |n_frames: u64| DatasetOptions {
        nav_shape: Some(nav.map_or_else(|| scan(n_frames, main.nav.len()), <[u64]>::to_vec)),
        sig_dims: Some(sig.len()),
        ..DatasetOptions::default()
    };
    let mut run = |n_frames: u64, profile: bool| -> anyhow::Result<Option<Outcome<UdfOutcome>>> {
        let dataset = lab.dataset_of("cost.npy", &options(n_frames), |path| write(path, &data, n_most))?;
        let config = RunConfig { profile, limits: lab.limits().clone(), ..RunConfig::default() };
        let spec = lab.spec().clone();
        Ok(lab.run_with(&Arc::clone(&dataset), &spec, n_threads, &config)?.ok())
    };
    let Some((n_frames, mut best)) =
        in_time(n_most, |n_frames| Ok(run(n_frames, false)?.map(|outcome| outcome.stats)))?
    else {
        return Ok(None);
    };
    let start = Instant::now();
    while start.elapsed().as_secs_f64() < ALL_S {
        let Some(outcome) = run(n_frames, false)? else { return Ok(None) };
        if outcome.stats.seconds < best.seconds {
            best = outcome.stats;
        }
    }
    let mut cost = Cost {
        n_frames: best.n_frames,
        sig_shape: sig.clone(),
        dtype: data.dtype.name(),
        n_threads,
        s_per_frame: best.seconds / to_f64(best.n_frames.max(1)),
        file_gb_per_s: to_f64(best.n_file_bytes) / 1e9 / best.seconds.max(1e-9),
        memory_gb_per_s: memory_speed(n_threads),
        advice: None,
    };
    if cost.share() < GOOD {
        let profile = run(n_frames, true)?.and_then(|outcome| outcome.profile);
        cost.advice = profile.and_then(|profile| advice(&profile, Some(has_simd(wasm))));
    }
    Ok(Some(cost))
}

/// A number of frames, in whole rows, that take about as long as a run should, and what a run over them took.
fn in_time(
    n_most: u64,
    mut run: impl FnMut(u64) -> anyhow::Result<Option<Stats>>,
) -> anyhow::Result<Option<(u64, Stats)>> {
    let mut n_frames = n_most.min(ROW);
    loop {
        let Some(stats) = run(n_frames)? else { return Ok(None) };
        if n_frames == n_most || stats.seconds > ENOUGH_S {
            return Ok(Some((n_frames, stats)));
        }
        n_frames = (4 * n_frames).min(n_most);
    }
}

/// The shape of a scan of so many frames, with so many axes.
fn scan(n_frames: u64, n_axes: usize) -> Vec<u64> {
    match n_axes {
        0 | 1 => vec![n_frames],
        n => [vec![1; n - 2], vec![n_frames.div_ceil(ROW), ROW.min(n_frames)]].concat(),
    }
}

/// Writes a data set of `n_frames`: the same few frames again and again.
fn write(path: &Path, data: &Data, n_frames: u64) -> std::io::Result<()> {
    if path.exists() {
        return Ok(());
    }
    data.write(path)?;
    let few = npy::read(path).map_err(std::io::Error::other)?.data;
    let mut bytes = npy::header(data.dtype, &[&[n_frames], &data.sig[..]].concat());
    let frame = few.len() / usize::try_from(N_DIFFERENT).unwrap_or(1);
    for i in 0..n_frames {
        let first = usize::try_from(i % N_DIFFERENT).unwrap_or(0) * frame;
        bytes.extend_from_slice(&few[first..first + frame]);
    }
    std::fs::write(path, bytes)
}

/// GB/s at which threads together add up a buffer that is in no cache.
fn memory_speed(n_threads: usize) -> f64 {
    let buffer = vec![1_u64; MEMORY_BYTES / size_of::<u64>()];
    let part = buffer.len().div_ceil(n_threads);
    let pass = || {
        let start = Instant::now();
        thread::scope(|scope| {
            for part in buffer.chunks(part) {
                scope.spawn(|| black_box(part.iter().fold(0_u64, |sum, number| sum.wrapping_add(*number))));
            }
        });
        start.elapsed().as_secs_f64()
    };
    let (start, mut best) = (Instant::now(), f64::INFINITY);
    while best.is_infinite() || start.elapsed() < MEMORY_TIME {
        best = best.min(pass());
    }
    to_f64(MEMORY_BYTES as u64) / 1e9 / best.max(1e-9)
}

/// Whether some function of a plugin has instructions on 128-bit vectors.
fn has_simd(wasm: &[u8]) -> bool {
    /// What they all begin with.
    const PREFIX: u8 = 0xfd;
    Parser::new(0).parse_all(wasm).any(|payload| {
        let Ok(Payload::CodeSectionEntry(body)) = payload else { return false };
        let Ok(operators) = body.get_operators_reader() else { return false };
        operators.into_iter_with_offsets().flatten().any(|(_, at)| wasm.get(at) == Some(&PREFIX))
    })
}

#[expect(clippy::cast_precision_loss, reason = "shown with few digits")]
fn to_f64(n: u64) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_are_seen() {
        // A module with a function of type () -> () that has `body`.
        let module = |body: &[u8]| {
            let code = [&[u8::try_from(body.len() + 2).unwrap(), 0][..], body, &[0x0b]].concat();
            let mut wasm = b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x02\x01\0".to_vec();
            wasm.extend([0x0a, u8::try_from(code.len() + 1).unwrap(), 1]);
            wasm.extend(code);
            wasm
        };
        // i32.const -3, whose number looks like the prefix; drop.
        assert!(!has_simd(&module(&[0x41, 0x7d, 0x1a])));
        // i32.const 0; i8x16.splat; drop.
        assert!(has_simd(&module(&[0x41, 0, 0xfd, 0x0f, 0x1a])));
    }

    #[test]
    fn a_scan_has_whole_rows_of_frames() {
        assert_eq!(scan(64, 2), [2, 32]);
        assert_eq!(scan(64, 1), [64]);
        assert_eq!(scan(64, 3), [1, 2, 32]);
    }

    #[test]
    fn slow_plugins_get_few_frames() {
        let stats = |n_frames: u64, s_per_frame: f64| Stats {
            n_frames,
            n_file_bytes: 0,
            n_partitions: 1,
            n_partitions_resumed: 0,
            n_workers: 1,
            seconds: s_per_frame * to_f64(n_frames),
        };
        let frames = |s_per_frame: f64| in_time(512, |n| Ok(Some(stats(n, s_per_frame)))).unwrap().unwrap().0;
        assert_eq!([1e-4, 2e-3, 1.0].map(frames), [512, 128, 32]);
    }
}
