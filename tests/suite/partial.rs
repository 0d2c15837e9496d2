//! Partitions elsewhere: each processed alone, merged later, to the same bits as one run; and what is refused.

use std::fs;

use lthost::shape::Dtype;
use lthost_tests::{root, wasm};
use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use crate::program::{Ended, Folder, SCAN, files};

/// All plugins, and UDFs of every kind of merge, of parameters and of results.
const UDFS: [&str; 46] = [
    "--plugin",
    "sum",
    "--plugin",
    "stddev",
    "--plugin",
    "com",
    "-p",
    "regression=1",
    // Most readers of JSON take it for a neighbour of this number.
    "-p",
    "cx=1.9278967522833235e-7",
    "--plugin",
    "pick",
    "--plugin",
    "detectors=masks",
    "-p",
    "factors=@masks.npy",
    "--plugin",
    "guest_probe",
    "-p",
    "weights=@weights.npy",
    "--plugin",
    "guest_one_step",
    "--plugin",
    "max",
    "--plugin",
    "sumsig",
    "--plugin",
    "extrema",
    "--plugin",
    "logsum",
    "--plugin",
    "record",
    "--plugin",
    "fem",
    "-p",
    "center=[3,3]",
    "-p",
    "rad_in=0",
    "-p",
    "rad_out=3",
    "--plugin",
    "crystallinity",
    "-p",
    "rad_in=0",
    "-p",
    "rad_out=3",
];

/// A folder with a scan, a ROI, corrections, masks and AUX data.
fn folder() -> Folder {
    let folder = Folder::new();
    let numbers = |n: u32| (0..n).flat_map(|i| f64::from(i * 37 % 11).to_le_bytes()).collect();
    folder.array("masks.npy", Dtype::F64, &[2, 6, 7], numbers(84));
    folder.array("weights.npy", Dtype::F64, &[4, 5, 2], numbers(40));
    folder.array("dark.npy", Dtype::F64, &SCAN[2..], numbers(42));
    // The first of five partitions has no frame in it.
    folder.array("roi.npy", Dtype::Bool, &SCAN[..2], (0..20).map(|i| u8::from(i > 4 && i % 3 != 1)).collect());
    folder.array("early.npy", Dtype::Bool, &SCAN[..2], (0..20).map(|i| u8::from(i > 4 && i < 15)).collect());
    folder.array("excluded.npy", Dtype::Bool, &SCAN[2..], (0..42).map(|i| u8::from(i == 17)).collect());
    folder
}

fn partial(folder: &Folder, index: u64, file: &str, args: &[&str]) -> Ended {
    let index = index.to_string();
    let own = ["partial", "--partition", &index, "-o", file, "--dataset", "scan.npy"];
    folder.lthost(&[&own[..], args].concat())
}

/// Makes the partials of all partitions. Gives their files, the last one first.
fn make(folder: &Folder, n_partitions: u64, args: &[&str]) -> Vec<String> {
    let n = n_partitions.to_string();
    let names: Vec<String> = (0..n_partitions).map(|index| format!("{index}.partial")).collect();
    for (index, name) in (0..).zip(&names) {
        let ended = partial(folder, index, name, &[&["--partitions", &n], args].concat());
        assert_eq!(ended.succeeds().stdout, "");
    }
    names.into_iter().rev().collect()
}

fn merge(folder: &Folder, names: &[String], args: &[&str]) -> Ended {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    folder.lthost(&[&["merge"][..], &names, args].concat())
}

