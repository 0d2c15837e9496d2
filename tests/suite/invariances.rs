//! `lthost test`: every mistake of the plugin `broken` is called by its name and shown in a small case that repeats, honest
//! plugins pass, and golden cases are held against what their author expects.

use std::{collections::BTreeSet, fs};

use lthost::shape::{Dtype, npy};
use serde_json::{Value as Json, json};

use crate::program::{Ended, Folder};

/// Mistakes of the plugin `broken`; the check that finds each first, and what it is called.
const MISTAKES: [(&str, &str, &str); 26] = [
    ("tile-mean", "tiles", "tiles"),
    ("tile-peak", "tiles", "tiles"),
    ("first-tile", "tiles", "lost-tile"),
    ("all-entries", "tiles", "other-frames"),
    ("carry", "tiles", "tiles"),
    ("first-block", "split", "split"),
    ("block-as-frame", "split", "split"),
    ("last-pixel", "split", "order"),
    ("assign", "partitions", "lost-partition"),
    ("overwrite", "partitions", "lost-partition"),
    ("mean-of-means", "partitions", "mean-of-means"),
    ("sum-of-means", "partitions", "mean-of-means"),
    ("fill", "partitions", "fill"),
    ("outside", "workers", "contract"),
    ("count-on", "workers", "state"),
    ("not-reset", "workers", "state"),
    ("roi-as-place", "roi", "roi"),
    ("roi-in-a-row", "roi", "roi"),
    ("roi-length", "roi", "roi"),
    ("not-finite", "finite", "not-finite"),
    ("overflow", "dtypes", "overflow"),
    ("panic-single", "shapes", "trap"),
    ("panic-odd", "shapes", "trap"),
    ("panic-empty-roi", "roi", "trap"),
    ("panic-no-tiles", "missing", "trap"),
    ("error-signed", "shapes", "error"),
];

/// The shipped plugins, with what they need: shapes that any frame has.
const SHIPPED: [&[&str]; 12] = [
    &["sum"],
    &["sumsig"],
    &["stddev"],
    &["max"],
    &["extrema"],
    &["logsum"],
    &["pick"],
    &["record"],
    &["com"],
    &["masks", "-p", "shape=ring"],
    &["fem", "-p", "center=[3,2]", "-p", "rad_in=0", "-p", "rad_out=2"],
    &["crystallinity", "-p", "rad_in=0", "-p", "rad_out=4"],
];

/// Tests a plugin, without its cost. What shows a mistake is in `shown`.
fn test(folder: &Folder, args: &[&str]) -> Ended {
    folder.lthost(&[&["test"], args, &["--no-cost", "--keep", "shown"]].concat())
}

/// The same for a mistake, as JSON: the findings with the check that found them, in order.
fn findings(folder: &Folder, mistake: &str) -> Vec<(String, Json)> {
    let ended = test(folder, &["guest_broken", "-p", &format!("mistake={mistake}"), "--json"]);
    assert_eq!(ended.code, Some(1), "{mistake}: {ended:?}");
    assert!(ended.stderr.starts_with("error: "), "{mistake}: {}", ended.stderr);
    let checks = ended.json()["checks"].as_array().unwrap().clone();
    let of = |check: &Json| {
        let findings = check["findings"].as_array().unwrap().clone();
        let name = check["check"].as_str().unwrap().to_owned();
        assert_eq!(check["status"] == "failed", !findings.is_empty(), "{check}");
        findings.into_iter().map(move |finding| (name.clone(), finding))
    };
    checks.iter().flat_map(of).collect()
}

fn of_case(finding: &Json, what: &str) -> u64 {
    finding["case"][what].as_array().unwrap().iter().map(|extent| extent.as_u64().unwrap()).product()
}

#[test]
fn every_mistake_is_called_by_its_name() {
    let folder = Folder::new();
    let inspected = folder.lthost(&["inspect", "guest_broken", "--json"]).json();
    let choices = inspected["parameters"][0]["choices"].as_array().unwrap().clone();
    let known: BTreeSet<&str> =
        choices.iter().map(|choice| choice.as_str().unwrap()).filter(|c| *c != "none").collect();
    assert_eq!(known, MISTAKES.iter().map(|(mistake, ..)| *mistake).collect());
    for (mistake, check, name) in MISTAKES {
        let findings = findings(&folder, mistake);
        let (found_by, finding) = &findings[0];
        assert_eq!((found_by.as_str(), finding["mistake"].as_str()), (check, Some(name)), "{mistake}: {finding}");
        // The smallest scan with gaps in its ROI has six frames.
        let n_most = if mistake == "roi-in-a-row" { 6 } else { 3 };
        assert!(of_case(finding, "nav_shape") <= n_most, "{mistake}: {}", finding["case"]);
        assert!(of_case(finding, "sig_shape") <= 18, "{mistake}: {}", finding["case"]);
        assert!(finding["case"]["partitions"].as_u64().unwrap() <= 2, "{mistake}: {}", finding["case"]);
    }
}

