//! `--profile`: what it counts adds up, what it writes can be read, and results stay what they are.

use std::{fs, path::Path};

use lthost::run::Phase;
use lthost_tests::{counts, save};
use serde_json::Value as Json;

use crate::program::{Ended, Folder, SCAN, files};

/// Two UDFs under labels of their own, one with a merge function; 5 partitions of 4 frames, each of which is a tile: 42 pixels
/// of two bytes, as both UDFs want them.
const RUN: [&str; 14] = [
    "run",
    "--quiet",
    "--dataset",
    "scan.npy",
    "--partitions",
    "5",
    "--tile-bytes",
    "84",
    "--workers",
    "2",
    "--plugin",
    "first=sum",
    "--plugin",
    "other=stddev",
];

fn run(folder: &Folder, options: &[&str]) -> Ended {
    let ended = folder.lthost(&[&RUN[..], options].concat());
    ended.succeeds();
    ended
}

/// Numbers of all entries of a phase, of UDF `udf`.
fn sum(profile: &Json, udf: u64, phase: &str, what: &str) -> f64 {
    let entries = profile["entries"].as_array().unwrap().iter();
    let chosen = entries.filter(|entry| entry["udf"] == udf && entry["phase"] == phase);
    chosen.map(|entry| entry[what].as_f64().unwrap()).sum()
}

/// Two numbers of calls or bytes.
fn assert_same(a: f64, b: f64, what: &str) {
    assert!((a - b).abs() < 0.5, "{what}: {a}, not {b}");
}

#[test]
fn calls_and_bytes_add_up() {
    let folder = Folder::new();
    run(&folder, &["--profile", "-o", "out"]);
    let profile = folder.json("out/profile.json");
    assert_eq!(profile["udfs"], serde_json::json!(["first", "other"]));
    for udf in [0, 1] {
        for phase in ["read", "hand-over", "process"] {
            assert_same(sum(&profile, udf, phase, "n_calls"), 20.0, phase);
        }
        for phase in ["begin", "end", "merge"] {
            assert_same(sum(&profile, udf, phase, "n_calls"), 5.0, phase);
        }
        assert_same(sum(&profile, udf, "results", "n_calls"), 1.0, "results");
        let n_created = sum(&profile, udf, "create", "n_calls");
        assert!((2.0..=3.0).contains(&n_created), "the merging instance, and one for each worker: {n_created}");
        // The scan has 20 frames of 42 pixels of two bytes.
        for phase in ["read", "process"] {
            assert_same(sum(&profile, udf, phase, "n_file_bytes"), 20.0 * 42.0 * 2.0, phase);
            assert_same(sum(&profile, udf, phase, "n_bytes"), 20.0 * 42.0 * 2.0, phase);
        }
    }
}

#[test]
fn larger_tiles_are_fewer_calls() {
    let folder = Folder::new();
    let cut = ["--partitions", "2", "--tile-bytes", "1M", "--plugin", "sum", "--plugin", "stddev"];
    folder.lthost(&[&["run", "--dataset", "scan.npy", "--profile", "-o", "out"], &cut[..]].concat()).succeeds();
    let profile = folder.json("out/profile.json");
    for (udf, phase) in [(0, "process"), (1, "process"), (0, "begin"), (1, "end")] {
        assert_same(sum(&profile, udf, phase, "n_calls"), 2.0, phase);
    }
}

#[test]
fn of_a_roi_only_its_frames_count() {
    let folder = Folder::new();
    let plugins = ["--plugin", "stddev", "--plugin", "pick", "--roi", "roi.npy"];
    folder.array("roi.npy", lthost::shape::Dtype::Bool, &SCAN[..2], (0..20).map(|i| u8::from(i % 3 == 1)).collect());
    let args =
        [&["run", "--quiet", "--dataset", "scan.npy", "--partitions", "3", "--profile", "-o", "out"], &plugins[..]];
    folder.lthost(&args.concat()).succeeds();
    let profile = folder.json("out/profile.json");
    for udf in [0, 1] {
        assert_same(sum(&profile, udf, "read", "n_file_bytes"), 7.0 * 42.0 * 2.0, "seven frames of the ROI");
    }
}

#[test]
fn times_are_within_the_run() {
    let folder = Folder::new();
    run(&folder, &["--profile", "-o", "out"]);
    let profile = folder.json("out/profile.json");
    let seconds = profile["seconds"].as_f64().unwrap();
    let workers = profile["workers"].as_array().unwrap();
    assert_eq!(workers.len(), 2);
    for (idx, worker) in workers.iter().enumerate() {
        let (busy, waiting) = (worker["busy_s"].as_f64().unwrap(), worker["waiting_s"].as_f64().unwrap());
        assert!(busy + waiting <= seconds + 1e-6, "{worker}");
        let entries = profile["entries"].as_array().unwrap().iter().filter(|entry| entry["worker"] == idx);
        let told: f64 = entries.map(|entry| entry["seconds"].as_f64().unwrap()).sum();
        assert!(told <= busy + 1e-6, "{told} s of {worker}");
    }
}