#[test]
fn partials_merge_to_the_same_bits_as_one_run() {
    let corrected = ["--roi", "roi.npy", "--dark", "dark.npy", "--excluded", "excluded.npy"];
    let updated =
        ["--update", "2:probe.scale=3", "--update", "1:probe.scale=2", "--update", "1:detectors.mask_count=2"];
    // The last partition has no frame in the ROI, either.
    let late = ["--roi", "early.npy", "--update", "4:probe.scale=3", "--update", "1:probe.scale=2"];
    let options: [(u64, &[&str]); 6] = [
        (4, &[]),
        (3, &["--sync-offset", "-7", "--tile-bytes", "100"]),
        (5, &corrected),
        (4, &updated),
        (5, &late),
        (2, &["--deterministic"]),
    ];
    for (n_partitions, options) in options {
        let folder = folder();
        let args = [&UDFS[..], options].concat();
        let names = make(&folder, n_partitions, &args);
        merge(&folder, &names, &["-o", "merged", "--png"]).succeeds();
        let n = n_partitions.to_string();
        let run = ["run", "--quiet", "--dataset", "scan.npy", "--partitions", &n, "-o", "once", "--png"];
        folder.lthost(&[&run[..], &args].concat()).succeeds();
        let once = files(&folder.path("once"));
        assert_eq!(files(&folder.path("merged")), once);
        for name in once.iter().filter(|name| name.contains('.') && *name != "run.json") {
            let bytes = |at: &str| fs::read(folder.path(&format!("{at}/{name}"))).unwrap();
            assert!(bytes("merged") == bytes("once"), "{name} differs with {options:?}");
        }
        let (merged, once) = (folder.json("merged/run.json"), folder.json("once/run.json"));
        for key in ["udfs", "updates", "complete"] {
            assert_eq!(merged[key], once[key], "{key} with {options:?}");
        }
        for key in ["format", "nav_shape", "sig_shape", "dtype", "sync_offset", "frames_present"] {
            assert_eq!(merged["dataset"][key], once["dataset"][key], "{key} with {options:?}");
        }
        for (name, array) in once["arrays"].as_object().unwrap() {
            assert_eq!(merged["arrays"][name]["array"], array["array"], "{name}");
        }
    }
}

#[test]
fn without_a_folder_a_summary_is_printed() {
    let folder = folder();
    let names = make(&folder, 2, &["--plugin", "sum"]);
    let ended = merge(&folder, &names, &[]);
    assert!(ended.succeeds().stdout.contains("20 frames, 0.000 GB, merged\n"), "{ended:?}");
    assert_eq!(merge(&folder, &names, &["--json"]).json()["udfs"][0]["label"], "sum");
}

#[test]
fn partials_that_do_not_belong_together_are_refused_by_name() {
    let folder = folder();
    let masks = ["--plugin", "detectors=masks", "-p", "factors=@masks.npy"];
    let names = make(&folder, 3, &masks);
    let refused = |names: &[&str], error: &str| {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        merge(&folder, &names, &["-o", "out"]).fails(1, &[error]);
        folder.assert_untouched();
    };
    let missing =
        |which: &str| format!("partitions are missing: {which}; make each with `lthost partial --partition I`");
    refused(&["0.partial", "2.partial"], &format!("1 of 3 {}", missing("1")));
    refused(&["0.partial"], &format!("2 of 3 {}", missing("1 to 2")));
    refused(&["1.partial"], &format!("2 of 3 {}", missing("0, 2")));
    refused(&["0.partial", "1.partial", "0.partial"], "`0.partial` and `0.partial` are both of partition 0");
    let bytes = fs::read(folder.path("1.partial")).unwrap();
    folder.write("cut", &bytes[..bytes.len() / 2]);
    refused(&["0.partial", "cut", "2.partial"], "`cut` is damaged or cut");
    let mut flipped = bytes.clone();
    flipped[bytes.len() - 100] ^= 4;
    folder.write("flipped", &flipped);
    refused(&["0.partial", "flipped", "2.partial"], "`flipped` is damaged or cut");
    let mut future = bytes.clone();
    future[16] = 9;
    folder.write("future", &future);
    refused(&["future", "0.partial"], "`future` has version 9 of the format, this program reads 1");
    refused(&["scan.npy"], "`scan.npy` is no partial of lthost");
    refused(&["nowhere"], "`nowhere` can't be read");
    // Others that look alike.
    let other = |what: &str, args: &[&str]| {
        partial(&folder, 1, "other", &[&["--partitions", "3"], &masks[..], args].concat()).succeeds();
        let error = format!("`other` is of another run than `0.partial`: they differ in {what}");
        refused(&["0.partial", "other", "2.partial"], &error);
    };
    other("roi", &["--roi", "roi.npy"]);
    other("dark", &["--dark", "dark.npy"]);
    other("sync offset", &["--sync-offset", "1"]);
    other("tile bytes", &["--tile-bytes", "100"]);
    other("deterministic", &["--deterministic"]);
    other("parameter `mask_count` of `detectors`", &["-p", "mask_count=2"]);
    other("their UDFs, detectors and detectors, sum", &["--plugin", "sum"]);
    other("updates", &["--update", "0:detectors.mask_count=2"]);
    partial(&folder, 1, "other", &[&masks[..], &["--partitions", "4"]].concat()).succeeds();
    refused(&["0.partial", "other", "2.partial"], "they differ in the number of partitions");
    folder.array("masks.npy", Dtype::F64, &[2, 6, 7], vec![0; 672]);
    other("parameter `factors` of `detectors`", &[]);
    // The originals are whole, and need no masks any more.
    merge(&folder, &names, &["-o", "merged"]).succeeds();
}

