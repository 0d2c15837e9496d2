//! Merlin's `.mib` files. See `tests/fuzz`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(init: lthost_fuzz::write_seeds("mib"), |input: &[u8]| lthost_fuzz::run("mib", input));
