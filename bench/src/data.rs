//! The data: simulated once, and in the page cache before anything is measured.

use std::{
    cell::Cell,
    fs::File,
    io::{self, IoSliceMut},
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::Instant,
};

use anyhow::{Context, bail};
use lthost::dataset::{self, Dataset, DatasetOptions};
use rustix::{
    fs::{Advice, fadvise},
    io::{Errno, ReadWriteFlags, preadv2},
};

use crate::{map, say};

/// A data set to measure on.
#[derive(Debug, Clone)]
pub(crate) struct Data {
    /// The dtype, as the command line has it.
    pub(crate) dtype: &'static str,
    pub(crate) nav: [u64; 2],
    pub(crate) sig: [u64; 2],
    path: PathBuf,
    /// Whether it was put into the page cache before.
    is_warm: Cell<bool>,
}

impl Data {
    /// The data set of this form in `folder`; simulated if it is not there yet.
    pub(crate) fn make(
        program: &Path,
        folder: &Path,
        dtype: &'static str,
        (nav, sig): ([u64; 2], [u64; 2]),
    ) -> anyhow::Result<Self> {
        let name = format!("{dtype}-{}x{}x{}x{}.npy", nav[0], nav[1], sig[0], sig[1]);
        let data = Self { dtype, nav, sig, path: folder.join(name), is_warm: Cell::new(false) };
        if data.open().is_ok() {
            return Ok(data);
        }
        say(&format!("simulating {}", data.path.display()));
        std::fs::create_dir_all(folder).with_context(|| format!("{} can't be made", folder.display()))?;
        // A pixel has the same number of electrons in all of them, so that no dtype overflows.
        let dose = (sig[0] * sig[1] / 4).to_string();
        let [nav, sig] = [nav, sig].map(|[y, x]| format!("{y},{x}"));
        let mut command = Command::new(program);
        command.arg("simulate").arg("--force").arg("-o").arg(&data.path);
        command.args(["--nav-shape", &nav, "--sig-shape", &sig, "--dtype", dtype, "--dose", &dose]);
        let output = command.output().with_context(|| format!("{} can't be started", program.display()))?;
        if !output.status.success() {
            bail!("`lthost simulate` failed: {}", String::from_utf8_lossy(&output.stderr));
        }
        data.open()?;
        Ok(data)
    }

    /// Opens it, which maps it anew.
    pub(crate) fn open(&self) -> anyhow::Result<Arc<Dataset>> {
        let dataset = Arc::new(dataset::open(&self.path, &DatasetOptions::default())?);
        if dataset.nav().axes() != self.nav || dataset.sig().axes() != self.sig {
            bail!("{} is of another shape: remove it", self.path.display());
        }
        Ok(dataset)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What it is, in words.
    pub(crate) fn form(&self) -> String {
        let ([ny, nx], [sy, sx]) = (self.nav, self.sig);
        format!("{} of {ny}x{nx} frames of {sy}x{sx}", self.dtype)
    }

    /// Bytes of all frames.
    pub(crate) fn n_bytes(&self) -> anyhow::Result<u64> {
        let dataset = self.open()?;
        Ok(dataset.nav().size() * dataset.file_bytes_per_frame())
    }

    /// Puts the file into the page cache, unless it is there.
    pub(crate) fn keep_warm(&self) -> anyhow::Result<()> {
        let file = File::open(&self.path).with_context(|| format!("{} can't be opened", self.path.display()))?;
        if self.is_warm.get() && resident_share(&file)? >= 1.0 {
            return Ok(());
        }
        self.warm(&file)?;
        self.is_warm.set(true);
        Ok(())
    }

    /// Puts the file into the page cache in large pieces.
    ///
    /// What was written in small pieces stays in small pieces, and is read three to four times slower; so the file is
    /// thrown out first, and read again in order. No map of it may be open.
    fn warm(&self, file: &File) -> anyhow::Result<()> {
        let failed = || format!("{} can't be read", self.path.display());
        file.sync_all().with_context(failed)?;
        fadvise(file, 0, None, Advice::DontNeed).with_context(failed)?;
        let mut seconds = 0.0;
        for _ in 0..3 {
            let map = map::open(&self.path)?;
            let start = Instant::now();
            map::read(&map, 1);
            seconds = start.elapsed().as_secs_f64();
        }
        let [share, speed] = [resident_share(file).with_context(failed)?, self.gigabytes()? / seconds];
        if share < 1.0 {
            say(&format!("warning: only {:.0} % of {} are in memory", share * 100.0, self.path.display()));
        }
        say(&format!("{} is in memory: one thread reads it with {speed:.1} GB/s", self.path.display()));
        Ok(())
    }

    #[expect(clippy::cast_precision_loss, reason = "two digits are shown")]
    fn gigabytes(&self) -> anyhow::Result<f64> {
        Ok(self.n_bytes()? as f64 / 1e9)
    }
}

/// How much of a file is in memory, from a look at every 64 KiB; 1 where the file system does not tell.
fn resident_share(file: &File) -> io::Result<f64> {
    let size = file.metadata()?.len();
    let (mut n_places, mut n_missing) = (0_u32, 0_u32);
    for place in (0..size).step_by(64 << 10) {
        let mut byte = [0];
        let read = preadv2(file, &mut [IoSliceMut::new(&mut byte)], place, ReadWriteFlags::NOWAIT);
        n_places += 1;
        match read {
            Err(Errno::AGAIN) => n_missing += 1,
            Err(_) => return Ok(1.0),
            Ok(_) => {}
        }
    }
    Ok(1.0 - f64::from(n_missing) / f64::from(n_places.max(1)))
}