#[test]
fn the_trace_has_spans_that_do_not_overlap() {
    let folder = Folder::new();
    run(&folder, &["--profile", "-o", "out"]);
    let trace = folder.json("out/trace.json");
    let events = trace["traceEvents"].as_array().unwrap();
    let names: Vec<&Json> =
        events.iter().filter(|event| event["ph"] == "M").map(|event| &event["args"]["name"]).collect();
    assert_eq!(names, ["lthost run", "worker-0", "worker-1"]);
    let spans: Vec<&Json> = events.iter().filter(|event| event["ph"] == "X").collect();
    assert_eq!(spans.iter().filter(|span| span["name"] == "all: process").count(), 5);
    assert_eq!(spans.iter().filter(|span| span["name"] == "other: merge").count(), 5);
    for worker in [0, 1] {
        let mut end = 0.0;
        for span in spans.iter().filter(|span| span["tid"] == worker) {
            let (start, duration) = (span["ts"].as_f64().unwrap(), span["dur"].as_f64().unwrap());
            // Numbers of microseconds, as far as a double has them.
            assert!(start >= end - 1e-3, "{span} begins before {end}");
            end = start + duration;
        }
    }
    let partitions = |name: &str| {
        let mut found: Vec<u64> = spans
            .iter()
            .filter(|span| span["name"] == name)
            .map(|span| span["args"]["partition"].as_u64().unwrap())
            .collect();
        found.sort_unstable();
        found
    };
    for name in ["first: begin", "all: process", "first: end", "first: merge"] {
        assert_eq!(partitions(name), [0, 1, 2, 3, 4], "{name}");
    }
}

#[test]
fn the_table_names_every_udf_and_says_where_the_time_goes() {
    let ended = run(&Folder::new(), &["--profile"]);
    let table = &ended.stderr;
    for part in ["profile of ", "most time goes into ", "waiting", "worker-0", "worker-1", "GB/s"] {
        assert!(table.contains(part), "no {part:?} in {table}");
    }
    let seen = [Phase::Create, Phase::Begin, Phase::Read, Phase::HandOver, Phase::Process, Phase::End, Phase::Merge];
    for (label, phase) in ["first", "other"].iter().flat_map(|label| seen.map(|phase| (label, phase))) {
        let row = format!("  {label}: {} ", phase.name());
        assert!(table.contains(&row), "no {row:?} in {table}");
    }
    // Right-aligned: all rows of a column of shares end in the same place.
    let ends: Vec<_> = table.lines().filter(|line| line.starts_with("  first: ")).map(|line| line.find('%')).collect();
    assert!(ends.iter().all(|end| end.is_some() && *end == ends[0]), "{table}");
    assert!(!ended.stdout.contains("most time"), "the table is no part of the summary");
}

#[test]
fn results_are_the_same_bits_with_a_profile() {
    let folder = Folder::new();
    run(&folder, &["-o", "plain"]);
    run(&folder, &["--profile", "-o", "out"]);
    let results = |dir: &str| -> Vec<(String, Vec<u8>)> {
        let names = files(&folder.path(dir))
            .into_iter()
            .filter(|name| Path::new(name).extension().is_some_and(|ext| ext == "npy"));
        names.map(|name| (name.clone(), fs::read(folder.path(dir).join(name)).unwrap())).collect()
    };
    assert!(results("plain").len() > 5);
    assert!(results("plain") == results("out"));
    let extra = |dir: &str| ["profile.json", "trace.json"].map(|name| folder.path(dir).join(name).exists());
    assert_eq!((extra("plain"), extra("out")), ([false; 2], [true; 2]));
}

#[test]
fn results_on_the_way_have_no_profile_and_the_last_ones_do() {
    let folder = Folder::new();
    run(&folder, &["--profile", "--every", "1p", "-o", "out"]);
    let profile = folder.json("out/profile.json");
    assert_same(sum(&profile, 0, "merge", "n_calls"), 5.0, "merge");
    // Each partial result takes another call.
    assert!(sum(&profile, 0, "results", "n_calls") >= 1.0);
}

#[test]
fn functions_of_a_plugin_are_found_at_work() {
    let folder = Folder::new();
    save(&folder.path("large.npy"), &counts(&[32, 32, 128, 128]));
    // Some tenths of a second of work for one worker: many ticks of the clock.
    let plugin = ["--plugin", "crystallinity", "-p", "rad_in=4", "-p", "rad_out=40"];
    let args = ["run", "--quiet", "--workers", "1", "--dataset", "large.npy", "--profile", "-o", "out"];
    let ended = folder.lthost(&[&args[..], &plugin].concat());
    ended.succeeds();
    let profile = folder.json("out/profile.json");
    let lines = profile["lines"].as_array().unwrap();
    // What the host computes for a plugin takes the time of whoever asked for it: most of it, here.
    let function = lines[0]["function"].as_str().unwrap();
    let is_own = ["ring_sum", "Fourier", "fourier"].iter().any(|name| function.contains(name));
    assert!(is_own && lines[0]["plugin"] == "crystallinity", "{lines:?}");
    assert!(ended.stderr.contains("plugins were found at work"), "{ended:?}");
}

#[test]
fn a_failed_run_leaves_no_profile() {
    let folder = Folder::new();
    let failing = ["run", "--plugin", "hostile_guest", "-p", "attack=panic", "--dataset", "scan.npy"];
    let ended = folder.lthost(&[&failing[..], &["--quiet", "--profile", "-o", "out"]].concat());
    ended.fails(1, &["panic"]);
    folder.assert_untouched();
}

#[test]
fn perf_is_told_where_functions_are() {
    let folder = Folder::new();
    let child = folder.start(&[&RUN[..], &["--profile=perf"]].concat());
    let map = format!("/tmp/perf-{}.map", child.id());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = fs::read_to_string(&map).unwrap();
    fs::remove_file(&map).unwrap();
    let is_line = |line: &str| line.starts_with("0x") && line.splitn(3, ' ').count() == 3;
    assert!(text.lines().all(is_line), "{map}");
    assert!(text.contains("plugin_sum"), "{map} knows no function of the plugin");
}

#[test]
fn a_profile_is_asked_for_in_words_that_exist() {
    Folder::new().lthost(&[&RUN[..], &["--profile=nonsense"]].concat()).fails(2, &["--profile", "table", "perf"]);
}
