//! The function in a file that is to be run over all frames, in each language.

pub(super) mod c;
pub(super) mod python;
pub(super) mod rust;
