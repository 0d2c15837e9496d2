//! Builds the plugins, and those that only tests use, so that `cargo test` needs no other command.

use std::{
    env, fs,
    path::Path,
    process::{Command, Output},
};

/// Where plugins are, and what the names of their files start with.
const FOLDERS: [(&str, &str); 3] = [("plugins", "plugin"), ("tests/guests", "guest"), ("tests/hostile", "hostile")];
const BUILT: &str = "target/guest/wasm32-unknown-unknown/release";

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
        "scripts/guest-cc",
        "Cargo.toml",
    ] {
        println!("cargo::rerun-if-changed={}", root.join(input).display());
    }
    for variable in ["LTHOST_GUEST_TOOLCHAIN", "LTHOST_GUEST_CLANG", "WASI_SDK_PATH"] {
        println!("cargo::rerun-if-env-changed={variable}");
    }
    build_guide(&root);
    build_rust(&root);
    build_c(&root);
    println!("cargo::rustc-env=PLUGIN_DIR={}", root.join(BUILT).display());
}

/// Builds the plugins on the guide's pages.
fn build_guide(root: &Path) {
    let mut command = Command::new(root.join("scripts/guest-cargo"));
    command.current_dir(root).args(["build", "--release"]);
    run(command.args(["--package", "lthost-guide", "--features", "plugins", "--examples"]));
}

/// Builds the packages in these folders, all at once.
fn build_rust(root: &Path) {
    let mut command = Command::new(root.join("scripts/guest-cargo"));
    command.current_dir(root).args(["build", "--release"]);
    for (folder, prefix) in FOLDERS {
        for entry in fs::read_dir(root.join(folder)).expect("the folder is part of the source").flatten() {
            if entry.path().join("Cargo.toml").is_file() {
                let name = entry.file_name();
                command.args(["--package", &format!("{prefix}-{}", name.to_string_lossy())]);
            }
        }
    }
    let output = run(&mut command);
    // A test looks for warnings in it.
    let log = Path::new(&env::var_os("OUT_DIR").expect("cargo sets it")).join("plugins.log");
    fs::write(&log, &output.stderr).expect("the folder of a build script can be written");
    println!("cargo::rustc-env=PLUGINS_LOG={}", log.display());
}

/// Compiles each C file in these folders to a plugin of its name.
fn build_c(root: &Path) {
    for (folder, prefix) in FOLDERS {
        for entry in fs::read_dir(root.join(folder)).expect("the folder is part of the source").flatten() {
            let source = Path::new(folder).join(entry.file_name());
            if source.extension().is_some_and(|extension| extension == "c") {
                let name = source.file_stem().expect("it has an extension").to_string_lossy();
                let built = Path::new(BUILT).join(format!("{prefix}_{name}.wasm"));
                let mut command = Command::new(root.join("scripts/guest-cc"));
                run(command.current_dir(root).arg(source).arg("-o").arg(built).arg("-Werror"));
            }
        }
    }
}

fn run(command: &mut Command) -> Output {
    let output = command.output().expect("what stands in `scripts` can be started");
    assert!(output.status.success(), "the plugins did not build:\n{}", String::from_utf8_lossy(&output.stderr));
    output
}
