//! Compiled plugins that others planted, swapped or opened: what `cache.rs` does not hold already. And machine code, for
//! whoever wants to pass it for a plugin.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, chown, symlink},
    path::PathBuf,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use lthost_tests::{counts, lthost, save};

use crate::program::{Ended, SCAN, wait};

/// A user's folders, with a scan in one of them.
struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        let home = Self(tempfile::tempdir().unwrap());
        save(&home.path("scan.npy"), &counts(&SCAN));
        home
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn lthost(&self, args: &[&str]) -> Ended {
        let start = Instant::now();
        let mut command = lthost();
        command.current_dir(&self.0).env("LTHOST_CACHE", self.path("cache")).env("XDG_STATE_HOME", self.path("state"));
        let child = command.args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        Ended::of(&wait(child, Duration::from_mins(1)), start)
    }

    /// What a plugin gives, and what was said.
    fn run(&self, plugin: &str) -> (Vec<u8>, String) {
        let ended = self.lthost(&["run", "--quiet", "--dataset", "scan.npy", "--plugin", plugin, "-o", "out"]);
        ended.succeeds();
        (fs::read(self.path("out").join(plugin).join("intensity.npy")).unwrap(), ended.stderr)
    }

    /// What is kept of a plugin, if it is the first one.
    fn keep(&self, plugin: &str) -> PathBuf {
        let before = self.entries();
        self.lthost(&["inspect", plugin]).succeeds();
        self.entries().into_iter().find(|entry| !before.contains(entry)).unwrap()
    }

    fn entries(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.path("cache/code")).into_iter().flatten();
        entries.map(|entry| entry.unwrap().path()).collect()
    }
}

/// What is kept of a plugin.
pub(super) fn entry() -> Vec<u8> {
    fs::read(Home::new().keep("sum")).unwrap()
}

/// The machine code in it, as the engine writes it: behind a code of authenticity, and what is known of the plugin.
pub(super) fn machine_code() -> Vec<u8> {
    let entry = entry();
    let (len, rest) = entry[32..].split_first_chunk().unwrap();
    let code = &rest[usize::try_from(u64::from_le_bytes(*len)).unwrap()..];
    assert!(code.starts_with(b"\x7fELF"), "it is laid out otherwise");
    code.to_vec()
}

#[test]
fn what_others_planted_is_not_run() {
    let home = Home::new();
    let entry = home.keep("sum");
    let (expected, _) = home.run("sum");
    let good = fs::read(&entry).unwrap();
    // Of another user's secret, machine code alone, and what is known of another plugin with this one's code.
    let foreign = self::entry();
    assert!(foreign[32..] == good[32..], "only the code of authenticity differs");
    let other = fs::read(home.keep("sumsig")).unwrap();
    for planted in [foreign, machine_code(), [&good[..32], &other[32..]].concat(), [&other[..32], &good[32..]].concat()]
    {
        fs::write(&entry, planted).unwrap();
        assert_eq!(home.run("sum").0, expected);
        assert!(fs::read(&entry).unwrap() == good, "it is replaced");
    }
}

#[test]
fn entries_that_changed_places_are_not_run() {
    let home = Home::new();
    let (one, two) = (home.keep("sum"), home.keep("sumsig"));
    let expected = (home.run("sum").0, home.run("sumsig").0);
    let aside = home.path("aside");
    for (from, to) in [(&one, &aside), (&two, &one), (&aside, &two)] {
        fs::rename(from, to).unwrap();
    }
    assert_eq!((home.run("sum").0, home.run("sumsig").0), expected);
}

#[test]
fn a_link_is_not_followed() {
    let home = Home::new();
    let entry = home.keep("sum");
    let (expected, _) = home.run("sum");
    let elsewhere = home.path("elsewhere");
    fs::rename(&entry, &elsewhere).unwrap();
    symlink(&elsewhere, &entry).unwrap();
    let kept = fs::read(&elsewhere).unwrap();
    assert_eq!(home.run("sum").0, expected);
    assert!(!fs::symlink_metadata(&entry).unwrap().is_symlink(), "the link is replaced");
    assert!(fs::read(&elsewhere).unwrap() == kept, "and nothing is written where it leads");
    // A secret that somebody else can read vouches for nothing.
    let (secret, known) = (home.path("state/lthost/secret"), home.path("known"));
    fs::rename(&secret, &known).unwrap();
    symlink(&known, &secret).unwrap();
    assert_eq!(home.run("sum").0, expected);
    assert!(fs::symlink_metadata(&secret).unwrap().is_symlink(), "it is left alone");
}

#[test]
fn what_is_no_file_holds_nobody_up() {
    for kind in ["folder", "pipe"] {
        let home = Home::new();
        let entry = home.keep("sum");
        fs::remove_file(&entry).unwrap();
        if kind == "folder" {
            fs::create_dir(&entry).unwrap();
        } else {
            assert!(Command::new("mkfifo").arg(&entry).status().unwrap().success());
        }
        let (result, _) = home.run("sum");
        assert!(!result.is_empty(), "{kind}");
    }
}

#[test]
fn what_others_can_write_or_own_is_not_run() {
    let home = Home::new();
    let entry = home.keep("sum");
    let (expected, _) = home.run("sum");
    fs::set_permissions(&entry, fs::Permissions::from_mode(0o666)).unwrap();
    assert_eq!(home.run("sum").0, expected);
    assert_eq!(fs::metadata(&entry).unwrap().permissions().mode() & 0o777, 0o600, "it is replaced");
    // A link to a folder of all.
    let (folder, open) = (home.path("cache/code"), home.path("open"));
    fs::rename(&folder, &open).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
    symlink(&open, &folder).unwrap();
    let (result, said) = home.run("sum");
    assert_eq!(result, expected);
    assert!(said.contains("is open to others"), "{said}");
    fs::set_permissions(&open, fs::Permissions::from_mode(0o700)).unwrap();
    // Only root can give files away.
    if chown(home.path("open").join(entry.file_name().unwrap()), Some(1), None).is_ok() {
        assert_eq!(home.run("sum").0, expected);
        chown(&open, Some(1), None).unwrap();
        let (result, said) = home.run("sum");
        assert_eq!(result, expected);
        assert!(said.contains("belongs to another user"), "{said}");
    }
}
