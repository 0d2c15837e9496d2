//! LiberTEM, in processes of its own: `bench/peer/peer.py` once for each executor.

use std::{
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use anyhow::{Context, bail, ensure};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::clock::Taken;

/// The executors, as LiberTEM calls them.
pub(crate) const EXECUTORS: [&str; 4] = ["inline", "dask", "threads", "pipelined"];

/// How to start it.
pub(crate) struct Peer {
    python: PathBuf,
    folder: PathBuf,
    n_workers: usize,
}

/// An executor that waits for something to do. It ends when this goes away.
pub(crate) struct Executor {
    name: &'static str,
    child: Child,
    /// None at the end.
    requests: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

#[derive(Serialize)]
struct Request<'a> {
    dataset: &'a Path,
    udfs: &'a [Json],
    save: Option<&'a Path>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Answer {
    Took { wall: f64, cpu: f64 },
    Failed { error: String },
    Ready { ready: bool },
}

impl Peer {
    /// `python` has LiberTEM; the programs are in `root`, the folder of the project.
    pub(crate) fn new(python: PathBuf, root: &Path, n_workers: usize) -> Self {
        Self { python, folder: root.join("bench/peer"), n_workers }
    }

    /// Versions, as text.
    pub(crate) fn version(&self) -> anyhow::Result<String> {
        let script = "import platform, importlib.metadata as all; \
                      print(*('%s %s' % (name, all.version(name)) for name in ('LiberTEM', 'numpy', 'numba')), \
                      'Python ' + platform.python_version(), sep=', ')";
        let output = Command::new(&self.python).args(["-c", script]).output();
        let output = output.with_context(|| format!("{} can't be started", self.python.display()))?;
        ensure!(output.status.success(), "LiberTEM is not there: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// All executors, as they are before their first run.
    pub(crate) fn start(&self) -> anyhow::Result<[Executor; EXECUTORS.len()]> {
        let started = EXECUTORS.map(|name| self.start_one(name)).into_iter().collect::<anyhow::Result<Vec<_>>>()?;
        let mut executors: [Executor; EXECUTORS.len()] =
            started.try_into().ok().context("there is one for each name")?;
        for executor in &mut executors {
            let Answer::Ready { ready: true } = executor.answer()? else { bail!("{} is not ready", executor.name) };
        }
        Ok(executors)
    }

    /// A process that runs `sum` over a data set and ends.
    pub(crate) fn whole_process(&self, dataset: &Path, output: &Path) -> Command {
        let mut command = Command::new(&self.python);
        command.arg(self.folder.join("once.py")).args([dataset, output]);
        command
    }

    fn start_one(&self, name: &'static str) -> anyhow::Result<Executor> {
        let mut command = Command::new(&self.python);
        command.arg(self.folder.join("peer.py")).arg(name).arg(self.n_workers.to_string());
        let failed = || format!("{} can't be started", self.python.display());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().with_context(failed)?;
        let answers = BufReader::new(child.stdout.take().with_context(failed)?);
        Ok(Executor { name, requests: child.stdin.take(), answers, child })
    }
}

impl Executor {
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// Runs `udfs` in one pass. Results are written to the folder `save`, if there is one.
    pub(crate) fn run(&mut self, dataset: &Path, udfs: &[Json], save: Option<&Path>) -> anyhow::Result<Taken> {
        let request = serde_json::to_string(&Request { dataset, udfs, save })?;
        let requests = self.requests.as_mut().context("it is at its end")?;
        writeln!(requests, "{request}").with_context(|| format!("LiberTEM's executor `{}` is gone", self.name))?;
        match self.answer()? {
            Answer::Took { wall, cpu } => Ok(Taken { wall, cpu }),
            Answer::Failed { error } => bail!("LiberTEM failed with executor `{}`: {error}", self.name),
            Answer::Ready { .. } => bail!("LiberTEM's executor `{}` gave no answer", self.name),
        }
    }

    fn answer(&mut self) -> anyhow::Result<Answer> {
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        serde_json::from_str(&line).with_context(|| format!("LiberTEM's executor `{}` gave no answer", self.name))
    }
}

impl Drop for Executor {
    fn drop(&mut self) {
        // Without requests it ends by itself, and takes its workers along.
        drop(self.requests.take());
        let _how = self.child.wait();
    }
}
