//! What a plugin may use.

use std::time::Duration;

/// Limits for each instance of a plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Linear memory of an instance, in bytes.
    pub max_memory_bytes: usize,
    /// Buffers of one UDF, in bytes: merged ones, and those of a partition.
    pub max_result_bytes: u64,
    /// Bytes of a plugin file.
    pub max_plugin_bytes: u64,
    /// How long one call into a plugin may take.
    pub timeout: Duration,
    /// Log messages of one instance that are passed on; the rest is dropped.
    pub max_log_lines: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_memory_bytes: 1 << 30,
            max_result_bytes: 8 << 30,
            max_plugin_bytes: 64 << 20,
            timeout: Duration::from_mins(1),
            max_log_lines: 1000,
        }
    }
}
