//! `lthost doctor`: what keeps plugins from doing harm on this machine, tried out.

use std::{
    fs::File,
    io::{ErrorKind, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use lthost::{
    confine::{Guard, Needs, confine},
    plugin::{Engine, EngineConfig, Plugin, printable, trust::Judge},
};
use memmap2::MmapMut;
use serde_json::json;

use crate::{cache, compile, config, find, limit_args, terminal};

/// Show what protects this machine from plugins, and what is missing
///
/// Gives up what a run gives up before it runs plugins, and then tries what should be impossible. Compiles a plugin as a
/// run would. Looks at the configuration file, and at the cache of compiled plugins.
///
/// Exit status: 0 all is in force, 1 something is missing.
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Opts {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Something that was looked at.
struct Finding {
    what: &'static str,
    /// How it is, or what is wrong with it.
    state: Result<String, String>,
}

pub(crate) fn run(opts: &Opts) -> anyhow::Result<()> {
    let mut findings = vec![
        Finding { what: "configuration", state: configuration() },
        Finding { what: "cache", state: code_cache() },
        Finding { what: "compiler", state: compiler() },
    ];
    // The last of all, as it can't be taken back.
    findings.extend(protection());
    let is_well = findings.iter().all(|finding| finding.state.is_ok());
    let mut out = std::io::stdout().lock();
    if opts.json {
        let finding = |finding: &Finding| {
            let (is_well, text) = match &finding.state {
                Ok(text) => (true, text),
                Err(text) => (false, text),
            };
            (finding.what.to_owned(), json!({ "ok": is_well, "state": text }))
        };
        let all: serde_json::Map<_, _> = findings.iter().map(finding).collect();
        writeln!(out, "{}", terminal::pretty_json(&all)?)?;
    } else {
        for Finding { what, state } in &findings {
            let (missing, text) = match state {
                Ok(text) => ("", text),
                Err(text) => ("MISSING: ", text),
            };
            let lines: Vec<String> = text.trim_end().lines().map(|line| printable(line, 1000)).collect();
            writeln!(out, "{what:<14} {missing}{}", lines.join("\n               "))?;
        }
    }
    out.flush()?;
    anyhow::ensure!(is_well, "not all protection is in force");
    Ok(())
}

fn configuration() -> Result<String, String> {
    config::Config::load().map_err(|error| format!("{error:#}"))?;
    let place = config::path().map(|(path, _)| path);
    Ok(match place {
        Some(path) if path.is_file() => path.display().to_string(),
        Some(path) => format!("none in {}: all is as usual", path.display()),
        None => "none: all is as usual".to_owned(),
    })
}

fn code_cache() -> Result<String, String> {
    let folder = cache::folder().map_err(|error| format!("{error:#}"))?;
    match cache::of_code() {
        Some(_) => Ok(format!("{}, vouched for by a secret of this user", folder.join("code").display())),
        None => Err(format!("plugins are compiled each time: `{}` can't be used for them", folder.display())),
    }
}

/// Compiles a plugin that is shipped, without the cache.
fn compiler() -> Result<String, String> {
    let start = Instant::now();
    let compile = || -> anyhow::Result<Plugin> {
        let engine = Engine::new(EngineConfig { compiler: compile::compiler(), ..EngineConfig::default() })?;
        // What is wrong with the configuration is said already.
        let limits = limit_args::limits().unwrap_or_default();
        Ok(find::find("sum")?.load(&Judge::default(), &engine, &limits)?)
    };
    compile().map_err(|error| format!("{error:#}"))?;
    Ok(format!("in a process of its own; `sum` takes {:.1} s", start.elapsed().as_secs_f64()))
}

/// Gives up everything, and tries to get it back.
fn protection() -> Vec<Finding> {
    let protection = confine(&Needs::default());
    let tried = |guard: &Guard, attempts: &[(&str, Attempt)], good: &str| match guard {
        Guard::Missing(why) => Err(why.clone()),
        Guard::InForce => match attempts.iter().find(|(_, attempt)| !attempt()) {
            Some((what, _)) => Err(format!("said to be in force, but {what}")),
            None => Ok(good.to_owned()),
        },
    };
    let files: [(&str, Attempt); 2] = [
        ("a file can be read", || is_denied(File::open("/etc/hostname").or(File::open("/proc/self/status")))),
        ("a file can be made", || is_denied(tempfile::tempfile_in(std::env::temp_dir()))),
    ];
    let network: [(&str, Attempt); 1] = [("a connection can be made", no_connection)];
    let calls: [(&str, Attempt); 2] =
        [("a program can be started", no_program), ("new machine code can be made", no_new_code)];
    vec![
        Finding { what: "files", state: tried(&protection.files, &files, "only those that a run needs can be opened") },
        Finding { what: "network", state: tried(&protection.network, &network, "no connections") },
        Finding {
            what: "system calls",
            state: tried(&protection.calls, &calls, "no other programs, no new machine code"),
        },
    ]
}

/// True if what should be impossible failed.
type Attempt = fn() -> bool;

fn is_denied<T>(result: std::io::Result<T>) -> bool {
    result.is_err_and(|error| error.kind() == ErrorKind::PermissionDenied)
}

fn no_connection() -> bool {
    // Nobody listens there; but a process that may ask is told so.
    TcpStream::connect(("127.0.0.1", 9)).is_err_and(|error| error.kind() != ErrorKind::ConnectionRefused)
}

fn no_program() -> bool {
    let itself: PathBuf = std::env::current_exe().unwrap_or_else(|_| Path::new("/bin/true").to_owned());
    Command::new(itself).arg("--version").output().is_err()
}

fn no_new_code() -> bool {
    MmapMut::map_anon(4096).is_ok_and(|map| map.make_exec().is_err())
}
