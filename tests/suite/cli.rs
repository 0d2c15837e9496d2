//! The command line as people script it: what goes in, what comes out, and that it stays the same.

use std::{collections::BTreeMap, fs};

use lthost::shape::{Array, Dtype};
use lthost_tests::{counts, root, wasm};
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

use crate::{
    program::{Ended, Folder, SCAN, files},
    reference::Scan,
};

/// All plugins with a result that `reference.rs` has, in one pass.
const ALL: [&str; 16] = [
    "--plugin",
    "sum",
    "--plugin",
    "sumsig",
    "--plugin",
    "stddev",
    "--plugin",
    "extrema",
    "--plugin",
    "logsum",
    "--plugin",
    "masks",
    "-p",
    "factors=@masks.npy",
    "--plugin",
    "com",
];

fn run(folder: &Folder, args: &[&str]) -> Ended {
    let ended = folder.lthost(&[&["run", "--quiet", "--dataset", "scan.npy"], args].concat());
    ended.succeeds();
    ended
}

/// A folder with a scan, `masks.npy` with two masks of it, and `roi.npy` with every third frame.
fn folder() -> Folder {
    let folder = Folder::new();
    let masks: Vec<u8> = mask_values().iter().flat_map(|value| value.to_le_bytes()).collect();
    folder.array("masks.npy", Dtype::F64, &[2, 6, 7], masks);
    folder.array("roi.npy", Dtype::Bool, &SCAN[..2], every_third().iter().map(|&chosen| u8::from(chosen)).collect());
    folder
}

fn mask_values() -> Vec<f64> {
    (0..84).map(|i: u32| f64::from(i * 37 % 11) - 3.5).collect()
}

fn every_third() -> Vec<bool> {
    (0..20).map(|i| i % 3 == 1).collect()
}

fn numbers(array: &Array) -> Vec<f64> {
    let words = array.data.chunks_exact(array.dtype.size());
    let number = |word: &[u8]| match array.dtype {
        Dtype::U16 => f64::from(u16::from_le_bytes(word.try_into().unwrap())),
        Dtype::F32 => f64::from(f32::from_le_bytes(word.try_into().unwrap())),
        Dtype::F64 => f64::from_le_bytes(word.try_into().unwrap()),
        other => panic!("{other} is not compared here"),
    };
    words.map(number).collect()
}

/// Holds a result in `out` against what it should be: single precision, of numbers that are exact in double precision.
fn check(folder: &Folder, name: &str, shape: &[u64], expected: &[f64]) {
    let result = folder.result(&format!("out/{name}.npy"));
    assert_eq!(result.shape.axes(), shape, "{name}");
    let got = numbers(&result);
    assert_eq!(got.len(), expected.len(), "{name}");
    for (i, (got, want)) in got.iter().zip(expected).enumerate() {
        let close = (got - want).abs() <= 2e-5 * want.abs() + 1e-9 || (got.is_nan() && want.is_nan());
        assert!(close, "{name}: element {i} is {got}, expected {want}");
    }
}

/// Holds all results of [`ALL`] against plain loops.
fn check_all(folder: &Folder, scan: &Scan, nav: &[u64]) {
    // Frames outside the ROI are NaN; those missing in the file keep the fill value 0.
    check(folder, "sum/intensity", &SCAN[2..], &scan.sum());
    check(folder, "stddev/mean", &SCAN[2..], &scan.mean());
    check(folder, "stddev/var", &SCAN[2..], &scan.var());
    check(folder, "extrema/min", &SCAN[2..], &scan.min());
    check(folder, "extrema/max", &SCAN[2..], &scan.max());
    check(folder, "logsum/logsum", &SCAN[2..], &scan.logsum());
    let otherwise = if scan.is_roi { f64::NAN } else { 0.0 };
    check(folder, "sumsig/intensity", nav, &scan.sumsig(otherwise));
    check(folder, "masks/intensity", &[nav, &[2]].concat(), &scan.masks(&mask_values(), otherwise));
}

#[test]
fn results_are_those_of_plain_loops() {
    let folder = folder();
    run(&folder, &[&ALL[..], &["-o", "out"]].concat());
    let scan = Scan::new(&counts(&SCAN));
    check_all(&folder, &scan, &SCAN[..2]);
    check(&folder, "com/raw_com", &[4, 5, 2], &scan.centre_of_mass());
}

