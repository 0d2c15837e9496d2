//! `--on-error=skip`: a plugin that fails loses the partition, all others have theirs, and it is told once.

use lthost_tests::wasm;

use crate::program::{Ended, Folder};

/// Runs `hostile_guest` with `params` beside one that does its work, over `n` partitions.
fn run(folder: &Folder, params: &[&str], more: &str) -> Ended {
    std::fs::copy(wasm("hostile_guest"), folder.path("healthy.wasm")).unwrap();
    let params: Vec<String> = params.iter().map(|param| format!("-p {param}")).collect();
    let params = params.join(" ");
    folder.shell(&format!(
        "$lthost run --quiet --dataset scan.npy -o out --timeout 0.3 --plugin healthy=./healthy.wasm --plugin evil={} {params} \
         --on-error skip {more}",
        wasm("hostile_guest").display()
    ))
}

/// Frames of the 20 that a file says are there.
fn frames(folder: &Folder, name: &str) -> Vec<usize> {
    let damage = folder.result(name).data;
    (0..20).filter(|&frame| damage[frame] == 1).collect()
}

/// What the healthy plugin has to give.
fn healthy(folder: &Folder) -> [Vec<u8>; 3] {
    ["intensity", "created", "total"].map(|name| folder.result(&format!("out/healthy/{name}.npy")).data)
}

#[test]
fn a_failure_in_one_partition_leaves_it_out_of_this_plugin_alone() {
    let reference = Folder::new();
    run(&reference, &[], "--partitions 3").succeeds();
    let all: Vec<usize> = (0..20).collect();
    let without: Vec<usize> = (0..20).filter(|frame| !(6..13).contains(frame)).collect();
    for attack in ["panic", "trap", "loop", "memory", "error", "recurse"] {
        for at in ["begin", "process", "end", "merge"] {
            for n_workers in [1, 2] {
                let folder = Folder::new();
                let params = [&format!("attack={attack}")[..], &format!("at={at}"), "partition=1"];
                let more = format!("--partitions 3 --workers {n_workers} --max-memory 64M");
                let ended = run(&folder, &params, &more);
                let context = format!("{attack} in {at}: {ended:?}");
                assert_eq!(ended.code, Some(3), "{context}");
                let place = format!("error: plugin `evil`, `{at}` (partition 1, frames 6..13)");
                assert_eq!(ended.stderr.matches(&place).count(), 1, "{context}");
                let end = "error: partial results: 1 of 3 partitions are not in those of `evil`\n";
                assert!(ended.stderr.ends_with(end), "{context}");
                let is_repeated = ended.stderr.contains("repeat it with: ");
                assert_eq!(is_repeated, at != "merge", "{context}");
                assert_eq!(healthy(&folder), healthy(&reference), "{context}");
                assert_eq!(frames(&folder, "out/damage.npy"), without, "{context}");
                assert_eq!(frames(&folder, "out/damage.healthy.npy"), all, "{context}");
                assert!(!folder.path("out/damage.evil.npy").exists(), "{context}");
                let created = folder.result("out/evil/created.npy").data;
                let counted = (0..20).filter(|frame| created[frame * 8] > 0).collect::<Vec<usize>>();
                assert_eq!(counted, without, "{context}");
                let record = folder.json("out/run.json");
                assert_eq!(record["complete"], false, "{context}");
                assert_eq!(record["failures"][0]["partition"], 1, "{context}");
                assert_eq!(record["failures"].as_array().unwrap().len(), 1, "{context}");
            }
        }
    }
}

#[test]
fn a_plugin_that_takes_more_memory_than_its_share_is_skipped() {
    let reference = Folder::new();
    run(&reference, &[], "--partitions 3").succeeds();
    for at in ["process", "merge"] {
        let folder = Folder::new();
        let params = ["attack=memory", &format!("at={at}"), "partition=1"];
        // One at a time: an instance of the same plugin that wanted some at that moment would get none.
        let ended = run(&folder, &params, "--partitions 3 --workers 1 --max-total-memory 256M");
        assert_eq!(ended.code, Some(3), "{ended:?}");
        let parts = [
            &format!("error: plugin `evil`, `{at}` (partition 1, frames 6..13) needs ")[..],
            " bytes of memory with its other instances, at most 134217728 are allowed, as 2 plugins share 268435456 (raise --max-total-memory)",
        ];
        assert!(parts.iter().all(|part| ended.stderr.contains(part)), "{ended:?}");
        let end = "error: partial results: 1 of 3 partitions are not in those of `evil`\n";
        assert!(ended.stderr.ends_with(end), "{ended:?}");
        assert_eq!(healthy(&folder), healthy(&reference), "{ended:?}");
        assert_eq!(frames(&folder, "out/damage.healthy.npy").len(), 20, "{ended:?}");
    }
}

