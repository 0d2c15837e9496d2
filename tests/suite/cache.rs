//! Compiled plugins that are kept between runs.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Instant,
};

use lthost_tests::{counts, lthost, save};

use crate::program::{Ended, SCAN};

/// A folder with a scan in it, and a cache of its own.
struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Self {
        let desk = Self(tempfile::tempdir().unwrap());
        save(&desk.path("scan.npy"), &counts(&SCAN));
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Runs `sum` and gives its result.
    fn sum(&self, more: &[&str]) -> (Ended, Vec<u8>) {
        let start = Instant::now();
        let mut command = lthost();
        command.current_dir(&self.0).env("LTHOST_CACHE", self.path("cache")).env("XDG_STATE_HOME", self.path("state"));
        command.args(["run", "--plugin", "sum", "--dataset", "scan.npy", "-o", "out", "--quiet"]).args(more);
        let ended = Ended::of(&command.output().unwrap(), start);
        ended.succeeds();
        (ended, fs::read(self.path("out/sum/intensity.npy")).unwrap())
    }

    fn entries(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.path("cache/code")).map(|entries| entries.map(|entry| entry.unwrap().path()));
        let mut entries: Vec<_> = entries.map(Iterator::collect).unwrap_or_default();
        entries.sort();
        entries
    }
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_plugin_is_compiled_once() {
    let desk = Desk::new();
    let expected = desk.sum(&["--no-cache"]).1;
    assert!(desk.entries().is_empty());
    assert_eq!(desk.sum(&[]).1, expected);
    let entries = desk.entries();
    assert_eq!(entries.len(), 1);
    let written = fs::metadata(&entries[0]).unwrap().modified().unwrap();
    assert_eq!(desk.sum(&[]).1, expected);
    assert_eq!((desk.entries(), fs::metadata(&entries[0]).unwrap().modified().unwrap()), (entries, written));
    // Code for any machine is other code.
    desk.sum(&["--deterministic"]);
    assert_eq!(desk.entries().len(), 2);
}

#[test]
fn a_poisoned_entry_is_not_run_and_is_replaced() {
    let desk = Desk::new();
    let expected = desk.sum(&[]).1;
    let entry = desk.entries().remove(0);
    let good = fs::read(&entry).unwrap();
    let middle = good.len() / 2;
    let flipped = [&good[..middle], &[good[middle] ^ 1], &good[middle + 1..]].concat();
    for poison in [flipped, good[..middle].to_vec(), vec![0; good.len()], Vec::new()] {
        fs::write(&entry, poison).unwrap();
        assert_eq!(desk.sum(&[]).1, expected);
        assert!(fs::read(&entry).unwrap() == good, "it is replaced");
    }
    // Another plugin under this name, by the same user's hand.
    let start = Instant::now();
    let mut command = lthost();
    command.env("LTHOST_CACHE", desk.path("cache")).env("XDG_STATE_HOME", desk.path("state"));
    Ended::of(&command.args(["inspect", "sumsig"]).output().unwrap(), start).succeeds();
    let other = desk.entries().into_iter().find(|other| *other != entry).unwrap();
    fs::copy(other, &entry).unwrap();
    assert_eq!(desk.sum(&[]).1, expected);
}

#[test]
fn a_cache_that_others_can_write_is_left_alone() {
    let desk = Desk::new();
    let expected = desk.sum(&[]).1;
    for (path, mode) in [("cache/code", 0o777), ("state/lthost", 0o770), ("state/lthost/secret", 0o644)] {
        let before = fs::metadata(desk.path(path)).unwrap().permissions();
        set_mode(&desk.path(path), mode);
        let (ended, result) = desk.sum(&[]);
        assert_eq!(result, expected);
        let warning = "warning: plugins are compiled again each time, as `";
        assert!(ended.stderr.contains(warning) && ended.stderr.contains("is open to others"), "{}", ended.stderr);
        fs::set_permissions(desk.path(path), before).unwrap();
    }
    assert_eq!(desk.sum(&[]).0.stderr, "");
}
