//! Host side of the contract, generated from `wit/`. Its types go no further than `convert.rs` and `instance.rs`.
#![allow(
    missing_docs,
    unreachable_pub,
    unnameable_types,
    unused_qualifications,
    clippy::pedantic,
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    reason = "generated code"
)]

wasmtime::component::bindgen!({
    path: "../wit",
    world: "plugin",
});

pub(super) use self::lthost::udf::types;

/// The interface that a plugin exports, with the version of the contract.
pub(super) const EXPORT: &str = "lthost:udf/udf@0.1.0";
/// The interfaces that a plugin may import.
pub(super) const HOST: &str = "lthost:udf/host@0.1.0";
pub(super) const KERNELS: &str = "lthost:udf/kernels@0.1.0";
/// Types, imported by the way.
pub(super) const TYPES: &str = "lthost:udf/types@0.1.0";