#[test]
fn a_plugin_that_fails_everywhere_is_told_once_and_given_up() {
    let reference = Folder::new();
    run(&reference, &[], "--partitions 10").succeeds();
    let mut said = Vec::new();
    for n_workers in [1, 2, 3] {
        let folder = Folder::new();
        let more = format!("--partitions 10 --max-errors 3 --workers {n_workers}");
        let ended = run(&folder, &["attack=panic"], &more);
        assert_eq!(ended.code, Some(3), "{ended:?}");
        let parts = [
            "error: plugin `evil`, `process` (partition 0, frames 0..2) trapped: panicked at ",
            "    the same in 3 more partitions: 1, 2, 3\n",
            "error: partial results: 10 of 10 partitions are not in those of `evil`, 6 of them not tried, as it failed too often (--max-errors)\n",
        ];
        assert!(parts.iter().all(|part| ended.stderr.contains(part)), "{ended:?}");
        assert_eq!(ended.stderr.matches("panicked at").count(), 1, "{ended:?}");
        assert_eq!(healthy(&folder), healthy(&reference));
        assert!(frames(&folder, "out/damage.npy").is_empty());
        assert_eq!(frames(&folder, "out/damage.healthy.npy").len(), 20);
        said.push(ended.stderr.lines().filter(|line| !line.starts_with("repeat")).collect::<Vec<_>>().join("\n"));
    }
    assert!(said.windows(2).all(|pair| pair[0] == pair[1]), "the same for any number of workers: {said:?}");
}

#[test]
fn a_plugin_that_fails_before_there_are_data_has_no_results_and_others_have_theirs() {
    let reference = Folder::new();
    run(&reference, &[], "--partitions 3").succeeds();
    for attack in ["panic", "trap", "loop", "memory"] {
        for at in ["create", "preferences", "buffers", "preprocess"] {
            let folder = Folder::new();
            let more = "--partitions 3 --max-memory 64M --update 1:evil.value=2";
            let ended = run(&folder, &[&format!("attack={attack}"), &format!("at={at}")], more);
            let context = format!("{attack} in {at}: {ended:?}");
            assert_eq!(ended.code, Some(3), "{context}");
            assert_eq!(ended.stderr.matches(&format!("error: plugin `evil`, `{at}` ")).count(), 1, "{context}");
            assert!(ended.stderr.ends_with("error: partial results: there are none of `evil`\n"), "{context}");
            assert_eq!(healthy(&folder), healthy(&reference), "{context}");
            assert!(frames(&folder, "out/damage.npy").is_empty(), "{context}");
            assert_eq!(frames(&folder, "out/damage.healthy.npy").len(), 20, "{context}");
            let record = folder.json("out/run.json");
            let [healthy, evil] = ["healthy", "evil"]
                .map(|label| record["udfs"].as_array().unwrap().iter().find(|udf| udf["label"] == label).unwrap());
            let n_results = |udf: &serde_json::Value| udf["results"].as_array().unwrap().len();
            assert_eq!((n_results(healthy) > 0, n_results(evil)), (true, 0), "{record}");
        }
    }
}

