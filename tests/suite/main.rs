//! The suite: the built program and the library with real plugins, as a user runs them.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod datasets;
mod tidy;
mod vectors;
