//! Plugins from their source: a new one, built, and a single file run at once.
//!
//! The SDK travels inside this program, so that none of it needs the repository. Compilers do the work: they are called by
//! the scripts that build the shipped plugins, too.

pub(crate) mod build;
mod function;
pub(crate) mod map;
pub(crate) mod new;
mod project;
mod sdk;
mod toolchain;
pub(crate) use build::built;
pub(crate) use toolchain::ToolchainArgs;
mod watch;