#[test]
fn a_mistake_alone_is_found_alone() {
    let folder = Folder::new();
    let alone = ["tile-mean", "first-block", "assign", "fill", "count-on", "roi-as-place", "overflow", "panic-odd"];
    for mistake in alone {
        let findings = findings(&folder, mistake);
        assert_eq!(findings.len(), 1, "{mistake}: {findings:?}");
    }
}

#[test]
fn the_commands_repeat_it() {
    let folder = Folder::new();
    let run = |command: &Json| folder.shell(command.as_str().unwrap());
    for mistake in ["tile-peak", "first-block", "assign", "roi-in-a-row", "roi-as-place", "overflow"] {
        let (_, finding) = findings(&folder, mistake).swap_remove(0);
        let commands = finding["commands"].as_array().unwrap();
        for command in commands {
            run(command).succeeds();
        }
        let results = commands.iter().map(|command| {
            let out = command.as_str().unwrap().rsplit(' ').next().unwrap();
            npy::read(&folder.path(out).join(format!("udf/{}.npy", finding["difference"]["buffer"].as_str().unwrap())))
        });
        let [expected, found] = results.map(Result::unwrap).collect::<Vec<_>>().try_into().unwrap();
        assert_ne!(expected.data, found.data, "{mistake}: {commands:?}");
    }
    for mistake in ["panic-no-tiles", "panic-empty-roi", "error-signed", "outside"] {
        let (_, finding) = findings(&folder, mistake).swap_remove(0);
        let commands = finding["commands"].as_array().unwrap();
        let ended = run(&commands[0]);
        // There it has no label.
        let message = finding["message"].as_str().unwrap().lines().next().unwrap().replace("`broken`", "`udf`");
        assert!(commands.len() == 1 && ended.stderr.contains(&message), "{mistake}: {ended:?}");
    }
}

