//! Calls of what the host offers to plugins. See `tests/fuzz`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(init: lthost_fuzz::write_seeds("imports"), |input: &[u8]| lthost_fuzz::run("imports", input));
