//! Runs that go on from a checkpoint: to the same bits, or not at all.

use std::{
    fs,
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use lthost::{
    dataset::{self, Dataset, DatasetOptions},
    plugin::{Argument, Engine, EngineConfig, Limits, Plugin},
    run::{Observer, Outcome, Pool, RunConfig, UdfSpec, Update},
    shape::{Array, Dtype, Shape},
};
use lthost_tests::wasm;

use crate::program::{Ended, Folder, files, wait};

const SLOW: [&str; 8] = ["run", "--dataset", "scan.npy", "--workers", "2", "--partitions", "20", "-o"];

fn udf(engine: &Engine, name: &str, arguments: Vec<(&str, Argument)>) -> UdfSpec {
    let plugin = Plugin::from_file(engine, &wasm(name), &Limits::default()).unwrap();
    let arguments = arguments.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    UdfSpec { label: None, plugin, arguments }
}

/// All kinds of merges: by the host, by the plugin, by `merge-all`; with AUX data, what `preprocess` made, private buffers.
fn udfs() -> Vec<UdfSpec> {
    let engine = Engine::new(EngineConfig::default()).unwrap();
    let weights = (0..40).flat_map(|i| f64::from(i).sqrt().to_le_bytes()).collect();
    let weights = Array { dtype: Dtype::F64, shape: Shape::new([4, 5, 2]).unwrap(), data: weights };
    vec![
        udf(&engine, "plugin_sum", vec![("dtype", Argument::Json("float32".into()))]),
        udf(&engine, "plugin_stddev", Vec::new()),
        udf(&engine, "guest_one_step", Vec::new()),
        udf(&engine, "guest_probe", vec![("weights", Argument::Array(weights))]),
    ]
}

fn scan(folder: &Folder) -> Arc<Dataset> {
    Arc::new(dataset::open(&folder.path("scan.npy"), &DatasetOptions::default()).unwrap())
}

fn config(roi: Option<Array>) -> RunConfig {
    RunConfig { partitions: Some(10), roi, ..RunConfig::default() }
}

fn bits(outcome: &Outcome) -> Vec<Vec<u8>> {
    let results = outcome.udfs.iter().flat_map(|udf| &udf.results);
    let all = results.flat_map(|result| [Some(result.data.clone()), result.mask.clone()]).flatten();
    all.chain([outcome.damage.data.clone()]).collect()
}

/// Merging is so slow that every partition is seen.
fn slow() -> Observer {
    Observer { progress: Arc::new(|_| std::thread::sleep(Duration::from_millis(20))), ..Observer::default() }
}

/// Checkpoints of a run, and its results. `steer` is called after each partial result.
fn checkpoints(
    pool: &Pool,
    (dataset, udfs, config): (&Arc<Dataset>, &[UdfSpec], &RunConfig),
    mut steer: impl FnMut(&lthost::run::Control, usize),
) -> (Vec<Vec<u8>>, Outcome) {
    let mut partials = pool.start(dataset, udfs, config, slow()).partials();
    let control = partials.control();
    let mut written = Vec::new();
    loop {
        let partial = partials.next().unwrap().unwrap();
        if partial.is_complete {
            return (written, partial);
        }
        steer(&control, written.len());
        let mut bytes = Vec::new();
        // None of a run that has come to its end meanwhile.
        if control.checkpoint(&mut bytes).unwrap() {
            written.push(bytes);
        }
    }
}

#[test]
fn a_run_goes_on_from_every_checkpoint_to_the_same_bits() {
    let (folder, udfs) = (Folder::new(), udfs());
    let dataset = scan(&folder);
    let roi = (0..20).map(|i| u8::from(i % 7 != 3 && i != 8 && i != 9)).collect();
    let roi = Array { dtype: Dtype::Bool, shape: Shape::new([4, 5]).unwrap(), data: roi };
    let pools = [1, 3].map(|n_workers| Pool::new(n_workers).unwrap());
    for config in [config(None), config(Some(roi))] {
        let whole = pools[0].run(&dataset, &udfs, &config).unwrap();
        let (written, observed) = checkpoints(&pools[0], (&dataset, &udfs, &config), |_, _| {});
        assert_eq!(bits(&observed), bits(&whole), "checkpoints change nothing");
        assert!(written.len() > 3, "{} checkpoints", written.len());
        for (checkpoint, pool) in written.into_iter().zip(pools.iter().cycle()) {
            let config = RunConfig { resume: Some(Arc::new(checkpoint)), ..config.clone() };
            let resumed = pool.run(&dataset, &udfs, &config).unwrap();
            let n_resumed = resumed.stats.n_partitions_resumed;
            assert!(n_resumed > 0 && n_resumed < resumed.stats.n_partitions, "{n_resumed} partitions");
            assert_eq!(bits(&resumed), bits(&whole), "after {n_resumed} partitions");
            assert_eq!(resumed.stats.n_frames, whole.stats.n_frames);
            assert!(resumed.stats.n_file_bytes < whole.stats.n_file_bytes);
        }
    }
}

#[test]
fn a_resumed_run_is_interrupted_and_goes_on_again() {
    let (folder, udfs) = (Folder::new(), udfs());
    let (dataset, pool) = (scan(&folder), Pool::new(1).unwrap());
    let whole = pool.run(&dataset, &udfs, &config(None)).unwrap();
    let mut resume = None;
    for n_before in 0..4 {
        let config = RunConfig { resume: resume.take(), ..config(None) };
        let mut partials = pool.start(&dataset, &udfs, &config, slow()).partials();
        while partials.next().unwrap().unwrap().stats.n_partitions <= n_before {}
        let control = partials.control();
        control.cancel();
        let mut bytes = Vec::new();
        assert!(control.checkpoint(&mut bytes).unwrap(), "a run that was cancelled has a checkpoint");
        resume = Some(Arc::new(bytes));
    }
    let resumed = pool.run(&dataset, &udfs, &RunConfig { resume, ..config(None) }).unwrap();
    assert!(resumed.stats.n_partitions_resumed >= 4);
    assert_eq!(bits(&resumed), bits(&whole));
}

#[test]
fn updates_of_a_steered_run_hold_after_it_goes_on() {
    let (folder, udfs) = (Folder::new(), udfs());
    let (dataset, pool) = (scan(&folder), Pool::new(1).unwrap());
    let known = Update { label: "probe".to_owned(), arguments: vec![("scale".to_owned(), Argument::Json(5.into()))] };
    let config = RunConfig { updates: vec![(2, known.clone())], ..config(None) };
    let (written, whole) = checkpoints(&pool, (&dataset, &udfs, &config), |control, n_written| {
        if n_written == 2 {
            let arguments = vec![("scale".to_owned(), Argument::Json(7.into()))];
            let _too_late_is_fine = control.update(&Update { arguments, ..known.clone() });
        }
    });
    assert_eq!(whole.updates.len(), 2, "the run was too fast to be steered");
    for checkpoint in written.into_iter().skip(2) {
        let resume = Some(Arc::new(checkpoint));
        let resumed = pool.run(&dataset, &udfs, &RunConfig { resume: resume.clone(), ..config.clone() }).unwrap();
        assert_eq!(bits(&resumed), bits(&whole));
        assert_eq!(resumed.updates, whole.updates);
        // Those that it was begun with have to be the same.
        let others = RunConfig { resume, updates: vec![(3, known.clone())], ..config.clone() };
        let error = pool.run(&dataset, &udfs, &others).unwrap_err();
        assert_eq!(error.to_string(), "the checkpoint is of another run: they differ in updates");
    }
}

#[test]
fn every_damage_of_a_checkpoint_is_found() {
    let (folder, udfs) = (Folder::new(), udfs());
    let (dataset, pool) = (scan(&folder), Pool::new(1).unwrap());
    let (mut written, _) = checkpoints(&pool, (&dataset, &udfs, &config(None)), |_, _| {});
    let good = written.remove(0);
    let error = |bytes: &[u8]| {
        let config = RunConfig { resume: Some(Arc::new(bytes.to_vec())), ..config(None) };
        pool.run(&dataset, &udfs, &config).unwrap_err().to_string()
    };
    for at in (0..good.len()).step_by(good.len() / 40) {
        let mut flipped = good.clone();
        flipped[at] ^= 4;
        assert!(error(&flipped).starts_with("the checkpoint "), "byte {at}");
        assert!(error(&good[..at]).starts_with("the checkpoint "), "cut at {at}");
    }
    assert_eq!(error(b"not one"), "the checkpoint is no checkpoint of lthost");
    let config = RunConfig { resume: Some(Arc::new(good)), only_partition: Some(1), ..config(None) };
    let error = pool.run(&dataset, &udfs, &config).unwrap_err();
    assert_eq!(error.to_string(), "a partition alone does not go on from a checkpoint");
}

/// Starts a run that writes its results after every partition, and kills it once there is a checkpoint.
fn killed(folder: &Folder, signal: &str, more: &[&str]) -> Ended {
    let args = ["out", "--every", "1p", "--png", "--plugin", "sum", "--plugin", "stddev", "--plugin", "hostile_guest"];
    let endless = ["-p", "attack=loop", "-p", "partition=15", "--timeout", "600"];
    let child = folder.start(&[&SLOW[..], &args[..], &endless[..], more].concat());
    let start = Instant::now();
    while !folder.path("out/checkpoint.lthost").exists() && !folder.path("out/damage.npy").exists() {
        assert!(start.elapsed() < Duration::from_mins(1), "neither a checkpoint nor results appeared");
        std::thread::sleep(Duration::from_millis(10));
    }
    // It has come to the partition that does not end.
    std::thread::sleep(Duration::from_millis(700));
    assert!(Command::new("kill").args(["-s", signal, &child.id().to_string()]).status().unwrap().success());
    Ended::of(&wait(child, Duration::from_secs(20)), start)
}

#[test]
fn an_interrupted_run_leaves_a_checkpoint_and_says_so() {
    let folder = Folder::new();
    let ended = killed(&folder, "INT", &[]);
    let hint = "the same command with --resume goes on from its checkpoint: interrupted";
    ended.fails(3, &["error: partial results, of ", hint]);
    assert!(folder.path("out/checkpoint.lthost").exists());
    // With other parameters it is another run.
    let other = ["out", "--resume", "--plugin", "sum", "--plugin", "stddev", "--plugin", "hostile_guest"];
    let ended = folder.lthost(&[&SLOW[..], &other[..]].concat());
    ended.fails(2, &["the checkpoint is of another run: they differ in parameter `attack` of `hostile`"]);
    assert!(folder.path("out/checkpoint.lthost").exists(), "what can be gone on from is not lost");
}

#[test]
fn a_run_leaves_the_checkpoint_of_another_one_alone_that_is_at_work() {
    let folder = Folder::new();
    let endless = ["--plugin", "hostile_guest", "-p", "attack=loop", "-p", "partition=15", "--timeout", "600"];
    let first = [&SLOW[..], &["out", "--checkpoint", "0.05"], &endless[..]].concat();
    let checkpoint = folder.path("out/checkpoint.lthost");
    let other = |more: &[&str]| folder.lthost(&[&SLOW[..], &["out", "--plugin", "sum"], more].concat());
    // As soon as it is at work, and also where it goes on from a checkpoint itself.
    for again in [&[][..], &["--resume"]] {
        let child = folder.start(&[&first[..], again].concat());
        let start = Instant::now();
        while !checkpoint.exists() {
            assert!(start.elapsed() < Duration::from_mins(1), "no checkpoint appeared");
            std::thread::sleep(Duration::from_millis(10));
        }
        std::thread::sleep(Duration::from_millis(200));
        other(&["--resume"]).fails(1, &["another run is at work in `out`, whose checkpoint it may be"]);
        let beside = other(&["--checkpoint", "0.001"]);
        let warning = "warning: another run is at work in `out`: this one writes no checkpoint, and leaves that of the other one alone\n";
        assert!(beside.succeeds().stderr.starts_with(warning), "{beside:?}");
        assert!(checkpoint.exists());
        assert!(Command::new("kill").args(["-s", "INT", &child.id().to_string()]).status().unwrap().success());
        let ended = Ended::of(&wait(child, Duration::from_secs(20)), start);
        ended.fails(1, &["the same command with --resume goes on from its checkpoint"]);
    }
    // Now it is that of nobody.
    let anew = other(&[]);
    assert!(anew.succeeds().stderr.starts_with("warning: `out` has the checkpoint of an interrupted run"), "{anew:?}");
    assert!(!checkpoint.exists());
}

#[test]
fn a_killed_run_goes_on_from_its_last_checkpoint() {
    let folder = Folder::new();
    let ended = killed(&folder, "KILL", &["--checkpoint", "0.05"]);
    assert_eq!(ended.code, None, "{ended:?}");
    let n_merged = folder.json("out/run.json")["stats"]["n_partitions"].as_u64().unwrap();
    // With less patience it fails where it was killed, without doing the first partitions again.
    let again = ["out", "--resume", "--plugin", "sum", "--plugin", "stddev", "--plugin", "hostile_guest"];
    let endless = ["-p", "attack=loop", "-p", "partition=15", "--timeout", "1", "--progress", "json"];
    let ended = folder.lthost(&[&SLOW[..], &again[..], &endless[..]].concat());
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("(partition 15, "), "{ended:?}");
    let first: serde_json::Value = serde_json::from_str(ended.stderr.lines().next().unwrap()).unwrap();
    assert!(n_merged >= 10 && first["n_frames_resumed"].as_u64().unwrap() >= 10, "{first}");
    assert_eq!(first["n_frames_resumed"], first["n_frames_done"]);
}

