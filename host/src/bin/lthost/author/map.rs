//! `lthost map`: a function of a frame in a single file, built and run.

use std::{
    ffi::OsString,
    fs::{self, File},
    path::{Path, PathBuf},
};

use anyhow::Context;
use lthost::plugin::{
    componentize,
    trust::{Pin, Policy},
};
use sha2::{Digest, Sha256};

use super::{function, project::with_extension, sdk, toolchain::ToolchainArgs};
use crate::{Usage, cache, limit_args, trust};

/// Run a function of a frame over a data set: a single source file, nothing else
///
/// The file has a function whose first argument is a frame; in Rust and Python further arguments are parameters, which -p
/// sets. Its result for each frame is in the buffer `result`. In Rust the SDK's prelude is there:
///
///   fn row_sums(frame: Frame<f32>) -> Vec<f32> {
///       frame.rows().map(|row| row.iter().sum()).collect()
///   }
///
/// In Python it is `def f(frame):`, in C `double f(const float *frame, size_t n_rows, size_t n_columns)`. A file that exports a plugin itself, with
/// `export_map!`, `export_udf!`, `LTH_UDF`, `@export_map` or a class, is taken as it is.
///
/// All further options are those of `lthost run`. The file is built once, and again when it changes.
///
/// Examples:
///   lthost map row_sums.rs --dataset scan.npy
///   lthost map contrast.c --dataset scan.npy --preview contrast
///   lthost map bright.rs --dataset scan.hdr -p level=3 -o out --png
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
#[expect(clippy::doc_markdown, reason = "it is the text of --help")]
pub(crate) struct Opts {
    /// The source file
    #[arg(value_name = "FILE.rs|FILE.c|FILE.py")]
    file: PathBuf,
    /// The function, where the file has several of a frame and none of them has the file's name
    #[arg(long = "fn", value_name = "NAME")]
    function: Option<String>,
    #[command(flatten)]
    toolchain: ToolchainArgs,
    /// Options of `lthost run`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "RUN OPTIONS")]
    run: Vec<OsString>,
}

#[derive(Clone, Copy)]
enum Lang {
    Rust,
    C,
    Python,
}

impl Opts {
    /// The command line of the run of a plugin.
    pub(crate) fn command(&self, plugin: OsString) -> Vec<OsString> {
        let words = ["lthost".into(), "run".into(), "--plugin".into(), plugin];
        words.into_iter().chain(self.run.iter().cloned()).collect()
    }

    /// Takes what belongs to it from among the options of the run: these may come in any order.
    pub(crate) fn sorted(&self) -> Self {
        let mut sorted = Self { file: self.file.clone(), function: self.function.clone(), run: Vec::new(), ..*self };
        let mut rest = self.run.iter();
        while let Some(word) = rest.next() {
            match word.to_str() {
                Some("--fn") => sorted.function = rest.next().map(|name| name.to_string_lossy().into_owned()),
                Some("--install") => sorted.toolchain.install = true,
                Some(text) if text.starts_with("--fn=") => sorted.function = Some(text["--fn=".len()..].to_owned()),
                _ => sorted.run.push(word.clone()),
            }
        }
        sorted
    }

    /// Builds the file if need be. Gives the plugin, for a command line.
    pub(crate) fn plugin(&self) -> anyhow::Result<OsString> {
        let lang = match self.file.extension().and_then(|extension| extension.to_str()) {
            Some("rs") => Lang::Rust,
            Some("c") => Lang::C,
            Some("py") => Lang::Python,
            _ => {
                let file = self.file.display();
                return Err(Usage(format!("`{file}` is no source file: expected FILE.rs, FILE.c or FILE.py")).into());
            }
        };
        let source = fs::read(&self.file).with_context(|| format!("can't read `{}`", self.file.display()))?;
        let built = cache::folder()?.join(format!("map-{}", sdk::hash()));
        fs::create_dir_all(&built).with_context(|| format!("can't make `{}`", built.display()))?;
        let stem = self.file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let wasm = built.join(format!("{stem}-{}.wasm", self.key(&source, lang)?));
        // Where plugins must be pinned, nobody knows what lies in the cache.
        if trust::policy()? == Policy::Pinned || !wasm.is_file() {
            let source = str::from_utf8(&source).with_context(|| format!("`{}` is no text", self.file.display()))?;
            let module = self.build(lang, source, &stem, &built)?;
            let component = componentize(&self.file.display().to_string(), &module, &limit_args::limits()?)?;
            cache::write(&wasm, &component)?;
            return trust::word(&wasm, &Pin::of(&component));
        }
        Ok(wasm.into_os_string())
    }

