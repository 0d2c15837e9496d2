//! What a plugin prints: gathered into lines, which go to the log. And its input, which has ended before it began.

use wasmtime::component::{ComponentType, Lift, LinkerInstance, Lower, Resource, WasmList};

use super::{
    super::state::{LogLevel, State, broken},
    Nothing, Store, clock,
};

/// Bytes that may be written at once, as WASI has it.
const MAX_WRITE: u64 = 4096;
/// Bytes of a line that are kept. The log cuts earlier.
const MAX_LINE: usize = 8 << 10;

/// Numbers of the streams that are written to.
const STDOUT: u32 = 1;
const STDERR: u32 = 2;

/// Handles of streams.
pub(super) enum Input {}
pub(super) enum Output {}

/// `stream-error`.
#[derive(ComponentType, Lift, Lower)]
#[component(variant)]
enum StreamError {
    #[component(name = "last-operation-failed")]
    LastOperationFailed(Resource<Nothing>),
    #[component(name = "closed")]
    Closed,
}

type Outcome<T> = Result<T, StreamError>;

/// What was written since the last end of a line.
#[derive(Debug, Default)]
pub(super) struct Line(Vec<u8>);

impl Line {
    /// Adds to it. Gives the lines that have an end now.
    fn add(&mut self, mut bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        while let Some(end) = bytes.iter().position(|&byte| byte == b'\n') {
            self.append(&bytes[..end]);
            lines.extend(self.end());
            bytes = &bytes[end + 1..];
        }
        self.append(bytes);
        lines
    }

