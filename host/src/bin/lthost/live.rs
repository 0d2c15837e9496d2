//! Results while a run goes on: written and shown every now and then, in place.

use std::{
    str::FromStr,
    sync::{Arc, Condvar, Mutex, PoisonError},
    time::{Duration, Instant},
};

use lthost::run::{Control, Outcome, Progress, Run, RunError};

/// How often.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Every {
    Time(Duration),
    Partitions(u64),
}

impl FromStr for Every {
    type Err = String;

    /// `5` or `5s`: seconds; `20p`: partitions.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "expected seconds, like 5 or 0.5s, or partitions, like 20p".to_owned();
        if let Some(n_partitions) = text.strip_suffix('p') {
            let n_partitions = n_partitions.parse().ok().filter(|&n: &u64| n > 0);
            return n_partitions.map(Self::Partitions).ok_or_else(wrong);
        }
        let seconds: f64 = text.strip_suffix('s').unwrap_or(text).parse().map_err(|_| wrong())?;
        Duration::try_from_secs_f64(seconds).map(Self::Time).map_err(|_| wrong())
    }
}

impl Default for Every {
    fn default() -> Self {
        Self::Time(Duration::from_secs(1))
    }
}

/// How many partitions are merged; told by the run, waited for by whoever writes or shows results.
#[derive(Clone, Default)]
pub(crate) struct Watch(Arc<(Mutex<u64>, Condvar)>);

/// The end of a run is looked for this often.
const TICK: Duration = Duration::from_millis(50);

impl Watch {
    pub(crate) fn tell(&self, progress: &Progress) {
        let (n_merged, changed) = &*self.0;
        *n_merged.lock().unwrap_or_else(PoisonError::into_inner) = progress.n_partitions_done;
        changed.notify_all();
    }

    /// Blocks until results are due that are newer than those of `last`, or the run has ended.
    fn wait(&self, every: Every, (start, n_before): (Instant, u64), control: &Control) {
        let (n_merged, changed) = &*self.0;
        let mut n = n_merged.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let is_due = match every {
                Every::Time(time) => start.elapsed() >= time && *n > n_before,
                Every::Partitions(n_partitions) => *n >= n_before.saturating_add(n_partitions),
            };
            if is_due || control.has_ended() {
                return;
            }
            n = changed.wait_timeout(n, TICK).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// Waits for the end of a run; until then `show` gets a partial result every now and then.
pub(crate) fn follow(
    run: Run,
    every: Every,
    watch: &Watch,
    mut show: impl FnMut(&Outcome) -> anyhow::Result<()>,
) -> anyhow::Result<Outcome> {
    let control = run.control();
    let mut partials = run.partials();
    let mut last = (Instant::now(), 0);
    loop {
        watch.wait(every, last, &control);
        let outcome = partials.next().unwrap_or(Err(RunError::WorkersGone))?;
        if outcome.is_complete {
            return Ok(outcome);
        }
        last = (Instant::now(), outcome.stats.n_partitions);
        show(&outcome)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_or_partitions() {
        assert_eq!("5".parse(), Ok(Every::Time(Duration::from_secs(5))));
        assert_eq!("0.5s".parse(), Ok(Every::Time(Duration::from_millis(500))));
        assert_eq!("20p".parse(), Ok(Every::Partitions(20)));
        for wrong in ["", "p", "0p", "-1", "1e99", "nan", "5m"] {
            assert!(wrong.parse::<Every>().is_err(), "{wrong}");
        }
    }
}
