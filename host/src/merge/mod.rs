//! Partial results into merged ones, in partition order.

mod merged;

pub(crate) use merged::Merged;
