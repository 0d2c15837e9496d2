//! A test for each heading of the peer's table of contents that is about writing a UDF, with its name. Each runs plugins
//! through the built program. `guests/probe` tells what a UDF is told.

use std::fs;

use lthost::shape::{Array, Dtype};
use lthost_tests::{counts, root, save};

use crate::{
    program::{Ended, Folder, SCAN},
    reference::Scan,
};

/// Runs the plugins over the scan, results in `out`.
fn run(folder: &Folder, args: &[&str]) -> Ended {
    let ended = folder.lthost(&[&["run", "--quiet", "--dataset", "scan.npy", "-o", "out"], args].concat());
    ended.succeeds();
    ended
}

/// Runs `probe` with four partitions of five frames.
fn probe(folder: &Folder, args: &[&str]) -> Ended {
    run(folder, &[&["--partitions", "4", "--plugin", "probe=guest_probe"], args].concat())
}

/// A result of `probe`, as numbers.
fn seen(folder: &Folder, name: &str) -> Vec<f64> {
    numbers(&folder.result(&format!("out/probe/{name}.npy")))
}

pub(crate) fn numbers(array: &Array) -> Vec<f64> {
    let words = array.data.chunks_exact(array.dtype.size());
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    let number = |word: &[u8]| match array.dtype {
        Dtype::Bool | Dtype::U8 => f64::from(word[0]),
        Dtype::U16 => f64::from(u16::from_le_bytes(word.try_into().unwrap())),
        Dtype::U32 => f64::from(u32::from_le_bytes(word.try_into().unwrap())),
        Dtype::I64 => i64::from_le_bytes(word.try_into().unwrap()) as f64,
        Dtype::F32 => f64::from(f32::from_le_bytes(word.try_into().unwrap())),
        Dtype::F64 => f64::from_le_bytes(word.try_into().unwrap()),
        other => panic!("{other} is not compared here"),
    };
    words.map(number).collect()
}

/// Headings that are about words, or about nothing that could be run.
const WITHOUT_TEST: [&str; 2] = ["The data, and their words", "What else there is"];

/// A scan of frames that are large enough to be split.
const TALL: [u64; 4] = [4, 5, 60, 7];

/// A folder with such a scan.
fn tall() -> Folder {
    let folder = Folder::new();
    save(&folder.path("scan.npy"), &counts(&TALL));
    folder
}

fn scan() -> Scan {
    Scan::new(&counts(&SCAN))
}

