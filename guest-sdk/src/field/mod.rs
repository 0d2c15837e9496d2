//! Vector fields over a scan, such as the shift of the beam at each place: rotation into the coordinates of the scan,
//! regression, divergence and curl, and from these a guess at how scan and detector lie to each other.
//!
//! A field is a [`Vector`] for each place of the scan, in C order over `(ny, nx)`; places without data are NaN.

mod guess;
mod orientation;
mod plane;
mod slopes;

use crate::{Complex, Float};

pub use guess::{CurlByRotation, Guess, curl_by_rotation, guess_orientation};
pub use orientation::Orientation;
pub use plane::{Plane, closest_plane, mean, subtract};
pub use slopes::{curl, divergence};

/// `[y, x]` of one place.
pub type Vector<T> = [T; 2];

/// What fields are made of: `f64`, or `Complex<f64>` for complex data.
pub trait Number: Float {
    /// The square root.
    #[must_use]
    fn root(self) -> Self;
}

impl Number for f64 {
    fn root(self) -> Self {
        self.sqrt()
    }
}

impl Number for Complex<f64> {
    fn root(self) -> Self {
        self.sqrt()
    }
}

/// The length of a vector, `sqrt(y² + x²)`.
pub fn magnitude<T: Number>([y, x]: Vector<T>) -> T {
    (y * y + x * x).root()
}

fn scaled<T: Number>(number: T, factor: f64) -> T {
    number * T::from_f64(factor)
}
