//! What Ctrl-C does to a run, and other signals that ask a program to end.

use std::{
    sync::OnceLock,
    time::{Duration, Instant},
};

use anyhow::Context;
use lthost::{
    results::{Leftovers, Output},
    run::{Control, RunError},
};

use crate::complain;

/// Signals that come so shortly one after the other are one: who ends a group of processes may send several.
const SAME: Duration = Duration::from_millis(200);

/// Has a file that may not grow any more be an error of whoever writes it, instead of the end of the program: on this thread and on
/// those that it starts.
pub(crate) fn let_writing_fail() {
    #[cfg(unix)]
    {
        use nix::sys::signal::{SigSet, Signal};

        // Without it the program still works, but for that.
        let _held_if_possible = SigSet::from(Signal::SIGXFSZ).thread_block();
    }
}

/// Signals that wait for a run that they can cancel.
#[must_use = "signals wait until there is a run"]
pub(crate) struct Held {
    #[cfg(unix)]
    signals: nix::sys::signal::SigSet,
}

/// Holds signals back: the program does not end by them where it has begun something that must not be left half done. They wait on
/// this thread and on those that it starts; handling them takes a thread, which must not be there before the process is confined.
pub(crate) fn hold() -> anyhow::Result<Held> {
    #[cfg(unix)]
    {
        use nix::sys::signal::{SigSet, Signal};

        let signals: SigSet = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP].into_iter().collect();
        signals.thread_block().context("signals can't be held back")?;
        Ok(Held { signals })
    }
    #[cfg(not(unix))]
    Ok(Held {})
}

/// Does something that starts threads which stay: signals are never theirs, so that they can be held back on this one.
pub(crate) fn not_for_threads_of<T>(start: impl FnOnce() -> T) -> T {
    #[cfg(unix)]
    {
        use nix::sys::signal::{SigSet, SigmaskHow};

        let before = SigSet::all().thread_swap_mask(SigmaskHow::SIG_BLOCK);
        let started = start();
        // As it was; if it could not be changed, it still is.
        let _back = before.and_then(|before| before.thread_set_mask());
        started
    }
    #[cfg(not(unix))]
    start()
}

impl Held {
    /// Lets them come: the first one ends the run in order, a second one the program, with what has come of `output`.
    pub(crate) fn cancel(self, control: Control, output: Option<&Output>) -> anyhow::Result<()> {
        let leftovers = output.map(Output::leftovers);
        let asked = OnceLock::new();
        let handle = move || {
            if asked.get_or_init(Instant::now).elapsed() > SAME {
                leftovers.iter().for_each(Leftovers::remove);
                std::process::exit(1);
            }
            control.cancel();
        };
        self.handle_by(handle)
    }

    /// Lets them come: the first one ends the program, with what has come of `output`.
    pub(crate) fn end(self, output: Option<&Output>) -> anyhow::Result<()> {
        let leftovers = output.map(Output::leftovers);
        self.handle_by(move || {
            leftovers.iter().for_each(Leftovers::remove);
            std::process::exit(complain(&RunError::Cancelled.into()).into());
        })
    }

    fn handle_by(self, handle: impl FnMut() + Send + 'static) -> anyhow::Result<()> {
        ctrlc::set_handler(handle).context("signals can't be handled")?;
        #[cfg(unix)]
        self.signals.thread_unblock().context("signals can't be let through")?;
        Ok(())
    }
}