#[test]
fn a_roi_leaves_frames_out() {
    let folder = folder();
    run(&folder, &[&ALL[..], &["--plugin", "pick", "--roi", "roi.npy", "-o", "out"]].concat());
    let scan = Scan::new(&counts(&SCAN)).only(&every_third());
    check_all(&folder, &scan, &SCAN[..2]);
    check(&folder, "com/raw_com", &[4, 5, 2], &scan.centre_of_mass());
    check(&folder, "pick/intensity", &[7, 6, 7], &scan.pick());
}

#[test]
fn a_roi_of_no_frame_is_a_run_of_nothing() {
    let folder = folder();
    folder.array("none.npy", Dtype::Bool, &SCAN[..2], vec![0; 20]);
    run(&folder, &["--plugin", "sum", "--plugin", "sumsig", "--roi", "none.npy", "-o", "out"]);
    check(&folder, "sum/intensity", &SCAN[2..], &[0.0; 42]);
    check(&folder, "sumsig/intensity", &SCAN[..2], &[f64::NAN; 20]);
}

#[test]
fn the_scan_may_be_shifted_cut_and_extended() {
    for (sync_offset, nav) in
        [(3, [4, 5]), (-3, [4, 5]), (0, [3, 5]), (0, [5, 5]), (-6, [2, 7]), (19, [4, 5]), (-19, [4, 5])]
    {
        let folder = folder();
        let (offset, nav_shape) = (sync_offset.to_string(), format!("{},{}", nav[0], nav[1]));
        let shape = ["--sync-offset", &offset, "--nav-shape", &nav_shape, "-o", "out"];
        // The centre of mass of a frame that is not there is a matter of its own.
        run(&folder, &[&ALL[..14], &shape[..]].concat());
        let n_frames = usize::try_from(nav[0] * nav[1]).unwrap();
        check_all(&folder, &Scan::new(&counts(&SCAN)).shifted(sync_offset, n_frames), &nav);
    }
}

#[test]
fn results_are_the_same_bits_however_the_work_is_cut() {
    let folder = folder();
    let results = |options: &[&str]| {
        run(&folder, &[&ALL[..], &["--partitions", "4", "-o", "out"], options].concat());
        bits(&folder)
    };
    let one = results(&["--workers", "1"]);
    assert!(one.len() > 15, "{:?}", one.keys());
    for workers in ["2", "3", "7"] {
        assert!(results(&["--workers", workers]) == one, "{workers} workers");
    }
    // Another plan adds floats in another order; what is exact stays the same.
    let exact = |results: &BTreeMap<String, Vec<u8>>| -> Vec<Vec<u8>> {
        let exact = ["out/sum/intensity.npy", "out/sumsig/intensity.npy", "out/extrema/min.npy", "out/extrema/max.npy"];
        exact.iter().map(|name| results[*name].clone()).collect()
    };
    for options in [
        ["--partitions=1", "--tile-bytes=1"],
        ["--partitions=20", "--tile-bytes=100"],
        ["--partitions=3", "--tile-bytes=1000000"],
    ] {
        run(&folder, &[&ALL[..], &options, &["-o", "out"]].concat());
        assert!(exact(&bits(&folder)) == exact(&one), "{options:?}");
    }
}

/// All results in `out`, by file.
fn bits(folder: &Folder) -> BTreeMap<String, Vec<u8>> {
    let mut results = BTreeMap::new();
    for name in files(&folder.path("out")) {
        let path = folder.path("out").join(&name);
        if path.extension().is_some_and(|ext| ext == "npy") {
            results.insert(format!("out/{name}"), fs::read(path).unwrap());
        }
    }
    results
}

#[test]
fn a_component_and_its_core_module_give_the_same() {
    let folder = folder();
    let module = fs::read(wasm("plugin_stddev")).unwrap();
    let component = wit_component::ComponentEncoder::default().module(&module).unwrap().encode().unwrap();
    folder.write("component.wasm", component);
    let ended = run(&folder, &["--plugin", "c=./component.wasm", "--plugin", "m=plugin_stddev", "-o", "out"]);
    assert!(ended.stderr.is_empty(), "{ended:?}");
    let of = |label: &str| -> Vec<Vec<u8>> {
        ["var", "mean", "std", "sum"]
            .iter()
            .map(|name| folder.result(&format!("out/{label}/{name}.npy")).data)
            .collect()
    };
    assert_eq!(of("c"), of("m"));
    let encoding = |plugin: &str| folder.lthost(&["inspect", plugin, "--json"]).json()["plugin"]["encoding"].clone();
    assert_eq!((encoding("./component.wasm"), encoding("plugin_stddev")), (json!("component"), json!("core module")));
}

