//! Code that `wit-bindgen` makes from the contract. Its types go no further than `convert.rs` and `adapter.rs`; only
//! `Values`, the form of arrays and tiles in memory, is used as it is.
#![allow(
    clippy::all,
    clippy::pedantic,
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    clippy::multiple_unsafe_ops_per_block,
    clippy::undocumented_unsafe_blocks,
    clippy::unwrap_used,
    missing_docs,
    rust_2018_idioms,
    unreachable_pub,
    unsafe_code,
    unsafe_op_in_unsafe_fn,
    unused_qualifications,
    reason = "generated"
)]

wit_bindgen::generate!({
    path: "../wit",
    world: "plugin",
    generate_all,
    pub_export_macro: true,
});

pub use lthost::udf::types::Values;
