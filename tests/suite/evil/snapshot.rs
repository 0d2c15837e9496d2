//! What came of attacks: short enough to be read, and the same on every machine. `attacks.txt` has a block for each.

use std::{
    collections::BTreeMap,
    env,
    fmt::Write as _,
    fs,
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

use lthost_tests::root;

use crate::program::Ended;

/// Bounds. What was blessed had some room below its own.
const SECONDS: [(f64, &str); 3] = [(10.0, "10 s"), (30.0, "30 s"), (90.0, "90 s")];
const MEMORY: [(u64, &str); 6] = [
    (128 << 20, "128 MiB"),
    (256 << 20, "256 MiB"),
    (512 << 20, "512 MiB"),
    (1 << 30, "1 GiB"),
    (2 << 30, "2 GiB"),
    (8 << 30, "8 GiB"),
];
const TEXT: [(u64, &str); 4] = [(4 << 10, "4 KiB"), (64 << 10, "64 KiB"), (1 << 20, "1 MiB"), (8 << 20, "8 MiB")];
/// How much of a line and of all lines is kept.
const MAX_CHARS: usize = 240;
const MAX_MESSAGES: usize = 12;

/// One test at a time writes the file.
static FILE: Mutex<()> = Mutex::new(());

/// What came of an attack.
#[derive(Debug)]
pub(super) struct Came {
    code: Option<i32>,
    seconds: f64,
    peak_bytes: u64,
    n_said: u64,
    said: String,
}

/// What a block says.
struct Block<'a> {
    code: &'a str,
    seconds: f64,
    memory: u64,
    text: u64,
    said: &'a str,
}

impl Came {
    pub(super) fn new(ended: &Ended, peak_bytes: u64) -> Self {
        let (code, seconds) = (ended.code, ended.seconds);
        Self { code, seconds, peak_bytes, n_said: ended.stderr.len() as u64, said: messages(&ended.stderr) }
    }

    fn code(&self) -> String {
        self.code.map_or_else(|| "killed".to_owned(), |code| code.to_string())
    }

    /// As a block, with room for a machine that is busy.
    fn block(&self) -> String {
        let seconds = SECONDS.iter().find(|(bound, _)| self.seconds * 2.5 < *bound);
        let seconds = seconds.map_or("no bound", |(_, name)| name);
        let (code, memory, text) = (self.code(), least(&MEMORY, self.peak_bytes), least(&TEXT, self.n_said));
        format!("exit {code} in < {seconds} with < {memory}, says < {text}\n{}", self.said)
    }

    /// What is otherwise than a block says.
    fn differs(&self, block: &str) -> Option<String> {
        let Some(block) = parse(block) else { return Some(format!("its block can't be read:\n{block}")) };
        let mut wrong = Vec::new();
        if self.code() != block.code {
            wrong.push(format!("it ended with {}, not with {}", self.code(), block.code));
        }
        if self.seconds >= block.seconds {
            wrong.push(format!("it took {:.1} s, not less than {}", self.seconds, block.seconds));
        }
        if self.peak_bytes >= block.memory {
            wrong.push(format!("it had {} bytes of memory, not less than {}", self.peak_bytes, block.memory));
        }
        if self.n_said >= block.text {
            wrong.push(format!("it said {} bytes, not less than {}", self.n_said, block.text));
        }
        if self.said != block.said {
            wrong.push(format!("it said\n{}and not\n{}", self.said, block.said));
        }
        (!wrong.is_empty()).then(|| wrong.join("; "))
    }
}