#[test]
fn parameters_belong_to_the_plugin_before_them() {
    let folder = folder();
    let first = ["--plugin", "a=sum", "-p", "dtype=f64", "--plugin", "b=sum", "--plugin", "c=sum"];
    run(&folder, &[&first[..], &["-p", "dtype=\"complex128\"", "-o", "out"]].concat());
    let dtype = |label: &str| folder.result(&format!("out/{label}/intensity.npy")).dtype;
    assert_eq!((dtype("a"), dtype("b"), dtype("c")), (Dtype::F64, Dtype::F32, Dtype::C128));
}

#[test]
fn values_are_json_words_or_files() {
    let folder = folder();
    let lists: Vec<Json> = mask_values().chunks(42).map(|mask| json!(mask.chunks(7).collect::<Vec<_>>())).collect();
    let factors = format!("factors={}", json!(lists));
    let words = ["--plugin", "words=com", "-p", "cy=2", "-p", "cx=3.5", "-p", "r=inf", "-p", "flip_y=False"];
    let json = ["--plugin", "json=com", "-p", "cy=2.0", "-p", "cx=3.5e0", "-p", "r=\"inf\"", "-p", "flip_y=false"];
    let nulls = ["--plugin", "nulls=com", "-p", "cy=2", "-p", "cx=3.5", "-p", "r=null"];
    let masks = ["--plugin", "file=masks", "-p", "factors=@masks.npy", "--plugin", "lists=masks", "-p", &factors];
    run(&folder, &[&words[..], &json, &nulls, &masks, &["-o", "out"]].concat());
    let same = |a: &str, b: &str, name: &str| {
        let (a, b) = (folder.result(&format!("out/{a}/{name}.npy")), folder.result(&format!("out/{b}/{name}.npy")));
        assert_eq!(a, b);
    };
    same("words", "json", "field");
    same("words", "nulls", "field");
    same("file", "lists", "intensity");
}

#[test]
fn a_plugin_is_found_by_path_or_by_name_in_a_plugin_folder() {
    let folder = folder();
    fs::create_dir(folder.path("more")).unwrap();
    fs::copy(wasm("hostile_raw"), folder.path("more/mine.wasm")).unwrap();
    let env = "LTHOST_PLUGINS=/nonexistent:$PWD/more XDG_DATA_HOME=/nonexistent";
    folder.shell(&format!("{env} $lthost run --quiet --dataset scan.npy --plugin mine -o out")).succeeds();
    assert!(folder.path("out/raw/count.npy").is_file(), "the label is the plugin's own name");
    let listed = folder.shell(&format!("{env} $lthost plugins --json")).json();
    let mine = listed.as_array().unwrap().iter().find(|plugin| plugin["name"] == "mine").unwrap();
    assert!(mine["plugin"].as_str().unwrap().ends_with("more/mine.wasm"), "{mine}");
    run(&folder, &["--plugin", "x=more/mine.wasm", "-o", "out"]);
    assert!(folder.path("out/x/count.npy").is_file());
}

#[test]
fn a_label_may_have_dots_and_a_file_may_have_an_equals_sign() {
    let folder = folder();
    fs::copy(wasm("hostile_raw"), folder.path("raw=2.wasm")).unwrap();
    fs::copy(wasm("hostile_raw"), folder.path("a.b=c.wasm")).unwrap();
    run(&folder, &["--plugin", "v1.0=sum", "--plugin", "x=raw=2.wasm", "-o", "out"]);
    assert!(folder.path("out/v1.0/intensity.npy").is_file() && folder.path("out/x/count.npy").is_file());
    for file in ["raw=2.wasm", "./raw=2.wasm", "a.b=c.wasm"] {
        run(&folder, &["--plugin", file, "-o", "out"]);
        assert!(folder.path("out/raw/count.npy").is_file(), "{file}");
        fs::remove_dir_all(folder.path("out")).unwrap();
    }
}

