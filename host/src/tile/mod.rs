//! How a partition is cut into tiles: pure arithmetic on shapes.

mod tiling;

pub use tiling::{SigBlock, TileDemand, Tiling};
