//! What the tests share: the built program, the built plugins, folders with data.

use std::{
    env,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use lthost::shape::{Array, Dtype, Shape, npy};

/// The built program, as a user runs it.
///
/// # Panics
///
/// If it is not built: `cargo build --release` does that.
pub fn lthost() -> Command {
    // This test is `target/PROFILE/deps/suite-..`; the program stands one folder up.
    let test = env::current_exe().expect("a test knows where it is");
    let program = test.parent().and_then(Path::parent).expect("in target/PROFILE/deps").join("lthost");
    assert!(program.is_file(), "{} is not built: run `cargo build --release` first", program.display());
    let mut command = Command::new(program);
    // No plugin of the machine's gets in the way.
    command.env_remove("LTHOST_PLUGINS").env("XDG_DATA_HOME", "/nonexistent").env("HOME", "/nonexistent");
    // Each plugin is compiled once for all tests.
    command.env("LTHOST_CACHE", root().join("target/tmp/cache"));
    command.env("XDG_STATE_HOME", root().join("target/tmp/state"));
    // Nor what is configured for the machine.
    command.env("XDG_CONFIG_HOME", "/nonexistent").env_remove("LTHOST_CONFIG");
    command
}

/// Runs the program with `args`.
///
/// # Panics
///
/// If it can't be started.
pub fn run(args: &[&str]) -> Output {
    lthost().args(args).output().expect("the program can be started")
}

/// Path of a built plugin: `plugin_sum` or `hostile_guest`.
///
/// # Panics
///
/// If it is not built.
pub fn wasm(crate_name: &str) -> PathBuf {
    let path = Path::new(env!("PLUGIN_DIR")).join(format!("{crate_name}.wasm"));
    assert!(path.is_file(), "{} is not built", path.display());
    path
}

/// The folder of the project.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The folder with data of other people, which is not part of the project: `LTHOST_SHARED`, or `shared` beside it.
/// Without it a test says that it skips, and what.
pub fn shared(what: &str) -> Option<PathBuf> {
    let path = env::var_os("LTHOST_SHARED").map_or_else(|| root().join("../shared"), PathBuf::from).join(what);
    if path.exists() {
        return Some(path);
    }
    // Past the test runner, which shows what a test prints only if it fails.
    let _nobody_listens = writeln!(std::io::stderr(), "skipped: there is no {}", path.display());
    None
}

/// An array of u16 counts, different everywhere: `(ny, nx, sy, sx)` or any other shape.
///
/// # Panics
///
/// If the shape is impossible.
pub fn counts(shape: &[u64]) -> Array {
    let shape = Shape::new(shape).expect("a small shape");
    let data =
        (0..shape.size()).flat_map(|i| u16::try_from((i * 7919 + i / 13) % 1021).unwrap_or(0).to_le_bytes()).collect();
    Array { dtype: Dtype::U16, shape, data }
}

/// Writes an array as `.npy`.
///
/// # Panics
///
/// If it can't be written.
pub fn save(path: &Path, array: &Array) {
    let mut bytes = Vec::new();
    npy::write(&mut bytes, array.dtype, array.shape.axes(), &array.data).expect("memory takes everything");
    std::fs::write(path, bytes).expect("the test's own folder can be written");
}
