//! What the process gives up before a plugin runs: seen from inside by `lthost doctor`, and from outside.

use std::{
    fs,
    io::Write as _,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use lthost_tests::lthost;

use crate::program::{Ended, Folder, wait};

/// Whether this system has what it takes.
fn is_supported() -> bool {
    let lsm = cfg!(target_os = "linux")
        && fs::read_to_string("/proc/self/status").is_ok_and(|status| status.contains("Seccomp:"));
    let doctor = Folder::new().lthost(&["doctor", "--json"]);
    let files = doctor.json()["files"]["ok"] == true;
    if !(lsm && files) {
        // Past the test runner, which shows what a test prints only if it fails.
        let _nobody_listens = writeln!(std::io::stderr(), "skipped: no Landlock or no seccomp: {}", doctor.stdout);
    }
    lsm && files
}

#[test]
fn the_doctor_tries_what_should_be_impossible() {
    let folder = Folder::new();
    let ended = folder.lthost(&["doctor"]);
    for part in ["configuration", "cache", "compiler", "in a process of its own"] {
        assert!(ended.stdout.contains(part), "{ended:?}");
    }
    if !is_supported() {
        return;
    }
    ended.succeeds();
    assert!(!ended.stdout.contains("MISSING"), "{ended:?}");
    for part in
        ["only those that a run needs can be opened", "no connections", "no other programs, no new machine code"]
    {
        assert!(ended.stdout.contains(part), "{ended:?}");
    }
}

#[test]
fn the_doctor_finds_what_is_wrong() {
    let folder = Folder::new();
    folder.write("config.toml", "[limits]\nmax-memory = \"much\"");
    let ended = folder.shell("LTHOST_CONFIG=$PWD/config.toml $lthost doctor");
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stdout.contains("configuration  MISSING: the configuration file `"), "{ended:?}");
    assert!(ended.stderr.contains("not all protection is in force"), "{ended:?}");
}

#[test]
fn a_process_with_a_plugin_at_work_is_confined() {
    if !is_supported() {
        return;
    }
    let folder = Folder::new();
    // Compiled before: that has threads, too, for as long as it takes.
    folder.lthost(&["inspect", "hostile_guest"]).succeeds();
    for (option, seccomp, no_new_privs) in [("best-effort", "2", "1"), ("required", "2", "1"), ("off", "0", "0")] {
        let args = ["run", "--quiet", "--dataset", "scan.npy", "-o", "out", "--plugin", "hostile_guest"];
        let more = ["-p", "attack=loop", "--timeout", "3", "--confine", option];
        let child = folder.start(&[&args[..], &more].concat());
        let tasks = format!("/proc/{}/task", child.id());
        // Until it has threads, which it starts last.
        while fs::read_dir(&tasks).map_or(0, Iterator::count) < 3 {
            std::thread::sleep(Duration::from_millis(5));
        }
        for task in fs::read_dir(&tasks).unwrap().flatten() {
            let status = fs::read_to_string(task.path().join("status")).unwrap();
            let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
            assert_eq!(field("Seccomp:"), Some(seccomp), "--confine={option}: {status}");
            assert_eq!(field("NoNewPrivs:"), Some(no_new_privs), "--confine={option}: {status}");
        }
        let ended = Ended::of(&wait(child, Duration::from_secs(20)), Instant::now());
        ended.fails(1, &["ran past its 3 s"]);
        // The folders that it made it can still take away.
        folder.assert_untouched();
    }
}

#[test]
fn the_process_that_compiles_closes_what_was_left_open_for_it() {
    if cfg!(not(target_os = "linux")) {
        return;
    }
    let (folder, program) = (Folder::new(), lthost().get_program().to_owned());
    let mut command = Command::new("sh");
    command.args(["-c", "exec \"$0\" compile 7<scan.npy 8>other"]).arg(&program).current_dir(folder.path(""));
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let link = |name: &str| fs::read_link(format!("/proc/{}/{name}", child.id())).ok();
    let program = fs::canonicalize(program).unwrap();
    let start = Instant::now();
    // It waits for a plugin, with nothing open but what it needs for that.
    while link("exe").as_ref() != Some(&program) || link("fd/7").is_some() || link("fd/8").is_some() {
        assert!(start.elapsed() < Duration::from_secs(20), "{:?} {:?}", link("fd/7"), link("fd/8"));
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(link("fd/0").is_some() && link("fd/2").is_some());
    // There is none: then it ends.
    drop(child.stdin.take());
    assert_eq!(wait(child, Duration::from_secs(20)).status.code(), Some(1));
}

#[test]
fn what_is_required_can_be_configured() {
    let folder = Folder::new();
    folder.write("config.toml", "confine = \"required\"");
    let run = "$lthost run --quiet --dataset scan.npy --plugin sum -o deep/out";
    let ended = folder.shell(&format!("LTHOST_CONFIG=$PWD/config.toml {run}"));
    if is_supported() {
        ended.succeeds();
        assert!(folder.path("deep/out/sum/intensity.npy").exists());
    } else {
        ended.fails(1, &["no plugin is run, as this process can't be confined"]);
    }
    folder.write("config.toml", "confine = \"a bit\"");
    folder.shell(&format!("LTHOST_CONFIG=$PWD/config.toml {run}")).fails(1, &["unknown variant `a bit`"]);
}
