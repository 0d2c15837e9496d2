//! Taking times: contenders take turns, so that whatever else the machine does meets all of them.

use std::{fs, time::Instant};

use anyhow::Context;

use crate::stats::Series;

/// Something to measure: one call is one repetition, and gives its time. What it takes to get ready is not in it.
pub(crate) type Contender<'a> = Box<dyn FnMut() -> anyhow::Result<Taken> + 'a>;

/// What a repetition took, in seconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Taken {
    pub(crate) wall: f64,
    pub(crate) cpu: f64,
}

/// Runs `work` with the clock on.
pub(crate) fn take<T>(work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<Taken> {
    let cpu = cpu_seconds()?;
    let start = Instant::now();
    let done = work()?;
    let wall = start.elapsed().as_secs_f64();
    let cpu = cpu_seconds()? - cpu;
    // What it made goes away only now.
    drop(done);
    Ok(Taken { wall, cpu })
}

/// `n_rounds` repetitions of each contender, in turn, after one that does not count. Every round starts with another.
pub(crate) fn rounds<const N: usize>(
    n_rounds: usize,
    mut contenders: [Contender<'_>; N],
) -> anyhow::Result<[Series; N]> {
    let mut series = [(); N].map(|()| Series::default());
    for contender in &mut contenders {
        contender()?;
    }
    for round in 0..n_rounds {
        for turn in 0..N {
            let idx = (round + turn) % N;
            let taken = contenders[idx]()?;
            series[idx].wall.push(taken.wall);
            series[idx].cpu.push(taken.cpu);
        }
    }
    Ok(series)
}

/// Processor time of this process so far, all threads, also those that ended.
fn cpu_seconds() -> anyhow::Result<f64> {
    /// The kernel counts for user programs in hundredths of a second, whatever its own clock.
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = fs::read_to_string("/proc/self/stat").context("/proc/self/stat can't be read")?;
    // The second field is the program's name in brackets, with whatever it may contain.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: Vec<f64> = fields.skip(11).take(2).filter_map(|field| field.parse().ok()).collect();
    Ok(ticks.iter().sum::<f64>() / TICKS_PER_SECOND)
}
