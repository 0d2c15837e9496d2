//! The suite: the built program and the library with real plugins, as a user runs them.
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod analyses;
mod author;
mod bad_input;
mod c_plugins;
mod cache;
mod cli;
mod datasets;
mod docs;
mod dtypes;
mod examples;
mod fourier;
mod functions;
mod handover;
mod headings;
mod hostile;
mod instructions;
mod invariances;
mod live;
mod matrix;
mod not_plugins;
mod page_cache;
mod partial;
mod preview;
mod profile;
mod program;
mod python;
mod readme;
mod reference;
mod resume;
mod runs;
mod samples;
mod sparse;
mod tidy;
mod vector_files;
mod vectors;
