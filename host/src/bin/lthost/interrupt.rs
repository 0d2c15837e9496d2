//! What Ctrl-C does to a run, and other signals that ask a program to end.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;
use lthost::run::Control;

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

impl Held {
    /// Lets them come: the first one ends the run in order, a second one the program.
    pub(crate) fn cancel(self, control: Control) -> anyhow::Result<()> {
        let was_asked = AtomicBool::new(false);
        let handle = move || {
            if was_asked.swap(true, Ordering::Relaxed) {
                std::process::exit(1);
            }
            control.cancel();
        };
        ctrlc::set_handler(handle).context("signals can't be handled")?;
        #[cfg(unix)]
        self.signals.thread_unblock().context("signals can't be let through")?;
        Ok(())
    }
}