#[test]
fn every_plugin_is_merged_here() {
    for plugin in fs::read_dir(root().join("plugins")).unwrap().flatten() {
        let name = plugin.file_name().into_string().unwrap();
        // Those that travel inside the program.
        if !plugin.path().is_dir() {
            continue;
        }
        assert!(UDFS.iter().any(|arg| arg.rsplit('=').next() == Some(&name)), "{name}");
    }
}

#[test]
fn partials_of_other_data_are_refused_whatever_the_files_are_called() {
    let folder = folder();
    let names = make(&folder, 2, &["--plugin", "sum"]);
    let mut scan = fs::read(folder.path("scan.npy")).unwrap();
    let at = scan.len() / 2;
    scan[at] ^= 1;
    fs::create_dir(folder.path("elsewhere")).unwrap();
    folder.write("elsewhere/scan.npy", &scan);
    let other = ["partial", "--plugin", "sum", "--partitions", "2", "--partition", "0", "-o", "other"];
    folder.lthost(&[&other[..], &["--dataset", "elsewhere/scan.npy"]].concat()).succeeds();
    let error = "`other` is of another run than `1.partial`: they differ in what is in the files";
    merge(&folder, &["1.partial".to_owned(), "other".to_owned()], &[]).fails(1, &[error]);
    // The same data may be elsewhere.
    fs::copy(folder.path("scan.npy"), folder.path("elsewhere/scan.npy")).unwrap();
    folder.lthost(&[&other[..], &["--dataset", "elsewhere/scan.npy"]].concat()).succeeds();
    merge(&folder, &["1.partial".to_owned(), "other".to_owned()], &[]).succeeds();
    merge(&folder, &names, &[]).succeeds();
    // The same file read in another way is other data.
    let raw = ["--dataset", "elsewhere/scan.npy", "--format", "raw", "--sig-shape", "6,7", "--nav-shape", "4,5"];
    for (dtype, name) in [("<u2", "little"), (">u2", "big")] {
        let index = if name == "big" { "1" } else { "0" };
        let own = ["partial", "--plugin", "sum", "--partitions", "2", "--partition", index, "-o", name];
        folder.lthost(&[&own[..], &raw, &["--dtype", dtype]].concat()).succeeds();
    }
    merge(&folder, &["little".to_owned(), "big".to_owned()], &[]).fails(1, &["they differ in what is in the files"]);
}

#[test]
fn another_plugin_is_refused_and_may_have_moved() {
    let folder = folder();
    fs::copy(wasm("plugin_sum"), folder.path("udf.wasm")).unwrap();
    let names = make(&folder, 2, &["--plugin", "mine=./udf.wasm"]);
    fs::copy(wasm("plugin_max"), folder.path("udf.wasm")).unwrap();
    let error = ["plugin `./udf.wasm` has sha256 ", "but the partials of `mine` were made by "];
    merge(&folder, &names, &[]).fails(1, &error);
    merge(&folder, &names, &["--plugin", "mine=plugin_sum"]).succeeds();
    merge(&folder, &names, &["--plugin", "yours=sum"]).fails(2, &["there is no `yours` in the partials, but mine"]);
    merge(&folder, &names, &["--plugin", "sum"]).fails(2, &["expected LABEL=NAME or LABEL=FILE"]);
}

