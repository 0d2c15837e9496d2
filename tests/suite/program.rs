//! The built program as a script uses it: runs it, and holds against every run what must never happen.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Output},
    time::{Duration, Instant},
};

use lthost::shape::{Array, Dtype, Shape, npy};
use lthost_tests::{counts, lthost, save, wasm};
use serde_json::Value as Json;
use tempfile::TempDir;

/// Axes of the scan in a [`Folder`], all different.
pub(crate) const SCAN: [u64; 4] = [4, 5, 6, 7];

/// A run that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) seconds: f64,
}

/// A folder with a scan in it, `scan.npy`, and no results in `out` yet.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        save(&folder.path("scan.npy"), &counts(&SCAN));
        folder
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file.
    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        fs::write(self.path(name), bytes).unwrap();
        self.path(name)
    }

    /// Writes an array of `data`, which has as many elements of `dtype` as `shape` says.
    pub(crate) fn array(&self, name: &str, dtype: Dtype, shape: &[u64], data: Vec<u8>) -> PathBuf {
        save(&self.path(name), &Array { dtype, shape: Shape::new(shape).unwrap(), data });
        self.path(name)
    }

    /// Runs the program in this folder. Built plugins may be named `hostile_guest`, or `label=plugin_sum`.
    pub(crate) fn lthost(&self, args: &[&str]) -> Ended {
        let (args, start) = (Self::args(args), Instant::now());
        Ended::of(&lthost().current_dir(&self.0).args(&args).output().unwrap(), start)
    }

    /// Runs a line of shell in which `$lthost` stands for the program.
    pub(crate) fn shell(&self, line: &str) -> Ended {
        let start = Instant::now();
        let mut command = std::process::Command::new("sh");
        let lthost = lthost();
        let envs = lthost.get_envs().filter_map(|(name, value)| Some((name, value?)));
        command.envs(envs).current_dir(&self.0).env("lthost", lthost.get_program()).args(["-c", line]);
        Ended::of(&command.output().unwrap(), start)
    }

    /// Starts the program in this folder.
    pub(crate) fn start(&self, args: &[&str]) -> Child {
        let piped = std::process::Stdio::piped;
        let mut command = lthost();
        command.current_dir(&self.0).args(Self::args(args)).stdout(piped()).stderr(piped());
        command.spawn().unwrap()
    }

    fn args(args: &[&str]) -> Vec<String> {
        let path = |arg: &str| {
            let (label, plugin) = arg.split_at(arg.find('=').map_or(0, |at| at + 1));
            let of_tests = ["guest_", "hostile_", "plugin_"].iter().any(|prefix| plugin.starts_with(prefix));
            if of_tests { format!("{label}{}", wasm(plugin).display()) } else { arg.to_owned() }
        };
        args.iter().copied().map(path).collect()
    }

    /// Whether a run left nothing: neither results, nor what it prepared for them.
    pub(crate) fn assert_untouched(&self) {
        assert!(!self.path("out").exists(), "the failed run left {:?}", files(&self.path("out")));
    }

    pub(crate) fn result(&self, name: &str) -> Array {
        npy::read(&self.path(name)).unwrap()
    }

    pub(crate) fn json(&self, name: &str) -> Json {
        serde_json::from_slice(&fs::read(self.path(name)).unwrap()).unwrap()
    }
}

impl Ended {
    /// What came of it. The host itself never panics, and no terminal is ever controlled.
    pub(crate) fn of(output: &Output, start: Instant) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        for out in [&stdout, &stderr] {
            let controls: Vec<char> = out.chars().filter(|&c| c.is_control() && c != '\n').collect();
            assert!(controls.is_empty(), "{controls:?} reached the terminal: {out:?}");
            assert!(!out.contains(['\u{202e}', '\u{200f}']), "a direction mark reached the terminal: {out:?}");
        }
        assert!(!stderr.contains("thread '"), "the host panicked: {stderr}");
        Self { code: output.status.code(), stdout, stderr, seconds: start.elapsed().as_secs_f64() }
    }

    pub(crate) fn succeeds(&self) -> &Self {
        assert_eq!(self.code, Some(0), "{self:?}");
        self
    }

    /// It failed with this status, nothing on stdout, and an error that has all of `parts`.
    pub(crate) fn fails(&self, code: i32, parts: &[&str]) -> &Self {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert_eq!(self.stdout, "", "{self:?}");
        assert!(self.stderr.contains("error: "), "{self:?}");
        for part in parts {
            assert!(self.stderr.contains(part), "no {part:?} in {}", self.stderr);
        }
        assert!(self.stderr.lines().count() <= 30, "a long story: {}", self.stderr);
        self
    }

    /// It failed with exactly this error, but for the functions of the plugin and the command line that may stand after it.
    pub(crate) fn fails_saying(&self, error: &str) -> &Self {
        self.fails(1, &[]).says(error)
    }

    /// As [`Ended::fails_saying`], of what can't be, however the files are.
    pub(crate) fn refuses_saying(&self, error: &str) -> &Self {
        self.fails(2, &[]).says(error)
    }

    fn says(&self, error: &str) -> &Self {
        let is_extra = |line: &str| line.starts_with("    at ") || line.starts_with("repeat it with: ");
        let said: Vec<&str> = self.stderr.lines().filter(|line| !is_extra(line)).collect();
        assert_eq!(said.join("\n"), format!("error: {error}"));
        self
    }

    pub(crate) fn takes_less_than(&self, seconds: f64) -> &Self {
        assert!(self.seconds < seconds, "took {} s: {self:?}", self.seconds);
        self
    }

    pub(crate) fn json(&self) -> Json {
        serde_json::from_str(&self.stdout).unwrap()
    }
}

/// Waits for a child to end, not longer than `limit`.
pub(crate) fn wait(mut child: Child, limit: Duration) -> Output {
    let start = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if start.elapsed() > limit {
            child.kill().unwrap();
            panic!("it did not end within {limit:?}: {:?}", child.wait_with_output());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    child.wait_with_output().unwrap()
}

/// Paths of all files and folders below `dir`, sorted, as text relative to it.
pub(crate) fn files(dir: &Path) -> Vec<String> {
    let (mut found, mut todo) = (Vec::new(), vec![dir.to_owned()]);
    while let Some(next) = todo.pop() {
        for path in fs::read_dir(next).into_iter().flatten().flatten().map(|entry| entry.path()) {
            found.push(path.strip_prefix(dir).unwrap().display().to_string());
            if path.is_dir() {
                todo.push(path);
            }
        }
    }
    found.sort();
    found
}
