//! Where attacks are played: each in a run of the built program with a healthy plugin in it, and a healthy run at its side.
//! What it said, how long it took and how much memory are held against `attacks.txt`.

use std::{
    fs,
    io::Read,
    panic::{AssertUnwindSafe, catch_unwind},
    process::{Child, Output},
    sync::OnceLock,
    thread,
    time::{Duration, Instant},
};

use crate::program::{Ended, Folder, wait};

use super::{
    snapshot::{self, Came},
    wat::{Plugin, Strikes, parsed},
};

/// The healthy plugin, and what it makes.
const HEALTHY: [&str; 8] = ["run", "--quiet", "--dataset", "scan.npy", "--partitions", "3", "--workers", "2"];
const RESULT: &str = "sum/intensity.npy";
/// Nothing takes longer, whatever it does.
const PATIENCE: Duration = Duration::from_secs(90);
/// How often it is looked how much memory there is.
const LOOK: Duration = Duration::from_millis(3);

/// An attack: a file that is given to the host as a plugin.
pub(super) struct Attack {
    pub(super) name: String,
    make: Box<dyn Fn() -> Vec<u8>>,
    strikes: Strikes,
    options: Vec<(&'static str, &'static str)>,
    flags: Vec<&'static str>,
    is_inspected: bool,
}

impl Attack {
    pub(super) fn new(name: impl Into<String>, strikes: Strikes, plugin: Plugin) -> Self {
        Self::of_bytes(name, strikes, move || plugin.wasm())
    }

    /// A module or a component in text.
    pub(super) fn of_text(name: impl Into<String>, strikes: Strikes, text: impl Into<String>) -> Self {
        let text = text.into();
        Self::of_bytes(name, strikes, move || parsed(&text))
    }

    /// A file that is made when it is needed.
    pub(super) fn of_bytes(name: impl Into<String>, strikes: Strikes, make: impl Fn() -> Vec<u8> + 'static) -> Self {
        let options = vec![("--timeout", "0.3"), ("--max-memory", "256M"), ("--on-error", "skip")];
        let (name, make) = (name.into(), Box::new(make));
        Self { name, make, strikes, options, flags: Vec::new(), is_inspected: false }
    }

    /// With an option of the run, instead of the usual one if there is one.
    pub(super) fn given(mut self, option: &'static str, value: &'static str) -> Self {
        self.options.retain(|(other, _)| *other != option);
        self.options.push((option, value));
        self
    }

    /// Compiled anew each time.
    pub(super) fn uncached(mut self) -> Self {
        self.flags.push("--no-cache");
        self
    }

    /// Shown by `lthost inspect` and `lthost plugins`, too.
    pub(super) fn inspected(mut self) -> Self {
        self.is_inspected = true;
        self
    }

    /// Plays it. The host has to live, and the healthy plugin to be unharmed.
    fn play(&self) -> Came {
        let folder = Folder::new();
        folder.write("evil.wasm", (self.make)());
        let beside = folder.start(&[&HEALTHY[..], &["--plugin", "sum", "-o", "beside"]].concat());
        let mut args =
            [&HEALTHY[..], &["--plugin", "sum", "--plugin", "./evil.wasm", "-o", "out"], &self.flags[..]].concat();
        // Some are those of every run already.
        for (option, value) in &self.options {
            match args.iter().position(|arg| arg == option) {
                Some(at) => args[at + 1] = *value,
                None => args.extend([option, value]),
            }
        }
        let start = Instant::now();
        let (output, peak_bytes) = watch(folder.start(&args));
        let ended = Ended::of(&output, start);
        let healthy = Ended::of(&wait(beside, PATIENCE), start);
        healthy.succeeds();
        assert!(bits(&folder, "beside") == *expected(), "the run at its side has other results");
        self.check(&folder, &ended);
        if self.is_inspected {
            inspect(&folder);
        }
        Came::new(&ended, peak_bytes)
    }

