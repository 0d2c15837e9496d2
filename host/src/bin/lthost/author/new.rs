//! `lthost new`: a folder with a small plugin that works, its test, and what it takes to build it.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::Context;
use lthost::shape::{Dtype, npy};

use super::sdk;
use crate::{Usage, find, repeat::quoted, terminal};

/// Make a folder with a new plugin: a small UDF that works, its test and a README
///
/// Examples:
///   lthost new my-udf
///   lthost new my-udf --lang c
///   lthost new my-udf --lang python
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Opts {
    /// Name of the plugin and of its folder, which may be a path
    #[arg(value_name = "NAME")]
    path: PathBuf,
    /// Language
    #[arg(long, value_enum, default_value = "rust")]
    lang: Lang,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Lang {
    Rust,
    C,
    Python,
}

/// Files of a new plugin: path and text, in which `my-udf`, `my_udf` and `MyUdf` stand for its name.
const RUST: &[(&str, &str)] = &[
    ("Cargo.toml", include_str!("templates/rust/Cargo.toml.txt")),
    ("src/lib.rs", include_str!("templates/rust/src/lib.rs.txt")),
    ("README.md", include_str!("templates/rust/README.md")),
    (".gitignore", "/target\n/*.wasm\n"),
];

const C: &[(&str, &str)] = &[
    ("my-udf.c", include_str!("templates/c/my-udf.c.txt")),
    ("README.md", include_str!("templates/c/README.md")),
    // For editors that use clangd.
    ("compile_flags.txt", "--config=.lthost/clang.cfg\n"),
    (".gitignore", "/*.wasm\n"),
];

const PYTHON: &[(&str, &str)] = &[
    ("my-udf.py", include_str!("templates/python/my-udf.py.txt")),
    ("README.md", include_str!("templates/python/README.md")),
    (".gitignore", "/*.wasm\n__pycache__\n"),
];

/// A golden case of a new plugin: a scan of two frames of one row of three pixels, and what comes of it.
const GOLDEN: &str = "{ \"dataset\": \"scan.npy\", \"params\": { \"level\": 100 } }\n";
const SCAN: [u16; 6] = [100, 101, 300, 0, 0, 200];
const COUNT: [i64; 2] = [2, 1];
const WHERE: [i64; 3] = [0, 1, 2];

/// Words of C and Python that are none of Rust.
const WORDS: &[&str] = &[
    "and", "assert", "auto", "case", "char", "class", "def", "default", "del", "double", "elif", "except", "finally",
    "float", "from", "global", "goto", "import", "int", "is", "lambda", "long", "main", "nonlocal", "not", "or",
    "pass", "raise", "register", "short", "signed", "sizeof", "switch", "union", "unsigned", "void", "volatile",
    "with",
];

pub(crate) fn run(opts: &Opts) -> anyhow::Result<()> {
    let name = opts.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    check(&name)?;
    if opts.path.exists() {
        return Err(Usage(format!("`{}` is there already: choose another name", opts.path.display())).into());
    }
    make(&opts.path, &name, opts.lang).with_context(|| format!("can't make `{}`", opts.path.display()))?;
    let dir = opts.path.display();
    if find::known().iter().any(|(known, _)| *known == name) {
        terminal::say_at("warning", &format!("`--plugin {name}` is another plugin: yours is `--plugin ./{name}.wasm`"));
    }
    let cd = quoted(&dir.to_string()).unwrap_or_else(|| dir.to_string());
    terminal::say(&format!("`{dir}` is a plugin that works. Next:\n  cd {cd}\n  lthost build\n  lthost test"));
    Ok(())
}

/// A plugin's name is that of a crate, of a label and of a file.
fn check(name: &str) -> Result<(), Usage> {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if !name.starts_with(|c: char| c.is_ascii_lowercase()) || name.len() > 64 || !name.chars().all(is_plain) {
        return Err(Usage(format!(
            "a plugin's name is made of 1 to 64 small letters, digits and `-`, beginning with a letter; `{name}` is not"
        )));
    }
    let ident = name.replace('-', "_");
    if syn::parse_str::<syn::Ident>(&ident).is_err() || WORDS.contains(&name) || name.starts_with("lthost") {
        return Err(Usage(format!("`{name}` is a word of Rust, C or Python, or lthost's own: choose another name")));
    }
    Ok(())
}

/// Makes the folder, whole or not at all.
fn make(path: &Path, name: &str, lang: Lang) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(parent)?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(".lthost-");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o777));
    let staging = builder.tempdir_in(parent)?;
    let files = match lang {
        Lang::Rust => {
            let is_wanted = |file: &str| ["guest-sdk/", "wit/", "Cargo.toml"].iter().any(|part| file.starts_with(part));
            sdk::unpack(&staging.path().join(".lthost"), is_wanted)?;
            // The versions with which the SDK was tested; cargo takes out what is not used.
            fs::write(staging.path().join("Cargo.lock"), sdk::file("Cargo.lock"))?;
            RUST
        }
        Lang::C => {
            for (name, file) in [("lthost_udf.h", "guest-sdk/c/lthost_udf.h"), ("clang.cfg", "guest-sdk/c/clang.cfg")] {
                fs::create_dir_all(staging.path().join(".lthost"))?;
                fs::write(staging.path().join(".lthost").join(name), sdk::file(file))?;
            }
            C
        }
        Lang::Python => {
            // For editors; the program has its own.
            let package = "guest-sdk/python/lthost_udf/";
            for (name, bytes) in sdk::files().iter().filter(|(name, _)| name.starts_with(package)) {
                let file = staging.path().join(".lthost/lthost_udf").join(&name[package.len()..]);
                fs::create_dir_all(file.parent().unwrap_or(path))?;
                fs::write(file, bytes)?;
            }
            PYTHON
        }
    };
    for (file, text) in files {
        let file = staging.path().join(named(file, name));
        fs::create_dir_all(file.parent().unwrap_or(path))?;
        fs::write(file, named(text, name))?;
    }
    make_golden(&staging.path().join("golden/two-frames"))?;
    fs::rename(staging.path(), path)?;
    let _moved = staging.keep();
    Ok(())
}

fn make_golden(case: &Path) -> io::Result<()> {
    fs::create_dir_all(case.join("expected"))?;
    fs::write(case.join("case.json"), GOLDEN)?;
    let write = |file: &str, dtype: Dtype, axes: &[u64], data: Vec<u8>| {
        npy::write(&mut fs::File::create(case.join(file))?, dtype, axes, &data)
    };
    let bytes = |numbers: &[i64]| numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
    write("scan.npy", Dtype::U16, &[2, 1, 3], SCAN.iter().flat_map(|count| count.to_le_bytes()).collect())?;
    write("expected/count.npy", Dtype::I64, &[2], bytes(&COUNT))?;
    write("expected/where.npy", Dtype::I64, &[1, 3], bytes(&WHERE))
}

/// A template's text with the plugin's name. The type ends in `Udf`: most short names are taken, in Rust or in the SDK.
fn named(text: &str, name: &str) -> String {
    let capital =
        |word: &str| word.chars().next().into_iter().flat_map(char::to_uppercase).chain(word.chars().skip(1)).collect();
    let words = name.strip_suffix("-udf").unwrap_or(name).split('-').chain(["udf"]);
    let camel: String = words.map(|word| -> String { capital(word) }).collect();
    text.replace("my-udf", name).replace("my_udf", &name.replace('-', "_")).replace("MyUdf", &camel)
}
