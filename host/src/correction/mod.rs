//! Detector corrections: dark frame, gain map, and excluded pixels patched from their neighbours, applied to what is
//! read, before any UDF sees it.

mod corrections;
mod patch;

pub use corrections::{CorrectionError, Corrections};
