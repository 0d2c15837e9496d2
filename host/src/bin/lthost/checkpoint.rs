//! Checkpoints in the output folder: written while a run goes on and when it is interrupted, and read by `--resume`.

use std::{
    fs,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{RecvTimeoutError, Sender, channel},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use anyhow::Context;
use lthost::{plugin::printable, run::Control};

use crate::terminal;

/// The file, in the output folder.
const NAME: &str = "checkpoint.lthost";
/// Writing takes at most one part in so many of a run's time.
const SHARE: u32 = 20;

/// Seconds between checkpoints.
pub(crate) fn period(text: &str) -> Result<Duration, String> {
    let seconds = text.strip_suffix('s').unwrap_or(text).parse().ok();
    let period = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    period.ok_or_else(|| "expected seconds, like 10 or 0.5".to_owned())
}

/// Reads the checkpoint of a folder; none if there is none, and then the run begins at the beginning.
pub(crate) fn read(dir: &Path) -> anyhow::Result<Option<Arc<Vec<u8>>>> {
    let path = dir.join(NAME);
    match fs::read(&path) {
        Ok(bytes) => Ok(Some(Arc::new(bytes))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let dir = printable(&dir.display().to_string(), 4000);
            terminal::say(&format!("nothing to go on from in `{dir}`: the run begins at the beginning"));
            Ok(None)
        }
        Err(error) => Err(error).with_context(|| format!("can't read the checkpoint `{}`", path.display())),
    }
}

/// Says so if a run that doesn't go on from a folder's checkpoint is about to replace it.
pub(crate) fn warn_of_another(dir: &Path) {
    if dir.join(NAME).exists() {
        let dir = printable(&dir.display().to_string(), 4000);
        let hint = "this run begins anew and removes it; --resume goes on from it";
        terminal::say(&format!("warning: `{dir}` has the checkpoint of an interrupted run: {hint}"));
    }
}

/// Writes checkpoints of a run to its output folder every now and then.
pub(crate) struct Keeper {
    control: Control,
    path: PathBuf,
    is_wanted: bool,
    /// Whether this run has left one.
    has_written: Arc<AtomicBool>,
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

impl Keeper {
    /// Begins to write one every `period`, or more rarely where writing takes long; never if that is zero.
    pub(crate) fn start(control: Control, dir: &Path, period: Duration) -> Self {
        let path = dir.join(NAME);
        let has_written = Arc::new(AtomicBool::new(false));
        let (stop, stopped) = channel();
        let thread = {
            let (control, path, has_written) = (control.clone(), path.clone(), Arc::clone(&has_written));
            let work = move || {
                let mut pause = if period.is_zero() { Duration::MAX } else { period };
                while stopped.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                    let start = Instant::now();
                    match write(&control, &path) {
                        Ok(written) => has_written.fetch_or(written, Ordering::Relaxed),
                        Err(error) => return warn(&path, &error),
                    };
                    pause = period.max(start.elapsed() * SHARE);
                }
            };
            std::thread::spawn(work)
        };
        Self { control, path, is_wanted: !period.is_zero(), has_written, stop, thread }
    }

    /// The run is done: there is nothing left to go on with.
    pub(crate) fn remove(self) {
        let path = self.path.clone();
        self.finish();
        if let Err(error) = fs::remove_file(&path)
            && error.kind() != io::ErrorKind::NotFound
        {
            warn(&path, &error);
        }
    }

    /// The run has failed, or was interrupted: then a last checkpoint is written. Whether there is one to go on from.
    pub(crate) fn leave(self, was_interrupted: bool) -> bool {
        let (control, path, has_written) = (self.control.clone(), self.path.clone(), Arc::clone(&self.has_written));
        let is_wanted = self.is_wanted && was_interrupted;
        self.finish();
        if is_wanted {
            match write(&control, &path) {
                Ok(written) => has_written.fetch_or(written, Ordering::Relaxed),
                Err(error) => {
                    warn(&path, &error);
                    return has_written.load(Ordering::Relaxed);
                }
            };
        }
        has_written.load(Ordering::Relaxed)
    }

    fn finish(self) {
        drop(self.stop);
        // A panic of it was told where it happened; the results do not depend on it.
        let _told = self.thread.join();
    }
}

/// Writes a checkpoint, whole or not at all. Whether there was anything to write.
fn write(control: &Control, path: &Path) -> io::Result<bool> {
    let dir = path.parent().unwrap_or(Path::new("."));
    let mut file = BufWriter::new(tempfile::Builder::new().prefix(".lthost-").tempfile_in(dir)?);
    if !control.checkpoint(&mut file)? {
        return Ok(false);
    }
    file.flush()?;
    let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(true)
}

fn warn(path: &Path, error: &io::Error) {
    terminal::say(&format!("warning: checkpoint `{}`: {error}; the run goes on without", path.display()));
}