#[test]
fn json_has_what_a_script_needs() {
    let folder = folder();
    let printed = run(&folder, &["--plugin", "sum", "--plugin", "sumsig", "--json", "-o", "out"]).json();
    assert_eq!(printed["output"], "out");
    let labels: Vec<&Json> = printed["udfs"].as_array().unwrap().iter().map(|udf| &udf["label"]).collect();
    assert_eq!(labels, ["sum", "sumsig"]);
    let scan = Scan::new(&counts(&SCAN));
    let total: f64 = scan.sum().iter().sum();
    let (sum, sumsig) = (&printed["udfs"][0]["results"][0], &printed["udfs"][1]["results"][0]);
    assert_eq!(sum["shape"], json!([6, 7]));
    assert_eq!(sumsig["shape"], json!([4, 5]));
    assert_eq!((&sum["name"], &sum["kind"], &sum["dtype"]), (&json!("intensity"), &json!("sig"), &json!("f32")));
    assert_eq!((&sum["sum"], &sumsig["sum"]), (&json!(total), &json!(total)));
    assert_eq!(sum["max"], json!(scan.sum().into_iter().fold(0.0, f64::max)));
    assert_eq!(sum["n_nan"], 0);
    assert!(folder.path(sum["file"].as_str().unwrap()).is_file(), "{sum}");
    assert_eq!(printed["stats"]["n_frames"], 20);
    let without = run(&folder, &["--plugin", "sum", "--json"]).json();
    assert_eq!((&without["output"], &without["udfs"][0]["results"][0]["file"]), (&Json::Null, &Json::Null));
}

#[test]
fn without_a_folder_a_summary_is_printed_and_nothing_written() {
    let folder = folder();
    let before = files(&folder.path("."));
    let ended = run(&folder, &["--plugin", "bf=sum"]);
    let lines: Vec<&str> = ended.stdout.lines().collect();
    assert_eq!(lines[0], "bf (sum 0.1.0)");
    assert!(lines[1].starts_with("  intensity    f32 (6, 7) ") && lines[1].ends_with(" counts"), "{ended:?}");
    assert!(lines[2].starts_with("20 frames, "), "{ended:?}");
    assert_eq!(files(&folder.path(".")), before);
}

