//! Real files of other people through the built program: sums as an independent reader gives them.

use std::{fs, path::Path};

use lthost::shape::{Dtype, npy};
use lthost_tests::{lthost, shared};
use serde_json::Value as Json;

#[test]
fn real_files_give_the_sums_of_an_independent_reader() {
    let Some(samples) = shared("samples") else { return };
    let mut n_files = 0;
    for format in ["npy", "raw", "mib"] {
        for entry in fs::read_dir(samples.join(format)).unwrap() {
            let sidecar = entry.unwrap().path();
            let Some(file) = sidecar.to_str().unwrap().strip_suffix(".expected.json") else { continue };
            let expected: Json = serde_json::from_slice(&fs::read(&sidecar).unwrap()).unwrap();
            let header = Path::new(file).with_extension("hdr");
            check(if header.is_file() { &header } else { Path::new(file) }, format, &expected);
            n_files += 1;
        }
    }
    assert!(n_files >= 21, "only {n_files} files");
}

fn check(path: &Path, format: &str, expected: &Json) {
    let out = tempfile::tempdir().unwrap();
    let mut command = lthost();
    command.args(["run", "--plugin", "sum", "-p", "dtype=float64", "--plugin", "sumsig", "-o"]).arg(out.path());
    command.arg("--dataset").arg(path);
    if format == "raw" {
        let (dtype, sig) = (expected["dtype"].as_str().unwrap(), extents(&expected["sig_shape"]));
        command.args(["--dtype", dtype, "--sig-shape", &sig, "--nav-shape", &extents(&expected["nav_shape"])]);
    }
    let ran = command.output().unwrap();
    assert!(ran.status.success(), "{}: {}", path.display(), String::from_utf8_lossy(&ran.stderr));
    let sum: f64 = numbers(&out.path().join("sum/intensity.npy")).iter().sum();
    // Whole numbers below 2^53, and a few real ones.
    let close = |got: f64, want: &Json| (got - want.as_f64().unwrap()).abs() <= 1e-6 * want.as_f64().unwrap().abs();
    assert!(close(sum, &expected["sum"]), "{}: {sum}, expected {}", path.display(), expected["sum"]);
    let of_frames = numbers(&out.path().join("sumsig/intensity.npy"));
    assert_eq!(Some(of_frames.len() as u64), expected["n_frames"].as_u64(), "{}", path.display());
    for (got, want) in of_frames.iter().zip(expected["frame_sums_first5"].as_array().unwrap()) {
        assert!(close(*got, want), "{}: {got}, expected {want}", path.display());
    }
}

fn numbers(path: &Path) -> Vec<f64> {
    let array = npy::read(path).unwrap();
    match array.dtype {
        Dtype::F32 => array.data.as_chunks().0.iter().map(|bytes| f64::from(f32::from_le_bytes(*bytes))).collect(),
        Dtype::F64 => array.data.as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect(),
        dtype => panic!("{}: {dtype}", path.display()),
    }
}

fn extents(json: &Json) -> String {
    json.as_array().unwrap().iter().map(Json::to_string).collect::<Vec<_>>().join(",")
}
