//! Plugins: loading them, running them in a sandbox, and checking everything that they say. Knows no files of data.

mod arguments;
mod bindings;
mod cache;
mod convert;
mod engine;
mod error;
mod instance;
mod kernels;
mod limits;
mod load;
mod lower;
mod manifest;
mod samples;
mod state;
mod wrap;

pub use arguments::Argument;
pub(crate) use arguments::{AuxRows, Axes, Parameters, resolve};
pub use cache::{CacheError, CodeCache};
pub use convert::{Granularity, InputDtype, Preferences, TileForm};
pub(crate) use engine::THREAD_STACK;
pub use engine::{Cancel, Engine};
pub use error::{Call, Place, PluginError, printable};
pub use instance::Handover;
pub(crate) use instance::{Emitted, FillFailed, Instance, Meta, Pixels, Role, Sandbox, TileInput};
pub(crate) use kernels::HostTile;
pub use limits::Limits;
pub use load::{CONTRACT, Facts, Plugin, componentize, inspect_bytes, inspect_file};
pub use manifest::{Axis, Capabilities, Manifest, Parameter, ParameterType, Value};
pub use samples::HotLine;
pub(crate) use samples::Sampler;
pub use state::{LogLevel, LogLine, Logger};
