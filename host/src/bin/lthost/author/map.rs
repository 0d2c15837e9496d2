//! `lthost map`: a function of a frame in a single file, built and run.

use std::{
    ffi::OsString,
    fs::{self, File},
    path::{Path, PathBuf},
};

use anyhow::Context;
use lthost::plugin::{Limits, componentize};
use sha2::{Digest, Sha256};

use super::{cache, function, sdk, toolchain::ToolchainArgs};
use crate::Usage;

/// Run a function of a frame over a data set: a single source file, nothing else
///
/// The file has a function whose first argument is a frame; further arguments are parameters, which -p sets. Its result for
/// each frame is in the buffer `result`. In Rust the SDK's prelude is there:
///
///   fn row_sums(frame: Frame<f32>) -> Vec<f32> {
///       frame.rows().map(|row| row.iter().sum()).collect()
///   }
///
/// All further options are those of `lthost run`. The file is built once, and again when it changes.
///
/// Examples:
///   lthost map row_sums.rs --dataset scan.npy
///   lthost map bright.rs --dataset scan.hdr -p level=3 -o out --png
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Opts {
    /// The source file
    #[arg(value_name = "FILE.rs")]
    file: PathBuf,
    /// The function, where the file has several and none of them has the file's name
    #[arg(long = "fn", value_name = "NAME")]
    function: Option<String>,
    #[command(flatten)]
    toolchain: ToolchainArgs,
    /// Options of `lthost run`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "RUN OPTIONS")]
    run: Vec<OsString>,
}

impl Opts {
    /// Builds the file if need be. Gives the command line of the run.
    pub(crate) fn command(&self) -> anyhow::Result<Vec<OsString>> {
        let plugin = self.plugin()?;
        let words = ["lthost".into(), "run".into(), "--plugin".into(), plugin.into_os_string()];
        Ok(words.into_iter().chain(self.run.iter().cloned()).collect())
    }

    fn plugin(&self) -> anyhow::Result<PathBuf> {
        if self.file.extension().is_none_or(|extension| extension != "rs") {
            return Err(Usage(format!("`{}` is no source file: expected FILE.rs", self.file.display())).into());
        }
        let source = fs::read(&self.file).with_context(|| format!("can't read `{}`", self.file.display()))?;
        let built = cache::folder()?.join(format!("map-{}", sdk::hash()));
        fs::create_dir_all(&built).with_context(|| format!("can't make `{}`", built.display()))?;
        let stem = self.file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let wasm = built.join(format!("{stem}-{}.wasm", self.key(&source)));
        if !wasm.is_file() {
            let component = self.build(&built, &source, &stem)?;
            cache::write(&wasm, &component)?;
        }
        Ok(wasm)
    }

    /// Of all that the plugin depends on. The file's path is part of messages in it.
    fn key(&self, source: &[u8]) -> String {
        let mut digest = Sha256::new();
        for part in [
            source,
            self.file.file_name().unwrap_or_default().as_encoded_bytes(),
            self.function.as_deref().unwrap_or_default().as_bytes(),
        ] {
            digest.update(part.len().to_le_bytes());
            digest.update(part);
        }
        digest.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }

    /// Builds the file as part of a crate that all such files share, so that the SDK is compiled once.
    fn build(&self, folder: &Path, source: &[u8], stem: &str) -> anyhow::Result<Vec<u8>> {
        let source = str::from_utf8(source).with_context(|| format!("`{}` is no text", self.file.display()))?;
        let export = function::export(source, stem, self.function.as_deref())
            .map_err(|Usage(error)| Usage(format!("`{}`: {error}", self.file.display())))?;
        let file = self.file.canonicalize().with_context(|| format!("can't find `{}`", self.file.display()))?;
        let write = |name: &str, text: &str| {
            let path = folder.join(name);
            fs::write(&path, text).with_context(|| format!("can't write `{}`", path.display()))
        };
        // Held until the module is read: two commands at a time take turns.
        let lock = File::create(folder.join("lock")).and_then(|file| file.lock().map(|()| file));
        let _lock = lock.with_context(|| format!("can't lock `{}`", folder.display()))?;
        let sdk = sdk::unpacked()?.join("guest-sdk");
        write("Cargo.toml", &manifest(&sdk))?;
        if !folder.join("Cargo.lock").exists() {
            fs::write(folder.join("Cargo.lock"), sdk::file("Cargo.lock"))?;
        }
        fs::create_dir_all(folder.join("src"))?;
        write("src/lib.rs", &format!("use lthost_guest_sdk::prelude::*;\ninclude!({file:?});\n{export}"))?;
        let module = self.toolchain.cargo(folder, file.parent())?.join("map.wasm");
        let module = fs::read(&module).with_context(|| format!("cargo left no module `{}`", module.display()))?;
        Ok(componentize(&self.file.display().to_string(), &module, &Limits::default())?)
    }
}

fn manifest(sdk: &Path) -> String {
    let sdk = sdk.display().to_string();
    format!(
        "[package]\nname = \"map\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[lib]\ncrate-type = [\"cdylib\"]\n\n\
         [dependencies]\nlthost-guest-sdk = {{ path = {sdk:?} }}\n\n[profile.release]\ndebug = \"line-tables-only\"\n\n[workspace]\n"
    )
}