#[test]
fn what_an_earlier_run_left_of_a_plugin_that_failed_goes_and_nothing_else() {
    let folder = Folder::new();
    run(&folder, &[], "--partitions 3 --png").succeeds();
    let files = |label: &str| -> Vec<String> {
        let entries = std::fs::read_dir(folder.path(&format!("out/{label}"))).unwrap();
        let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    folder.write("out/evil/mine.png", "mine");
    folder.write("out/healthy/intensity_7.png", "mine");
    assert!(files("evil").len() > 3 && files("healthy").len() > 3);
    let ended = run(&folder, &["attack=trap", "at=buffers"], "--partitions 3");
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert_eq!(files("evil"), ["mine.png"]);
    assert!(files("healthy").contains(&"intensity_7.png".to_owned()), "{:?}", files("healthy"));
    let pictures = files("healthy").iter().filter(|name| name.contains(".png")).count();
    assert_eq!(pictures, 1, "{:?}", files("healthy"));
}

#[test]
fn what_frames_are_in_results_is_known_for_as_long_as_these_stay() {
    let folder = Folder::new();
    let ended = run(&folder, &["attack=trap", "partition=1"], "--partitions 3");
    assert_eq!(ended.code, Some(3), "{ended:?}");
    let without: Vec<usize> = (0..20).filter(|frame| !(6..13).contains(frame)).collect();
    assert_eq!(frames(&folder, "out/damage.npy"), without);
    for plugin in ["sum", "sumsig"] {
        folder.shell(&format!("$lthost run --quiet --dataset scan.npy -o out --plugin {plugin}")).succeeds();
        assert_eq!(frames(&folder, "out/damage.npy").len(), 20);
        assert_eq!(frames(&folder, "out/damage.evil.npy"), without);
        assert_eq!(frames(&folder, "out/damage.healthy.npy").len(), 20);
    }
    // It goes with them.
    run(&folder, &[], "--partitions 3").succeeds();
    assert!(!folder.path("out/damage.evil.npy").exists() && !folder.path("out/damage.healthy.npy").exists());
}

#[test]
fn beside_a_plugin_that_failed_before_there_were_data_all_else_works() {
    let folder = Folder::new();
    let dead = "--on-error skip --partitions 3 --plugin hostile_guest -p attack=trap -p at=buffers";
    let dead = dead.replace("hostile_guest", &wasm("hostile_guest").display().to_string());
    let told = ["error: plugin `hostile`, `buffers` trapped", "there are none of `hostile`"];
    let beside = |more: &str| {
        let ended = folder.shell(&format!("$lthost run --quiet --dataset scan.npy --plugin sumsig {dead} {more}"));
        assert!(ended.code == Some(3) && told.iter().all(|part| ended.stderr.contains(part)), "{more}: {ended:?}");
        ended
    };
    // Pictures of the one, and of the other.
    let healthy = beside("--preview sumsig");
    let picture: Vec<&str> = healthy.stderr.lines().take_while(|line| !line.contains("sumsig.intensity, ")).collect();
    assert!(picture.len() > 1 && !picture.concat().contains('?'), "{healthy:?}");
    assert!(healthy.stdout.contains("hostile (hostile 0.1.0)\n  no results\n"), "{healthy:?}");
    beside("--preview hostile --every 1p -o out");
    assert!(folder.path("out/sumsig/intensity.npy").exists());
    let frame = beside("--frame 3");
    assert!(!frame.stdout.contains("not in the file"), "{frame:?}");
    let partition = beside("--partition 1");
    assert!(partition.stdout.contains("partition 1 alone: 13 of 20 frames are not"), "{partition:?}");
    // What it is known by is not what ends a run, and a checkpoint has no results of it.
    beside("--update 1:hostile.no=1");
    folder.write("out/checkpoint.lthost", "of a run in which it lived");
    let resumed = folder.shell(&format!("$lthost run --quiet --dataset scan.npy --plugin sum {dead} -o out --resume"));
    resumed.fails(1, &["plugin `hostile`, `buffers` trapped"]);
}

#[test]
fn a_run_of_which_nothing_is_left_fails_and_so_does_one_that_was_called_wrongly() {
    let folder = Folder::new();
    let run = |more: &str| {
        let plugin = wasm("hostile_guest");
        let plugin = plugin.display();
        folder.shell(&format!("$lthost run --quiet --dataset scan.npy --on-error skip -o out --plugin {plugin} {more}"))
    };
    run("-p attack=trap -p at=buffers").fails(1, &["plugin `hostile`, `buffers` trapped"]);
    run("-p attack=error -p at=create --plugin sum").fails(2, &["plugin `hostile`, `create`: "]);
    folder.assert_untouched();
}

#[test]
fn a_plugin_that_fails_in_the_end_has_no_results_and_others_have_theirs() {
    let reference = Folder::new();
    run(&reference, &[], "--partitions 3").succeeds();
    let folder = Folder::new();
    let ended = run(&folder, &["attack=trap", "at=results"], "--partitions 3");
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert!(ended.stderr.contains("plugin `evil`, `results` trapped: "), "{ended:?}");
    assert!(ended.stderr.ends_with("error: partial results: there are none of `evil`\n"), "{ended:?}");
    assert_eq!(healthy(&folder), healthy(&reference));
    assert!(!folder.path("out/evil").exists());
    assert_eq!(frames(&folder, "out/damage.npy").len(), 20);
    let failure = &folder.json("out/run.json")["failures"][0];
    assert_eq!((&failure["label"], failure["partition"].is_null()), (&"evil".into(), true), "{failure}");
}

#[test]
fn one_that_can_not_be_made_on_workers_fails_at_one_partition_after_the_other() {
    let folder = Folder::new();
    let ended = run(&folder, &["attack=panic", "at=create", "on=worker"], "--partitions 3");
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert!(ended.stderr.contains("3 of 3 partitions are not in those of `evil`"), "{ended:?}");
    assert_eq!(frames(&folder, "out/damage.healthy.npy").len(), 20);
}

#[test]
fn without_the_option_the_first_failure_ends_the_run() {
    let folder = Folder::new();
    let ended = run(&folder, &["attack=panic", "partition=1"], "--partitions 3 --on-error abort");
    assert_eq!(ended.code, Some(2), "given twice: {ended:?}");
    let args =
        ["run", "--quiet", "--dataset", "scan.npy", "-o", "out", "--plugin", "hostile_guest", "-p", "attack=panic"];
    folder.lthost(&args).fails(1, &["trapped: panicked at"]);
    folder.assert_untouched();
}