/// The least bound that is a quarter more than what was measured.
fn least(bounds: &[(u64, &'static str)], measured: u64) -> &'static str {
    bounds.iter().find(|(bound, _)| measured + measured / 4 < *bound).map_or("no bound", |(_, name)| name)
}

/// Holds what came against the file, and gives what is otherwise. `BLESS=1` writes it there, but for what still fits.
pub(super) fn hold(all: &[(&str, Came)]) -> Vec<String> {
    let _one_at_a_time = FILE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut blocks = read();
    let mut wrong = Vec::new();
    for (name, came) in all {
        let differs = match blocks.get(*name) {
            Some(block) => came.differs(block),
            None => Some("it has no block".to_owned()),
        };
        if let Some(what) = differs {
            wrong.push(format!("{name}: {what}\nBLESS=1 writes what came into {}", path().display()));
            blocks.insert((*name).to_owned(), came.block());
        }
    }
    if env::var_os("BLESS").is_none() {
        return wrong;
    }
    if !wrong.is_empty() {
        write(&blocks);
    }
    Vec::new()
}

/// Names of blocks that belong to no attack; `BLESS=1` removes them.
pub(super) fn strangers(known: &[String]) -> Vec<String> {
    let _one_at_a_time = FILE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut blocks = read();
    let strangers: Vec<String> = blocks.keys().filter(|name| !known.contains(name)).cloned().collect();
    if env::var_os("BLESS").is_none() || strangers.is_empty() {
        return strangers;
    }
    blocks.retain(|name, _| known.contains(name));
    write(&blocks);
    Vec::new()
}

fn path() -> PathBuf {
    root().join("tests/suite/evil/attacks.txt")
}

/// Blocks by name: each begins with `# name`.
fn read() -> BTreeMap<String, String> {
    let text = fs::read_to_string(path()).unwrap_or_default();
    let mut blocks: BTreeMap<String, String> = BTreeMap::new();
    let mut name = String::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        if let Some(next) = line.strip_prefix("# ") {
            next.clone_into(&mut name);
        } else {
            let block = blocks.entry(name.clone()).or_default();
            block.push_str(line);
            block.push('\n');
        }
    }
    blocks
}

fn write(blocks: &BTreeMap<String, String>) {
    let blocks: Vec<String> = blocks.iter().map(|(name, block)| format!("# {name}\n{block}")).collect();
    fs::write(path(), blocks.join("\n")).unwrap();
}

/// `exit 1 in < 2 s with < 128 MiB, says < 4 KiB`, and then what it said. What has no bound is never right.
fn parse(block: &str) -> Option<Block<'_>> {
    let (head, said) = block.split_once('\n')?;
    let (code, rest) = head.strip_prefix("exit ")?.split_once(" in < ")?;
    let (seconds, rest) = rest.split_once(" with < ")?;
    let (memory, text) = rest.split_once(", says < ")?;
    let of =
        |bounds: &[(u64, &str)], name: &str| bounds.iter().find(|(_, other)| *other == name).map(|(bound, _)| *bound);
    let (seconds, _) = SECONDS.iter().find(|(_, name)| *name == seconds)?;
    Some(Block { code, seconds: *seconds, memory: of(&MEMORY, memory)?, text: of(&TEXT, text)?, said })
}

/// The messages on stderr: each once, in the order of the alphabet, since workers speak in any order.
fn messages(stderr: &str) -> String {
    let mut messages: BTreeMap<String, u32> = BTreeMap::new();
    let mut last: Option<String> = None;
    let mut take = |message: Option<String>| {
        if let Some(message) = message {
            *messages.entry(message).or_default() += 1;
        }
    };
    for line in stderr.lines().filter(|line| !line.starts_with("repeat it with: ")) {
        let line = normal(line);
        match &mut last {
            // What is indented belongs to the line before.
            Some(message) if line.starts_with("    ") => write!(message, "\n  {line}").unwrap(),
            _ => take(last.replace(format!("  {line}"))),
        }
    }
    take(last);
    let n_more = messages.len().saturating_sub(MAX_MESSAGES);
    let often = |n: u32| if n > 10 { " (again and again)" } else { "" };
    let mut text: String = messages
        .iter()
        .take(MAX_MESSAGES)
        .map(|(message, n)| format!("{message}{}\n", often(*n)))
        .collect::<Vec<_>>()
        .concat();
    if n_more > 0 {
        text.push_str("  and more\n");
    }
    text
}

/// A line without what is different each time: which partition came first, and what depends on the machine.
fn normal(line: &str) -> String {
    const PLACE: &str = "(partition ";
    let mut line = line.to_owned();
    let mut from = 0;
    while let Some(start) = line[from..].find(PLACE).map(|found| from + found) {
        let len = line[start..].find(')').unwrap_or(PLACE.len());
        let plain = without_numbers(&line[start..start + len]);
        line.replace_range(start..start + len, &plain);
        from = start + plain.len();
    }
    for unit in [" bytes of machine code", " bytes of memory with its other instances", " s for compiling"] {
        if let Some(end) = line.find(unit) {
            let digits = line[..end].trim_end_matches(|c: char| c.is_ascii_digit() || c == '.').len();
            line.replace_range(digits..end, "N");
        }
    }
    if line.chars().count() > MAX_CHARS {
        line = line.chars().take(MAX_CHARS).collect::<String>() + "…";
    }
    line
}

/// The same with `N` for each number.
fn without_numbers(text: &str) -> String {
    let mut plain = String::new();
    for c in text.chars() {
        match c {
            '0'..='9' if plain.ends_with('N') => {}
            '0'..='9' => plain.push('N'),
            c => plain.push(c),
        }
    }
    plain
}

#[test]
fn blocks_say_what_came_and_are_read_again() {
    let stderr = "warning: b\n    2\nerror: a (partition 12, frames 6..13) trapped\n    at f\nwarning: b\n    2\n";
    let came = Came { code: Some(3), seconds: 0.5, peak_bytes: 50 << 20, n_said: 80, said: messages(stderr) };
    let block = came.block();
    assert_eq!(
        block,
        "exit 3 in < 10 s with < 128 MiB, says < 4 KiB\n  error: a (partition N, frames N..N) trapped\n      at f\n  \
         warning: b\n      2\n"
    );
    assert_eq!(came.differs(&block), None);
    let slow = Came { seconds: 10.5, code: Some(1), ..came };
    let what = slow.differs(&block).unwrap();
    assert!(what.contains("it ended with 1, not with 3; it took 10.5 s, not less than 10"), "{what}");
    assert_eq!(normal("has 12345 bytes of machine code, at most 7"), "has N bytes of machine code, at most 7");
}
