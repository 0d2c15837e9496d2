//! Runs: data, UDFs, ROI. Drives everything above: plans, starts threads, merges in order, makes results.
//!
//! ```text
//! Pool::start ──► Run ──► wait (blocks)             .await    the complete results
//!                   └───► partials (an iterator)    stream    partial ones, at last the complete ones
//! ```
//!
//! A run is worked off in steps of one partition by the threads of a [`Pool`], which several runs may share. Whichever
//! worker brings the partial that is next in order merges it, and all that wait behind it.

mod checkpoint;
mod config;
mod declare;
mod error;
mod handle;
mod job;
mod mailbox;
mod outcome;
mod paging;
pub mod partial;
mod plan;
mod pool;
mod prepare;
mod profile;
mod schedule;
mod source;
mod udfs;
mod work;

pub use checkpoint::CheckpointError;
pub use config::{OnError, PageCache, RunConfig, Taken, UdfSpec, Update};
pub use declare::{Declared, declare, describe};
pub use error::RunError;
pub use handle::{Completed, Control, PartialStream, Partials, Run};
pub use outcome::{AppliedUpdate, Failure, Observer, Outcome, Progress, Stats, UdfOutcome, UdfProgress, silent};
pub use plan::{Plan, partition_plan};
pub use pool::Pool;
pub use profile::{Cost, Phase, Profile, ProfileEntry, ProfileSpan, WorkerProfile};
pub use udfs::Udfs;
