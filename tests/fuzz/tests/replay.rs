//! Every target with its seeds, with what was kept of earlier searches, and with changes of these at random, for some seconds.
//!
//! `LTHOST_FUZZ_SECONDS` says for how long, and `LTHOST_FUZZ_SEED` takes other changes than those of CI.
#![expect(clippy::panic, reason = "a test stops at the first surprise")]

use std::{
    env, fs,
    io::Write as _,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, Weak},
    thread,
    time::{Duration, Instant},
};

use lthost_fuzz::{TARGETS, Target, kept, mutate::Mutator, root, target};

/// Seconds for each target, if nobody says otherwise.
const SECONDS: u64 = 5;
/// An input that takes longer is a mistake, ..
const SLOW: Duration = Duration::from_secs(20);
/// .. and one that takes this long may never end.
const ENDLESS: Duration = Duration::from_mins(2);
/// Memory that the tests may take together, in KiB.
const MAX_MEMORY_KIB: u64 = 4 << 20;

macro_rules! targets {
    ($($name:ident)*) => {
        const TRIED: &[&str] = &[$(stringify!($name)),*];

        mod no_input_breaks {
            $(
                #[test]
                fn $name() {
                    super::search(stringify!($name));
                }
            )*
        }
    };
}
targets!(plugin describe imports arguments npy npy_scan raw mib hdr raw_csr auto partial checkpoint);

#[test]
fn every_target_is_tried_here_and_with_a_fuzzer() {
    let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
    assert_eq!(names, TRIED);
    let manifest = fs::read_to_string(root().join("fuzz/Cargo.toml")).expect("it is part of the source");
    for name in names {
        let path = format!("fuzz_targets/{name}.rs");
        let text = fs::read_to_string(root().join("fuzz").join(&path)).unwrap_or_default();
        assert!(text.contains(&format!("\"{name}\"")), "fuzz/{path} is not about `{name}`");
        assert!(
            manifest.contains(&format!("name = \"{name}\"\npath = \"{path}\"")),
            "`{name}` is not in fuzz/Cargo.toml"
        );
    }
}

/// Tries inputs until the time is over.
fn search(name: &str) {
    let attempts = Attempts::new(target(name));
    let mut inputs: Vec<Vec<u8>> = (attempts.target.seeds)();
    for (number, input) in inputs.iter().enumerate() {
        attempts.make(input, &format!("seed {number}"));
    }
    for (path, input) in kept(name) {
        attempts.make(&input, &path.display().to_string());
        inputs.push(input);
    }
    let n_kept = inputs.len();
    let seconds = Duration::from_secs(number("LTHOST_FUZZ_SECONDS").unwrap_or(SECONDS));
    let seed = number("LTHOST_FUZZ_SEED").unwrap_or(1);
    let (start, mut n, mut mutator) = (Instant::now(), 0_u64, Mutator::new(seed));
    while start.elapsed() < seconds {
        let (one, other) = (mutator.below(inputs.len()), mutator.below(inputs.len()));
        let input = mutator.mutate(&inputs[one], &inputs[other], attempts.target.max_len);
        attempts.make(&input, &format!("change {n} with LTHOST_FUZZ_SEED={seed}"));
        n += 1;
    }
    // Past the test runner, which shows what a test prints only if it fails.
    let _nobody_listens = writeln!(
        std::io::stderr(),
        "{name}: {n_kept} inputs that were kept, and {n} changes of them in {:.1} s",
        start.elapsed().as_secs_f64()
    );
}

fn number(variable: &str) -> Option<u64> {
    let text = env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is `{text}`, expected a number")))
}

/// Gives inputs to a target, one after the other.
struct Attempts {
    target: Target,
    folder: PathBuf,
    /// When the one at hand began.
    begun: Arc<Mutex<Instant>>,
}

impl Attempts {
    fn new(target: Target) -> Self {
        let folder = root().join("target/fuzz").join(target.name);
        fs::create_dir_all(&folder).expect("the project's own folder can be written");
        let begun = Arc::new(Mutex::new(Instant::now()));
        let (watched, last) = (Arc::downgrade(&begun), folder.join("last"));
        thread::spawn(move || watch(&watched, &last));
        Self { target, folder, begun }
    }

    /// Gives one input, and fails if the target does.
    fn make(&self, input: &[u8], what: &str) {
        // If the whole process ends, it is there.
        fs::write(self.folder.join("last"), input).expect("the project's own folder can be written");
        let start = Instant::now();
        *self.begun.lock().unwrap_or_else(PoisonError::into_inner) = start;
        let went_well = catch_unwind(AssertUnwindSafe(|| (self.target.run)(input))).is_ok();
        let (seconds, memory) = (start.elapsed(), memory_kib());
        let problem = match (went_well, memory) {
            (false, _) => "failed, as said above".to_owned(),
            (true, Some(n)) if n > MAX_MEMORY_KIB => format!("left a process that has taken {n} KiB"),
            _ if seconds > SLOW => format!("took {:.1} s", seconds.as_secs_f64()),
            _ => return,
        };
        let path = self.folder.join(format!("failed-{:016x}", hash(input)));
        fs::write(&path, input).expect("the project's own folder can be written");
        let name = self.target.name;
        let (shown, keep) = (path.display(), format!("tests/fuzz/found/{name}/"));
        panic!("`{name}`, {what}: {problem}. The input is {shown}: move it to {keep} when it is fixed");
    }
}

/// Ends the process if an input takes for ever.
fn watch(begun: &Weak<Mutex<Instant>>, last: &Path) {
    while let Some(begun) = begun.upgrade() {
        let elapsed = begun.lock().unwrap_or_else(PoisonError::into_inner).elapsed();
        if elapsed > ENDLESS {
            let seconds = elapsed.as_secs();
            let _nobody_listens =
                writeln!(std::io::stderr(), "an input has taken {seconds} s and goes on: {}", last.display());
            std::process::exit(1);
        }
        drop(begun);
        thread::sleep(Duration::from_secs(1));
    }
}

/// The most memory that this process has had, as far as the system tells.
fn memory_kib() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

/// A name for an input (FNV-1a).
fn hash(input: &[u8]) -> u64 {
    input.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}
