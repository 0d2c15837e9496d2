//! Runs in a program's hands: waited for, iterated, awaited, streamed, steered, dropped; several at a time.

use std::{
    fmt::Write as _,
    path::Path,
    pin::pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
    time::{Duration, Instant},
};

use futures_core::Stream;
use lthost::{
    dataset::{self, Dataset, DatasetOptions},
    plugin::{Argument, Engine, EngineConfig, Limits, Plugin},
    run::{Observer, Outcome, Pool, Progress, RunConfig, RunError, UdfSpec, Update},
    shape::Dtype,
};
use lthost_tests::wasm;

use crate::program::{Folder, SCAN};

/// A scan of 20 frames, and plugins over it.
struct Bench {
    folder: Folder,
    engine: Engine,
}

impl Bench {
    fn new() -> Self {
        Self { folder: Folder::new(), engine: Engine::new(EngineConfig::default()).unwrap() }
    }

    fn dataset(&self) -> Arc<Dataset> {
        Arc::new(dataset::open(&self.folder.path("scan.npy"), &DatasetOptions::default()).unwrap())
    }

    fn udf(&self, name: &str, arguments: &[(&str, serde_json::Value)]) -> UdfSpec {
        let plugin = Plugin::from_file(&self.engine, &wasm(name), &Limits::default()).unwrap();
        let arguments = arguments.iter().map(|(name, value)| ((*name).to_owned(), Argument::Json(value.clone())));
        UdfSpec { label: None, plugin, arguments: arguments.collect() }
    }

    /// Sums of pixels and of frames: what every run here gives.
    fn sums(&self) -> Vec<UdfSpec> {
        vec![self.udf("plugin_sum", &[]), self.udf("plugin_sumsig", &[])]
    }

    /// A UDF that never ends.
    fn endless(&self) -> UdfSpec {
        self.udf("hostile_guest", &[("attack", "loop".into()), ("at", "process".into())])
    }
}

fn config(partitions: u64) -> RunConfig {
    let limits = Limits { timeout: Duration::from_mins(1), ..Limits::default() };
    RunConfig { partitions: Some(partitions), limits, ..RunConfig::default() }
}

fn sum_of(outcome: &Outcome, udf: usize) -> f64 {
    outcome.udfs[udf].results[0].to_f64().iter().sum()
}

fn n_damaged(outcome: &Outcome) -> usize {
    outcome.damage.data.iter().map(|&byte| usize::from(byte)).sum()
}

fn bits(outcome: &Outcome) -> Vec<Vec<u8>> {
    let results = outcome.udfs.iter().flat_map(|udf| &udf.results);
    results.map(|result| result.data.clone()).chain([outcome.damage.data.clone()]).collect()
}

