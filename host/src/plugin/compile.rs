//! From a plugin's bytes to machine code, in a process of its own: what makes the compiler take too long or too much memory,
//! or ends it with an error, does no more than end that process.

use std::{
    io::{self, BufRead, Read, Write},
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use super::{
    Engine, Limits, PluginError, Wasi,
    cache::Kept,
    engine,
    error::{printable, printable_lines},
    lines,
    load::{check_world, examine, refuse},
};
use crate::confine::{Needs, confine};

/// Who compiles plugins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Compiler {
    /// This process: without a limit in time and memory, so only for plugins that are trusted.
    #[default]
    InProcess,
    /// Another process for each plugin, whose main function calls [`compile_for_parent`]: a program, and its arguments.
    Child(PathBuf, Vec<String>),
}

/// A compiled plugin: what is known of it, and what `Component::deserialize` takes.
pub(super) type Compiled = (Kept, Vec<u8>);

/// What is to be compiled, and how: a line of JSON before the bytes of the plugin.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Request {
    origin: String,
    deterministic: bool,
    wasi: Wasi,
    max_compile_bytes: u64,
    max_cpu_seconds: u64,
}

/// What came of it: a line of JSON before the machine code.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
enum Response {
    /// It has so many bytes: if there are fewer, the process was ended while it wrote them.
    Compiled(Kept, usize),
    Refused(String),
}

/// More threads than these have nothing to do for long.
const MAX_THREADS: usize = 8;
/// Bytes of what the other process says when it fails.
const MAX_STDERR: u64 = 16 << 10;
/// How often it is looked whether the other process has ended.
const POLL: Duration = Duration::from_millis(1);

impl Compiler {
    /// Examines and compiles a plugin.
    pub(super) fn compile(
        &self,
        engine: &Engine,
        origin: &str,
        bytes: &[u8],
        limits: &Limits,
    ) -> Result<Compiled, PluginError> {
        let compiled = match self {
            Self::InProcess => compile(engine.wasmtime(), (origin, bytes, limits.wasi), |_| true)?,
            Self::Child(program, args) => {
                let n_threads = thread::available_parallelism().map_or(1, std::num::NonZero::get).min(MAX_THREADS);
                let request = Request {
                    origin: origin.to_owned(),
                    deterministic: engine.is_deterministic(),
                    wasi: limits.wasi,
                    max_compile_bytes: limits.max_compile_bytes,
                    max_cpu_seconds: limits
                        .compile_timeout
                        .as_secs()
                        .saturating_add(1)
                        .saturating_mul(n_threads as u64),
                };
                let mut command = Command::new(program);
                command.args(args).env_clear().env("RAYON_NUM_THREADS", n_threads.to_string()).current_dir("/");
                ask(command, &request, bytes, limits)?
            }
        };
        if compiled.1.len() as u64 > limits.max_code_bytes {
            return Err(too_much_code(origin, limits));
        }
        Ok(compiled)
    }
}

/// With names and lines of the plugin's source only if `keeps_lines` says so.
fn compile(
    engine: &wasmtime::Engine,
    (origin, bytes, wasi): (&str, &[u8], Wasi),
    keeps_lines: fn(&[u8]) -> bool,
) -> Result<Compiled, PluginError> {
    let (kept, mut component) = examine(origin, bytes, wasi)?;
    if !keeps_lines(&component) {
        component = lines::without(&component);
    }
    let code = engine.precompile_component(&component);
    let refused = |error: wasmtime::Error| {
        refuse(origin, format!("it does not compile: {}", printable_lines(&format!("{error:#}"), 2000)))
    };
    let code = code.map_err(refused)?;
    Ok((kept, code))
}

/// Compiles for a process that waits for it: reads a plugin from `input`, and writes its machine code to `output`. Limits this
/// process to what it was told, and is the last thing that it does. Other files that are open stay open.
///
/// # Errors
///
/// If the two can't talk. What is wrong with the plugin is part of what is written.
pub fn compile_for_parent(mut input: impl BufRead, mut output: impl Write) -> io::Result<()> {
    let mut line = String::new();
    input.read_line(&mut line)?;
    let request: Request = serde_json::from_str(&line)?;
    limit_this_process(&request)?;
    let mut bytes = Vec::new();
    input.read_to_end(&mut bytes)?;
    // Nothing but the plugin's bytes is needed any more. What the system lacks for that, the parent is told by its own attempt.
    let _as_far_as_possible = confine(&Needs::default());
    let engine = wasmtime::Engine::new(&engine::settings(request.deterministic)).map_err(io::Error::other)?;
    let (response, code) = match compile(&engine, (&request.origin, &bytes, request.wasi), lines::are_read_quickly) {
        Ok((kept, code)) => (Response::Compiled(kept, code.len()), code),
        Err(PluginError::Refused { reason, .. }) => (Response::Refused(reason), Vec::new()),
        Err(error) => (Response::Refused(error.to_string()), Vec::new()),
    };
    writeln!(output, "{}", serde_json::to_string(&response)?)?;
    output.write_all(&code)?;
    output.flush()
}