#[test]
fn a_run_that_goes_on_ends_like_one_in_one_go() {
    let folder = Folder::new();
    let udfs = ["--plugin", "plugin_sum", "--plugin", "plugin_stddev", "--plugin", "plugin_sumsig"];
    folder.lthost(&[&SLOW[..], &["whole"], &udfs].concat()).succeeds();
    let run = |more: &[&str]| folder.lthost(&[&SLOW[..], &["out", "--json"], &udfs, more].concat());
    // Nothing to go on from is no mistake: a job that is started again and again always has the option.
    let first = run(&["--resume"]);
    assert!(first.succeeds().stderr.starts_with("nothing to go on from in `out`"), "{first:?}");
    assert!(!files(&folder.path("out")).iter().any(|name| name.contains("checkpoint")));
    assert_eq!(first.json()["stats"]["n_partitions_resumed"], 0);
    // Written by the library, as by an interrupted run.
    let engine = Engine::new(EngineConfig::default()).unwrap();
    let specs = ["sum", "stddev", "sumsig"].map(|name| udf(&engine, &format!("plugin_{name}"), Vec::new()));
    let config = RunConfig { partitions: Some(20), ..RunConfig::default() };
    let (written, _) = checkpoints(&Pool::new(1).unwrap(), (&scan(&folder), &specs, &config), |_, _| {});
    fs::write(folder.path("out/checkpoint.lthost"), &written[written.len() / 2]).unwrap();
    let resumed = run(&["--resume"]);
    assert!(resumed.succeeds().json()["stats"]["n_partitions_resumed"].as_u64().unwrap() > 0, "{resumed:?}");
    for name in files(&folder.path("whole")).iter().filter(|name| name.contains(".npy")) {
        let read = |dir: &str| fs::read(folder.path(&format!("{dir}/{name}"))).unwrap();
        assert_eq!(read("out"), read("whole"), "{name}");
    }
    assert!(!files(&folder.path("out")).iter().any(|name| name.contains("checkpoint")), "it is done");
}

#[test]
fn a_run_that_begins_anew_says_what_it_removes() {
    let folder = Folder::new();
    fs::create_dir(folder.path("out")).unwrap();
    folder.write("out/checkpoint.lthost", "of another run");
    let resumed = folder.lthost(&[&SLOW[..], &["out", "--plugin", "sum", "--resume"]].concat());
    resumed.fails(1, &["the checkpoint is no checkpoint of lthost"]);
    let anew = folder.lthost(&[&SLOW[..], &["out", "--plugin", "sum"]].concat());
    assert!(anew.succeeds().stderr.starts_with("warning: `out` has the checkpoint of an interrupted run"), "{anew:?}");
    assert!(!folder.path("out/checkpoint.lthost").exists());
    folder.lthost(&["run", "--dataset", "scan.npy", "--plugin", "sum", "--resume"]).fails(2, &["--output <DIR>"]);
}
