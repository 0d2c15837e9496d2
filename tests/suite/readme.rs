//! What the README says of writing a plugin, done: in a folder of its own, with its text alone.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use lthost_tests::{counts, root, run, save};

/// The code block of the README that follows the line with `marker` in it.
fn block(readme: &str, marker: &str) -> String {
    let after = readme.split_once(marker).unwrap_or_else(|| panic!("the README has no {marker}")).1;
    let code = after.split_once("```").and_then(|(_, code)| code.split_once('\n')).expect("a block follows").1;
    code.split_once("```").expect("the block ends").0.to_owned()
}

#[test]
fn a_plugin_from_the_readme_builds_and_runs() {
    let dir = tempfile::tempdir().unwrap();
    let (manifest, source) = plugin();
    check(&build(dir.path(), &manifest, &source), dir.path());
}

#[test]
fn a_backtrace_has_file_and_line_where_the_plugin_has_debug_information() {
    let dir = tempfile::tempdir().unwrap();
    let (manifest, source) = plugin();
    let work = "        each_dtype!(tile.pixels()";
    let source =
        source.replace(work, &format!("        let missing: Option<u8> = None;\n        missing.unwrap();\n{work}"));
    let line = source.lines().position(|line| line.contains("missing.unwrap()")).expect("it is in the source") + 1;
    let wasm = build(dir.path(), &manifest, &source).display().to_string();
    save(&dir.path().join("scan.npy"), &counts(&[3, 4, 5, 6]));
    let data = dir.path().join("scan.npy").display().to_string();
    let ran = run(&["run", "--plugin", &wasm, "--dataset", &data]);
    let error = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(1), "{error}");
    let innermost = error.lines().find(|line| line.starts_with("    at ")).unwrap_or_default();
    assert!(
        innermost.starts_with("    at process (") && innermost.ends_with(&format!("src/lib.rs:{line})")),
        "{error}"
    );
}

/// Manifest of a new plugin, and source of the README's.
fn plugin() -> (String, String) {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let new = tempfile::tempdir().unwrap();
    let made = lthost_tests::lthost().args(["new", "my-udf"]).current_dir(&new).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let sdk = root().join("guest-sdk").canonicalize().unwrap().display().to_string();
    let manifest = fs::read_to_string(new.path().join("my-udf/Cargo.toml")).unwrap();
    (manifest.replace(".lthost/guest-sdk", &sdk), block(&readme, "This `src/lib.rs` "))
}

/// Builds a plugin in a folder of its own.
fn build(dir: &Path, manifest: &str, source: &str) -> PathBuf {
    fs::create_dir(dir.join("src")).unwrap();
    fs::write(dir.join("Cargo.toml"), manifest).unwrap();
    fs::write(dir.join("src/lib.rs"), source).unwrap();
    // The same versions of dependencies as here, so that nothing has to be looked up.
    fs::copy(root().join("Cargo.lock"), dir.join("Cargo.lock")).unwrap();
    let cargo = root().join("scripts/guest-cargo");
    let built = Command::new(cargo).args(["build", "--release"]).current_dir(dir).output().unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    dir.join("target/wasm32-unknown-unknown/release/my_udf.wasm")
}

/// Runs the plugin over a small scan and compares with a plain sum.
fn check(wasm: &Path, dir: &Path) {
    let scan = counts(&[3, 4, 5, 6]);
    save(&dir.join("scan.npy"), &scan);
    let (wasm, data, out) = (wasm.display().to_string(), dir.join("scan.npy"), dir.join("out"));
    let (data, out) = (data.display().to_string(), out.display().to_string());
    let ran = run(&["run", "--plugin", &wasm, "--dataset", &data, "-o", &out]);
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let mut expected = [0_f32; 30];
    for (i, count) in scan.data.chunks_exact(2).enumerate() {
        expected[i % 30] += f32::from(u16::from_le_bytes([count[0], count[1]]));
    }
    let result = lthost::shape::npy::read(&dir.join("out/my-sum/intensity.npy")).unwrap();
    let got: Vec<f32> = result.data.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
    assert_eq!(got, expected);
}
