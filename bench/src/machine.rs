//! What was measured on, and with what. Says nothing that names the machine or its user.

use std::{
    fs,
    path::Path,
    process::Command,
    thread,
    time::{SystemTime, UNIX_EPOCH},
};

/// Lines about processor, memory, versions and date: what, and which.
pub(crate) fn facts(root: &Path) -> Vec<(&'static str, String)> {
    let n_cores = thread::available_parallelism().map_or(1, usize::from);
    let lock = fs::read_to_string(root.join("Cargo.lock")).unwrap_or_default();
    let version = |name: &str| locked_version(&lock, name).unwrap_or("of unknown version").to_owned();
    vec![
        ("processor", format!("{}, {n_cores} cores", model().unwrap_or_else(|| "unknown".to_owned()))),
        ("memory", format!("{} GiB", memory_kib().unwrap_or(0) >> 20)),
        ("versions", format!("lthost {}, wasmtime {}, {}", env!("CARGO_PKG_VERSION"), version("wasmtime"), compiler())),
        ("native code", native_code()),
        ("date", date(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() / 86_400))),
    ]
}

/// How many programs wanted a core, on average over the last minute.
pub(crate) fn load() -> f64 {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split_whitespace().next().and_then(|minute| minute.parse().ok()).unwrap_or(f64::NAN)
}

fn model() -> Option<String> {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = cpuinfo.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn memory_kib() -> Option<u64> {
    let meminfo = fs::read_to_string("/proc/meminfo").ok()?;
    meminfo.lines().find(|line| line.starts_with("MemTotal:"))?.split_whitespace().nth(1)?.parse().ok()
}

/// The compiler on PATH, which is the one that built this if `scripts/bench` did.
fn compiler() -> String {
    let output = Command::new("rustc").arg("--version").output().ok();
    let line = output.and_then(|output| String::from_utf8(output.stdout).ok()).unwrap_or_default();
    let mut words = line.split_whitespace();
    match (words.next(), words.next()) {
        (Some(name), Some(version)) => format!("{name} {version}"),
        _ => "rustc of unknown version".to_owned(),
    }
}

/// For which processor the native UDFs are compiled: that of this program's own code.
fn native_code() -> String {
    let widest = match () {
        () if cfg!(target_feature = "avx512f") => "AVX-512",
        () if cfg!(target_feature = "avx2") => "AVX2",
        () if cfg!(target_feature = "sse4.1") => "SSE4.1",
        () => "no option for the processor: what the compiler assumes of any",
    };
    format!("{} ({widest})", std::env::consts::ARCH)
}

/// The version of a package in `Cargo.lock`.
fn locked_version<'a>(lock: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = lock.lines().skip_while(|line| *line != format!("name = \"{name}\""));
    lines.nth(1)?.strip_prefix("version = \"")?.strip_suffix('"')
}

/// The date that is so many days after 1970-01-01, as year-month-day.
fn date(days: u64) -> String {
    let is_leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let (mut year, mut rest) = (1970, days);
    while rest >= 365 + u64::from(is_leap(year)) {
        rest -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let mut month = 0;
    for length in [31, 28 + u64::from(is_leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        month += 1;
        if rest < length {
            break;
        }
        rest -= length;
    }
    format!("{year}-{month:02}-{:02}", rest + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_right() {
        let dates = [0, 58, 59, 364, 365, 789, 11_016, 19_782, 20_088].map(date);
        assert_eq!(
            dates,
            [
                "1970-01-01",
                "1970-02-28",
                "1970-03-01",
                "1970-12-31",
                "1971-01-01",
                "1972-02-29",
                "2000-02-29",
                "2024-02-29",
                "2024-12-31"
            ]
        );
    }

    #[test]
    fn a_version_is_that_of_the_whole_name() {
        let lock = "[[package]]\nname = \"wasmtime-x\"\nversion = \"1.0.0\"\n\n[[package]]\nname = \"wasmtime\"\nversion = \"48.0.8\"\n";
        assert_eq!(locked_version(lock, "wasmtime"), Some("48.0.8"));
        assert_eq!(locked_version(lock, "wasm"), None);
    }
}
