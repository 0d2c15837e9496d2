//! Number of pixels of each frame above a level, whatever the dtype of the data.

use lthost_guest_sdk::prelude::*;

export_map!(
    bright<T: Real>(
        frame,
        /// brighter than this
        level: f64 = 10.0
    ),
    "Number of bright pixels"
);

fn bright<T: Real>(frame: Frame<T>, level: f64) -> usize {
    frame.pixels().iter().filter(|pixel| pixel.to_f64() > level).count()
}
