//! Runs that are watched from the command line: results while it goes on, progress for scripts, one frame alone.

use std::{
    fs,
    time::{Duration, Instant},
};

use lthost_tests::{counts, save};
use serde_json::Value as Json;

use crate::{
    program::{Ended, Folder, files, wait},
    reference::Scan,
};

/// Arguments of a run with 20 partitions of a frame each.
const RUN: [&str; 6] = ["run", "--dataset", "scan.npy", "--partitions", "20", "--quiet"];

fn run(folder: &Folder, args: &[&str]) -> Ended {
    folder.lthost(&[&RUN[..], args].concat())
}

#[test]
fn results_that_were_written_meanwhile_are_the_same_in_the_end() {
    let folder = Folder::new();
    let udfs = ["--plugin", "sum", "--plugin", "com", "--plugin", "guest_one_step", "--png"];
    run(&folder, &[&udfs[..], &["-o", "once"]].concat()).succeeds();
    for every in ["1p", "3p", "0", "0.001s"] {
        run(&folder, &[&udfs[..], &["-o", "out", "--every", every]].concat()).succeeds();
        let names = files(&folder.path("once"));
        assert_eq!(files(&folder.path("out")), names);
        for name in names.iter().filter(|name| name.contains('.') && *name != "run.json") {
            let bytes = |at: &str| fs::read(folder.path(&format!("{at}/{name}"))).unwrap();
            assert_eq!(bytes("out"), bytes("once"), "{name} with --every {every}");
        }
        assert_eq!(folder.json("out/run.json")["complete"], true);
    }
}

#[test]
fn a_run_that_fails_leaves_its_last_partial_results_and_says_so() {
    let folder = Folder::new();
    let args = ["--workers", "1", "--every", "1p", "-o", "out", "--plugin", "sum", "--plugin", "hostile_guest"];
    let ended = run(&folder, &[&args[..], &["-p", "attack=loop", "-p", "partition=15", "--timeout", "2"]].concat());
    ended.fails(3, &["error: partial results, of ", "frames, are in `out`: plugin `hostile`, `process` (partition 15"]);
    let record = folder.json("out/run.json");
    assert_eq!(record["complete"], false);
    let damage = folder.result("out/damage.npy").data;
    let n: usize = damage.iter().map(|&byte| usize::from(byte)).sum();
    assert!((1..=15).contains(&n), "{n} frames");
    let mut chosen = [true; 20];
    chosen[n..].fill(false);
    let sum: Vec<f64> = folder
        .result("out/sum/intensity.npy")
        .data
        .chunks_exact(4)
        .map(|bytes| f64::from(f32::from_le_bytes(bytes.try_into().unwrap())))
        .collect();
    assert_eq!(sum, Scan::new(&counts(&crate::program::SCAN)).only(&chosen).sum());
}

#[test]
fn results_appear_while_the_run_goes_on_and_an_interrupt_keeps_them() {
    let folder = Folder::new();
    // The last partition never ends.
    let args = ["--workers", "1", "--every", "1p", "-o", "out", "--plugin", "sum", "--plugin", "hostile_guest"];
    let attack = ["-p", "attack=loop", "-p", "partition=19", "--timeout", "600"];
    let child = folder.start(&[&RUN[..], &args[..], &attack[..]].concat());
    let start = Instant::now();
    while !folder.path("out/damage.npy").exists() {
        assert!(start.elapsed() < Duration::from_mins(1), "no results appeared");
        std::thread::sleep(Duration::from_millis(20));
    }
    let pid = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let ended = Ended::of(&wait(child, Duration::from_secs(20)), start);
    ended.fails(3, &["error: partial results, of ", ": interrupted\n"]);
    assert_eq!(folder.json("out/run.json")["complete"], false);
    assert!(!files(&folder.path("out")).iter().any(|name| name.starts_with(".lthost")));
}

#[test]
fn progress_is_told_as_json_per_run_and_per_udf() {
    let folder = Folder::new();
    let args = ["run", "--dataset", "scan.npy", "--partitions", "20", "--progress", "json", "--plugin", "sum"];
    let ended = folder.lthost(&[&args[..], &["--plugin", "max=plugin_max"]].concat());
    ended.succeeds();
    let lines: Vec<Json> = ended.stderr.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let done: Vec<u64> = lines.iter().map(|line| line["n_frames_done"].as_u64().unwrap()).collect();
    assert_eq!(done, (0..=20).collect::<Vec<_>>());
    for line in &lines {
        assert_eq!((&line["n_frames"], &line["n_partitions"]), (&20.into(), &20.into()));
        assert!(line["elapsed_s"].is_f64() && line["n_file_bytes_done"].is_u64());
        for (udf, label) in line["udfs"].as_array().unwrap().iter().zip(["sum", "max"]) {
            assert_eq!((&udf["label"], &udf["n_frames_done"]), (&label.into(), &line["n_frames_done"]));
        }
    }
}

