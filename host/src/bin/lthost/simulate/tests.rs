//! Whole simulations into a temporary folder.

use std::{fs, path::Path, sync::atomic::AtomicBool};

use clap::Parser as _;

use super::*;

#[derive(Debug, clap::Parser)]
struct Cli {
    #[command(flatten)]
    opts: Opts,
}

const SMALL: &str = "--nav-shape 6,9 --sig-shape 32,40";

fn parse(options: &str, output: &Path) -> Result<Opts, clap::Error> {
    let options = ["simulate", "-o", output.to_str().unwrap()].into_iter().chain(options.split_whitespace());
    Cli::try_parse_from(options).map(|cli| cli.opts)
}

fn made(options: &str, output: &Path) -> Vec<u8> {
    simulate(&parse(options, output).unwrap(), &AtomicBool::new(false)).unwrap();
    fs::read(output).unwrap()
}

#[test]
fn a_seed_gives_the_same_counts_for_any_number_of_threads() {
    let folder = tempfile::tempdir().unwrap();
    let with_threads = |n: usize, name: &str, seed: &str| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap();
        pool.install(|| made(&format!("{SMALL} --seed {seed}"), &folder.path().join(name)))
    };
    let one = with_threads(1, "a.npy", "5");
    assert_eq!(one, with_threads(3, "b.npy", "5"));
    assert_ne!(one, with_threads(3, "c.npy", "6"));
}

#[test]
fn the_mean_count_is_near_the_dose() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = made(&format!("{SMALL} --dtype f32 --dose 5000"), &folder.path().join("a.raw"));
    assert_eq!(bytes.len(), 6 * 9 * 32 * 40 * 4);
    let total: f32 = bytes.chunks_exact(4).map(|pixel| f32::from_le_bytes(pixel.try_into().unwrap())).sum();
    let mean = total / 54.0;
    assert!((4000.0..5020.0).contains(&mean), "{mean} electrons per pattern");
}

#[test]
fn formats_hold_the_same_counts() {
    let folder = tempfile::tempdir().unwrap();
    let raw = made(SMALL, &folder.path().join("a.raw"));
    let npy = made(SMALL, &folder.path().join("b.npy"));
    assert!(npy.ends_with(&raw) && (npy.len() - raw.len()).is_multiple_of(64));
    let mib = made(SMALL, &folder.path().join("c.mib"));
    assert_eq!(mib.len(), 54 * (384 + 32 * 40 * 2));
    for (nth, (frame, pixels)) in mib.chunks(384 + 32 * 40 * 2).zip(raw.chunks(32 * 40 * 2)).enumerate() {
        assert!(frame.starts_with(format!("MQ1,{:06},00384,01,0040,0032,U16,", nth + 1).as_bytes()));
        let swapped: Vec<u8> = frame[384..].chunks(2).flat_map(|pixel| [pixel[1], pixel[0]]).collect();
        assert!(swapped == pixels, "frame {nth}");
    }
}

#[test]
fn everything_stands_beside_the_data() {
    let folder = tempfile::tempdir().unwrap();
    made(SMALL, &folder.path().join("c.mib"));
    let mut names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["c.hdr", "c.json", "c.masks.npy", "c.mib"]);
    let text = fs::read_to_string(folder.path().join("c.json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["nav_shape"], json!([6, 9]));
    assert_eq!(json["centre_px"], json!({ "y": 16.0, "x": 20.0 }));
    let masks = fs::read(folder.path().join("c.masks.npy")).unwrap();
    assert!(masks.starts_with(b"\x93NUMPY") && masks.len() > 3 * 32 * 40 * 4);
}

#[test]
fn files_in_the_way_are_refused_and_replaced_by_force() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("a.npy");
    fs::write(folder.path().join("a.json"), "mine").unwrap();
    let error = simulate(&parse(SMALL, &output).unwrap(), &AtomicBool::new(false)).unwrap_err();
    assert!(error.to_string().contains("--force"), "{error}");
    assert!(!output.exists());
    made(&format!("{SMALL} --force"), &output);
    assert_ne!(fs::read_to_string(folder.path().join("a.json")).unwrap(), "mine");
}

#[test]
fn an_interrupt_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let opts = parse(SMALL, &folder.path().join("a.npy")).unwrap();
    assert!(simulate(&opts, &AtomicBool::new(true)).is_err());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn saturated_pixels_are_reported() {
    let folder = tempfile::tempdir().unwrap();
    let opts = parse(&format!("{SMALL} --dtype u8 --dose 100000"), &folder.path().join("a.npy")).unwrap();
    let report = simulate(&opts, &AtomicBool::new(false)).unwrap();
    assert!(report.contains("more than u8 can count"), "{report}");
}

#[test]
fn options_that_make_no_sense_are_refused() {
    let path = Path::new("nowhere/a.npy");
    for options in [
        "--nav-shape 0,4",
        "--nav-shape 4",
        "--nav-shape 4,5,6",
        "--nav-shape x,4",
        "--nav-shape 99999999999999999999,1",
        "--sig-shape 2,128",
        "--sig-shape 128,100000",
        "--dose 0",
        "--dose nan",
        "--dose inf",
        "--dose 1e12",
        "--dtype i16",
        "--seed -1",
    ] {
        assert!(parse(options, path).is_err(), "{options}");
    }
    let fault = |options: &str, output: &str| {
        let opts = parse(options, Path::new(output)).unwrap();
        simulate(&opts, &AtomicBool::new(false)).unwrap_err().to_string()
    };
    assert!(fault("--nav-shape 65536,65536 --sig-shape 4096,4096", "nowhere/a.npy").contains("at most"));
    assert!(fault("--dtype f32", "nowhere/a.mib").contains("not f32"));
    assert!(fault(SMALL, "nowhere/a.hdf5").contains(".npy, .mib or .raw"));
    assert!(fault(SMALL, "nowhere/a.npy").contains("there is no folder `nowhere`"));
}

#[test]
fn sizes_are_said_in_a_readable_way() {
    let said = [0, 999, 1000, 134_217_728, 1 << 40].map(|n_bytes| Bytes(n_bytes).to_string());
    assert_eq!(said, ["0 B", "999 B", "1.0 kB", "134.2 MB", "1.1 TB"]);
}