#[test]
fn people_read_what_is_wrong_and_what_to_do() {
    let folder = Folder::new();
    let ended = test(&folder, &["guest_broken", "-p", "mistake=assign"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let parts = [
        "\n  ok      tiles       any number of frames in a tile gives the same (",
        "\n  FAILED  partitions  what the first partition finds leaves no trace in `pixels`\n",
        "\nFAILED partitions (lost-partition): what the first partition finds leaves no trace in `pixels`\n  \
         in the smallest case, 2 frames of (1, 1) u8, 2 partitions\n  \
         and not in          2 frames of (1, 1) u8, 1 partition\n  `pixels`[0, 0] is ",
        "`assign` overwrites it",
        " run --plugin udf=",
        " --dataset shown/u8_2_1x1.npy --partitions 2 --workers 1 -o shown/1_lost-partition\n",
        "refuses 12 frames (3, 4) of (7, 5) c64 and 1 more: broken needs real numbers",
    ];
    for part in parts {
        assert!(ended.stdout.contains(part), "no {part:?} in {}", ended.stdout);
    }
    assert_eq!(ended.stderr, "error: 1 check failed\n");
    assert!(folder.path("shown/u8_2_1x1.npy").exists());
}

#[test]
fn an_honest_plugin_passes() {
    let folder = Folder::new();
    let ended = test(&folder, &["guest_broken", "--json"]);
    ended.succeeds().takes_less_than(60.0);
    let report = ended.json();
    assert_eq!((&report["passed"], &report["plugin"]), (&json!(true), &json!("broken")));
    let checks = report["checks"].as_array().unwrap();
    assert_eq!(checks.len(), 9);
    for check in checks {
        assert_eq!(check["status"], "ok", "{check}");
    }
    assert!(!folder.path("shown").exists(), "there is nothing to show");
}

#[test]
fn all_shipped_plugins_pass() {
    let folder = Folder::new();
    for plugin in SHIPPED {
        let ended = test(&folder, &[plugin, &["--json"]].concat());
        assert_eq!(ended.code, Some(0), "{plugin:?}: {ended:?}");
        let checks = ended.json()["checks"].as_array().unwrap().clone();
        let not_checked: Vec<&Json> =
            checks.iter().filter(|check| check["status"] != "ok").map(|c| &c["check"]).collect();
        let takes_whole_frames = ["logsum", "fem", "crystallinity"].contains(&plugin[0]);
        let expected: Vec<Json> = takes_whole_frames.then(|| json!("split")).into_iter().collect();
        assert_eq!(not_checked, expected.iter().collect::<Vec<_>>(), "{plugin:?}");
    }
}

#[test]
fn what_wraps_on_purpose_is_found_and_can_be_left_out() {
    let folder = Folder::new();
    let wraps = ["sum", "-p", "dtype=u8"];
    let ended = test(&folder, &[&wraps[..], &["--json"]].concat());
    assert_eq!(ended.json()["checks"][1]["findings"][0]["mistake"], "overflow", "{ended:?}");
    test(&folder, &[&wraps[..], &["--skip", "dtypes"]].concat()).succeeds();
    test(&folder, &[&wraps[..], &["--only", "tiles", "--only", "partitions"]].concat()).succeeds();
}

#[test]
fn shapes_can_be_those_that_parameters_need() {
    let folder = Folder::new();
    let masks: Vec<u8> = (0..84_u8).map(|i| i % 5).collect();
    folder.array("masks.npy", Dtype::U8, &[2, 6, 7], masks);
    let shifts: Vec<u8> = (0..24_u8).flat_map(|i| f64::from(i % 3).to_le_bytes()).collect();
    folder.array("shifts.npy", Dtype::F64, &[4, 3, 2], shifts);
    let masks = ["masks", "-p", "factors=@masks.npy"];
    let refused = test(&folder, &masks);
    refused.fails(2, &["refuses all synthetic data", "expected (n, 7, 5) for this data set", "--sig-shape"]);
    test(&folder, &[&masks[..], &["--sig-shape", "6,7"]].concat()).succeeds();
    let shifted = ["-p", "shifts=@shifts.npy", "--sig-shape", "6,7", "--nav-shape", "4,3"];
    test(&folder, &[&masks[..], &shifted].concat()).succeeds();
}

#[test]
fn a_plugin_that_never_ends_is_tried_once() {
    let folder = Folder::new();
    let ended = test(&folder, &["hostile_guest", "-p", "attack=loop", "--timeout", "0.2", "--json"]);
    ended.takes_less_than(20.0);
    let checks = ended.json()["checks"].clone();
    assert_eq!(checks[0]["findings"][0]["mistake"], "timeout", "{ended:?}");
    assert_eq!(checks.as_array().unwrap().len(), 1);
}

#[test]
fn the_cost_is_held_against_the_memory() {
    let ended = Folder::new().lthost(&["test", "csr-sum", "--json"]);
    ended.fails(2, &["no plugin `csr-sum`"]);
    // It goes through sparse tiles pixel by pixel, which is slow wherever it runs.
    let ended = Folder::new().lthost(&["test", "guest_csr_sum", "--json"]);
    let cost = ended.succeeds().json()["cost"].clone();
    assert_eq!((&cost["sig_shape"], &cost["dtype"]), (&json!([256, 256]), &json!("u16")));
    for number in ["s_per_frame", "file_gb_per_s", "memory_gb_per_s"] {
        assert!(cost[number].as_f64().unwrap() > 0.0, "{cost}");
    }
    assert!(cost["advice"].as_str().unwrap().contains("of the threads' time"), "{cost}");
}

#[test]
fn it_is_called_with_a_plugin_and_words_that_exist() {
    let folder = Folder::new();
    test(&folder, &["."]).fails(2, &["there is no plugin to build in `.`"]);
    test(&folder, &[]).fails(2, &["there is no plugin to build in `.`"]);
    test(&folder, &["nothing"]).fails(2, &["no plugin `nothing`"]);
    test(&folder, &["sum", "-p", "speed=3"]).fails(2, &["there is no such parameter"]);
    test(&folder, &["sum", "--only", "nonsense"]).fails(2, &["nonsense", "partitions"]);
    test(&folder, &["sum", "--accept"]).fails(2, &["--golden"]);
    test(&folder, &["sum", "--rtol=-1"]).fails(2, &["--rtol"]);
    test(&folder, &["sum", "--only", "golden", "--golden", "nowhere"]).fails(2, &["golden cases in `nowhere`"]);
}

/// A folder with a golden case: the sum of the scan, in f64.
fn golden() -> Folder {
    let folder = Folder::new();
    fs::create_dir_all(folder.path("golden/sums")).unwrap();
    fs::copy(folder.path("scan.npy"), folder.path("golden/sums/scan.npy")).unwrap();
    folder.write("golden/sums/case.json", r#"{ "dataset": "scan.npy", "params": { "dtype": "f64" }, "rtol": 1e-9 }"#);
    folder
}

const GOLDEN: [&str; 5] = ["sum", "--only", "golden", "--golden", "golden"];
const EXPECTED: &str = "golden/sums/expected/intensity.npy";

#[test]
fn a_golden_case_is_accepted_and_then_holds() {
    let folder = golden();
    let ended = test(&folder, &GOLDEN);
    assert!(ended.code == Some(1) && ended.stdout.contains("--accept takes those that come out"), "{ended:?}");
    assert!(!folder.path("golden/sums/expected").exists());
    let accepted = test(&folder, &[&GOLDEN[..], &["--accept"]].concat());
    assert!(accepted.succeeds().stdout.contains("ok      golden      sums: accepted what came out"), "{accepted:?}");
    assert_eq!(folder.result(EXPECTED).dtype, Dtype::F64);
    let ended = test(&folder, &[&GOLDEN[..], &["--json"]].concat());
    assert_eq!(ended.succeeds().json()["golden"], json!([{ "case": "sums", "status": "ok" }]));
}

#[test]
fn what_a_golden_case_expects_is_held_against_what_comes_out() {
    let folder = golden();
    test(&folder, &[&GOLDEN[..], &["--accept"]].concat()).succeeds();
    let array = folder.result(EXPECTED);
    let number = |at: usize| f64::from_le_bytes(array.data[8 * at..8 * (at + 1)].try_into().unwrap());
    // Element (1, 2) of 6 x 7.
    let mut data = array.data.clone();
    data[8 * 9..8 * 10].copy_from_slice(&(number(9) + 1.0).to_le_bytes());
    folder.array(EXPECTED, array.dtype, array.shape.axes(), data);
    let broken = fs::read(folder.path(EXPECTED)).unwrap();
    let ended = test(&folder, &[&GOLDEN[..], &["--accept"]].concat());
    let what = format!("`intensity`[1, 2] is {}, expected {} (1 of 42 elements)", number(9), number(9) + 1.0);
    assert!(ended.code == Some(1) && ended.stdout.contains(&what), "no {what:?} in {ended:?}");
    assert_eq!(fs::read(folder.path(EXPECTED)).unwrap(), broken, "what is there is never accepted anew");

    folder.array(EXPECTED, Dtype::F32, &[6, 7], vec![0; 4 * 42]);
    let ended = test(&folder, &GOLDEN);
    assert!(ended.stdout.contains("`intensity` is f64, expected f32"), "{ended:?}");
    fs::rename(folder.path(EXPECTED), folder.path("golden/sums/expected/brightness.npy")).unwrap();
    let ended = test(&folder, &GOLDEN);
    assert!(ended.stdout.contains("`intensity` is f64 (6, 7), expected no such buffer"), "{ended:?}");
}

#[test]
fn a_golden_case_has_its_own_options() {
    let folder = golden();
    let roi: Vec<u8> = (0..20).map(|i| u8::from(i < 10)).collect();
    folder.array("golden/sums/roi.npy", Dtype::Bool, &[20], roi);
    let case = json!({ "dataset": "scan.npy", "options": { "nav_shape": [20] }, "roi": "roi.npy" });
    folder.write("golden/sums/case.json", case.to_string());
    test(&folder, &[&GOLDEN[..], &["--accept"]].concat()).succeeds();
    let args = ["run", "--plugin", "sum", "--dataset", "scan.npy", "--nav-shape", "20", "-o", "out"];
    folder.lthost(&[&args[..], &["--roi", "golden/sums/roi.npy"]].concat()).succeeds();
    assert_eq!(folder.result(EXPECTED), folder.result("out/sum/intensity.npy"));
    folder.write("golden/sums/case.json", r#"{ "dataset": "scan.npy", "tolerance": 1 }"#);
    test(&folder, &GOLDEN).fails(2, &["golden case `sums`", "unknown field `tolerance`"]);
}
