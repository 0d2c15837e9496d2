//! Giving up what a process doesn't need any more, before it runs a plugin: should one ever break out of its sandbox, it finds
//! itself in a process that reads its data set, writes its output folder, and can do little else.
//!
//! On Linux, Landlock restricts files and network, and seccomp the system calls. Nothing brings back what was given up.

#[cfg(target_os = "linux")]
mod calls;
#[cfg(target_os = "linux")]
mod files;

use std::path::PathBuf;

/// What a process still needs.
#[derive(Debug, Clone, Default)]
pub struct Needs {
    /// Files that it reads.
    pub read: Vec<PathBuf>,
    /// Folders in which it makes, reads, writes and removes files.
    pub write: Vec<PathBuf>,
    /// Folders from which it removes empty folders.
    pub clear: Vec<PathBuf>,
}

/// What holds from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Protection {
    /// Only files that are needed can be opened.
    pub files: Guard,
    /// No connections, and no signals to other processes.
    pub network: Guard,
    /// Only system calls that are needed: no other programs, no new machine code.
    pub calls: Guard,
}

/// Whether something is protected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Guard {
    /// It is.
    InForce,
    /// It isn't, and why.
    Missing(String),
}

impl Protection {
    /// What is missing, and why.
    pub fn missing(&self) -> Vec<String> {
        let guards = [("files", &self.files), ("network", &self.network), ("system calls", &self.calls)];
        let missing = |(what, guard): (&str, &Guard)| match guard {
            Guard::InForce => None,
            Guard::Missing(why) => Some(format!("{what}: {why}")),
        };
        guards.into_iter().filter_map(missing).collect()
    }
}

/// Gives up all that is not needed, as far as the system lets it. For a process with one thread: those that it starts from now
/// on inherit it.
pub fn confine(needs: &Needs) -> Protection {
    #[cfg(target_os = "linux")]
    {
        let (files, network) = match is_alone() {
            Some(true) => files::confine(needs),
            Some(false) => both("other threads run already, which would keep all their rights"),
            None => both("/proc does not tell whether other threads run, which would keep all their rights"),
        };
        // That holds for all threads.
        Protection { files, network, calls: calls::confine() }
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = needs;
        let (files, network) = both("this system has neither Landlock nor seccomp");
        Protection { calls: files.clone(), files, network }
    }
}

fn both(why: &str) -> (Guard, Guard) {
    (Guard::Missing(why.to_owned()), Guard::Missing(why.to_owned()))
}

/// Whether this thread is the only one. One that has ended is listed for an instant more.
#[cfg(target_os = "linux")]
fn is_alone() -> Option<bool> {
    use std::{fs, thread, time::Duration};
    for _ in 0..200 {
        if fs::read_dir("/proc/self/task").ok()?.count() == 1 {
            return Some(true);
        }
        thread::sleep(Duration::from_millis(1));
    }
    Some(false)
}
