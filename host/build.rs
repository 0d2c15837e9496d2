//! Builds the shipped plugins and puts them into the program with the SDK, so that one file is a whole installation.

use std::{
    env,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // The library alone has no plugins.
    if env::var_os("CARGO_FEATURE_CLI").is_none() {
        return;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for input in ["wit", "guest-sdk", "plugins", "scripts", "Cargo.toml", "Cargo.lock"] {
        println!("cargo::rerun-if-changed={}", root.join(input).display());
    }
    println!("cargo::rerun-if-env-changed=LTHOST_GUEST_TOOLCHAIN");
    let names = plugin_names(&root.join("plugins"));
    build(&root, &names);
    write_plugins(&root, &names);
    write_sdk(&root);
}

/// The folders of `plugins/`.
fn plugin_names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("the folder `plugins` is part of the source");
    let mut names: Vec<String> = entries
        .flatten()
        .filter(|entry| entry.path().join("Cargo.toml").is_file())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

fn build(root: &Path, names: &[String]) {
    let mut command = Command::new(root.join("scripts/guest-cargo"));
    command.current_dir(root).args(["build", "--release"]);
    for name in names {
        command.args(["--package", &format!("plugin-{name}")]);
    }
    let output = command.output().expect("`scripts/guest-cargo` can be started");
    assert!(output.status.success(), "the plugins did not build:\n{}", String::from_utf8_lossy(&output.stderr));
}

/// Writes `SHIPPED`: name and bytes of each plugin.
fn write_plugins(root: &Path, names: &[String]) {
    let built = root.join("target/guest/wasm32-unknown-unknown/release");
    let entry = |name: &String| {
        let wasm = out_dir().join(format!("{name}.wasm"));
        let source = built.join(format!("plugin_{}.wasm", name.replace('-', "_")));
        let copied = fs::copy(&source, &wasm);
        assert!(copied.is_ok(), "{}: {copied:?}", source.display());
        (name.clone(), wasm)
    };
    write_table("shipped.rs", "SHIPPED", "The plugins inside this program: name and bytes.", names.iter().map(entry));
}

/// Writes `SDK`: all that it takes to build a plugin, by its path in this repository.
fn write_sdk(root: &Path) {
    let mut files = Vec::new();
    for part in ["guest-sdk", "wit", "scripts/guest-cargo", "scripts/guest-cc", "scripts/guest-py", "Cargo.lock"] {
        collect(&root.join(part), &mut files);
    }
    files.sort();
    let entry = |file: PathBuf| {
        let name = file.strip_prefix(root).expect("it is below").display().to_string();
        (name, file.canonicalize().expect("it was found"))
    };
    let manifest = out_dir().join("sdk-workspace.toml");
    fs::write(&manifest, sdk_workspace(root)).expect("cargo's output folder can be written");
    let files = files.into_iter().map(entry).chain([("Cargo.toml".to_owned(), manifest)]);
    write_table("sdk.rs", "SDK", "What it takes to build a plugin: path and content of each file.", files);
}

/// The workspace's manifest, with the SDK alone as members.
fn sdk_workspace(root: &Path) -> String {
    let manifest = fs::read_to_string(root.join("Cargo.toml")).expect("the workspace has a manifest");
    let line = |line: &str| match line.split(" = ").next() {
        Some("members") => Some("members = [\"guest-sdk\", \"guest-sdk/derive\"]\n".to_owned()),
        Some("default-members") => None,
        _ => Some(format!("{line}\n")),
    };
    manifest.lines().filter_map(line).collect()
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) {
    if path.is_file() {
        files.push(path.to_owned());
        return;
    }
    for entry in fs::read_dir(path).expect("it is part of the source").flatten() {
        if entry.file_name() != "target" && entry.file_name() != "__pycache__" {
            collect(&entry.path(), files);
        }
    }
}

/// Writes a table of names and the bytes of files.
fn write_table(file: &str, name: &str, doc: &str, entries: impl Iterator<Item = (String, PathBuf)>) {
    let mut table = format!("/// {doc}\npub(crate) const {name}: &[(&str, &[u8])] = &[\n");
    for (name, path) in entries {
        writeln!(table, "    ({name:?}, include_bytes!({:?})),", path.display().to_string()).expect("memory takes it");
    }
    table.push_str("];\n");
    fs::write(out_dir().join(file), table).expect("cargo's output folder can be written");
}

fn out_dir() -> PathBuf {
    PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"))
}
