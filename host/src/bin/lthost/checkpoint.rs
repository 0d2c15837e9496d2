//! Checkpoints in the output folder: written while a run goes on and when it is interrupted, and read by `--resume`.

use std::{
    fs,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        mpsc::{RecvTimeoutError, Sender, channel},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use lthost::{
    plugin::printable,
    run::{Control, partial::read_file},
};

use crate::terminal;

/// The file, in the output folder.
const NAME: &str = "checkpoint.lthost";
/// Writing takes at most one part in so many of a run's time.
const SHARE: u32 = 20;

/// Seconds between checkpoints.
fn period(text: &str) -> Result<Duration, String> {
    let seconds = text.strip_suffix('s').unwrap_or(text).parse().ok();
    let period = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    period.ok_or_else(|| "expected seconds, like 10 or 0.5".to_owned())
}

/// Whether to go on from a checkpoint, and how often to write one.
#[derive(clap::Args)]
pub(crate) struct CheckpointArgs {
    /// Go on from the checkpoint that an interrupted run with the same options has left in DIR, to the same bits as a run in
    /// one go; where there is none, begin at the beginning
    #[arg(long, requires = "output", conflicts_with_all = ["partition", "frame"])]
    resume: bool,
    /// Write DIR/checkpoint.lthost every so many seconds, for --resume, or more rarely where writing takes long; a run that is
    /// done removes it; 0: never, not even when interrupted
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = period)]
    checkpoint: Duration,
}

impl CheckpointArgs {
    /// Reads the checkpoint of a folder, if the run goes on from one; says so if it doesn't go on from one that is there, or
    /// there is none.
    pub(crate) fn read(&self, dir: &Path) -> anyhow::Result<Option<Arc<Vec<u8>>>> {
        let (path, dir) = (dir.join(NAME), printable(&dir.display().to_string(), 4000));
        let is_held = is_held(&path);
        if !self.resume {
            if is_held {
                let hint = "it stays, and this run writes none";
                terminal::say_at("warning", &format!("`{dir}` has the checkpoint of a run that is at work: {hint}"));
            } else if path.exists() {
                let hint = "this run begins anew and removes it; --resume goes on from it";
                terminal::say_at("warning", &format!("`{dir}` has the checkpoint of an interrupted run: {hint}"));
            }
            return Ok(None);
        }
        if is_held {
            bail!("the run that writes the checkpoint in `{dir}` is still at work: wait for it, or end it");
        }
        match read_file(&path) {
            Ok(bytes) => Ok(Some(Arc::new(bytes))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                terminal::say(&format!("nothing to go on from in `{dir}`: the run begins at the beginning"));
                Ok(None)
            }
            Err(error) => Err(error).with_context(|| format!("can't read the checkpoint `{}`", path.display())),
        }
    }

    /// Writes checkpoints of a run to its output folder from now on.
    pub(crate) fn keep(&self, control: Control, dir: &Path) -> Keeper {
        Keeper::start(control, Place { path: dir.join(NAME), held: Mutex::default() }, self.checkpoint)
    }
}

/// Writes checkpoints of a run to its output folder every now and then.
pub(crate) struct Keeper {
    control: Control,
    place: Arc<Place>,
    is_wanted: bool,
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

impl Keeper {
    /// Begins to write one every `period`, or more rarely where writing takes long; never if that is zero.
    fn start(control: Control, place: Place, period: Duration) -> Self {
        let place = Arc::new(place);
        let (stop, stopped) = channel();
        let thread = {
            let (control, place) = (control.clone(), Arc::clone(&place));
            let work = move || {
                let mut pause = if period.is_zero() { Duration::MAX } else { period };
                while stopped.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                    let start = Instant::now();
                    if let Err(error) = place.write(&control) {
                        return place.warn(&error);
                    }
                    pause = period.max(start.elapsed() * SHARE);
                }
            };
            std::thread::spawn(work)
        };
        Self { control, place, is_wanted: !period.is_zero(), stop, thread }
    }

    /// Ends it with the run: `was_interrupted` is none for a run that is done, and then no checkpoint is left. One that was
    /// interrupted leaves a last one. Whether there is one to go on from.
    pub(crate) fn finish(self, was_interrupted: Option<bool>) -> bool {
        let Self { control, place, is_wanted, stop, thread } = self;
        drop(stop);
        // A panic of it was told where it happened; the results do not depend on it.
        let _told = thread.join();
        match was_interrupted {
            None => {
                if let Err(error) = place.clear() {
                    place.warn(&error);
                }
                return false;
            }
            Some(true) if is_wanted => {
                if let Err(error) = place.write(&control) {
                    place.warn(&error);
                }
            }
            Some(_) => {}
        }
        place.held().is_some()
    }
}

/// Where the checkpoint of a run is.
struct Place {
    path: PathBuf,
    /// The one that this run has written, locked: other runs leave it alone.
    held: Mutex<Option<fs::File>>,
}

impl Place {
    /// Writes a checkpoint, whole or not at all; none if nothing is merged.
    fn write(&self, control: &Control) -> io::Result<()> {
        let mut held = self.held();
        if held.is_none() && is_held(&self.path) {
            return Err(io::Error::other("another run that is at work has its own there"));
        }
        let dir = self.path.parent().unwrap_or(Path::new("."));
        let mut builder = tempfile::Builder::new();
        builder.prefix(".lthost-");
        // As results are: for whom the folder's owner likes.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let mut file = BufWriter::new(builder.tempfile_in(dir)?);
        if !control.checkpoint(&mut file)? {
            return Ok(());
        }
        file.flush()?;
        let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.as_file().sync_all()?;
        // Some file systems have no locks.
        let _held_if_possible = file.as_file().try_lock();
        *held = Some(file.persist(&self.path)?);
        Ok(())
    }

    /// Removes the checkpoint, unless it is that of another run at work.
    fn clear(&self) -> io::Result<()> {
        if self.held().is_none() && is_held(&self.path) {
            return Ok(());
        }
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn held(&self) -> MutexGuard<'_, Option<fs::File>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn warn(&self, error: &io::Error) {
        let path = self.path.display();
        terminal::say_at("warning", &format!("checkpoint `{path}`: {error}; the run goes on without"));
    }
}

/// Whether a run at work holds the checkpoint that is there.
fn is_held(path: &Path) -> bool {
    let is_locked = |file: fs::File| matches!(file.try_lock(), Err(fs::TryLockError::WouldBlock));
    // Not a pipe, from which nobody may ever read; and a confined process may write there, not read.
    path.is_file() && fs::OpenOptions::new().write(true).open(path).is_ok_and(is_locked)
}
