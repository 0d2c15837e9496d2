//! Auto UDF: a function of a frame is a whole UDF.
//!
//! ```
//! use lthost_guest_sdk::prelude::*;
//!
//! export_map!(row_sums, "Sum over the last signal axis");
//!
//! fn row_sums(frame: Frame<f32>) -> Vec<f32> {
//!     frame.rows().map(|row| row.iter().sum()).collect()
//! }
//! # fn main() {}
//! ```
//!
//! The function is called for each frame, and the buffer `result` has what it returned: of kind nav, with the shape of
//! one result as extra shape. That shape and the dtype are found by calling the function once for a frame of ones. With
//! the parameter `monitor`, buffer `monitor` has the result of the last frame alone.
//!
//! What it returns: a number (also `bool`, `usize` and [`Complex`](crate::Complex)), an array, slice or `Vec` of them,
//! an [`Array`](crate::Array) of any shape, or a [`Result`](crate::Result) of one of these: an error ends the run. See
//! [`Mapped`].
//!
//! What it takes: `Frame<f32>`, or a frame of any other [`Element`](crate::Element), comes in just that dtype. The host
//! converts the data, even if digits are lost; it refuses to make real numbers of complex ones. A function that is
//! generic over the dtype says so in the macro, too:
//!
//! | in the macro | dtype of frames |
//! |---|---|
//! | `export_map!(f<T: Float>, "..")` | at least `f32`: `f32`, `f64` or a complex one |
//! | `export_map!(f<T: Real>, "..")` | that of the data set, which must not be complex |
//! | `export_map!(f<T: Element>, "..")` | that of the data set |
//!
//! Further arguments are parameters of the UDF. The macro repeats the list of arguments, where they can be documented
//! and have defaults; one without a default is required, unless it is an `Option`. See [`Argument`].
//!
//! ```
//! use lthost_guest_sdk::{prelude::*, testing::Scan};
//!
//! export_map!(
//!     bright<T: Real>(
//!         frame,
//!         /// brighter than this
//!         level: f64,
//!         /// count at most so many
//!         limit: usize = 1000
//!     ),
//!     "Number of bright pixels"
//! );
//!
//! fn bright<T: Real>(frame: Frame<T>, level: f64, limit: usize) -> usize {
//!     frame.pixels().iter().filter(|pixel| pixel.to_f64() > level).count().min(limit)
//! }
//!
//! // Two frames of three pixels. `Auto<bright>` is the UDF.
//! let scan = Scan::new(&[2], &[3], &[1_u16, 5, 9, 0, 0, 4]).param("level", 3.5);
//! assert_eq!(scan.run::<Auto<bright>>().unwrap().get::<i64>("result"), [2, 1]);
//! ```
//!
//! Where the arguments have to be prepared once for all frames, or anything is to be added up over frames, write a
//! [`Udf`](crate::Udf).

mod argument;
mod call;
mod export;
mod frame;
mod mapped;
#[cfg(test)]
mod tests;
mod udf;

pub use argument::{Argument, parameter};
pub use call::{Call, exactly, unbound};
pub use frame::Frame;
pub use mapped::{Mapped, Scalar, Take};
pub use udf::{Auto, Function};