#[test]
fn every_heading_has_its_test() {
    let page = fs::read_to_string(root().join("wit/README.md")).unwrap();
    let here = include_str!("headings.rs");
    let headings: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    for heading in headings.iter().filter(|heading| !WITHOUT_TEST.contains(heading)) {
        let name: String =
            heading.chars().map(|c| if c.is_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect();
        assert!(here.contains(&format!("fn {name}() {{")), "no test `{name}` for the heading `{heading}`");
    }
    assert!(headings.len() > 20, "{headings:?}");
}

#[test]
fn implementing_a_udf() {
    let folder = Folder::new();
    run(&folder, &["--plugin", "sum"]);
    assert_eq!(numbers(&folder.result("out/sum/intensity.npy")), scan().sum());
    // What it declares is what the user finds.
    let results = &folder.json("out/run.json")["udfs"][0]["results"];
    assert_eq!(results[0]["kind"], "sig");
    assert_eq!(results[0]["unit"], "counts");
}

#[test]
fn tiled_processing() {
    let folder = tall();
    // Blocks of detector rows, several frames deep: f32 pixels, 7 to a row, 8 frames.
    probe(&folder, &["-p", "by=tile", "--tile-bytes", "448"]);
    assert_eq!(seen(&folder, "n_blocks"), [30.0; 20]);
    assert_eq!(seen(&folder, "stated_blocks"), [30.0; 20]);
    assert_eq!(seen(&folder, "rows"), [2.0; 20]);
    assert_eq!(seen(&folder, "depth"), [5.0; 20]);
    // What the UDF asks for: depth, size, and where frames are split.
    probe(&folder, &["-p", "depth=2", "-p", "total_size=448"]);
    assert_eq!(seen(&folder, "depth")[..5], [2.0, 2.0, 2.0, 2.0, 1.0]);
    probe(&folder, &["-p", "split_rows=3", "--tile-bytes", "448"]);
    assert_eq!(seen(&folder, "rows"), [3.0; 20]);
    // Several UDFs agree: the smaller depth and size, common multiples of rows; dtypes stay apart.
    let args = ["-p", "split_rows=2", "-p", "depth=3", "--plugin", "other=guest_probe", "-p", "split_rows=3"];
    probe(&folder, &[&args[..], &["-p", "input=float64", "--tile-bytes", "700"]].concat());
    assert_eq!(seen(&folder, "rows"), [6.0; 20]);
    assert_eq!(seen(&folder, "depth")[..5], [3.0, 3.0, 3.0, 2.0, 2.0]);
    assert_eq!(numbers(&folder.result("out/other/depth.npy")), seen(&folder, "depth"));
    assert_eq!(folder.result("out/probe/sum.npy").dtype, Dtype::F32);
    assert_eq!(folder.result("out/other/sum.npy").dtype, Dtype::F64);
    // However it is cut, the sums are the same.
    assert_eq!(seen(&folder, "sum"), Scan::new(&counts(&TALL)).sumsig(0.0));
}

#[test]
fn frame_processing() {
    let folder = tall();
    probe(&folder, &["-p", "by=frame", "--tile-bytes", "4096"]);
    // Whole frames, two to a tile: the loop over them is the plugin's.
    assert_eq!(seen(&folder, "rows"), [60.0; 20]);
    assert_eq!(seen(&folder, "depth")[..5], [2.0, 2.0, 2.0, 2.0, 1.0]);
    assert_eq!(seen(&folder, "sum"), Scan::new(&counts(&TALL)).sumsig(0.0));
}

#[test]
fn partition_processing() {
    let folder = Folder::new();
    probe(&folder, &["-p", "by=partition", "--tile-bytes", "1"]);
    assert_eq!(seen(&folder, "depth"), [5.0; 20]);
    assert_eq!(seen(&folder, "n_blocks"), [1.0; 20]);
    assert_eq!(seen(&folder, "rows"), [6.0; 20]);
    assert_eq!(seen(&folder, "sum"), scan().sumsig(0.0));
}

#[test]
fn precedence() {
    let folder = tall();
    // Tile before frame before partition, unless the UDF chooses another one at run time.
    for (choice, expected) in
        [(None, 30.0), (Some("by=tile"), 30.0), (Some("by=frame"), 1.0), (Some("by=partition"), 1.0)]
    {
        let choice: Vec<&str> = choice.map_or_else(Vec::new, |choice| vec!["-p", choice]);
        probe(&folder, &[&choice[..], &["--tile-bytes", "448"]].concat());
        assert_eq!(seen(&folder, "n_blocks"), [expected; 20], "{choice:?}");
    }
    // A frame tile may hold many frames; one of a UDF that takes tiles beside it is as whole.
    probe(&folder, &["-p", "by=frame", "--tile-bytes", "448", "--plugin", "other=guest_probe"]);
    assert_eq!(numbers(&folder.result("out/other/n_blocks.npy")), [1.0; 20]);
    // What a UDF can process is known before it runs.
    let inspected = folder.lthost(&["inspect", "fem", "--json"]).json();
    assert_eq!(inspected["processes"], serde_json::json!(["frame", "partition"]));
}

#[test]
fn post_processing_of_partition_results() {
    let folder = Folder::new();
    probe(&folder, &["--tile-bytes", "448"]);
    // `end` divides what all tiles of the partition have added up: once, and after the last of them.
    let means: Vec<f64> = scan().sumsig(0.0).iter().map(|sum| sum / 42.0).collect();
    assert_eq!(seen(&folder, "mean"), means);
}

#[test]
fn post_processing_after_merging() {
    let folder = Folder::new();
    probe(&folder, &[]);
    // A result that exists only at the end, made of a buffer that the user does not see.
    assert_eq!(seen(&folder, "total"), [scan().sumsig(0.0).iter().sum::<f64>()]);
    assert!(!folder.path("out/probe/hidden.npy").exists());
    let results = folder.json("out/run.json")["udfs"][0]["results"].clone();
    let total = results.as_array().unwrap().iter().find(|result| result["name"] == "total").unwrap();
    assert_eq!((&total["unit"], &total["doc"]), (&"counts".into(), &"made after merging".into()));
}

#[test]
fn pre_processing() {
    let folder = Folder::new();
    probe(&folder, &[]);
    // The merged buffer starts with what `preprocess` put, that of each of four partitions with what `begin` wrote.
    assert_eq!(seen(&folder, "initial"), [41.0, 42.0, 43.0]);
    // Buffers that nobody touches start with their fill value.
    assert!(seen(&folder, "weighted").iter().all(|number| number.is_nan()));
}

#[test]
fn merging() {
    let folder = Folder::new();
    for workers in ["1", "3"] {
        probe(&folder, &["--workers", workers]);
        // In partition order, whoever is ready first: 0, 5, 10 and 15 frames were merged before.
        assert_eq!(seen(&folder, "merged_before")[..5], [0.0, 5.0, 10.0, 15.0, -1.0]);
    }
}

#[test]
fn valid_data_masking() {
    let folder = Folder::new();
    probe(&folder, &[]);
    let means = seen(&folder, "mean");
    let of_all = means.iter().sum::<f64>() / 20.0;
    let mask = folder.result("out/probe/even.mask.npy");
    assert_eq!((mask.dtype, mask.shape.axes()), (Dtype::Bool, &SCAN[..2]));
    assert!(mask.data.iter().zip(&means).all(|(&valid, &mean)| (valid == 1) == (mean > of_all)));
    // Frames that were never there: not processed, not counted, not in `damage`.
    probe(&folder, &["--sync-offset", "-3"]);
    assert_eq!(folder.result("out/damage.npy").data, [[0; 3].as_slice(), &[1; 17]].concat());
    assert_eq!(seen(&folder, "coordinates")[..6], [-1.0; 6]);
    assert_eq!(seen(&folder, "merged_before")[..4], [0.0, 2.0, 7.0, 12.0]);
    let mask = folder.result("out/probe/even.mask.npy");
    assert_eq!(mask.data[..3], [0; 3]);
}

#[test]
fn aux_data() {
    let folder = Folder::new();
    let weights: Vec<u8> = (0..40).flat_map(|i| f64::from(i).to_le_bytes()).collect();
    folder.array("weights.npy", Dtype::F64, &[4, 5, 2], weights);
    let args = ["-p", "weights=@weights.npy", "--tile-bytes", "448"];
    probe(&folder, &args);
    let expected: Vec<f64> = (0..20).map(|frame| f64::from(4 * frame + 1)).collect();
    assert_eq!(seen(&folder, "weighted"), expected);
    // Each frame has its own, whatever is left out or moved.
    folder.array("roi.npy", Dtype::Bool, &SCAN[..2], (0..20).map(|frame| u8::from(frame % 3 == 1)).collect());
    probe(&folder, &[&args[..], &["--roi", "roi.npy"]].concat());
    for (frame, weighted) in seen(&folder, "weighted").iter().enumerate() {
        assert_eq!(weighted.is_nan(), frame % 3 != 1);
        assert!(weighted.is_nan() || weighted.to_bits() == expected[frame].to_bits());
    }
    probe(&folder, &[&args[..], &["--sync-offset", "2"]].concat());
    assert_eq!(seen(&folder, "weighted")[..18], expected[..18]);
    assert!(seen(&folder, "weighted")[18..].iter().all(|weighted| weighted.is_nan()));
    // They may be flat, as a ROI may.
    fs::rename(folder.path("weights.npy"), folder.path("scan_shaped.npy")).unwrap();
    folder.array("weights.npy", Dtype::F64, &[20, 2], folder.result("scan_shaped.npy").data);
    probe(&folder, &args);
    assert_eq!(seen(&folder, "weighted"), expected);
    // Another shape is refused before anything runs.
    folder.array("short.npy", Dtype::F64, &[4, 2], vec![0; 64]);
    let args = ["run", "--dataset", "scan.npy", "--plugin", "guest_probe", "-p", "weights=@short.npy"];
    folder.lthost(&args).fails(2, &["plugin `probe`, parameter `weights`", "(4, 2)", "(4, 5, 2) or (20, 2)"]);
}

#[test]
fn task_data() {
    let folder = Folder::new();
    // Set up once per worker from parameters, kept over partitions.
    probe(&folder, &["-p", "task_size=101", "--workers", "2"]);
    assert_eq!(seen(&folder, "task"), [5050.0; 20]);
}

#[test]
fn meta_information() {
    let folder = Folder::new();
    folder.array("roi.npy", Dtype::Bool, &SCAN[..2], (0..20).map(|frame| u8::from(frame % 3 == 1)).collect());
    folder.array("dark.npy", Dtype::F32, &SCAN[2..], 1_f32.to_le_bytes().repeat(42));
    let excluded = (0..42).map(|pixel| u8::from(pixel == 8)).collect();
    folder.array("excluded.npy", Dtype::Bool, &SCAN[2..], excluded);
    let ended = probe(&folder, &["--roi", "roi.npy", "--dark", "dark.npy", "--excluded", "excluded.npy"]);
    for part in [
        "nav_shape: [4, 5]",
        "sig_shape: [6, 7]",
        "n_roi_frames: 7",
        "roi: Some([false, true, false, false, true",
        "dataset_dtype: U16",
        "dark: Some([1.0, 1.0",
        "gain: None",
        "excluded: [8]",
    ] {
        assert!(ended.stderr.contains(part), "no {part:?} in {}", ended.stderr);
    }
    // Where each frame is, in which partition, and in which tiles it came.
    let coordinates = seen(&folder, "coordinates");
    let partitions = seen(&folder, "partition");
    for frame in 0..20 {
        let at = [frame / 5, frame % 5].map(|at| f64::from(u8::try_from(at).unwrap()));
        let is_selected = frame % 3 == 1;
        assert_eq!(coordinates[2 * frame..][..2] == at, is_selected || frame == 0, "frame {frame}");
        assert!(!is_selected || partitions[frame..=frame] == at[..1]);
    }
}

#[test]
fn preferred_input_dtype() {
    let folder = Folder::new();
    // u16 data and at least f32 give f32, at least f64 f64; several UDFs of a pass do not change each other's.
    probe(&folder, &["--plugin", "wide=guest_probe", "-p", "input=float64", "--plugin", "pick"]);
    let udfs = folder.json("out/run.json")["udfs"].clone();
    let dtypes: Vec<&str> = udfs.as_array().unwrap().iter().map(|udf| udf["input_dtype"].as_str().unwrap()).collect();
    assert_eq!(dtypes, ["f32", "f64", "u16"]);
    assert_eq!(folder.result("out/pick/intensity.npy").dtype, Dtype::U16);
}

#[test]
fn sparse_arrays() {
    let folder = Folder::new();
    // A UDF that takes sparse tiles gets them of dense data, too, and beside others that do not.
    run(&folder, &["--plugin", "sparse=guest_csr_sum", "--plugin", "sumsig", "--plugin", "sum"]);
    assert_eq!(folder.result("out/sparse/frames.npy").data, folder.result("out/sumsig/intensity.npy").data);
    assert_eq!(folder.result("out/sparse/pixels.npy").data, folder.result("out/sum/intensity.npy").data);
}

#[test]
fn cupy_support() {
    // There is none: what stays outside of the sandbox stays in the host, whose kernels a UDF may ask for.
    let folder = Folder::new();
    folder.array("masks.npy", Dtype::F32, &[8, 6, 7], 1_f32.to_le_bytes().repeat(8 * 42));
    run(&folder, &["--plugin", "masks", "-p", "factors=@masks.npy", "--plugin", "sumsig"]);
    let products = folder.result("out/masks/intensity.npy").data;
    let sums: Vec<u8> =
        folder.result("out/sumsig/intensity.npy").data.chunks(4).flat_map(|sum| sum.repeat(8)).collect();
    assert_eq!(products, sums);
}

#[test]
fn auto_udf() {
    let folder = Folder::new();
    // A function of a frame is a whole UDF: shape and dtype of its result are found by running it on a frame of ones.
    run(&folder, &["--plugin", "rows=guest_auto", "-p", "f=sum_axis-1", "--plugin", "at=guest_auto", "-p", "f=argmax"]);
    let rows = folder.result("out/rows/result.npy");
    assert_eq!((rows.dtype, rows.shape.axes()), (Dtype::F32, &SCAN[..3]));
    let sums: Vec<f64> = numbers(&counts(&SCAN)).chunks_exact(7).map(|row| row.iter().sum()).collect();
    assert_eq!(numbers(&rows), sums);
    let at = folder.result("out/at/result.npy");
    assert_eq!((at.dtype, at.shape.axes()), (Dtype::I64, &SCAN[..2]));
}

#[test]
fn threading() {
    let folder = Folder::new();
    let mut results = Vec::new();
    for workers in ["1", "2", "3", "7"] {
        probe(&folder, &["--workers", workers, "--plugin", "stddev", "--plugin", "com"]);
        let names = ["probe/sum", "probe/even", "probe/merged_before", "stddev/var", "com/field"];
        results.push(names.map(|name| folder.result(&format!("out/{name}.npy")).data));
    }
    assert!(results.iter().all(|other| *other == results[0]), "results depend on the number of workers");
}

#[test]
fn one_step_merge() {
    let folder = Folder::new();
    let mut results = Vec::new();
    for workers in ["1", "3"] {
        run(&folder, &["--plugin", "guest_one_step", "--partitions", "5", "--workers", workers]);
        let order = numbers(&folder.result("out/one-step/order.npy"));
        assert_eq!(order[..6], [0.0, 1.0, 2.0, 3.0, 4.0, -1.0], "partials come in partition order");
        results.push(folder.result("out/one-step/median.npy"));
    }
    assert_eq!(results[0].data, results[1].data);
    // The median over the five partitions of four frames of each pixel's largest number.
    let pixels = numbers(&counts(&SCAN));
    let expected: Vec<f64> = (0..42)
        .map(|pixel| {
            let largest =
                |frames: std::ops::Range<usize>| frames.map(|frame| pixels[frame * 42 + pixel]).fold(0.0, f64::max);
            let mut numbers: Vec<f64> = (0..5).map(|partition| largest(4 * partition..4 * partition + 4)).collect();
            numbers.sort_by(f64::total_cmp);
            numbers[2]
        })
        .collect();
    assert_eq!(numbers(&results[0]), expected);
}

#[test]
fn dynamically_updating_udf_parameters() {
    let folder = Folder::new();
    let updates = ["--update", "1:probe.scale=2.5", "--update", "3:probe.scale=4"];
    for workers in ["1", "2", "3"] {
        probe(&folder, &[&["--workers", workers], &updates[..]].concat());
        let expected = [[1.0; 5], [2.5; 5], [2.5; 5], [4.0; 5]];
        assert_eq!(seen(&folder, "scaled"), expected.as_flattened());
        assert_eq!(seen(&folder, "updates"), [[0.0; 5], [1.0; 5], [1.0; 5], [2.0; 5]].as_flattened());
        let record = folder.json("out/run.json")["updates"].clone();
        assert_eq!(record[1], serde_json::json!({"from_partition": 3, "label": "probe", "parameters": {"scale": 4.0}}));
    }
    // A UDF that does not take new parameters is made anew.
    run(&folder, &["--partitions", "4", "--plugin", "fem", "-p", "center=[3,3]", "-p", "rad_in=0", "-p", "rad_out=2"]);
    let small = numbers(&folder.result("out/fem/intensity.npy"));
    let args = ["--plugin", "fem", "-p", "center=[3,3]", "-p", "rad_in=0", "-p", "rad_out=3"];
    run(&folder, &[&["--partitions", "4"], &args[..]].concat());
    let large = numbers(&folder.result("out/fem/intensity.npy"));
    run(&folder, &[&["--partitions", "4"], &args[..], &["--update", "2:fem.rad_out=2"]].concat());
    let both = numbers(&folder.result("out/fem/intensity.npy"));
    assert_eq!(both, [&large[..10], &small[10..]].concat());
    assert_ne!(large, small);
}

#[test]
fn updates_that_will_not_do_are_refused_before_the_run() {
    let folder = Folder::new();
    let refused = |update: &str, code: i32, error: &str| {
        let args = ["run", "--dataset", "scan.npy", "--partitions", "4", "--plugin", "guest_probe", "--update", update];
        folder.lthost(&args).fails(code, &[error]);
    };
    refused("1:probe.scale=-1", 2, "plugin `probe`, parameter `scale`: -1 is too small");
    refused("1:probe.scala=1", 2, "plugin `probe`, parameter `scala`: there is no such parameter");
    refused("1:prob.scale=1", 2, "there is no UDF with the label `prob` in this run: it has probe");
    refused("4:probe.scale=1", 2, "there is no partition 4: the scan has 4, numbered from 0");
    refused("1:probe.by=frame", 1, "asks for other tiles after `update` than before");
    let args = ["run", "--dataset", "scan.npy", "--plugin", "guest_probe", "--update", "scale=1"];
    folder.lthost(&args).fails(2, &["expected N:LABEL.KEY=VALUE"]);
}
