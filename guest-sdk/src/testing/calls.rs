//! What a UDF called while there was no host: kept, per thread, until the runner takes it.

use std::cell::RefCell;

use crate::Level;

/// A call of an import.
#[derive(Debug)]
pub(crate) enum Call {
    Log { level: Level, message: String },
    Emit { buffer: usize, offset: u64, bytes: Vec<u8> },
    EmitMask { buffer: usize, mask: Vec<u8> },
}

thread_local! {
    static CALLS: RefCell<Vec<Call>> = const { RefCell::new(Vec::new()) };
}

pub(crate) fn record(call: Call) {
    CALLS.with_borrow_mut(|calls| calls.push(call));
}

pub(crate) fn take() -> Vec<Call> {
    CALLS.take()
}
