//! Runs the commands of a page as a user types them: one after the other, in a folder with a scan and the guide's plugins.

use std::{
    fmt::Write as _,
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
    time::Duration,
};

use lthost_tests::{lthost, root};
use tempfile::TempDir;

use super::page::{Step, folder};
use crate::program::wait;

/// What makes the scan that all pages use.
pub(super) const SIMULATE: &str = "lthost simulate -o scan.npy --nav-shape 8,12 --sig-shape 32,32";

/// What came of a command.
pub(super) struct Came {
    pub(super) lines: Vec<String>,
    pub(super) code: i32,
}

/// Runs commands. Gives what came of those that were reached.
pub(super) fn run(steps: &[&Step]) -> Vec<Came> {
    let (place, told) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    // Unless the page makes it.
    if steps.iter().all(|step| step.command != SIMULATE) {
        for file in fs::read_dir(scan()).unwrap().map(|entry| entry.unwrap()) {
            fs::copy(file.path(), place.path().join(file.file_name())).unwrap();
        }
    }
    for file in fs::read_dir(folder().join("examples/map")).unwrap().map(|entry| entry.unwrap()) {
        fs::copy(file.path(), place.path().join(file.file_name())).unwrap();
    }
    for name in plugins() {
        symlink(plugin(&name), place.path().join(format!("{name}.wasm"))).unwrap();
    }
    let mut script = String::new();
    for (i, step) in steps.iter().enumerate() {
        let told = told.path().join(i.to_string());
        let told = told.display();
        // Each finds the exit status of the one before it.
        let (command, tell) = (&step.command, format!("code=$?; echo $code >{told}.code"));
        let _infallible = writeln!(script, "{{ (exit $code); {command}\n}} >{told}.out 2>&1; {tell}");
    }
    fs::write(told.path().join("script"), script).unwrap();
    let mut bash = Command::new("bash");
    bash.arg(told.path().join("script")).current_dir(&place).stdin(Stdio::null());
    bash.stdout(Stdio::piped()).stderr(Stdio::piped());
    // As `lthost()` has it: without plugins of the machine.
    bash.env_remove("LTHOST_PLUGINS").env("XDG_DATA_HOME", "/nonexistent");
    bash.env("LTHOST_CACHE", crate::author::cache());
    bash.env_remove("LTHOST_CONFIG").env("XDG_CONFIG_HOME", told.path().join("config"));
    let path = std::env::var("PATH").unwrap_or_default();
    bash.env("PATH", format!("{}:{path}", programs(&told).display()));
    // Some pages build plugins, for which cargo may wait for others.
    wait(bash.spawn().unwrap(), Duration::from_mins(20));
    let read = |i: usize, what: &str| fs::read_to_string(told.path().join(format!("{i}.{what}"))).ok();
    let came = |i| {
        let code = read(i, "code")?.trim().parse().ok()?;
        let out = read(i, "out")?;
        let lines = out.lines().map(str::trim_end).filter(|line| !is_progress(line)).map(str::to_owned).collect();
        Some(Came { lines, code })
    };
    (0..steps.len()).map_while(came).collect()
}

/// Names of the guide's plugins.
pub(super) fn plugins() -> Vec<String> {
    let files = fs::read_dir(folder().join("examples")).unwrap().map(|entry| entry.unwrap().path());
    let mut names: Vec<String> = files
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .filter(|name| name != "lib")
        .collect();
    names.sort();
    names
}

/// A plugin of the guide, as it was built.
pub(super) fn plugin(name: &str) -> PathBuf {
    let path = Path::new(env!("PLUGIN_DIR")).join(format!("examples/{name}.wasm"));
    assert!(path.is_file(), "{} is not built", path.display());
    path.canonicalize().unwrap()
}

/// A folder for `PATH`: the program, and a cargo that runs the examples that are built, for which the real one would wait for
/// the one that runs this test.
fn programs(dir: &TempDir) -> PathBuf {
    let bin = dir.path().join("bin");
    fs::create_dir(&bin).unwrap();
    let program = PathBuf::from(lthost().get_program());
    symlink(&program, bin.join("lthost")).unwrap();
    let examples = program.parent().unwrap().join("examples");
    let cargo = format!(
        "#!/bin/sh\n\
         [ \"$1 $2 $3 $4 $5 $7\" = 'run --release -p lthost-examples --example --' ] || exec {} \"$@\"\n\
         name=$6; shift 7; exec {}/$name \"$@\"\n",
        env!("CARGO"),
        examples.display()
    );
    fs::write(bin.join("cargo"), cargo).unwrap();
    fs::set_permissions(bin.join("cargo"), fs::Permissions::from_mode(0o755)).unwrap();
    bin
}

/// A folder with the scan, made once.
fn scan() -> &'static Path {
    static SCAN: OnceLock<TempDir> = OnceLock::new();
    let made = SCAN.get_or_init(|| {
        let dir = tempfile::tempdir_in(root().join("target")).unwrap();
        let args = SIMULATE.split(' ').skip(1);
        assert!(lthost().args(args).current_dir(&dir).output().unwrap().status.success());
        dir
    });
    made.path()
}

/// A line that a run shows only where it takes long.
fn is_progress(line: &str) -> bool {
    line.split_once(" frames, ").is_some_and(|(frames, _)| {
        frames.split_once('/').is_some_and(|(done, all)| [done, all].iter().all(|n| n.parse::<u64>().is_ok()))
    })
}
