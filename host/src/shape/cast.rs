//! tmp
use super::Dtype;
pub(crate) fn cast(_from: Dtype, _data: &[u8], _to: Dtype, _out: &mut [u8]) {}
