//! How a partition is cut into tiles: pure arithmetic on shapes. And what sparse tiles are made of.

mod csr;
mod tiling;

pub use csr::CsrRows;
pub use tiling::{SigBlock, TileDemand, Tiling};
