//! Shapes, dtypes, frame indices, regions of interest and arrays: the words that everything else is said in. Pure.

mod array;
mod cast;
mod dtype;
mod element;
mod exact;
mod extent;
mod index;
pub mod npy;
mod roi;

pub use array::Array;
pub use cast::convertible;
pub(crate) use cast::{Kernel, cast, kernel};
pub use dtype::{ByteOrder, Dtype, DtypeKind, UnknownDtype};
pub(crate) use element::{Bool, Complex, Element, for_element};
pub(crate) use exact::{exactly, number};
pub use extent::{Shape, ShapeError};
pub use index::{FrameIdx, RoiIdx};
pub use roi::{Roi, RoiError};
