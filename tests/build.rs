//! Builds the plugins, and those that only tests use, so that `cargo test` needs no other command.

use std::{fs, path::Path, process::Command};

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for input in [
        "wit",
        "guest-sdk",
        "plugins",
        "tests/guests",
        "tests/hostile",
        "docs/examples",
        "scripts/guest-cargo",
        "Cargo.toml",
    ] {
        println!("cargo::rerun-if-changed={}", root.join(input).display());
    }
    println!("cargo::rerun-if-env-changed=LTHOST_GUEST_TOOLCHAIN");
    build(&root, &["--package", "lthost-guide", "--features", "plugins", "--examples"].map(str::to_owned));
    let mut packages = Vec::new();
    for (folder, prefix) in [("plugins", "plugin"), ("tests/guests", "guest"), ("tests/hostile", "hostile")] {
        for entry in fs::read_dir(root.join(folder)).expect("the folder is part of the source").flatten() {
            if entry.path().join("Cargo.toml").is_file() {
                let name = entry.file_name();
                packages.extend(["--package".to_owned(), format!("{prefix}-{}", name.to_string_lossy())]);
            }
        }
    }
    build(&root, &packages);
    let built = root.join("target/guest/wasm32-unknown-unknown/release");
    println!("cargo::rustc-env=PLUGIN_DIR={}", built.display());
}

/// Builds plugins.
fn build(root: &Path, what: &[String]) {
    let mut command = Command::new(root.join("scripts/guest-cargo"));
    command.current_dir(root).args(["build", "--release"]).args(what);
    let output = command.output().expect("`scripts/guest-cargo` can be started");
    assert!(output.status.success(), "the plugins did not build:\n{}", String::from_utf8_lossy(&output.stderr));
}