/// Wakes a thread.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// The simplest executor there is: polls whenever it is woken, sleeps otherwise.
fn block_on<T>(mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> T {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    loop {
        if let Poll::Ready(ready) = poll(&mut Context::from_waker(&waker)) {
            return ready;
        }
        thread::park();
    }
}

#[test]
fn four_ways_give_the_same() {
    let bench = Bench::new();
    let (dataset, udfs, config) = (bench.dataset(), bench.sums(), config(5));
    let pool = Pool::new(2).unwrap();
    let start = || pool.start(&dataset, &udfs, &config, Observer::default());
    let waited = start().wait().unwrap();
    assert!(waited.is_complete);
    assert_eq!(n_damaged(&waited), 20);
    let iterated = start().partials().last().unwrap().unwrap();
    let mut completed = pin!(start().into_future());
    let awaited = block_on(|cx| completed.as_mut().poll(cx)).unwrap();
    let mut stream = pin!(start().stream());
    let mut streamed = None;
    while let Some(partial) = block_on(|cx| Stream::poll_next(stream.as_mut(), cx)) {
        streamed = Some(partial.unwrap());
    }
    for other in [iterated, awaited, streamed.unwrap()] {
        assert!(other.is_complete);
        assert_eq!(bits(&other), bits(&waited));
    }
}

#[test]
fn partial_results_are_those_of_the_frames_in_their_damage() {
    let bench = Bench::new();
    let pool = Pool::new(2).unwrap();
    let mut seen = Vec::new();
    for partial in pool.start(&bench.dataset(), &bench.sums(), &config(20), Observer::default()).partials() {
        let partial = partial.unwrap();
        // Both UDFs have seen the same frames, and these are the first ones.
        let n = n_damaged(&partial);
        assert!(partial.damage.data[..n].iter().all(|&byte| byte == 1));
        let of_frames = partial.udfs[1].results[0].to_f64();
        assert!((sum_of(&partial, 0) - of_frames[..n].iter().sum::<f64>()).abs() < 1.0);
        assert!(of_frames[n..].iter().all(|&sum| sum == 0.0));
        assert_eq!(partial.stats.n_frames, n as u64);
        assert_eq!(partial.is_complete, n == 20);
        seen.push(n);
    }
    assert!(seen.is_sorted_by(|a, b| a < b), "each is newer than the one before: {seen:?}");
    assert_eq!(seen.last(), Some(&20));
}

#[test]
fn results_are_made_as_often_as_they_are_asked_for() {
    // Everything that exists only at the end, over and over, also what merges all partials at once.
    let bench = Bench::new();
    let udfs = [bench.udf("guest_probe", &[]), bench.udf("guest_one_step", &[]), bench.udf("plugin_stddev", &[])];
    let pool = Pool::new(1).unwrap();
    let complete = pool.run(&bench.dataset(), &udfs, &config(20)).unwrap();
    let mut last = None;
    for partial in pool.start(&bench.dataset(), &udfs, &config(20), Observer::default()).partials() {
        let partial = partial.unwrap();
        let n = n_damaged(&partial);
        let result = |udf: usize, name: &str| {
            partial.udfs[udf].results.iter().find(|result| result.name == name).unwrap().to_f64()
        };
        assert_eq!(result(0, "total"), [result(0, "sum")[..n].iter().sum::<f64>()]);
        assert_eq!(result(1, "order").iter().filter(|&&index| index >= 0.0).count(), n);
        assert_eq!(result(2, "num_frames"), [f64::from(u32::try_from(n).unwrap())]);
        last = Some(partial);
    }
    assert_eq!(bits(&last.unwrap()), bits(&complete));
}

#[test]
fn who_is_slow_skips_and_the_last_always_arrives() {
    let bench = Bench::new();
    let pool = Pool::new(2).unwrap();
    let done = Arc::new(AtomicU64::new(0));
    let told = Arc::clone(&done);
    let progress = move |progress: &Progress| told.store(progress.n_partitions_done, Ordering::Relaxed);
    let observer = Observer { progress: Arc::new(progress), ..Observer::default() };
    let mut partials = pool.start(&bench.dataset(), &bench.sums(), &config(20), observer).partials();
    if partials.next().unwrap().unwrap().is_complete {
        // Only on a machine that leaves this thread no time at all.
        return;
    }
    // Nobody takes anything meanwhile, and the work goes on.
    let start = Instant::now();
    while done.load(Ordering::Relaxed) < 20 {
        assert!(start.elapsed() < Duration::from_secs(30), "the workers wait for whoever takes the results");
        thread::sleep(Duration::from_millis(1));
    }
    let rest: Vec<_> = partials.map(Result::unwrap).collect();
    assert!(rest.len() <= 2, "results of {} steps were kept", rest.len());
    assert!(rest.last().unwrap().is_complete);
}

#[test]
fn a_run_that_is_steered_is_repeated_by_what_it_tells() {
    let bench = Bench::new();
    let (dataset, udfs) = (bench.dataset(), [bench.udf("guest_probe", &[]), bench.udf("plugin_sum", &[])]);
    let pool = Pool::new(2).unwrap();
    let mut partials = pool.start(&dataset, &udfs, &config(20), Observer::default()).partials();
    let control = partials.control();
    let update = |scale: f64| Update {
        label: "probe".to_owned(),
        arguments: vec![("scale".to_owned(), Argument::Json(scale.into()))],
    };
    let mut applied = Vec::new();
    let mut outcome = partials.next().unwrap().unwrap();
    for scale in [2.0, 3.0] {
        match control.update(&update(scale)) {
            Ok(from) => applied.push((from, update(scale))),
            // The run was faster.
            Err(error) => assert!(matches!(error, RunError::TooLate), "{error}"),
        }
    }
    let refused = control.update(&update(-1.0)).unwrap_err();
    assert!(refused.to_string().contains("too small") || matches!(refused, RunError::TooLate), "{refused}");
    for partial in partials {
        outcome = partial.unwrap();
    }
    let told: Vec<u64> = outcome.updates.iter().map(|update| update.from_partition).collect();
    assert_eq!(told, applied.iter().map(|(from, _)| *from).collect::<Vec<_>>());
    let repeated = Pool::new(3).unwrap().run(&dataset, &udfs, &RunConfig { updates: applied, ..config(20) }).unwrap();
    assert_eq!(bits(&outcome), bits(&repeated));
}

#[test]
fn runs_on_one_pool_take_turns() {
    let bench = Bench::new();
    let (dataset, udfs) = (bench.dataset(), bench.sums());
    let pool = Pool::new(1).unwrap();
    let order = Arc::new(Mutex::new(Vec::new()));
    let observer = |name: char| {
        let order = Arc::clone(&order);
        let progress = move |progress: &Progress| {
            if progress.n_partitions_done > 0 {
                order.lock().unwrap().push(name);
            }
        };
        Observer { progress: Arc::new(progress), ..Observer::default() }
    };
    let runs = ['a', 'b', 'c'].map(|name| pool.start(&dataset, &udfs, &config(20), observer(name)));
    let outcomes = runs.map(|run| bits(&run.wait().unwrap()));
    assert!(outcomes.iter().all(|other| *other == outcomes[0]));
    let order = order.lock().unwrap();
    let n_turns = order.windows(2).filter(|pair| pair[0] != pair[1]).count();
    assert!(n_turns > 20, "one after the other: {order:?}");
}

#[test]
fn a_run_that_fails_does_not_disturb_the_others() {
    let bench = Bench::new();
    let (dataset, udfs) = (bench.dataset(), bench.sums());
    let pool = Pool::new(2).unwrap();
    let expected = bits(&pool.run(&dataset, &udfs, &config(20)).unwrap());
    let panicking = bench.udf("hostile_guest", &[("attack", "panic".into()), ("partition", 3.into())]);
    let unknown = bench.udf("plugin_sum", &[("nonsense", 1.into())]);
    let good = pool.start(&dataset, &udfs, &config(20), Observer::default());
    let failing = pool.start(&dataset, &[panicking], &config(20), Observer::default());
    let wrong = pool.start(&dataset, &[unknown], &config(20), Observer::default());
    assert!(failing.wait().unwrap_err().to_string().contains("panic"));
    assert!(wrong.partials().next().unwrap().unwrap_err().to_string().contains("nonsense"));
    assert_eq!(bits(&good.wait().unwrap()), expected);
}

#[test]
fn a_run_that_is_dropped_ends_soon_and_frees_the_workers() {
    let bench = Bench::new();
    let (dataset, udfs) = (bench.dataset(), bench.sums());
    let pool = Pool::new(1).unwrap();
    for way in ["run", "iterator", "stream", "future", "control"] {
        let run = pool.start(&dataset, &[bench.endless()], &config(2), Observer::default());
        // Until the plugin is in its loop.
        thread::sleep(Duration::from_millis(100));
        let start = Instant::now();
        match way {
            "run" => drop(run),
            "iterator" => drop(run.partials()),
            "stream" => drop(run.stream()),
            "future" => drop(run.into_future()),
            _ => {
                let control = run.control();
                control.cancel();
                assert!(matches!(run.wait(), Err(RunError::Cancelled)));
                assert!(control.has_ended());
            }
        }
        assert!(pool.run(&dataset, &udfs, &config(4)).unwrap().is_complete);
        assert!(
            start.elapsed() < Duration::from_secs(5),
            "{way}: the worker was not free before {:?}",
            start.elapsed()
        );
    }
}

#[test]
fn a_run_of_nothing_has_its_end() {
    let bench = Bench::new();
    let roi = lthost::shape::Array {
        dtype: Dtype::Bool,
        shape: lthost::shape::Shape::new(&SCAN[..2]).unwrap(),
        data: vec![0; 20],
    };
    let config = RunConfig { roi: Some(roi), ..config(4) };
    let pool = Pool::new(2).unwrap();
    let partials = pool.start(&bench.dataset(), &bench.sums(), &config, Observer::default()).partials();
    let all: Vec<_> = partials.map(Result::unwrap).collect();
    assert!(all.len() == 1 && all[0].is_complete && n_damaged(&all[0]) == 0);
}

#[test]
fn a_file_that_vanishes_fails_its_run_alone() {
    let bench = Bench::new();
    let (dataset, udfs) = (bench.dataset(), bench.sums());
    let pool = Pool::new(2).unwrap();
    truncate(&bench.folder.path("scan.npy"));
    let error = pool.run(&dataset, &udfs, &config(4)).unwrap_err();
    assert!(matches!(error, RunError::Dataset(_)), "{error}");
    let again = Bench::new();
    assert!(pool.run(&again.dataset(), &udfs, &config(4)).unwrap().is_complete);
}

fn truncate(path: &Path) {
    std::fs::OpenOptions::new().write(true).open(path).unwrap().set_len(200).unwrap();
}

/// Keeps what is logged, as text.
#[derive(Clone, Default)]
struct Collect(Arc<Mutex<Vec<String>>>);

impl tracing::Subscriber for Collect {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target() == "lthost::plugin"
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        struct Text(String);
        impl tracing::field::Visit for Text {
            fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
                write!(self.0, "{field}={value:?} ").unwrap();
            }
        }
        let mut text = Text(format!("{} ", event.metadata().level()));
        event.record(&mut text);
        self.0.lock().unwrap().push(text.0);
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

#[test]
fn what_plugins_log_reaches_tracing_with_its_place() {
    let bench = Bench::new();
    let collected = Collect::default();
    // Workers are threads of their own: the collector has to be everybody's. Other tests' lines do no harm.
    tracing::subscriber::set_global_default(collected.clone()).unwrap();
    let panicking = bench.udf("hostile_guest", &[("attack", "panic".into()), ("partition", 3.into())]);
    let run = Pool::new(1).unwrap().start(&bench.dataset(), panicking, &config(20), Observer::default());
    assert!(run.wait().is_err());
    let lines = collected.0.lock().unwrap();
    let is_it = |line: &&String| {
        line.starts_with("ERROR ") && ["hostile", "partition=3", "(3, 4)"].iter().all(|part| line.contains(part))
    };
    assert!(lines.iter().any(|line| is_it(&line)), "{lines:?}");
}
