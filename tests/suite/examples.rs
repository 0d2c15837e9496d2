//! The examples, an example for each cell of the peer's notebook on synchronous and asynchronous execution: what they print
//! says the same as the notebook.

use std::{process::Command, time::Instant};

use lthost_tests::{counts, lthost, save};

use crate::program::{Ended, Folder};

/// Kinds and dtypes as in the notebook; the shapes are those of the scan here.
const SUM: &str = "{'intensity': kind=sig dtype=float32 shape=(60, 70)}";
const BOTH: &str = "({'intensity': kind=sig dtype=float32 shape=(60, 70)},\n \
                    {'intensity': kind=nav dtype=float32 shape=(80, 100)})\n";

/// Runs an example over a scan that is large enough for many partitions. Gives what it prints.
fn run(name: &str) -> String {
    let folder = Folder::new();
    save(&folder.path("scan.npy"), &counts(&[80, 100, 60, 70]));
    let program = lthost().get_program().to_owned();
    let example = std::path::Path::new(&program).parent().unwrap().join("examples").join(name);
    assert!(
        example.is_file(),
        "{} is not built: cargo build --release -p lthost-examples --examples",
        example.display()
    );
    let start = Instant::now();
    let output = Command::new(example).arg(folder.path("scan.npy")).output().unwrap();
    Ended::of(&output, start).succeeds().stdout.clone()
}

/// Positions processed, as they were printed, by whom.
fn steps(printed: &str) -> Vec<(String, usize)> {
    let lines = printed.lines().filter_map(|line| line.strip_suffix(" nav positions processed"));
    lines
        .map(|line| {
            let (label, number) = line.rsplit_once(' ').unwrap_or(("", line));
            (label.to_owned(), number.parse().unwrap())
        })
        .collect()
}

#[test]
fn synchronous_execution_only_result() {
    assert_eq!(run("sync_result"), BOTH);
    assert_eq!(run("sync_result_of_one"), format!("{SUM}\n"));
}

#[test]
fn asynchronous_execution_only_result() {
    let background = "running in the background\nFinished\n";
    assert_eq!(run("async_result"), format!("Do something else while UDFs are {background}{BOTH}"));
    assert_eq!(run("async_result_of_one"), format!("Do something else while UDF is {background}{SUM}\n"));
}

#[test]
fn synchronous_execution_as_an_iterator() {
    let printed = run("sync_partials");
    let steps = steps(&printed);
    assert!(steps.len() > 1, "no partial result: {printed}");
    assert!(steps.is_sorted_by(|a, b| a.1 < b.1), "{printed}");
    assert_eq!(steps.last().unwrap().1, 8000);
    assert_eq!(printed.matches(BOTH).count(), steps.len());
}

#[test]
fn asynchronous_execution_as_an_iterator() {
    let printed = run("async_partials");
    assert!(printed.starts_with("Do something else while UDFs are running in the background\n"));
    let steps = steps(&printed);
    let of = |label: &str| steps.iter().filter(|(other, _)| other == label).map(|(_, n)| *n).collect::<Vec<_>>();
    for label in ["one", "two"] {
        assert!(of(label).is_sorted() && of(label).last() == Some(&8000), "{printed}");
    }
    // Both go on at the same time: each is seen before the other is done.
    let first = |label: &str| steps.iter().position(|(other, _)| other == label).unwrap();
    let last = |label: &str| steps.iter().rposition(|(other, _)| other == label).unwrap();
    assert!(first("one") < last("two") && first("two") < last("one"), "one after the other: {printed}");
    assert!(printed.ends_with("8000 and 8000 nav positions processed in the end\n"));
}