#[test]
fn run_json_has_what_it_takes_to_repeat_the_run() {
    let folder = folder();
    let args = ["--plugin", "v=masks", "-p", "factors=@masks.npy", "--plugin", "sum", "-p", "dtype=f64"];
    let options = ["--roi", "roi.npy", "--sync-offset", "2", "--partitions", "3", "--workers", "2", "-o", "out"];
    run(&folder, &[&args[..], &options].concat());
    let record = folder.json("out/run.json");
    let words: Vec<&str> = record["command"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
    assert_eq!(&words[1..], [&["run", "--quiet", "--dataset", "scan.npy"][..], &args, &options].concat());
    assert_eq!(record["folder"].as_str().unwrap(), folder.path(".").canonicalize().unwrap().to_str().unwrap());
    assert_eq!(record["lthost"], env!("CARGO_PKG_VERSION"));
    assert_eq!(record["contract"], "lthost:udf@0.1.0");
    let dataset = &record["dataset"];
    assert_eq!((&dataset["path"], &dataset["format"]), (&json!("scan.npy"), &json!("npy")));
    assert_eq!((&dataset["nav_shape"], &dataset["sig_shape"]), (&json!([4, 5]), &json!([6, 7])));
    assert_eq!((&dataset["sync_offset"], &dataset["frames_present"]), (&json!(2), &json!([0, 18])));
    assert_eq!(dataset["files"][0]["bytes"], fs::metadata(folder.path("scan.npy")).unwrap().len());
    assert!(dataset["files"][0]["modified_unix_s"].as_i64().unwrap() > 1_600_000_000, "{dataset}");
    assert_eq!(record["arrays"]["roi"]["array"]["dtype"], "bool");
    let (masks, sum) = (&record["udfs"][0], &record["udfs"][1]);
    assert_eq!((&masks["label"], &masks["name"], &masks["version"]), (&json!("v"), &json!("masks"), &json!("0.1.0")));
    assert_eq!(masks["sha256"], sha256(&fs::read(wasm("plugin_masks")).unwrap()));
    let factors = json!({
        "dtype": "f64",
        "shape": [2, 6, 7],
        "sha256": sha256(&mask_values().iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>()),
    });
    assert_eq!(masks["parameters"]["factors"], factors);
    assert_eq!(sum["parameters"], json!({ "dtype": "f64" }));
    assert_eq!((&record["running"]["workers"], &record["running"]["partitions"]), (&json!(2), &json!(3)));
    assert!(record["stats"]["seconds"].as_f64().unwrap() > 0.0, "{record}");
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().flat_map(|byte| [byte >> 4, byte & 15]).map(hex).collect()
}

fn hex(digit: u8) -> char {
    char::from_digit(digit.into(), 16).unwrap()
}

#[test]
fn an_earlier_result_is_replaced_and_other_files_are_left_alone() {
    let folder = folder();
    let run_with = |dtype: &str| run(&folder, &["--plugin", "sum", "-p", dtype, "-o", "new/out"]);
    run_with("dtype=f32");
    folder.write("new/out/sum/notes.txt", "mine");
    run_with("dtype=f64");
    assert_eq!(folder.result("new/out/sum/intensity.npy").dtype, Dtype::F64);
    assert_eq!(folder.json("new/out/run.json")["udfs"][0]["parameters"]["dtype"], "f64");
    assert_eq!(files(&folder.path("new/out")), ["damage.npy", "run.json", "sum", "sum/intensity.npy", "sum/notes.txt"]);
}

#[test]
fn pictures_stand_beside_the_results() {
    let folder = folder();
    run(&folder, &["--plugin", "sum", "--plugin", "sumsig", "-o", "out", "--png"]);
    for name in ["out/sum/intensity.png", "out/sumsig/intensity.png"] {
        assert!(fs::read(folder.path(name)).unwrap().starts_with(b"\x89PNG\r\n\x1a\n"), "{name}");
    }
    // They are not those of newer results.
    run(&folder, &["--plugin", "sum", "-o", "out"]);
    assert!(!folder.path("out/sum/intensity.png").exists() && folder.path("out/sumsig/intensity.png").exists());
}

#[test]
fn info_tells_shape_dtype_format_and_partitions() {
    let folder = folder();
    let info = folder.lthost(&["info", "--dataset", "scan.npy", "--nav-shape", "3,5", "--sync-offset", "-2", "--json"]);
    let info = info.succeeds().json();
    assert_eq!((&info["format"], &info["dtype"]), (&json!("npy"), &json!("u16")));
    assert_eq!((&info["nav_shape"], &info["sig_shape"]), (&json!([3, 5]), &json!([6, 7])));
    assert_eq!((&info["n_frames"], &info["n_file_frames"]), (&json!(15), &json!(20)));
    assert_eq!((&info["frames_present"], &info["sync_offset"]), (&json!([2, 15]), &json!(-2)));
    assert_eq!(info["partitions"], json!([[0, 15]]));
    let text = folder.lthost(&["info", "--dataset", "scan.npy"]);
    assert!(text.succeeds().stdout.contains("sig shape    (6, 7)\n"), "{text:?}");
}

#[test]
fn raw_numbers_are_read_with_options_alone() {
    let folder = folder();
    let mut bytes = b"head".to_vec();
    counts(&SCAN).data.chunks_exact(2).for_each(|pixel| bytes.extend([pixel[1], pixel[0]]));
    folder.write("scan.raw", bytes);
    let shape = ["--nav-shape", "4,5", "--sig-shape", "6,7", "--offset", "4"];
    for dtype in [&["--dtype", ">u2"][..], &["--dtype", "uint16", "--byte-order", "big"]] {
        let args =
            [&["run", "--quiet", "--dataset", "scan.raw", "--plugin", "sum", "-o", "out"], dtype, &shape].concat();
        folder.lthost(&args).succeeds();
        check(&folder, "sum/intensity", &SCAN[2..], &Scan::new(&counts(&SCAN)).sum());
    }
}

#[test]
fn inspect_tells_what_a_plugin_takes_and_imports() {
    let folder = folder();
    let com = folder.lthost(&["inspect", "com", "--json"]);
    let com = com.succeeds().json();
    assert_eq!(
        (&com["name"], &com["version"], &com["capabilities"]),
        (&json!("com"), &json!("0.1.0"), &json!(["results"]))
    );
    assert_eq!(com["plugin"]["contract"], "lthost:udf@0.1.0");
    assert_eq!(com["plugin"]["sha256"], sha256(&fs::read(wasm("plugin_com")).unwrap()));
    let cy = com["parameters"].as_array().unwrap().iter().find(|parameter| parameter["name"] == "cy").unwrap();
    assert_eq!((&cy["types"], &cy["required"], &cy["unit"]), (&json!(["a number"]), &json!(false), &json!("px")));
    for import in com["plugin"]["imports"].as_array().unwrap() {
        assert!(import.as_str().unwrap().starts_with("lthost:udf/"), "{import}");
    }
    let masks = folder.lthost(&["inspect", "masks"]);
    let text = &masks.succeeds().stdout;
    assert!(text.contains("  factors: an array of shape (n, ...sig)\n"), "{text}");
    let fem = folder.lthost(&["inspect", "fem"]);
    let text = &fem.succeeds().stdout;
    assert!(text.contains("  center: an array of real numbers of shape (2,) [px], required\n"), "{text}");
}

#[test]
fn inspect_tells_what_a_plugin_gives() {
    let folder = folder();
    let com = folder.lthost(&["inspect", "com"]);
    let text = &com.succeeds().stdout;
    assert!(text.contains("gives, for (64, 64) frames of (128, 128) u16, seen as tiles of u16\n"), "{text}");
    assert!(text.contains("  raw_com: f32 (...nav, 2) [px]\n      centre of mass, (y, x)\n"), "{text}");
    assert!(text.contains("  raw_mask_result: f32 (...nav, 3), kept to itself\n"), "{text}");

    // What is required can't be guessed: what it gives is then not known, which is no failure unless it is asked for.
    let fem = ["inspect", "fem"];
    let text = folder.lthost(&fem).succeeds().stdout.clone();
    assert!(text.contains("gives         not known for (64, 64) frames"), "{text}");
    assert!(
        text.ends_with("`center`: it is required: give an array of real numbers of shape (2,) with -p center=VALUE\n")
    );
    let some = [&fem[..], &["-p", "center=[1,2]", "-p", "rad_in=1"]].concat();
    folder.lthost(&some).fails(2, &["parameter `rad_out`: it is required"]);
    let all = [&some[..], &["-p", "rad_out=5", "--sig-shape", "8,9", "--dtype", "f64", "--json"]].concat();
    let fem = folder.lthost(&all).succeeds().json();
    assert_eq!(fem["assumed"], json!({ "nav_shape": [64, 64], "sig_shape": [8, 9], "dtype": "f64" }));
    let doc = "standard deviation of the pixels of the ring";
    let intensity = json!({
        "name": "intensity", "kind": "nav", "dtype": "f32", "extra_shape": [], "usage": "result", "merge": "assign",
        "unit": "counts", "doc": doc,
    });
    assert_eq!(fem["gives"], json!({ "tiles": "frame", "input_dtype": "f64", "buffers": [intensity] }));
}

#[test]
fn every_plugin_of_the_repository_travels_inside_the_program() {
    let folder = folder();
    let listed = folder.lthost(&["plugins", "--json"]);
    let listed = listed.succeeds().json();
    let names: Vec<&str> = listed.as_array().unwrap().iter().map(|plugin| plugin["name"].as_str().unwrap()).collect();
    let mut expected: Vec<String> = fs::read_dir(root().join("plugins"))
        .unwrap()
        .map(|entry| entry.unwrap())
        // That in C is a file, and stays outside.
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    expected.sort();
    assert_eq!(names, expected);
    let text = folder.lthost(&["plugins"]);
    for (plugin, line) in listed.as_array().unwrap().iter().zip(text.succeeds().stdout.lines()) {
        assert!(line.starts_with(plugin["name"].as_str().unwrap()), "{line}");
        assert!(line.ends_with(&format!("{} (shipped with lthost)", plugin["summary"].as_str().unwrap())), "{line}");
    }
}

#[test]
fn help_and_version_are_no_failures() {
    let folder = folder();
    for args in [&["--help"][..], &["run", "--help"], &["info", "--help"], &["inspect", "--help"], &["--version"]] {
        let ended = folder.lthost(args);
        assert!(!ended.succeeds().stdout.is_empty() && ended.stderr.is_empty(), "{ended:?}");
    }
    assert_eq!(folder.lthost(&["--version"]).stdout, format!("lthost {}\n", env!("CARGO_PKG_VERSION")));
}
