//! Builds the shipped plugins and puts them into the program, so that one file is a whole installation.

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
    for input in ["wit", "guest-sdk", "plugins", "scripts/guest-cargo", "Cargo.toml"] {
        println!("cargo::rerun-if-changed={}", root.join(input).display());
    }
    println!("cargo::rerun-if-env-changed=LTHOST_GUEST_TOOLCHAIN");
    let names = plugin_names(&root.join("plugins"));
    build(&root, &names);
    write_table(&root, &names);
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
fn write_table(root: &Path, names: &[String]) {
    let built = root.join("target/guest/wasm32-unknown-unknown/release");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    let mut table = String::from("/// The plugins inside this program: name and bytes.\n");
    table.push_str("pub(crate) const SHIPPED: &[(&str, &[u8])] = &[\n");
    for name in names {
        let wasm = out.join(format!("{name}.wasm"));
        let source = built.join(format!("plugin_{}.wasm", name.replace('-', "_")));
        let copied = fs::copy(&source, &wasm);
        assert!(copied.is_ok(), "{}: {copied:?}", source.display());
        writeln!(table, "    ({name:?}, include_bytes!({:?})),", wasm.display().to_string()).expect("memory takes it");
    }
    table.push_str("];\n");
    fs::write(out.join("shipped.rs"), table).expect("cargo's output folder can be written");
}
