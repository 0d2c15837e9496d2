//! Plain numbers without a header, frame after frame; the user says what they are.

use std::path::Path;

use super::{DatasetError, DatasetOptions, Found, frames::Coding, map::MappedFile, options::RAW, plain};
use crate::shape::{ByteOrder, Dtype};

pub(super) fn open(path: &Path, options: &DatasetOptions) -> Result<Found, DatasetError> {
    let (Some(dtype), Some(sig)) = (options.dtype, options.sig()?) else {
        let missing = match (options.dtype, &options.sig_shape) {
            (None, None) => "`--dtype` and `--sig-shape`",
            (None, _) => "`--dtype`",
            _ => "`--sig-shape`",
        };
        let missing = missing.to_owned();
        return Err(DatasetError::OptionMissing { path: path.to_owned(), format: RAW.name, missing });
    };
    let bytes = |key| options.own::<u64>(key, "a number of bytes").map(Option::unwrap_or_default);
    let file = MappedFile::open_alone(path)?;
    let layout = plain::Layout {
        dtype: dtype.0,
        byte_order: byte_order(dtype, options.byte_order)?,
        start: options.offset.unwrap_or_default(),
        end: file.info().size,
        lead: bytes("frame-header")?,
        trail: bytes("frame-footer")?,
        coding: Coding::Plain,
    };
    plain::found(file, layout, options.nav()?, sig)
}

fn byte_order(
    (dtype, written): (Dtype, Option<ByteOrder>),
    option: Option<ByteOrder>,
) -> Result<ByteOrder, DatasetError> {
    if let (Some(written), Some(option)) = (written, option)
        && written != option
        && dtype.word_size() > 1
    {
        return Err(DatasetError::BadValue {
            option: "--byte-order".to_owned(),
            value: format!("{option:?}").to_lowercase(),
            expected: format!("{}, as `--dtype` has it", format!("{written:?}").to_lowercase()),
        });
    }
    Ok(option.or(written).unwrap_or(ByteOrder::Little))
}
