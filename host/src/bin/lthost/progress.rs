//! Progress on stderr: a bar on a terminal, a line now and then elsewhere.

use std::{
    io::{IsTerminal, stderr},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use lthost::run::Progress;

use crate::{live::Watch, terminal};

/// How often a line is printed where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(2);

/// Shows how far a run is.
pub(crate) enum Display {
    Quiet,
    Bar(ProgressBar),
    Lines { last: Instant },
    Json,
}

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Style {
    Bar,
    Lines,
    /// One object a line: `n_frames_done`, `n_frames`, `udfs` and more; all else on stderr is JSON, too: messages
    /// with `level` and `message`, and a failure, as the last line, with `error`, `exit_status` and `repeat_with`
    Json,
}

impl Display {
    pub(crate) fn new(quiet: bool, style: Option<Style>) -> Self {
        if quiet {
            return Self::Quiet;
        }
        let usual = if stderr().is_terminal() { Style::Bar } else { Style::Lines };
        match style.unwrap_or(usual) {
            Style::Bar => Self::bar(),
            Style::Lines => Self::Lines { last: Instant::now() },
            Style::Json => Self::Json,
        }
    }

    fn bar() -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len} frames, {msg}, {eta} left");
        bar.set_style(style.expect("the template is valid"));
        bar.set_message("starting");
        terminal::keep_below(Some(bar.clone()));
        Self::Bar(bar)
    }

    pub(crate) fn show(&mut self, progress: &Progress) {
        match self {
            Self::Quiet => {}
            Self::Bar(bar) => {
                bar.set_length(progress.n_frames);
                bar.set_position(progress.n_frames_done);
                bar.set_message(format!("{:.2} GB/s", speed(progress)));
            }
            Self::Json => terminal::say_object(progress),
            Self::Lines { last } => {
                if last.elapsed() >= LINE_EVERY {
                    *last = Instant::now();
                    print_line(progress);
                }
            }
        }
    }
}

/// What shows a run's progress on `display`, and tells `watch`.
pub(crate) fn shown_on(display: &Arc<Mutex<Display>>, watch: &Watch) -> Arc<dyn Fn(&Progress) + Send + Sync> {
    let (display, watch) = (Arc::clone(display), watch.clone());
    Arc::new(move |progress| {
        watch.tell(progress);
        display.lock().unwrap_or_else(PoisonError::into_inner).show(progress);
    })
}

/// Takes the display away, whatever is still told.
pub(crate) fn finish(display: &Mutex<Display>) {
    let mut display = display.lock().unwrap_or_else(PoisonError::into_inner);
    if let Display::Bar(bar) = std::mem::replace(&mut *display, Display::Quiet) {
        terminal::keep_below(None);
        bar.finish_and_clear();
    }
}

fn print_line(progress: &Progress) {
    let left = left(progress).map(|left| format!(", {:.0} s left", left.as_secs_f64())).unwrap_or_default();
    let (n_done, n) = (progress.n_frames_done, progress.n_frames);
    terminal::say(&format!("{n_done}/{n} frames, {:.2} GB/s{left}", speed(progress)));
}

/// GB/s of file bytes.
#[expect(clippy::cast_precision_loss, reason = "shown with two digits")]
fn speed(progress: &Progress) -> f64 {
    progress.n_file_bytes_done as f64 / 1e9 / progress.elapsed.as_secs_f64().max(1e-9)
}

#[expect(clippy::cast_precision_loss, reason = "shown in seconds")]
fn left(progress: &Progress) -> Option<Duration> {
    let todo = progress.n_frames.saturating_sub(progress.n_frames_done) as f64;
    let rate = (progress.n_frames_done - progress.n_frames_resumed) as f64 / progress.elapsed.as_secs_f64().max(1e-9);
    Duration::try_from_secs_f64(todo / rate).ok()
}