#[cfg(unix)]
fn limit_this_process(request: &Request) -> io::Result<()> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = |resource, n: u64| {
        // A batch system may have set a lower one.
        let n = getrlimit(resource).maximum.map_or(n, |maximum| maximum.min(n));
        setrlimit(resource, Rlimit { current: Some(n), maximum: Some(n) })
    };
    // Nobody else would end it.
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    limit(Resource::As, request.max_compile_bytes)?;
    limit(Resource::Cpu, request.max_cpu_seconds)?;
    limit(Resource::Core, 0)?;
    limit(Resource::Fsize, 0)?;
    Ok(())
}

#[cfg(not(unix))]
fn limit_this_process(_: &Request) -> io::Result<()> {
    Ok(())
}

/// How a process ended that was to compile a plugin.
struct Ended {
    /// In words; none if it had to be ended.
    status: Option<String>,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

/// Has another process compile a plugin.
fn ask(command: Command, request: &Request, bytes: &[u8], limits: &Limits) -> Result<Compiled, PluginError> {
    let origin = &request.origin;
    let failed = |what: String| PluginError::Runtime { message: format!("plugin `{origin}` was not compiled: {what}") };
    let line = serde_json::to_string(request).map_err(|error| failed(error.to_string()))?;
    let ended = converse(command, &[line.as_bytes(), b"\n", bytes], limits)
        .map_err(|error| failed(format!("the process that compiles can't be started: {error}")))?;
    let Some(status) = ended.status else {
        let seconds = limits.compile_timeout.as_secs_f64();
        return Err(refuse(origin, format!("it takes more than {seconds} s to compile (raise --compile-timeout)")));
    };
    let (line, code) = ended.stdout.split_at(ended.stdout.iter().position(|&byte| byte == b'\n').unwrap_or(0));
    let code = code.get(1..).unwrap_or_default();
    match serde_json::from_slice(line) {
        Ok(Response::Compiled(kept, n_bytes)) if n_bytes == code.len() => {
            check_world(origin, &kept.imports, &kept.exports, limits.wasi)?;
            Ok((kept, code.to_vec()))
        }
        Ok(Response::Refused(reason)) => Err(refuse(origin, printable_lines(&reason, 4000))),
        Ok(Response::Compiled(_, n_bytes)) if n_bytes as u64 > limits.max_code_bytes => {
            Err(too_much_code(origin, limits))
        }
        _ => {
            let said = String::from_utf8_lossy(&ended.stderr);
            if said.contains("memory allocation of") || said.contains("out of memory") {
                let limit = limits.max_compile_bytes;
                let what =
                    format!("it takes more than {limit} bytes of memory to compile (raise --max-compile-memory)");
                return Err(refuse(origin, what));
            }
            Err(refuse(origin, format!("the compiler broke down over it: {status}: {}", printable(said.trim(), 1000))))
        }
    }
}

fn too_much_code(origin: &str, limits: &Limits) -> PluginError {
    let limit = limits.max_code_bytes;
    refuse(origin, format!("it compiles to more than {limit} bytes of machine code (raise --max-code-bytes)"))
}

/// Runs a process that reads `input`, for as long as it may take.
fn converse(mut command: Command, input: &[&[u8]], limits: &Limits) -> io::Result<Ended> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let (mut stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    // The line before the code is shorter than this.
    let max_stdout = limits.max_code_bytes.saturating_add(1 << 20);
    thread::scope(|scope| {
        let writer = scope.spawn(move || {
            // A process that ends early reads no more: that tells more than the error here.
            let _read_or_not = stdin.as_mut().map(|stdin| input.iter().try_for_each(|part| stdin.write_all(part)));
        });
        let stdout = scope.spawn(move || read(stdout, max_stdout));
        let stderr = scope.spawn(move || read(stderr, MAX_STDERR));
        let status = wait(&mut child, limits.compile_timeout);
        let joined = |bytes: thread::ScopedJoinHandle<'_, Vec<u8>>| bytes.join().unwrap_or_default();
        let (stdout, stderr) = (joined(stdout), joined(stderr));
        let _written_or_not = writer.join();
        Ok(Ended { status, stdout, stderr })
    })
}

/// What comes out of a pipe, up to `max` bytes; then the pipe is closed.
fn read(pipe: Option<impl Read>, max: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        // What came before an error still counts.
        let _whole_or_not = pipe.take(max).read_to_end(&mut bytes);
    }
    bytes
}

/// Waits until a process ends, and says how; ends it if that takes longer than `timeout`.
fn wait(child: &mut Child, timeout: Duration) -> Option<String> {
    let start = Instant::now();
    loop {
        match child.try_wait() {
            Ok(None) => {}
            Ok(Some(status)) => return Some(status.to_string()),
            // A program that ignores SIGCHLD, as the one that started it may have it do, is told no more than that.
            Err(error) => return Some(format!("how it ended is not known: {error}")),
        }
        if start.elapsed() > timeout {
            let _ended = child.kill().and_then(|()| child.wait());
            return None;
        }
        thread::sleep(POLL);
    }
}
