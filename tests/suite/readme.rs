//! What the README says of writing a plugin, done: in a folder of its own, with its text alone.

use std::{fs, path::Path, process::Command};

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
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let sdk = root().join("guest-sdk").canonicalize().unwrap();
    let manifest = block(&readme, "`Cargo.toml`:").replace("/path/to/lthost/guest-sdk", &sdk.display().to_string());
    fs::create_dir(dir.path().join("src")).unwrap();
    fs::write(dir.path().join("Cargo.toml"), manifest).unwrap();
    fs::write(dir.path().join("src/lib.rs"), block(&readme, "`src/lib.rs`, ")).unwrap();
    // The same versions of dependencies as here, so that nothing has to be looked up.
    fs::copy(root().join("Cargo.lock"), dir.path().join("Cargo.lock")).unwrap();
    let built = Command::new(root().join("scripts/guest-cargo"))
        .args(["build", "--release"])
        .current_dir(dir.path())
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let wasm = dir.path().join("target/wasm32-unknown-unknown/release/my_udf.wasm");
    check(&wasm, dir.path());
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
