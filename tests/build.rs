//! Builds the plugins, and those that only tests use, so that `cargo test` needs no other command.

use std::{env, fs, path::Path, process::Command};

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for input in ["wit", "guest-sdk", "plugins", "tests/guests", "tests/hostile", "scripts/guest-cargo", "Cargo.toml"] {
        println!("cargo::rerun-if-changed={}", root.join(input).display());
    }
    println!("cargo::rerun-if-env-changed=LTHOST_GUEST_TOOLCHAIN");
    let mut command = Command::new(root.join("scripts/guest-cargo"));
    command.current_dir(&root).args(["build", "--release"]);
    for (folder, prefix) in [("plugins", "plugin"), ("tests/guests", "guest"), ("tests/hostile", "hostile")] {
        for entry in fs::read_dir(root.join(folder)).expect("the folder is part of the source").flatten() {
            if entry.path().join("Cargo.toml").is_file() {
                let name = entry.file_name();
                command.args(["--package", &format!("{prefix}-{}", name.to_string_lossy())]);
            }
        }
    }
    let output = command.output().expect("`scripts/guest-cargo` can be started");
    assert!(output.status.success(), "the plugins did not build:\n{}", String::from_utf8_lossy(&output.stderr));
    // A test looks for warnings in it.
    let log = Path::new(&env::var_os("OUT_DIR").expect("cargo sets it")).join("plugins.log");
    fs::write(&log, &output.stderr).expect("the folder of a build script can be written");
    println!("cargo::rustc-env=PLUGINS_LOG={}", log.display());
    let built = root.join("target/guest/wasm32-unknown-unknown/release");
    println!("cargo::rustc-env=PLUGIN_DIR={}", built.display());
}
