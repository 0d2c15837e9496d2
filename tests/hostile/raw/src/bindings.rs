//! Code that `wit-bindgen` makes from the contract.
#![allow(
    clippy::all,
    clippy::pedantic,
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    clippy::multiple_unsafe_ops_per_block,
    clippy::undocumented_unsafe_blocks,
    clippy::unwrap_used,
    dead_code,
    missing_docs,
    rust_2018_idioms,
    unreachable_pub,
    unsafe_code,
    unsafe_op_in_unsafe_fn,
    unused_macros,
    unused_qualifications,
    reason = "generated"
)]

wit_bindgen::generate!({
    path: "../../../wit",
    world: "plugin",
    generate_all,
});

// In a native build there is no host to export to.
#[cfg(target_arch = "wasm32")]
use crate::Raw;
#[cfg(target_arch = "wasm32")]
export!(Raw);