    /// Of all that the plugin depends on. The file's path is part of messages in it.
    fn key(&self, source: &[u8], lang: Lang) -> anyhow::Result<String> {
        let mut digest = Sha256::new();
        let mut add = |part: &[u8]| {
            digest.update(part.len().to_le_bytes());
            digest.update(part);
        };
        add(source);
        add(self.file.file_name().unwrap_or_default().as_encoded_bytes());
        add(self.function.as_deref().unwrap_or_default().as_bytes());
        let beside = match lang {
            Lang::Rust => None,
            Lang::C => Some("h"),
            Lang::Python => Some("py"),
        };
        let dir = folder_of(&self.file);
        for name in beside.map(|extension| with_extension(dir, extension)).transpose()?.into_iter().flatten() {
            let file = dir.join(&name);
            add(name.as_os_str().as_encoded_bytes());
            add(&fs::read(&file).with_context(|| format!("can't read `{}`", file.display()))?);
        }
        Ok(cache::short(&digest.finalize()))
    }

    fn build(&self, lang: Lang, source: &str, stem: &str, built: &Path) -> anyhow::Result<Vec<u8>> {
        let function = self.function.as_deref();
        let unclear = |Usage(error)| Usage(format!("`{}`: {error}", self.file.display()));
        match lang {
            Lang::Rust => {
                self.build_rust(built, source, &function::rust::export(source, stem, function).map_err(unclear)?)
            }
            Lang::C => self.build_c(&function::c::export(source, stem, function).map_err(unclear)?),
            Lang::Python => {
                let function = function::python::chosen(source, stem, function).map_err(unclear)?;
                let scratch = tempfile::tempdir().context("there is no place for temporary files")?;
                let component = scratch.path().join("map.wasm");
                self.toolchain.python(&self.file, function.as_deref(), &component)?;
                fs::read(&component).context("componentize-py left no component")
            }
        }
    }

    /// Builds the file as part of a crate that all such files share, so that the SDK is compiled once.
    fn build_rust(&self, folder: &Path, source: &str, export: &str) -> anyhow::Result<Vec<u8>> {
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
        let file = self.without_inner_attributes(source, folder)?.unwrap_or(file);
        let path = file.display().to_string();
        let prelude = "#[allow(unused_imports)]\nuse lthost_guest_sdk::prelude::*;";
        write("src/lib.rs", &format!("{prelude}\ninclude!({path:?});\n{export}"))?;
        let module = self.toolchain.cargo(folder, file.parent())?.join("map.wasm");
        fs::read(&module).with_context(|| format!("cargo left no module `{}`", module.display()))
    }

    /// A copy of a file that begins with what stands only at the very beginning of a crate, like `//!`: there that is a plain
    /// comment. Lines keep their numbers.
    fn without_inner_attributes(&self, source: &str, folder: &Path) -> anyhow::Result<Option<PathBuf>> {
        let Some(source) = function::rust::without_inner_attributes(source) else { return Ok(None) };
        let folder = folder.join("source");
        let copy = folder.join(self.file.file_name().unwrap_or_default());
        let written = fs::create_dir_all(&folder).and_then(|()| fs::write(&copy, source));
        written.with_context(|| format!("can't write `{}`", copy.display()))?;
        Ok(Some(copy))
    }

    fn build_c(&self, export: &str) -> anyhow::Result<Vec<u8>> {
        let file = self.file.canonicalize().with_context(|| format!("can't find `{}`", self.file.display()))?;
        let scratch = tempfile::tempdir().context("there is no place for temporary files")?;
        let (main, module) = (scratch.path().join("map.c"), scratch.path().join("map.wasm"));
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        fs::write(&main, format!("#include \"lthost_udf.h\"\n#include {name:?}\n{export}"))?;
        let dir = folder_of(&file);
        // Found from its own folder, so that its name alone stands in messages.
        self.toolchain.cc(dir, &[main, "-iquote".into(), ".".into()], None, &module)?;
        fs::read(&module).context("clang left no module")
    }
}

fn folder_of(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn manifest(sdk: &Path) -> String {
    let sdk = sdk.display().to_string();
    format!(
        "[package]\nname = \"map\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[lib]\ncrate-type = [\"cdylib\"]\n\n\
         [dependencies]\nlthost-guest-sdk = {{ path = {sdk:?} }}\n\n[profile.release]\ndebug = \"line-tables-only\"\n\n[workspace]\n"
    )
}
