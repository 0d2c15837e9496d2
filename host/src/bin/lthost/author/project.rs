//! What is in an author's folder.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};

use super::toolchain::ToolchainArgs;
use crate::Usage;

/// The source of a plugin.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Project {
    /// A crate: its folder, the name of its package and that of its library.
    Rust { dir: PathBuf, package: String, lib: String },
    /// All C files of a folder, by name.
    C { dir: PathBuf, name: String, sources: Vec<PathBuf> },
    /// A Python file, which may import others of its folder.
    Python { dir: PathBuf, name: String, source: PathBuf },
}

/// The parts of a crate's manifest that matter here.
#[derive(serde::Deserialize)]
struct Manifest {
    package: Option<Package>,
    #[serde(default)]
    lib: Lib,
}

#[derive(serde::Deserialize)]
struct Package {
    name: String,
}

#[derive(Default, serde::Deserialize)]
struct Lib {
    name: Option<String>,
    #[serde(default, rename = "crate-type")]
    crate_type: Vec<String>,
}

impl Project {
    /// Finds what there is to build in a folder.
    pub(super) fn find(dir: &Path) -> anyhow::Result<Self> {
        if !dir.is_dir() {
            return Err(Usage(format!("`{}` is no folder", dir.display())).into());
        }
        let manifest = dir.join("Cargo.toml");
        if manifest.is_file() {
            let unreadable = || format!("can't read `{}`", manifest.display());
            return Self::of_crate(dir, &fs::read_to_string(&manifest).with_context(unreadable)?);
        }
        // The folder's own name, also of `.`.
        let path = dir.canonicalize().with_context(|| format!("can't find `{}`", dir.display()))?;
        let name = path.file_name().unwrap_or("plugin".as_ref()).to_string_lossy().into_owned();
        let sources = with_extension(dir, "c")?;
        if !sources.is_empty() {
            return Ok(Self::C { dir: dir.to_owned(), name, sources });
        }
        let sources = with_extension(dir, "py")?;
        let is_named = |source: &&PathBuf| {
            let stem = source.file_stem().unwrap_or_default().to_string_lossy();
            stem.replace('-', "_") == name.replace('-', "_")
        };
        match (&sources[..], sources.iter().find(is_named)) {
            ([only], _) | (_, Some(only)) => {
                return Ok(Self::Python { dir: dir.to_owned(), source: only.clone(), name });
            }
            ([], None) => {}
            (several, None) => {
                let several: Vec<String> = several.iter().map(|file| file.display().to_string()).collect();
                let what = format!("which of {} is the plugin? Name it like the folder", several.join(", "));
                return Err(Usage(format!("`{}`: {what}", dir.display())).into());
            }
        }
        let hint = "a plugin in Rust has a Cargo.toml, one in C or Python its file; `lthost new NAME` makes one";
        Err(Usage(format!("there is no plugin to build in `{}`: {hint}", dir.display())).into())
    }

    fn of_crate(dir: &Path, manifest: &str) -> anyhow::Result<Self> {
        let path = dir.join("Cargo.toml");
        let manifest: Manifest = toml::from_str(manifest).with_context(|| format!("`{}`", path.display()))?;
        let Some(Package { name: package }) = manifest.package else {
            bail!("`{}` is of a workspace: name the folder of a plugin in it", path.display());
        };
        if !manifest.lib.crate_type.iter().any(|kind| kind == "cdylib") {
            bail!("`{}` makes no plugin: add `[lib]` with `crate-type = [\"cdylib\", \"rlib\"]`", path.display());
        }
        let lib = manifest.lib.name.unwrap_or_else(|| package.replace('-', "_"));
        Ok(Self::Rust { dir: dir.to_owned(), package, lib })
    }

    /// Where the built plugin goes.
    pub(super) fn output(&self) -> PathBuf {
        match self {
            Self::Rust { dir, package: name, .. } | Self::C { dir, name, .. } | Self::Python { dir, name, .. } => {
                dir.join(format!("{name}.wasm"))
            }
        }
    }

    /// Builds it. Gives the bytes of a module or component.
    pub(super) fn build(&self, toolchain: ToolchainArgs) -> anyhow::Result<Vec<u8>> {
        match self {
            Self::Rust { dir, lib, .. } => {
                let wasm = toolchain.cargo(dir, None)?.join(format!("{lib}.wasm"));
                fs::read(&wasm).with_context(|| format!("cargo left no module `{}`", wasm.display()))
            }
            Self::C { dir, sources, .. } => {
                let config = dir.join(".lthost/clang.cfg").canonicalize().ok();
                let scratch = tempfile::tempdir().context("there is no place for temporary files")?;
                let module = scratch.path().join("module.wasm");
                toolchain.cc(dir, sources, config.as_deref(), &module)?;
                fs::read(&module).context("clang left no module")
            }
            Self::Python { dir, source, .. } => {
                let scratch = tempfile::tempdir().context("there is no place for temporary files")?;
                let component = scratch.path().join("plugin.wasm");
                toolchain.python(&dir.join(source), None, &component)?;
                fs::read(&component).context("componentize-py left no component")
            }
        }
    }

    /// Files and folders with its source: what to watch.
    pub(super) fn sources(&self) -> Vec<PathBuf> {
        match self {
            Self::Rust { dir, .. } => ["Cargo.toml", "src", ".lthost"].map(|part| dir.join(part)).into(),
            Self::Python { dir, .. } => {
                with_extension(dir, "py").into_iter().flatten().map(|file| dir.join(file)).collect()
            }
            Self::C { dir, .. } => {
                let sources = ["c", "h"].into_iter().flat_map(|extension| with_extension(dir, extension));
                let sources = sources.flatten().map(|file| dir.join(file));
                sources.chain([dir.join(".lthost")]).collect()
            }
        }
    }
}

/// Names of the files of a folder with an extension, in order.
pub(super) fn with_extension(dir: &Path, extension: &str) -> anyhow::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(dir).with_context(|| format!("can't read the folder `{}`", dir.display()))?;
    let files = entries.flatten().filter(|entry| entry.path().is_file());
    let mut names: Vec<PathBuf> = files.map(|entry| PathBuf::from(entry.file_name())).collect();
    names.retain(|name| name.extension().is_some_and(|found| found == extension));
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(manifest: &str) -> Result<Project, String> {
        Project::of_crate(Path::new("x"), manifest).map_err(|error| error.to_string())
    }

    #[test]
    fn a_crate_has_a_package_and_a_library() {
        let lib = "[lib]\ncrate-type = [\"cdylib\", \"rlib\"]\n";
        let rust = |package: &str, lib: &str| {
            Ok(Project::Rust { dir: "x".into(), package: package.to_owned(), lib: lib.to_owned() })
        };
        assert_eq!(of(&format!("[package]\nname = \"a-b\"\n{lib}")), rust("a-b", "a_b"));
        assert_eq!(of(&format!("[package]\nname = \"a-b\"\n{lib}name = \"c\"\n")), rust("a-b", "c"));
        assert!(of("[package]\nname = \"a-b\"\n").unwrap_err().contains("crate-type"));
        assert!(of("[workspace]\n").unwrap_err().contains("workspace"));
        assert!(of("[package\n").is_err());
    }
}
