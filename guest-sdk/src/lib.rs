//! Write UDFs for lthost in Rust: implement [`Udf`], name it in [`export_udf!`], build for `wasm32-unknown-unknown`.
//!
//! ```
//! use lthost_guest_sdk::prelude::*;
//!
//! export_udf!(Sum);
//!
//! struct Sum;
//!
//! impl Udf for Sum {
//!     fn manifest() -> Manifest {
//!         manifest!("sum", "Sum of all frames")
//!     }
//!
//!     fn new(_: &Params, _: &Meta) -> Result<Self> {
//!         Ok(Self)
//!     }
//!
//!     fn buffers(&self, input: Dtype) -> Result<Vec<Buffer>> {
//!         Ok(vec![Buffer::sig("intensity", input).merge(Merge::Sum)])
//!     }
//!
//!     fn process(&mut self, tile: &Tile, out: &mut Partial) -> Result<()> {
//!         each_dtype!(tile.pixels(), |pixels| kernels::add_frames(&mut out.sig("intensity", tile)?, pixels));
//!         Ok(())
//!     }
//! }
//! # fn main() {}
//! ```
//!
//! A function of one frame needs less than that: see [`auto`].
//!
//! With the feature `ndarray`, tiles, buffers and arrays are seen as views of the crate of that name: `Tile::view`.
//!
//! [`testing`] runs a UDF natively, in a unit test, on a few hand-made frames.

// The derive macro names this crate as its users do.
#[cfg(test)]
extern crate self as lthost_guest_sdk;

mod udf;

mod buffer;
mod manifest;
mod meta;
mod params;

mod array;
mod complex;
mod dtype;
mod element;
mod numbers;
mod pixel;

mod csr;
mod fourier;
mod matrix;
mod moments;
mod output;
mod partial;
mod store;
mod sums;
mod tile;
#[cfg(feature = "ndarray")]
mod view;

mod error;
mod host;

pub mod auto;
pub mod field;
pub mod kernels;
pub mod masks;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;

mod adapter;
#[doc(hidden)]
pub mod bindings;
mod cast;
mod convert;
mod export;

pub use array::Array;
pub use auto::{Auto, Frame};
pub use buffer::{Buffer, Kind, Merge, Usage};
pub use complex::Complex;
pub use csr::Csr;
pub use dtype::{Dtype, DtypeKind};
pub use element::{Bool, Element, Float, Part, Real};
pub use error::{Error, Result};
pub use fourier::{Fourier, Transformed};
pub use host::{Level, log};
pub use manifest::{Axis, Manifest, Parameter, ParameterType};
pub use matrix::Matrix;
pub use meta::{Block, Corrections, Granularity, Input, Meta, Partition, Preferences, Role, Tiling};
pub use moments::PixelMoments;
#[cfg(feature = "ndarray")]
#[doc(no_inline)]
pub use ndarray;
pub use numbers::Numbers;
pub use output::Output;
pub use params::{FromValue, Parameters, Params, Value};
pub use partial::Partial;
pub use pixel::{Count, Pixel};
pub use store::Buffers;
pub use sums::{PixelSums, frame_sums};
pub use tile::Tile;
pub use udf::Udf;
#[cfg(feature = "ndarray")]
pub use view::Entries;

pub use lthost_guest_sdk_derive::Parameters;

#[doc(hidden)]
pub use adapter::{Adapter, Instance};

pub mod prelude {
    //! All that a plugin usually needs.

    pub use crate::{
        Array, Auto, Axis, Buffer, Buffers, Complex, Count, Csr, Dtype, Element, Error, Float, Frame, FromValue,
        Manifest, Matrix, Merge, Meta, Numbers, Output, Parameter, Parameters, Params, Part, Partial, Partition, Pixel,
        PixelMoments, PixelSums, Preferences, Real, Result, Tile, Udf, Value, each_count, each_dtype, each_float,
        each_pixel, each_real, export_map, export_udf, frame_sums, kernels, manifest,
    };
}
