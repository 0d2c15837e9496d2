//! What the host promises for any input, as functions of bytes: they fail where a promise is broken, and nowhere else.
//!
//! ```text
//! seeds, corpus/, found/ ──► mutated at random (tests/replay.rs) or by what they reach (../../fuzz) ──► a target
//! ```
//!
//! A target takes its input for a file, a plugin, parameters or calls of imports. See the README beside this crate.

mod arguments;
mod arrays;
mod calls;
mod datasets;
mod edit;
mod errors;
mod folder;
mod guests;
mod input;
pub mod mutate;
mod plugins;
mod program;
mod read;
mod saved;

use std::{
    env, fs,
    path::{Path, PathBuf},
};

/// Something that takes bytes from who knows where.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Name: of its folders in `corpus` and `found`, too.
    pub name: &'static str,
    /// Bytes that an input has at most.
    pub max_len: usize,
    /// Holds the host to what it promises for an input.
    pub run: fn(&[u8]),
    /// Inputs that make sense, to begin with.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// All targets.
pub const TARGETS: &[Target] = &[
    Target { name: "plugin", max_len: 1 << 16, run: plugins::run, seeds: plugins::seeds },
    Target { name: "describe", max_len: 1 << 8, run: plugins::describe, seeds: plugins::describe_seeds },
    Target { name: "imports", max_len: 1 << 10, run: guests::run, seeds: guests::seeds },
    Target { name: "arguments", max_len: 1 << 11, run: arguments::run, seeds: arguments::seeds },
    Target { name: "npy", max_len: 1 << 12, run: arrays::run, seeds: arrays::seeds },
    Target { name: "npy_scan", max_len: 1 << 12, run: datasets::npy, seeds: datasets::npy_seeds },
    Target { name: "raw", max_len: 1 << 12, run: datasets::raw, seeds: datasets::raw_seeds },
    Target { name: "mib", max_len: 1 << 13, run: datasets::mib, seeds: datasets::mib_seeds },
    Target { name: "hdr", max_len: 1 << 13, run: datasets::hdr, seeds: datasets::hdr_seeds },
    Target { name: "raw_csr", max_len: 1 << 12, run: datasets::raw_csr, seeds: datasets::raw_csr_seeds },
    Target { name: "auto", max_len: 1 << 13, run: datasets::auto, seeds: datasets::auto_seeds },
    Target { name: "partial", max_len: 1 << 9, run: saved::partial, seeds: saved::partial_seeds },
    Target { name: "checkpoint", max_len: 1 << 9, run: saved::checkpoint, seeds: saved::checkpoint_seeds },
];

/// The target of this name.
///
/// # Panics
///
/// If there is none.
pub fn target(name: &str) -> Target {
    let found = TARGETS.iter().find(|target| target.name == name);
    *found.expect("targets are named as in the table")
}

/// Gives an input to a target.
///
/// # Panics
///
/// If the host breaks a promise.
pub fn run(name: &str, input: &[u8]) {
    (target(name).run)(input);
}

/// Writes the seeds of a target into the folder that `LTHOST_FUZZ_SEEDS` names, if it does.
///
/// # Panics
///
/// If they can't be written.
pub fn write_seeds(name: &str) {
    let Some(folder) = env::var_os("LTHOST_FUZZ_SEEDS").map(PathBuf::from) else { return };
    fs::create_dir_all(&folder).expect("the folder for seeds can be made");
    for (number, seed) in (target(name).seeds)().iter().enumerate() {
        fs::write(folder.join(format!("seed-{number}")), seed).expect("the folder for seeds can be written");
    }
}

/// The inputs in `corpus/NAME` and `found/NAME`, with their files, in order.
///
/// # Panics
///
/// If a file can't be read.
pub fn kept(name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let mut paths = Vec::new();
    for folder in ["corpus", "found"] {
        // There is no folder where nothing is kept.
        if let Ok(entries) = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder).join(name)) {
            paths.extend(entries.flatten().map(|entry| entry.path()).filter(|path| path.is_file()));
        }
    }
    paths.sort();
    let read = |path: PathBuf| {
        let input = fs::read(&path).expect("what is kept can be read");
        (path, input)
    };
    paths.into_iter().map(read).collect()
}

/// The folder of the project.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
