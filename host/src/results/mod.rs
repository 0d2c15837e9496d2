//! Finished buffers, and how they are written.

mod finished;
mod output;

pub(crate) use finished::finish;
pub use finished::{Numeric, ResultBuffer};
pub use output::{Leftovers, Output, OutputError};
