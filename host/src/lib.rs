//! Runs user-defined functions (UDFs) over 4D-STEM data: sandboxed WebAssembly components, in parallel, in one pass.
//!
//! ```text
//! dataset ──► partition ──► tile ──► instance ──► partial ──► merge ──► results
//! (files)     (frames)     (bytes)   (wasm)       (buffers)   (ordered)  (nav/sig/single)
//! ```
//!
//! [`dataset::open`] a data set, load a [`plugin::Plugin`], and start it on a [`run::Pool`]. Modules stand in the order in which
//! data meet them, and know only those before them.

pub mod shape;

pub mod tile;

pub mod buffer;

pub mod dataset;

pub mod correction;

pub mod confine;

pub mod plugin;

mod merge;

pub mod results;

pub mod run;
