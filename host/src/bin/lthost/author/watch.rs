//! `--watch`: work is done again whenever the source of a plugin changes.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use super::project::Project;
use crate::{complain, terminal};

/// The source is looked at this often: no notifications, which network file systems do not give.
const TICK: Duration = Duration::from_millis(300);

/// Does `work` now and after each change, for ever. An error is shown, and the next change waited for.
pub(super) fn each_change(dir: &Path, work: impl Fn(&Project) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let mut project = Project::find(dir)?;
    loop {
        let seen = state(&project);
        if let Err(error) = work(&project) {
            let _status = complain(&error);
        }
        terminal::say("waiting for a change of the source; Ctrl-C ends");
        // What changes while it works counts, too.
        while state(&project) == seen {
            std::thread::sleep(TICK);
        }
        // An editor may be writing several files.
        std::thread::sleep(TICK);
        // It may have another name now, and files of other names.
        match Project::find(dir) {
            Ok(found) => project = found,
            Err(error) => {
                let _status = complain(&error);
            }
        }
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
