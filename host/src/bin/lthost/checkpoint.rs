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

use anyhow::{Context, bail};
use lthost::{
    plugin::printable,
    results::Output,
    run::{Control, partial::read_file},
};

use crate::terminal;

/// The file, in the output folder.
pub(crate) const NAME: &str = "checkpoint.lthost";
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
    /// Takes a folder for the checkpoints of a run.
    pub(crate) fn claim(&self, output: &Output) -> anyhow::Result<Claim> {
        let dir = output.dir();
        // A lock that nobody has to make or remove; some systems have none.
        let lock = fs::File::open(dir).and_then(|lock| Ok(lock.try_lock().map(|()| lock)?));
        let is_taken = matches!(&lock, Err(error) if error.kind() == io::ErrorKind::WouldBlock);
        if is_taken {
            let dir = printable(&dir.display().to_string(), 4000);
            if self.resume {
                bail!("another run is at work in `{dir}`, whose checkpoint it may be: wait for it, or end it");
            }
            let hint = "this one writes no checkpoint, and leaves that of the other one alone";
            terminal::say_at("warning", &format!("another run is at work in `{dir}`: {hint}"));
        }
        Ok(Claim { dir: dir.to_owned(), is_ours: !is_taken, _lock: lock.ok() })
    }

    /// Reads the checkpoint of a folder, if the run goes on from one; says so if it doesn't go on from one that is there, or
    /// there is none.
    pub(crate) fn read(&self, claim: &Claim) -> anyhow::Result<Option<Arc<Vec<u8>>>> {
        let (path, dir) = (claim.dir.join(NAME), printable(&claim.dir.display().to_string(), 4000));
        if !self.resume {
            if claim.is_ours && path.exists() {
                let hint = "this run begins anew and removes it; --resume goes on from it";
                terminal::say_at("warning", &format!("`{dir}` has the checkpoint of an interrupted run: {hint}"));
            }
            return Ok(None);
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
    pub(crate) fn keep(&self, control: Control, claim: Claim) -> Keeper {
        Keeper::start(control, claim, self.checkpoint)
    }
}

/// An output folder whose checkpoint is that of this run, or of another one that is at work there.
pub(crate) struct Claim {
    dir: PathBuf,
    is_ours: bool,
    /// Held as long as the run lives.
    _lock: Option<fs::File>,
}

/// Writes checkpoints of a run to its output folder every now and then.
pub(crate) struct Keeper {
    control: Control,
    claim: Claim,
    path: PathBuf,
    is_wanted: bool,
    /// Whether this run has left one.
    has_written: Arc<AtomicBool>,
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

impl Keeper {
    /// Begins to write one every `period`, or more rarely where writing takes long; never if that is zero.
    fn start(control: Control, claim: Claim, period: Duration) -> Self {
        let (path, is_wanted) = (claim.dir.join(NAME), claim.is_ours && !period.is_zero());
        let has_written = Arc::new(AtomicBool::new(false));
        let (stop, stopped) = channel();
        let thread = {
            let (control, path, has_written) = (control.clone(), path.clone(), Arc::clone(&has_written));
            let work = move || {
                let mut pause = if is_wanted { period } else { Duration::MAX };
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
        Self { control, claim, path, is_wanted, has_written, stop, thread }
    }

    /// Ends it with the run: `was_interrupted` is none for a run that is done, and then no checkpoint is left. One that was
    /// interrupted leaves a last one. Whether there is one to go on from.
    pub(crate) fn finish(self, was_interrupted: Option<bool>) -> bool {
        let Self { control, claim, path, is_wanted, has_written, stop, thread } = self;
        drop(stop);
        // A panic of it was told where it happened; the results do not depend on it.
        let _told = thread.join();
        match was_interrupted {
            None if claim.is_ours => {
                if let Err(error) = fs::remove_file(&path)
                    && error.kind() != io::ErrorKind::NotFound
                {
                    warn(&path, &error);
                }
                return false;
            }
            Some(true) if is_wanted => match write(&control, &path) {
                Ok(true) => return true,
                Ok(false) => {}
                Err(error) => warn(&path, &error),
            },
            _ => {}
        }
        has_written.load(Ordering::Relaxed)
    }
}

/// Writes a checkpoint, whole or not at all. Whether there was anything to write.
fn write(control: &Control, path: &Path) -> io::Result<bool> {
    let dir = path.parent().unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    builder.prefix(".lthost-");
    // As results are: for whom the folder's owner likes.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = BufWriter::new(builder.tempfile_in(dir)?);
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
    terminal::say_at("warning", &format!("checkpoint `{}`: {error}; the run goes on without", path.display()));
}
