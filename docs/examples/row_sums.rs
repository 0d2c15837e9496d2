//! Sum of each frame over the last axis of the detector.

use lthost_guest_sdk::prelude::*;

export_map!(row_sums, "Sum over the last signal axis");

fn row_sums(frame: Frame<f32>) -> Vec<f64> {
    frame.rows().map(kernels::sum).collect()
}
