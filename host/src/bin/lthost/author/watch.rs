//! `--watch`: work is done again whenever the source of a plugin changes.

use std::{
    fs,
    path::PathBuf,
    time::{Duration, SystemTime},
};

use super::project::Project;
use crate::{complain, terminal};

/// The source is looked at this often: no notifications, which network file systems do not give.
const TICK: Duration = Duration::from_millis(300);

/// Does `work` now and after each change, for ever. An error is shown, and the next change waited for.
pub(super) fn each_change(project: &Project, mut work: impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<()> {
    let mut seen = state(project);
    loop {
        if let Err(error) = work() {
            let _status = complain(&error);
        }
        terminal::say("waiting for a change of the source; Ctrl-C ends");
        // What changes while it works counts, too.
        while state(project) == seen {
            std::thread::sleep(TICK);
        }
        // An editor may be writing several files.
        std::thread::sleep(TICK);
        seen = state(project);
    }
}

/// Names, times and sizes of all source files.
fn state(project: &Project) -> Vec<(PathBuf, Option<SystemTime>, u64)> {
    let (mut todo, mut found) = (project.sources(), Vec::new());
    while let Some(path) = todo.pop() {
        let Ok(facts) = fs::metadata(&path) else { continue };
        if facts.is_dir() {
            todo.extend(fs::read_dir(&path).into_iter().flatten().flatten().map(|entry| entry.path()));
        } else {
            found.push((path, facts.modified().ok(), facts.len()));
        }
    }
    found.sort();
    found
}
