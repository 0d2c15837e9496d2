//! How fast, and how small, this has to be: the targets beside the numbers.

/// lthost over native, for every plugin.
pub(crate) const NATIVE: f64 = 0.9;

/// lthost over plain reading, for what does next to nothing with a pixel.
pub(crate) const LIMIT: f64 = 0.65;

/// A whole process over LiberTEM's.
pub(crate) const PROCESS: f64 = 20.0;

/// Seconds that a whole process takes more than `true`, at most.
pub(crate) const PROCESS_SECONDS: f64 = 0.06;

/// Bytes of memory besides results, and tile and plugin of each worker, whatever the size of the data.
pub(crate) const MEMORY: u64 = 64 << 20;

/// lthost over plain reading.
pub(crate) fn of_limit(job: &str) -> Option<f64> {
    matches!(job, "sum" | "sumsig" | "masks1").then_some(LIMIT)
}

/// So many workers over one.
pub(crate) fn of_workers(n_workers: usize) -> Option<f64> {
    (n_workers == 2).then_some(1.85)
}

/// lthost over the fastest executor of LiberTEM.
pub(crate) fn of_peer(job: &str, dtype: &str) -> Option<f64> {
    match (dtype, job) {
        ("u16" | "u8", "sum" | "sumsig") => Some(4.0),
        ("u16" | "u8", "stddev" | "com" | "extrema" | "masks1" | "masks4" | "map" | "logsum" | "fem") => Some(3.0),
        ("u16", "four") => Some(5.0),
        ("u16", "masks16" | "disks16") => Some(2.0),
        ("u16", "masks100") => Some(1.2),
        ("f32", "sum" | "sumsig" | "com" | "extrema" | "masks1") => Some(1.0),
        ("f32", "masks4" | "masks16") => Some(1.2),
        ("f32", "logsum" | "fem" | "map") => Some(2.0),
        ("f32", "stddev") => Some(5.0),
        _ => None,
    }
}
