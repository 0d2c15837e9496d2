//! Plugin files. See `tests/fuzz`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(init: lthost_fuzz::write_seeds("plugin"), |input: &[u8]| lthost_fuzz::run("plugin", input));
