//! Buffers: what a UDF declares, and what a partition hands back. Pure.

mod declaration;
mod emission;
mod spare;

pub use declaration::{Declaration, DeclarationError, DeclarationLimits, Kind, Merge, Usage, check_declarations};
pub(crate) use emission::{Emission, EmittedPieces, Piece};
pub use emission::{Partial, PartitionRange};
pub(crate) use spare::Spare;
