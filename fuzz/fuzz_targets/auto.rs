//! Files whose format is to be found out. See `tests/fuzz`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(init: lthost_fuzz::write_seeds("auto"), |input: &[u8]| lthost_fuzz::run("auto", input));
