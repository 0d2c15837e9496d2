//! Logarithms of a frame.

use super::sum::smallest;
use crate::{Element, Part};

/// Adds `log(frame - min(frame) + 1)` to `acc`, pixel by pixel: the natural logarithm, taken in the frame's type.
pub fn add_logs<T: Part>(acc: &mut [f32], frame: &[T]) {
    let Some(least) = smallest(frame) else { return };
    for (acc, &pixel) in acc.iter_mut().zip(frame) {
        *acc += f32::narrow((pixel - least + T::from_f64(1.0)).to_f64().ln());
    }
}
