//! What a UDF can call: [`log`]. In a native build, where there is no host, calls are recorded for
//! [`testing`](crate::testing).

use std::fmt;

use crate::Error;

/// How urgent a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Something failed.
    Error,
    /// Something looks wrong.
    Warn,
    /// Good to know.
    Info,
    /// For whoever develops the UDF.
    Debug,
}

/// Tells the user something.
pub fn log(level: Level, message: impl fmt::Display) {
    calls::log(level, &message.to_string());
}

/// The host did something that the contract rules out.
pub(crate) fn fault(what: &str) -> Error {
    Error::new(format!("the host broke the contract: {what}"))
}

pub(crate) use calls::{emit, emit_mask};

#[cfg(target_arch = "wasm32")]
#[expect(clippy::cast_possible_truncation, reason = "a UDF declares a handful of buffers")]
mod calls {
    //! The imports.

    use super::Level;
    use crate::bindings::lthost::udf::host;

    pub(super) fn log(level: Level, message: &str) {
        let level = match level {
            Level::Error => host::Level::Error,
            Level::Warn => host::Level::Warn,
            Level::Info => host::Level::Info,
            Level::Debug => host::Level::Debug,
        };
        host::log(level, message);
    }

    pub(crate) fn emit(buffer: usize, offset: u64, bytes: &[u8]) {
        host::emit(buffer as u32, offset, bytes);
    }

    pub(crate) fn emit_mask(buffer: usize, mask: &[u8]) {
        host::emit_mask(buffer as u32, mask);
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod calls {
    //! Stand-ins that keep what they get.

    use super::Level;
    use crate::testing::calls::{Call, record};

    pub(super) fn log(level: Level, message: &str) {
        record(Call::Log { level, message: message.to_owned() });
    }

    pub(crate) fn emit(buffer: usize, offset: u64, bytes: &[u8]) {
        record(Call::Emit { buffer, offset, bytes: bytes.to_vec() });
    }

    pub(crate) fn emit_mask(buffer: usize, mask: &[u8]) {
        record(Call::EmitMask { buffer, mask: mask.to_vec() });
    }
}