#[test]
fn what_can_not_be_made_is_told() {
    let folder = folder();
    partial(&folder, 4, "x", &["--plugin", "sum", "--partitions", "4"]).fails(2, &["there is no partition 4"]);
    // New parameters are checked wherever they hold from on.
    let updated = |update: &str, error: &str| {
        let args = ["--plugin", "sum", "--partitions", "4", "--update", update];
        partial(&folder, 1, "x", &args).fails(2, &[error]);
    };
    updated("4:sum.dtype=f64", "there is no partition 4: the scan has 4");
    updated("3:sums.dtype=f64", "there is no UDF with the label `sums`");
    updated("3:sum.dtype=float", "unknown dtype `float`");
    partial(&folder, 0, "scan.npy", &["--plugin", "sum"]).fails(1, &["it is an input of this run"]);
    let attack = ["--plugin", "hostile_guest", "-p", "attack=panic", "--partitions", "4"];
    partial(&folder, 1, "x", &attack).fails(1, &["plugin `hostile`, `process` (partition 1"]);
    assert!(!folder.path("x").exists());
}

/// A partial with another header, and a checksum that fits.
fn forged(bytes: &[u8], change: impl Fn(&mut Json)) -> Vec<u8> {
    let length = usize::try_from(u64::from_le_bytes(bytes[20..28].try_into().unwrap())).unwrap();
    let mut header: Json = serde_json::from_slice(&bytes[28..28 + length]).unwrap();
    change(&mut header);
    let header = serde_json::to_vec(&header).unwrap();
    let size = (header.len() as u64).to_le_bytes();
    let content = [&bytes[..20], &size, &header, &bytes[28 + length..bytes.len() - 32]].concat();
    [&content[..], &Sha256::digest(&content)].concat()
}

/// An error, and what is changed in the header to bring it about.
type Forgery<'a> = (&'a str, &'a dyn Fn(&mut Json));

#[test]
fn what_a_partial_says_is_a_claim() {
    let folder = folder();
    make(&folder, 1, &["--plugin", "detectors=masks", "-p", "factors=@masks.npy", "--roi", "roi.npy"]);
    let bytes = fs::read(folder.path("0.partial")).unwrap();
    let forgeries: [Forgery<'_>; 13] = [
        ("partitions are missing", &|header| header["run"]["n_partitions"] = u64::MAX.into()),
        ("its partition is none of those", &|header| header["run"]["n_partitions"] = 0.into()),
        ("its partition is none of those", &|header| header["partition"] = 7.into()),
        ("was made by lthost 0.0.1, and this is", &|header| header["run"]["lthost"] = "0.0.1".into()),
        ("ROI does not fit", &|header| header["run"]["nav"] = vec![1_u64 << 40, 1 << 20].into()),
        ("impossible shape", &|header| header["run"]["nav"] = vec![u64::MAX, 3].into()),
        ("frames or partitions are not those", &|header| header["run"]["present"] = vec![0, 21].into()),
        ("names a block that is not there", &|header| header["udfs"][0][0][0]["block"] = 99.into()),
        ("emitted elements", &|header| header["udfs"][0][0][0]["offset"] = (u64::MAX - 1).into()),
        ("emitted 0 of the", &|header| header["udfs"][0] = Json::Array(Vec::new())),
        ("no buffers", &|header| header["udfs"] = Json::Array(Vec::new())),
        ("another one than its record", &|header| header["run"]["roi"]["sha256"] = "0".into()),
        ("its header is not one", &|header| header["surprise"] = true.into()),
    ];
    for (error, change) in forgeries {
        folder.write("forged", forged(&bytes, change));
        let ended = folder.lthost(&["merge", "forged", "-o", "out"]);
        assert!(ended.code == Some(1) && ended.stderr.contains(error), "no {error:?} in {ended:?}");
        assert!(ended.stderr.contains("`forged`") || error.contains("missing"), "{ended:?}");
        folder.assert_untouched();
    }
}