#[test]
fn whatever_is_said_to_a_script_is_json() {
    let folder = Folder::new();
    folder.write("numbers", [0; 1000]);
    let numbers = ["--dataset", "numbers", "--dtype", "u16", "--sig-shape", "4,7", "--profile"];
    let said = |args: &[&str], code: i32| -> Vec<Json> {
        let ended = folder.lthost(&[&["run", "--progress", "json", "--partitions", "4"], args].concat());
        assert_eq!(ended.code, Some(code), "{ended:?}");
        ended.stderr.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let levels = |lines: &[Json]| -> Vec<String> {
        lines.iter().filter_map(|line| Some(line["level"].as_str()?.to_owned())).collect()
    };
    // A warning about the data, and the table of the profile.
    let lines = said(&[&numbers[..], &["--plugin", "sum"]].concat(), 0);
    assert_eq!(levels(&lines), ["warning", "info"]);
    assert!(lines[0]["message"].as_str().unwrap().starts_with("the last 48 bytes are ignored"), "{}", lines[0]);
    assert!(lines.last().unwrap()["message"].as_str().unwrap().contains("\n  sum: process"), "{lines:?}");
    // What a plugin says, and a failure on the way.
    let scan = ["--dataset", "scan.npy", "--plugin", "hostile_guest", "-p"];
    assert!(levels(&said(&[&scan[..], &["attack=log-escapes"]].concat(), 0)).contains(&"warning".to_owned()));
    let lines = said(&[&scan[..], &["attack=panic"]].concat(), 1);
    let failure = lines.last().unwrap();
    assert!(failure["error"].as_str().unwrap().starts_with("plugin `hostile`, `process` (partition "), "{failure}");
    assert_eq!(failure["exit_status"], 1);
    assert!(failure["repeat_with"].as_str().unwrap().contains(" --partition "), "{failure}");
    // Before anything runs.
    let lines = said(&["--dataset", "nowhere.npy", "--plugin", "sum"], 1);
    let failure = serde_json::json!({"error": "there is no file `nowhere.npy`", "exit_status": 1, "repeat_with": null});
    assert_eq!(lines, [failure]);
    let lines = said(&["--dataset", "scan.npy", "--plugin", "sum", "-p", "dtype=float"], 2);
    assert_eq!(lines.last().unwrap()["exit_status"], 2);
}

#[test]
fn one_frame_alone_is_printed_whole() {
    let folder = Folder::new();
    for frame in ["7", "1,2"] {
        let args = ["run", "--dataset", "scan.npy", "--frame", frame, "--plugin", "sumsig", "--plugin", "pick"];
        let ended = folder.lthost(&[&args[..], &["--plugin", "guest_probe"]].concat());
        ended.succeeds();
        assert!(ended.stdout.starts_with("frame 7 at (1, 2) of (4, 5)\n"), "{}", ended.stdout);
        let pixels = &Scan::new(&counts(&crate::program::SCAN)).pick()[7 * 42..8 * 42];
        let row: Vec<String> = pixels[..7].iter().map(f64::to_string).collect();
        assert!(ended.stdout.contains(&format!("\n    {}\n", row.join(" "))), "{}", ended.stdout);
        let sum = pixels.iter().sum::<f64>();
        assert!(
            ended
                .stdout
                .contains(&format!("sumsig (sumsig 0.1.0), tiles of u16\n  intensity f32 () counts\n    {sum}\n"))
        );
        assert!(ended.stdout.contains("  coordinates i64 (2)\n    1 2\n"), "{}", ended.stdout);
    }
    let args = ["run", "--dataset", "scan.npy", "--plugin", "sum", "--frame"];
    folder.lthost(&[&args[..], &["20"]].concat()).fails(2, &["--frame 20: the scan has shape (4, 5)"]);
    folder.lthost(&[&args[..], &["x"]].concat()).fails(2, &["expected a frame's number"]);
}

#[test]
fn every_makes_no_sense_without_a_folder_or_a_number() {
    let folder = Folder::new();
    save(&folder.path("scan.npy"), &counts(&crate::program::SCAN));
    run(&folder, &["--plugin", "sum", "--every", "1p"]).fails(2, &["--output"]);
    run(&folder, &["--plugin", "sum", "-o", "out", "--every", "0p"]).fails(2, &["expected seconds"]);
}
