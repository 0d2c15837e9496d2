//! What a run is told.

use std::{num::NonZero, thread};

use crate::{
    correction::Corrections,
    plugin::{Argument, Handover, Limits, Plugin},
    shape::Array,
};

/// A UDF of a run.
#[derive(Clone)]
pub struct UdfSpec {
    /// Name in this run; the plugin's own if none is given.
    pub label: Option<String>,
    /// What runs.
    pub plugin: Plugin,
    /// Its parameters, as far as given.
    pub arguments: Vec<(String, Argument)>,
}

/// How to run.
#[derive(Debug, Clone)]
pub struct RunConfig {
    /// Worker threads. Results do not depend on it.
    pub workers: usize,
    /// Number of partitions; chosen from the data set alone if none is given.
    pub partitions: Option<u64>,
    /// Bytes that a tile should have: small enough for a core's cache, large enough that a call does not count.
    pub tile_bytes: u64,
    /// Boolean, of the scan's shape: the frames to use.
    pub roi: Option<Array>,
    /// What is done to the detector's pixels before a UDF sees them.
    pub corrections: Corrections,
    /// How tiles get into a plugin's memory.
    pub handover: Handover,
    /// What a plugin may use.
    pub limits: Limits,
}

impl Default for RunConfig {
    fn default() -> Self {
        Self {
            workers: thread::available_parallelism().map_or(1, NonZero::get),
            partitions: None,
            tile_bytes: 512 << 10,
            roi: None,
            corrections: Corrections::default(),
            handover: Handover::default(),
            limits: Limits::default(),
        }
    }
}