    fn append(&mut self, bytes: &[u8]) {
        let room = MAX_LINE.saturating_sub(self.0.len());
        self.0.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    /// Ends it. Gives what it is, if it is not blank.
    fn end(&mut self) -> Option<String> {
        let line = std::mem::take(&mut self.0);
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end();
        (!text.is_empty()).then(|| text.to_owned())
    }
}

/// Logs what has no end of line yet.
pub(super) fn end_lines(state: &mut State) {
    for (line, level) in [(state.stubs.stdout.end(), LogLevel::Info), (state.stubs.stderr.end(), LogLevel::Warn)] {
        if let Some(line) = line {
            state.log(level, &line);
        }
    }
}

/// Defines a function of the streams, if there is a stub for it.
pub(super) fn define(
    instance: &mut LinkerInstance<'_, State>,
    interface: &str,
    function: &str,
) -> wasmtime::Result<bool> {
    match (interface, function) {
        ("wasi:cli/stdin", "get-stdin") => {
            instance.func_wrap(function, |_: Store<'_>, ()| Ok((Resource::<Input>::new_own(0),)))
        }
        ("wasi:cli/stdout", "get-stdout") => {
            instance.func_wrap(function, |_: Store<'_>, ()| Ok((Resource::<Output>::new_own(STDOUT),)))
        }
        ("wasi:cli/stderr", "get-stderr") => {
            instance.func_wrap(function, |_: Store<'_>, ()| Ok((Resource::<Output>::new_own(STDERR),)))
        }
        ("wasi:io/streams", _) => {
            return match function.split_once('.') {
                Some(("[method]input-stream", method)) => define_input(instance, function, method),
                Some(("[method]output-stream", method)) => define_output(instance, function, method),
                _ => Ok(false),
            };
        }
        _ => return Ok(false),
    }?;
    Ok(true)
}

fn define_input(instance: &mut LinkerInstance<'_, State>, function: &str, method: &str) -> wasmtime::Result<bool> {
    match method {
        "read" | "blocking-read" => instance.func_wrap(function, |_: Store<'_>, (_, _): (Resource<Input>, u64)| {
            Ok((Outcome::<Vec<u8>>::Err(StreamError::Closed),))
        }),
        "skip" | "blocking-skip" => instance.func_wrap(function, |_: Store<'_>, (_, _): (Resource<Input>, u64)| {
            Ok((Outcome::<u64>::Err(StreamError::Closed),))
        }),
        "subscribe" => instance.func_wrap(function, |_: Store<'_>, (_,): (Resource<Input>,)| Ok((clock::ready(),))),
        _ => return Ok(false),
    }?;
    Ok(true)
}

fn define_output(instance: &mut LinkerInstance<'_, State>, function: &str, method: &str) -> wasmtime::Result<bool> {
    match method {
        "check-write" => {
            instance.func_wrap(function, |_: Store<'_>, (_,): (Resource<Output>,)| Ok((Outcome::Ok(MAX_WRITE),)))
        }
        "write" | "blocking-write-and-flush" => {
            instance.func_wrap(function, |mut store: Store<'_>, (stream, bytes): (Resource<Output>, WasmList<u8>)| {
                check_len(&mut store, bytes.len() as u64)?;
                let bytes = bytes.as_le_slice(&store).to_vec();
                print(store.data_mut(), &stream, &bytes);
                Ok((Outcome::Ok(()),))
            })
        }
        "write-zeroes" | "blocking-write-zeroes-and-flush" => {
            instance.func_wrap(function, |mut store: Store<'_>, (stream, len): (Resource<Output>, u64)| {
                let len = check_len(&mut store, len)?;
                print(store.data_mut(), &stream, &vec![0; len]);
                Ok((Outcome::Ok(()),))
            })
        }
        // Lines are logged as soon as they end, and the rest with the call.
        "flush" | "blocking-flush" => {
            instance.func_wrap(function, |_: Store<'_>, (_,): (Resource<Output>,)| Ok((Outcome::Ok(()),)))
        }
        "splice" | "blocking-splice" => {
            instance.func_wrap(function, |_: Store<'_>, (_, _, _): (Resource<Output>, Resource<Input>, u64)| {
                Ok((Outcome::<u64>::Err(StreamError::Closed),))
            })
        }
        "subscribe" => instance.func_wrap(function, |_: Store<'_>, (_,): (Resource<Output>,)| Ok((clock::ready(),))),
        _ => return Ok(false),
    }?;
    Ok(true)
}

/// Sees that no more is written at once than may be.
fn check_len(store: &mut Store<'_>, len: u64) -> wasmtime::Result<usize> {
    match usize::try_from(len) {
        Ok(n_bytes) if len <= MAX_WRITE => Ok(n_bytes),
        _ => Err(broken(store, format!("writes {len} bytes to a stream at once, at most {MAX_WRITE} are allowed"))),
    }
}

/// Logs the lines that have an end now.
fn print(state: &mut State, stream: &Resource<Output>, bytes: &[u8]) {
    let (line, level) = match stream.rep() {
        STDERR => (&mut state.stubs.stderr, LogLevel::Warn),
        _ => (&mut state.stubs.stdout, LogLevel::Info),
    };
    for line in line.add(bytes) {
        state.log(level, &line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_told_once_they_end() {
        let mut line = Line::default();
        assert_eq!(line.add(b"one\ntwo\r\n\n  \nthr"), ["one", "two"]);
        assert_eq!(line.add(b"ee"), Vec::<String>::new());
        assert_eq!(line.add(b"!\n"), ["three!"]);
        assert_eq!(line.end(), None);
        assert_eq!(line.add(b"\xff end"), Vec::<String>::new());
        assert_eq!(line.end().as_deref(), Some("\u{fffd} end"));
        assert_eq!(line.end(), None);
    }

    #[test]
    fn a_line_without_end_takes_no_more_memory() {
        let mut line = Line::default();
        for _ in 0..1000 {
            assert_eq!(line.add(&[b'x'; 4096]), Vec::<String>::new());
        }
        assert_eq!(line.0.len(), MAX_LINE);
        assert_eq!(line.add(b"\nnext\n"), ["x".repeat(MAX_LINE), "next".to_owned()]);
    }
}
