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
    match dtype {
        "f32" => match job {
            "sum" | "sumsig" | "com" | "extrema" | "masks1" => Some(1.0),
            "masks4" | "masks16" => Some(1.2),
            "logsum" | "fem" | "map" => Some(2.0),
            "stddev" => Some(5.0),
            _ => None,
        },
        _ => match job {
            "sum" | "sumsig" => Some(4.0),
            "stddev" | "com" | "extrema" | "masks1" | "masks4" | "map" | "logsum" | "fem" => Some(3.0),
            "four" if dtype == "u16" => Some(5.0),
            "masks16" | "disks16" if dtype == "u16" => Some(2.0),
            "masks100" if dtype == "u16" => Some(1.2),
            _ => None,
        },
    }
}