    /// How it ended, and what became of the healthy plugin in the same run.
    fn check(&self, folder: &Folder, ended: &Ended) {
        let codes: &[i32] = match self.strikes {
            Strikes::Early | Strikes::Elsewhere => &[1, 2, 3],
            Strikes::OnWorkers => &[3],
            Strikes::Never => &[0],
            Strikes::Perhaps => &[0, 1, 2, 3],
        };
        let said: String = ended.stderr.chars().take(2000).collect();
        assert!(!said.contains("try '--help'"), "the host has no such option: {said}");
        let code = ended.code.unwrap_or_else(|| panic!("the host was killed, or had to be: {said}"));
        assert!(codes.contains(&code), "it ended with {code}, expected one of {codes:?}: {said}");
        if matches!(code, 0 | 3) {
            assert!(bits(folder, "out") == *expected(), "the healthy plugin of the same run has other results: {said}");
        } else {
            folder.assert_untouched();
        }
    }
}

/// Plays attacks one after the other, and tells of all that went otherwise than before.
pub(super) fn play(attacks: &[Attack]) {
    let mut wrong = Vec::new();
    let mut all = Vec::new();
    for attack in attacks {
        match catch_unwind(AssertUnwindSafe(|| attack.play())) {
            Ok(came) => all.push((attack.name.as_str(), came)),
            Err(panic) => {
                let text = panic.downcast_ref::<String>().map(String::as_str);
                let text = text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("it panicked");
                wrong.push(format!("{}: {text}", attack.name));
            }
        }
    }
    wrong.extend(snapshot::hold(&all));
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// What `sum` gives where there is no evil at all.
fn expected() -> &'static Vec<u8> {
    static EXPECTED: OnceLock<Vec<u8>> = OnceLock::new();
    EXPECTED.get_or_init(|| {
        let folder = Folder::new();
        folder.lthost(&[&HEALTHY[..], &["--plugin", "sum", "-o", "out"]].concat()).succeeds();
        bits(&folder, "out")
    })
}

fn bits(folder: &Folder, out: &str) -> Vec<u8> {
    fs::read(folder.path(out).join(RESULT)).unwrap()
}

/// Nothing that a plugin says of itself controls the terminal of whoever looks at it: `Ended` sees to that.
fn inspect(folder: &Folder) {
    let limits = ["--timeout", "0.3", "--max-memory", "256M"];
    let asked = folder.lthost(&[&["inspect", "./evil.wasm"], &limits[..]].concat());
    let in_json = folder.lthost(&[&["inspect", "./evil.wasm", "--json"], &limits[..]].concat());
    let listed = folder.shell("LTHOST_PLUGINS=$PWD $lthost plugins");
    listed.succeeds();
    for ended in [asked, in_json, listed] {
        let n_bytes = ended.stdout.len() + ended.stderr.len();
        assert!(ended.code.is_some() && n_bytes < 1 << 20, "{n_bytes} bytes are said of it");
    }
}

/// Waits for a run to end, and gives the most memory that it had.
fn watch(mut child: Child) -> (Output, u64) {
    let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    // Whoever is flooded must not wait for a reader.
    let (stdout, stderr) = (thread::spawn(|| read(stdout)), thread::spawn(|| read(stderr)));
    let (start, mut peak_bytes) = (Instant::now(), 0);
    let status = loop {
        peak_bytes = peak_bytes.max(memory(child.id()));
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if start.elapsed() > PATIENCE {
            child.kill().unwrap();
            break child.wait().unwrap();
        }
        thread::sleep(LOOK);
    };
    (Output { status, stdout: stdout.join().unwrap(), stderr: stderr.join().unwrap() }, peak_bytes)
}

fn read(mut from: impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    from.read_to_end(&mut bytes).unwrap();
    bytes
}

/// The most memory that a process and its children have had; 0 where the system does not tell.
fn memory(process: u32) -> u64 {
    let threads = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let children = threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    let children: Vec<String> = children.collect();
    let children = children.iter().flat_map(|of_thread| of_thread.split_whitespace());
    children.filter_map(|child| child.parse::<u32>().ok()).chain([process]).map(high_water).sum()
}

fn high_water(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let mark = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib: Option<u64> = mark.and_then(|mark| mark.trim().trim_end_matches("kB").trim().parse().ok());
    kib.unwrap_or(0) * 1024
}
